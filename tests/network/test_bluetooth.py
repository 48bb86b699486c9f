"""Devices on LAN and Bluetooth that lose the LAN: real command lines on hosts, all in one air."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.network.host import Host, states
from tests.network.lab import Lab, why_not

_REASON = why_not()
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]

ROOT = Path(__file__).parents[2]
OTHERS = {"h1": {"h2", "h3"}, "h2": {"h1", "h3"}, "h3": {"h1", "h2"}}
GONE = {"peer_lost", "peer_left"}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(3) as built:
        yield built


@pytest.fixture
def air() -> Iterator[str]:
    """Run the air between virtual adapters; give the path of its socket."""
    command = [sys.executable, "-m", "tests.bluetooth.ether"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def start(lab: Lab, folder: Path, mesh_file: str, air: str, transports: str) -> list[Host]:
    """Start a device on each host. The first two print snapshots, the third prints changes."""
    return [
        Host(
            lab,
            n,
            folder / f"home{n}",
            *(() if n == 3 else ("--full",)),
            *("--mesh-key-file", mesh_file, "--transport", transports),
            program=[sys.executable, "-m", "tests.bluetooth.command_line", air, f"h{n}", str(n)],
        )
        for n in (1, 2, 3)
    ]


def linked(graph: dict[str, Any], own: str) -> dict[str, set[str]]:
    """Return for each peer with a confirmed link to this device over what they are linked."""
    key = graph["localPeer"]["peerKey"]
    assert graph["localPeer"]["deviceName"] == own
    return {
        peer["deviceName"]: {
            c["type"]
            for c in peer["connections"]
            if c["confirmed"] and key in (c["peer1"], c["peer2"])
        }
        for peer in graph["remotePeers"]
    }


def over(own: str, *types: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a current graph shows links of these types to all, and others as well linked."""

    def shows(graph: dict[str, Any]) -> bool:
        between_all = {
            (c["peer1"], c["peer2"], c["type"])
            for c in graph["connections"].values()
            if c["confirmed"] and c["type"] in types
        }
        return (
            graph["view"]["state"] == "current"
            and linked(graph, own) == {name: set(types) for name in OTHERS[own]}
            and len(between_all) == 3 * len(types)
        )

    return shows


def test_who_loses_the_lan_stays_online_over_bluetooth_without_a_moment_of_lost(
    lab: Lab, tmp_path: Path, mesh_file: str, air: str
) -> None:
    hosts = start(lab, tmp_path, mesh_file, air, "lan,ble")
    both = [host.until(over(host.name, "LAN", "Bluetooth"), "both links") for host in hosts[:2]]
    for cut, heal in ((lab.mute, lab.heal), (lab.cut, lab.mend)):
        seen = [len(host.lines) for host in hosts]
        cut(1, 2, 3)
        for host, after in zip(hosts[:2], seen, strict=False):
            graph = host.until(over(host.name, "Bluetooth"), "only Bluetooth", after=after)
            assert hops(graph) == {1}
        hosts[2].until_change("link_down", after=seen[2])
        seen = [len(host.lines) for host in hosts]
        heal(1, 2, 3)
        for host, after in zip(hosts[:2], seen, strict=False):
            host.until(over(host.name, "LAN", "Bluetooth"), "both links again", after=after)
    for host in hosts:  # those that leave have left, but only now
        told = tuple(host.lines)
        assert not {line["kind"] for line in told if "kind" in line} & GONE
    for host, first in zip(hosts[:2], both, strict=True):
        for graph in host.lines[host.lines.index(first) :]:
            assert all_are(graph, own=host.name, state="online")
            assert hops(graph) == {1}
            assert graph["view"]["state"] == "current"
    for host in hosts:
        assert host.stop() == 0

    hosts = start(lab, tmp_path, mesh_file, air, "lan")  # the same without Bluetooth is a loss
    for host in hosts[:2]:
        host.until(over(host.name, "LAN"), "the LAN")
    lab.mute(1, 2, 3)
    for host in hosts[:2]:
        host.until(partial(all_are, own=host.name, state="lost"), "both lost")
    hosts[2].until_change("peer_lost")


def all_are(graph: dict[str, Any], *, own: str, state: str) -> bool:
    return states(graph) == dict.fromkeys(OTHERS[own], state)


def hops(graph: dict[str, Any]) -> set[int | None]:
    return {peer["presence"]["hops"] for peer in graph["remotePeers"]}
