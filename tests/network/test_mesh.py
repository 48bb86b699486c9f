"""A mesh of several hops, halves and silent hosts: separate processes, real mDNS, real faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.network.host import PROGRAM, Host, online, states
from tests.network.lab import Lab, why_not
from tests.network.ways import wrong_ways

_REASON = why_not()
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]


class Mesh:
    """A peer on every host of a lab."""

    def __init__(self, lab: Lab, folder: Path, mesh_file: str) -> None:
        self.lab = lab
        self.hosts = {
            f"h{n}": Host(lab, n, folder / f"home{n}", "--full", "--mesh-key-file", mesh_file)
            for n in range(1, lab.hosts + 1)
        }
        self.names = set(self.hosts)

    def now(self) -> dict[str, int]:
        """Return how many lines each has printed: what comes after that is news."""
        return {name: len(host.lines) for name, host in self.hosts.items()}

    def until(
        self,
        names: set[str],
        condition: Callable[[Host, dict[str, Any]], bool],
        what: str,
        after: dict[str, int],
    ) -> dict[str, dict[str, Any]]:
        """Wait until each of these has printed a graph that fulfils a condition."""
        return {
            name: host.until(partial(condition, host), what, after=after[name])
            for name, host in self.hosts.items()
            if name in names
        }

    def until_whole(self, after: dict[str, int]) -> dict[str, dict[str, Any]]:
        """Wait until all see all others, are sure of it, and have the ways right."""

        def right(host: Host, graph: dict[str, Any]) -> bool:
            return (
                online(graph) == self.names - {host.name}
                and graph["view"]["state"] == "current"
                and not wrong_ways(graph)
            )

        return self.until(self.names, right, "all others online, in a current view", after)

    def until_apart(self, near: set[str], after: dict[str, int]) -> None:
        """Wait until each of these sees the others of them online, and all the rest lost."""

        def apart(host: Host, graph: dict[str, Any]) -> bool:
            return states(graph) == {
                name: "online" if name in near else "lost" for name in self.names - {host.name}
            }

        self.until(near, apart, f"just {sorted(near)} online, the rest lost", after)

    def set_metadata(self, name: str, value: dict[str, Any]) -> None:
        """Give a running peer other metadata, as a person does."""
        host = self.hosts[name]
        command = [*PROGRAM, "metadata", "set", json.dumps(value), "--home", str(host.home)]
        assert self.lab.run(host.number, command).returncode == 0

    def until_told(
        self, names: set[str], whose: str, value: dict[str, Any], after: dict[str, int]
    ) -> None:
        """Wait until each of these shows that metadata of a peer."""

        def told(_: Host, graph: dict[str, Any]) -> bool:
            return any(
                p["deviceName"] == whose and p["peerMetadata"] == value
                for p in graph["remotePeers"]
            )

        self.until(names - {whose}, told, f"{value} of {whose}", after)

    def none_has_ended(self) -> bool:
        """Whether all the processes still are those that were started."""
        return all(host.process.poll() is None for host in self.hosts.values())


START = dict.fromkeys((f"h{n}" for n in range(1, 11)), 0)


def test_segments_that_only_hubs_join_are_one_mesh(tmp_path: Path, mesh_file: str) -> None:
    with Lab(6, segments=3, hubs=[(0, 1), (1, 2)]) as lab:
        mesh = Mesh(lab, tmp_path, mesh_file)
        legs = {"h1": {0}, "h2": {0}, "h3": {1}, "h4": {1}, "h5": {2}, "h6": {2}}
        legs |= {"h7": {0, 1}, "h8": {1, 2}}
        graphs = mesh.until_whole(START)
        for name, graph in graphs.items():
            names = {p["peerKey"]: p["deviceName"] for p in graph["remotePeers"]}
            names[graph["localPeer"]["peerKey"]] = name
            ends = [(names[c["peer1"]], names[c["peer2"]]) for c in graph["connections"].values()]
            assert all(legs[one] & legs[other] for one, other in ends), ends
            hops = {p["deviceName"]: p["presence"]["hops"] for p in graph["remotePeers"]}
            for other, count in hops.items():
                assert count >= 1 + (not legs[name] & legs[other])
        far = {p["deviceName"]: p["presence"]["hops"] for p in graphs["h1"]["remotePeers"]}
        assert far["h5"] >= 3  # h7, h8, h5: no shorter way has been built

        after = mesh.now()
        mesh.set_metadata("h1", {"role": "medic"})
        mesh.until_told(mesh.names, "h1", {"role": "medic"}, after)

        after = mesh.now()
        lab.mute(8)  # powered off, as others see it: no link goes down, nothing says goodbye
        mesh.until_apart({"h1", "h2", "h3", "h4", "h7"}, after)
        mesh.until_apart({"h5", "h6"}, after)
        after = mesh.now()
        lab.heal(8)
        mesh.until_whole(after)
        assert mesh.none_has_ended()


def test_two_halves_of_a_segment_become_one_mesh_again(tmp_path: Path, mesh_file: str) -> None:
    with Lab(8) as lab:
        mesh = Mesh(lab, tmp_path, mesh_file)
        mesh.until_whole(START)
        near = {"h1", "h2", "h3", "h4"}
        far = mesh.names - near
        after = mesh.now()
        lab.split(5, 6, 7, 8)
        mesh.until_apart(near, after)
        mesh.until_apart(far, after)
        # What is said meanwhile, the other half learns afterwards.
        mesh.set_metadata("h1", {"half": "near"})
        mesh.set_metadata("h8", {"half": "far"})
        mesh.until_told(near, "h1", {"half": "near"}, after)
        mesh.until_told(far, "h8", {"half": "far"}, after)
        after = mesh.now()
        lab.join(5, 6, 7, 8)
        mesh.until_whole(after)
        mesh.until_told(far, "h1", {"half": "near"}, after)
        mesh.until_told(near, "h8", {"half": "far"}, after)
        assert mesh.none_has_ended()


def test_a_host_that_falls_silent_is_lost_to_all_and_comes_back(
    tmp_path: Path, mesh_file: str
) -> None:
    with Lab(6) as lab:
        mesh = Mesh(lab, tmp_path, mesh_file)
        mesh.until_whole(START)
        after = mesh.now()
        lab.mute(3)
        mesh.until_apart(mesh.names - {"h3"}, after)

        def knows(_: Host, graph: dict[str, Any]) -> bool:
            return graph["view"]["state"] == "blind" and not online(graph)

        graph = mesh.until({"h3"}, knows, "a blind view, nobody online", after)["h3"]
        assert "last known" in graph["view"]["reason"]
        assert set(states(graph)) == mesh.names - {"h3"}
        after = mesh.now()
        lab.heal(3)
        mesh.until_whole(after)
        assert mesh.none_has_ended()
