"""Graphs of a node in a mesh of some hundred peers, whose records it is told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from presence_core.codec.metadata import encode_metadata
from presence_core.engine.connections import Connections, LinkMeasure
from presence_core.engine.graph import GraphBuilder
from presence_core.engine.node import Node
from presence_core.engine.own_record import NodeProfile
from presence_core.gossip.messages import Hello, Records
from presence_core.gossip.record import Body, Edge, Record, sign_record
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.identity.mesh import MeshKey
from presence_core.model import Mesh, Peer, PresenceGraph, PresenceState, View, ViewState
from presence_core.schema import graph_to_json

MESH = MeshKey.generate("test")
WALL = 1_790_000_000
PEERS = 200
LAN = 1


class Told:
    """A node with a link to peer 1; the peers from 1 on stand in a line."""

    def __init__(self) -> None:
        self.identities = [
            Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(PEERS + 2)
        ]
        self.node = Node(
            self.identities[0],
            MESH,
            NodeProfile("own", None, None),
            epoch=1,
            now=0.0,
            wall_ms=lambda: WALL * 1000,
            rng=random.Random(3),
        )
        self.builder = GraphBuilder(self.node)
        self.edges: dict[int, set[int]] = {n: set() for n in range(1, PEERS + 1)}
        self.metadata: dict[int, Body] = {}
        self._seq = 0
        self.measures: dict[int, LinkMeasure] = {}
        for n in range(1, PEERS):
            self.edges[n].add(n + 1)
            self.edges[n + 1].add(n)
        self.edges[1].add(0)
        self.link_up()
        self.tell(*self.edges)

    def key(self, n: int) -> bytes:
        return self.identities[n].peer_key

    def text(self, n: int) -> str:
        return peer_key_text(self.key(n))

    def record(self, n: int, *, leaving: bool = False) -> Record:
        self._seq += 1
        return sign_record(
            self.identities[n],
            MESH,
            epoch=1,
            seq=self._seq,
            issued_at=WALL,
            name=f"peer {n}",
            metadata=self.metadata.get(n),
            edges=[] if leaving else [Edge(self.key(far), LAN, WALL) for far in self.edges[n]],
            leaving=leaving,
        )

    def link_up(self) -> None:
        record = self.record(1)
        hello = Hello((1,), WALL * 1000, record.raw, bytes(8), 1)
        self.node.link_up(5, hello, record, 0.0, transport=LAN, dialled=True)

    def tell(self, *numbers: int, leaving: bool = False) -> None:
        for n in numbers:
            body = Records(((0, self.record(n, leaving=leaving).raw),)).encode()
            self.node.message(5, MessageType.RECORDS, body, 0.0)

    def build(self) -> PresenceGraph:
        self.node.tick(0.0)
        moment = datetime.fromtimestamp(WALL, UTC)
        return self.builder.build(
            sequence=1,
            generated_at=moment,
            view=View(ViewState.CURRENT, moment),
            mesh=Mesh("test", open=False),
            conditions=(),
            measures=self.measures,
        )


@pytest.fixture(scope="module")
def line() -> Told:
    """A line of peers; each test leaves it whole."""
    return Told()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the peers and the connections that are made."""
    counter: Counter[str] = Counter()
    for owner, name in ((GraphBuilder, "_peer"), (Connections, "_connection")):
        original = getattr(owner, name)

        def counting(*args: object, _name: str = name, _original: object = original) -> object:
            counter[_name] += 1
            return _original(*args)  # type: ignore[operator]

        monkeypatch.setattr(owner, name, counting)
    return counter


def peer(graph: PresenceGraph, told: Told, n: int) -> Peer:
    found = graph.peer(told.text(n))
    assert found is not None
    return found


def others(before: PresenceGraph, after: PresenceGraph) -> set[str]:
    """Return the names of the remote peers that are not the same objects."""
    known = set(map(id, before.remote_peers))
    return {peer.device_name for peer in after.remote_peers if id(peer) not in known}


def test_a_graph_has_everybody_sorted_with_hops_and_the_neighbour_on_the_way(line: Told) -> None:
    graph = line.build()
    keys = [peer.peer_key for peer in graph.remote_peers]
    assert keys == sorted(line.text(n) for n in range(1, PEERS + 1))
    assert list(graph.connections) == sorted(graph.connections)
    assert len(graph.connections) == PEERS
    first, far = peer(graph, line, 1), peer(graph, line, 9)
    assert (first.presence.hops, first.presence.direct, first.presence.via) == (1, True, ())
    assert (far.presence.hops, far.presence.direct) == (9, False)
    assert far.presence.via == (line.text(1),)
    assert {c.confirmed for c in far.connections} == {True}
    assert all(c is graph.connections[c.id] for p in graph.remote_peers for c in p.connections)


def test_nothing_is_made_when_nothing_has_changed(line: Told, made: Counter[str]) -> None:
    before = line.build()
    made.clear()
    after = line.build()
    assert not made
    assert after.connections is before.connections
    assert after.local_peer is before.local_peer
    assert not others(before, after)


