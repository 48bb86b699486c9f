"""Members of the mesh that mean no good, in processes of their own, against an honest mesh.

Three honest hosts in a chain, h1–h3–h2, and a fourth from which hostile members dial h1. What they
do changes nothing that the honest see of each other, they are named where they did it, and let go.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from presence_core.handshake.events import ByeCode
from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from tests.network.host import PROGRAM, VALID, Host, Program, online
from tests.network.lab import Lab, why_not
from tests.network.ways import wrong_ways

_REASON = why_not()
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]

PORT = 47_701
ROLE = {"role": "medic"}
HONEST = {"h1", "h2", "h3"}
CHAIN = {frozenset(("h1", "h3")), frozenset(("h2", "h3"))}
MADE_UP = ("liar", "ghost")
"""How the names begin that hostile members have signed."""

Graph = dict[str, Any]


class Hostile(Program):
    """A hostile member that dials the first honest host."""

    def __init__(self, mesh: Mesh, what: str) -> None:
        address = f"{mesh.lab.address(1)}:{PORT}"
        command = [sys.executable, "-m", "tests.network.hostile_member", address, mesh.file, what]
        super().__init__(mesh.lab, mesh.outside, what, command)
        self.key = str(self.until_event("key")["key"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def until_event(self, event: str, *, after: int = 0) -> dict[str, Any]:
        """Wait until something happens to it."""
        return self.until(lambda line: line["event"] == event, event, after=after)

    def until_thrown_out(self) -> None:
        """Wait until it is told that it was too much."""
        self.until(thrown_out, "Bye(limit)")

    def until_back(self) -> None:
        """Wait until it is let in after that."""
        at = next(n for n, line in enumerate(self.lines) if thrown_out(line))
        self.until_event("in", after=at)


def thrown_out(line: dict[str, Any]) -> bool:
    """Whether a hostile member has heard that it was too much."""
    return (line["event"], line.get("code")) == ("closed", ByeCode.LIMIT)


@dataclass
class Mesh:
    """The honest hosts, and those hostile members that need long."""

    lab: Lab
    file: str
    outside: int
    hosts: dict[str, Host]
    keys: dict[str, str]
    """Names of the honest by key."""
    since: dict[str, int] = field(default_factory=dict)
    """From which line on nothing may change at each of them."""
    persistent: Hostile = field(init=False)
    replaying: Hostile = field(init=False)

    def honest_view(self, graph: Graph) -> list[str]:
        """Say what is wrong with what a graph shows of honest peers."""
        wrong = wrong_ways(graph)
        own = self.keys[graph["localPeer"]["peerKey"]]
        seen = {p["peerKey"]: p for p in graph["remotePeers"] if p["peerKey"] in self.keys}
        for key, name in self.keys.items():
            peer = graph["localPeer"] if name == own else seen.get(key)
            if peer is None:
                wrong.append(f"{name} is missing")
            elif peer["deviceName"] != name:
                wrong.append(f"{name} is called {peer['deviceName']!r}")
            elif peer["presence"]["state"] != "online":
                wrong.append(f"{name} is {peer['presence']['state']}")
            elif peer["peerMetadata"] != (ROLE if name == "h2" else {}):
                wrong.append(f"{name} says {peer['peerMetadata']}")
        links = {
            frozenset(self.keys.get(c[end], c[end]) for end in ("peer1", "peer2"))
            for c in graph["connections"].values()
            if c["confirmed"]
        }
        if {link for link in links if link <= HONEST} != CHAIN:
            wrong.append(f"links {sorted(map(sorted, links))}")
        for peer in graph["remotePeers"]:
            if peer["peerKey"] not in self.keys and not peer["deviceName"].startswith(MADE_UP):
                wrong.append(f"nobody signed the name {peer['deviceName']!r}")
        return wrong

    def check(self) -> None:
        """Check every graph since the beginning, and that nobody honest was blamed."""
        for name, host in self.hosts.items():
            assert host.process.poll() is None
            for line in host.lines[self.since[name] :]:
                assert self.honest_view(line) == []
                for key in self.keys:
                    assert key[:12] not in (gossip(line)["message"] or "")
            VALID.validate(host.lines[-1])
            self.since[name] = len(host.lines) - 1

    def until_accused(self, hostile: Hostile, *words: str, at: str = "h1") -> str:
        """Wait until a host names a hostile member in its conditions, with these words."""

        def accused(graph: Graph) -> bool:
            message = gossip(graph)["message"] or ""
            _, key, said = message.partition(hostile.key[:12])
            said, _, _ = said.partition("; pk1")
            return bool(key) and all(word in said for word in words)

        what = f"{hostile.key[:12]} accused of {words}"
        graph = self.hosts[at].until(accused, what, after=self.since[at])
        condition = gossip(graph)
        assert condition["state"] == "warning"
        assert "find that device" in condition["hint"]
        return str(condition["message"])


def gossip(graph: Graph) -> dict[str, Any]:
    """Return the condition of the records that neighbours send."""
    (condition,) = [c for c in graph["conditions"] if c["source"] == "gossip"]
    return dict(condition)


def sees_all(names: set[str]) -> Callable[[Graph], bool]:
    """Whether a graph is current, with just these others online."""
    return lambda graph: online(graph) == names and graph["view"]["state"] == "current"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("hostile")
    file = folder / "field.key"
    write_mesh_key(file, MeshKey.generate("field"))
    with Lab(2, segments=2, hubs=[(0, 1)]) as lab:
        outside = lab.add_host((0,))
        options = ("--full", "--mesh-key-file", str(file), "--listen", f"0.0.0.0:{PORT}")
        hosts = {
            f"h{n}": Host(lab, n, folder / f"home{n}", *options, checked=False) for n in (1, 2, 3)
        }
        graphs = {
            name: host.until(sees_all(HONEST - {name}), "the others")
            for name, host in hosts.items()
        }
        keys = {graph["localPeer"]["peerKey"]: name for name, graph in graphs.items()}
        built = Mesh(lab, str(file), outside, hosts, keys)
        built.persistent = Hostile(built, "bad-signature")
        built.replaying = Hostile(built, "rolled-back")
        built.replaying.until_event("ready")
        told = [*PROGRAM, "metadata", "set", json.dumps(ROLE), "--home", str(hosts["h2"].home)]
        assert lab.run(2, told).returncode == 0
        for name, host in hosts.items():
            host.until(lambda graph: not built.honest_view(graph), "h2 with its role")
            built.since[name] = len(host.lines) - 1
        yield built


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("other-mesh", "records that do not hold (the last: the signature"),
        ("other-key", "records that do not hold (the last: the signature"),
        ("edges-65", "records that do not hold (the last: the edges are not a list of at most"),
        ("oversize-body", "records that do not hold (the last: a body is larger than"),
        ("garbage", "messages that break the protocol (the last: "),
        ("equivocation", "records that contradict each other (the last: two of 'liar"),
        ("flood", "more than the protocol allows (the last: more versions of a peer than allowed)"),
    ],
)
def test_what_does_not_hold_changes_nothing_is_named_and_ends_the_link(
    mesh: Mesh, what: str, said: str
) -> None:
    with Hostile(mesh, what) as hostile:
        hostile.until_thrown_out()
        message = mesh.until_accused(hostile, said, "its link was closed")
        assert "('liar" in message
        assert f"at {mesh.lab.address(mesh.outside)} sent " in message
        if what == "equivocation":  # its own signature proves that to everybody
            mesh.until_accused(hostile, said, at="h3")
        else:
            assert hostile.key[:12] not in (gossip(mesh.hosts["h3"].lines[-1])["message"] or "")
    mesh.check()


def test_edges_that_the_other_end_does_not_list_are_shown_as_one_sided(mesh: Mesh) -> None:
    with Hostile(mesh, "lying-edges") as hostile:
        hostile.until_event("sent")

        def claimed(graph: Graph) -> bool:
            ends = {
                self_and_other(c, hostile.key): c["confirmed"]
                for c in graph["connections"].values()
                if hostile.key in (c["peer1"], c["peer2"])
            }
            names = {mesh.keys.get(key, "nobody"): confirmed for key, confirmed in ends.items()}
            return names == {"h1": True, "h2": False, "h3": False, "nobody": False}

        for name, host in mesh.hosts.items():
            graph = host.until(claimed, "one-sided edges", after=mesh.since[name])
            ghosts = [p for p in graph["remotePeers"] if p["deviceName"] == "ghost"]
            assert [p["presence"]["state"] for p in ghosts] == ["lost"]
    mesh.check()


def self_and_other(connection: dict[str, Any], key: str) -> str:
    """Return the other end of a connection of a peer."""
    one, other = connection["peer1"], connection["peer2"]
    return str(other if one == key else one)


def test_old_versions_change_nothing_and_end_the_link(mesh: Mesh) -> None:
    mesh.replaying.until_thrown_out()
    said = "records that were replaced long ago"
    mesh.until_accused(mesh.replaying, said, "an old record of", "its link was closed")
    mesh.replaying.stop()
    mesh.check()


def test_a_crowd_of_invented_peers_pushes_nobody_out(mesh: Mesh) -> None:
    with Hostile(mesh, "new-peers-flood") as hostile:
        hostile.until_thrown_out()
        mesh.until_accused(hostile, "more new peers than allowed", "its link was closed")
    mesh.check()


def test_whoever_was_thrown_out_is_refused_while_it_cools_down_and_may_come_back(
    mesh: Mesh,
) -> None:
    persistent = mesh.persistent
    persistent.until_thrown_out()
    refused = persistent.until_event("refused")
    assert refused["code"] == ByeCode.LIMIT
    mesh.until_accused(persistent, "it was refused")
    persistent.until_back()
    mesh.check()