def test_other_metadata_makes_one_peer_and_no_connection(line: Told, made: Counter[str]) -> None:
    before = line.build()
    made.clear()
    line.metadata[50] = line.node.bodies.put_own(encode_metadata({"a": 1}))
    line.tell(50)
    after = line.build()
    assert made == {"_peer": 1}
    assert others(before, after) == {"peer 50"}
    assert peer(after, line, 50).peer_metadata == {"a": 1}
    assert peer(after, line, 50).connections == peer(before, line, 50).connections
    assert after.connections is before.connections


def test_a_new_edge_makes_one_connection_and_those_whom_it_brings_nearer(
    line: Told, made: Counter[str]
) -> None:
    before = line.build()
    made.clear()
    for one, other in ((PEERS - 3, PEERS), (PEERS, PEERS - 3)):
        line.edges[one].add(other)
        line.tell(one)
    after = line.build()
    # The last is nearer by two, and the one before it is not: it has another way of as many hops.
    assert others(before, after) == {f"peer {PEERS - 3}", f"peer {PEERS}"}
    assert made == {"_peer": 2, "_connection": 1}
    assert peer(after, line, PEERS).presence.hops == PEERS - 2
    kept = [c for c in after.connections.values() if before.connections.get(c.id) is c]
    assert len(kept) == len(before.connections)
    for one, other in ((PEERS - 3, PEERS), (PEERS, PEERS - 3)):
        line.edges[one].discard(other)
        line.tell(one)
    assert set(line.build().connections) == set(before.connections)


def test_what_one_end_dropped_is_one_sided_and_cuts_off_those_behind(line: Told) -> None:
    line.build()
    line.edges[PEERS - 2].discard(PEERS - 1)
    line.tell(PEERS - 2)
    graph = line.build()
    assert [c.confirmed for c in peer(graph, line, PEERS).connections] == [True]
    assert sorted(c.confirmed for c in peer(graph, line, PEERS - 1).connections) == [False, True]
    (denied,) = (c for c in peer(graph, line, PEERS - 2).connections if not c.confirmed)
    assert denied.said_by == peer(graph, line, PEERS - 1).peer_key
    for n in (PEERS - 1, PEERS):
        presence = peer(graph, line, n).presence
        assert (presence.state, presence.hops, presence.via) == (PresenceState.LOST, None, ())
    line.edges[PEERS - 2].add(PEERS - 1)
    line.tell(PEERS - 2)
    assert peer(line.build(), line, PEERS).presence.state is PresenceState.ONLINE


def test_who_said_goodbye_has_left(line: Told) -> None:
    line.build()
    line.tell(PEERS, leaving=True)
    last = peer(line.build(), line, PEERS)
    assert last.presence.state is PresenceState.LEFT
    line.tell(PEERS)
    assert peer(line.build(), line, PEERS).presence.state is PresenceState.ONLINE


def test_another_measure_makes_our_link_and_its_two_ends(line: Told, made: Counter[str]) -> None:
    before = line.build()
    made.clear()
    line.measures = {5: LinkMeasure(1.5, 10, 20, WALL * 1000)}
    after = line.build()
    assert made == {"_peer": 2, "_connection": 1}
    assert others(before, after) == {"peer 1"}
    own = [c for c in after.local_peer.connections if c.rtt_ms == 1.5]
    assert own == list(after.local_peer.connections)
    line.measures = {}
    assert line.build().local_peer.connections[0].rtt_ms is None


def test_a_link_that_goes_takes_the_ways_over_it(line: Told) -> None:
    line.build()
    line.node.link_down(5, 0.0)
    graph = line.build()
    assert {p.presence.state for p in graph.remote_peers} == {PresenceState.LOST}
    assert not graph.local_peer.connections[0].confirmed  # the other end lists it still
    line.link_up()
    graph = line.build()
    assert {p.presence.state for p in graph.remote_peers} == {PresenceState.ONLINE}


def test_a_graph_made_in_slices_is_the_same_whatever_happens_between_them() -> None:
    whole, sliced = Told(), Told()
    later: list[Callable[[Told], None]] = [part_behind_100, move_20, say_goodbye_150]
    for change in later:
        change(whole)
    sliced.node.tick(0.0)
    slices = 0
    while not sliced.builder.prepare(7):
        slices += 1
        if later and slices % 15 == 0:
            later.pop(0)(sliced)
            sliced.node.tick(0.0)
    assert not later
    assert slices >= 2 * PEERS // 7
    assert graph_to_json(sliced.build()) == graph_to_json(whole.build())


def part_behind_100(told: Told) -> None:
    for one, other in ((100, 101), (101, 100)):
        told.edges[one].discard(other)
        told.tell(one)


def move_20(told: Told) -> None:
    told.metadata[20] = told.node.bodies.put_own(encode_metadata({"at": "pier"}))
    told.tell(20)


def say_goodbye_150(told: Told) -> None:
    told.tell(150, leaving=True)


def test_a_slice_is_no_more_than_what_it_may_be(made: Counter[str]) -> None:
    told = Told()
    told.node.tick(0.0)
    while not told.builder.prepare(7):
        assert sum(made.values()) <= 7
        made.clear()
    made.clear()
    told.build()
    assert sum(made.values()) <= 7 + 1  # and the local peer, whom its own link has changed
