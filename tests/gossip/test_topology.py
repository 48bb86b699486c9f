from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip.record import Edge
from presence_core.gossip.topology import (
    FEW_PAIRS,
    EdgeKey,
    EdgeState,
    Topology,
    Way,
    edge_key,
)

LAN, BLUETOOTH = 1, 2


def ways_from(own: bytes, adjacency: Mapping[bytes, Iterable[bytes]]) -> dict[bytes, Way]:
    """The plain search, breadth first over everybody, that the incremental one must agree with."""
    hops = {own: 0}
    via: dict[bytes, set[bytes]] = {own: set()}
    ring = [own]
    while ring:
        following: list[bytes] = []
        for key in ring:
            for other in adjacency.get(key, ()):
                first = {other} if key == own else via[key]
                if other not in hops:
                    hops[other] = hops[key] + 1
                    via[other] = set(first)
                    following.append(other)
                elif hops[other] == hops[key] + 1:
                    via[other] |= first
        ring = following
    return {key: Way(n, tuple(sorted(via[key]))) for key, n in hops.items()}


class Mesh:
    """A topology seen from peer ``a``, told of edges that are written as two letters."""

    def __init__(self, *edges: str) -> None:
        self.topology = Topology(b"a")
        self.lists: dict[bytes, dict[tuple[bytes, int], int]] = {}
        self.links: dict[EdgeKey, int] = {}
        for edge in edges:
            self.join(edge)
        self.topology.settle()

    def join(self, pair: str, transport: int = LAN, since: int = 7) -> None:
        one, other = pair[0].encode(), pair[1].encode()
        self._own(one, other, transport, since)
        for near, far in ((one, other), (other, one)):
            if near != b"a":
                self.lists.setdefault(near, {})[far, transport] = since
                self._claim(near)

    def part(self, pair: str, transport: int = LAN) -> None:
        one, other = pair[0].encode(), pair[1].encode()
        self._own(one, other, transport, None)
        for near, far in ((one, other), (other, one)):
            if near != b"a":
                self.lists.setdefault(near, {}).pop((far, transport), None)
                self._claim(near)

    def _own(self, one: bytes, other: bytes, transport: int, since: int | None) -> None:
        if b"a" not in (one, other):
            return
        edge = edge_key(one, other, transport)
        self.links.pop(edge, None)
        if since is not None:
            self.links[edge] = since
        self.topology.own_links(self.links)

    def _claim(self, key: bytes) -> None:
        self.topology.claim(
            key,
            (Edge(far, transport, since) for (far, transport), since in self.lists[key].items()),
        )

    def ways(self) -> dict[str, tuple[int, str]]:
        found = {}
        for key in (bytes([n]) for n in range(256)):
            way = self.topology.way(key)
            if way is not None:
                found[key.decode()] = (way.hops, b"".join(way.via).decode())
        return found


# -- ways


def test_a_lonely_peer_reaches_itself_only() -> None:
    topology = Topology(b"a")
    assert topology.settle().peers == set()
    assert topology.way(b"a") == Way(0, ())
    assert topology.way(b"b") is None
    assert topology.reach() == 0


def test_hops_are_counted_along_a_line() -> None:
    mesh = Mesh("ab", "bc", "cd")
    assert mesh.ways() == {"a": (0, ""), "b": (1, "b"), "c": (2, "b"), "d": (3, "b")}
    assert mesh.topology.reach() == 3


def test_all_neighbours_at_the_beginning_of_a_shortest_way_are_named() -> None:
    mesh = Mesh("ab", "ac", "bd", "cd", "ae", "ef", "fd")
    assert mesh.topology.way(b"d") == Way(2, (b"b", b"c"))


def test_islands_are_not_reached() -> None:
    mesh = Mesh("ab", "xy")
    assert mesh.topology.reachable(b"b")
    assert not mesh.topology.reachable(b"x")
    mesh.join("by")
    assert mesh.topology.settle().peers == {b"b", b"x", b"y"}
    assert mesh.topology.way(b"x") == Way(3, (b"b",))


def test_a_connection_has_one_name_whichever_end_lists_it() -> None:
    assert edge_key(b"a", b"b", 1) == edge_key(b"b", b"a", 1)
    assert edge_key(b"a", b"b", 1) != edge_key(b"a", b"b", 2)


def test_a_way_round_takes_the_place_of_one_that_broke() -> None:
    mesh = Mesh("ab", "bc", "cd", "ax", "xy", "yz", "zd")
    mesh.part("bc")
    settled = mesh.topology.settle()
    assert mesh.topology.way(b"d") == Way(4, (b"x",))
    assert mesh.topology.way(b"c") == Way(5, (b"x",))
    assert settled.peers == {b"b", b"c", b"d"}
    assert settled.edges == {(b"b", b"c", LAN)}


def test_two_that_only_hold_each_other_are_both_lost() -> None:
    mesh = Mesh("ab", "bc", "bd", "cd")
    mesh.part("bc")
    mesh.part("bd")
    assert mesh.topology.settle().peers == {b"b", b"c", b"d"}
    assert mesh.ways() == {"a": (0, ""), "b": (1, "b")}


def test_the_beginnings_change_for_everybody_behind_and_for_nobody_else() -> None:
    mesh = Mesh("ab", "ac", "bd", "de", "ef", "bg")
    mesh.join("cd")
    assert mesh.topology.settle().peers == {b"c", b"d", b"e", b"f"}
    assert mesh.topology.way(b"f") == Way(4, (b"b", b"c"))
    assert mesh.topology.way(b"g") == Way(2, (b"b",))


def test_who_stood_behind_one_that_moved_away_loses_its_beginning() -> None:
    mesh = Mesh("ab", "bk", "ko", "ac", "cp", "po")
    assert mesh.topology.way(b"o") == Way(3, (b"b", b"c"))
    mesh.part("bk")
    mesh.topology.settle()
    assert mesh.topology.way(b"o") == Way(3, (b"c",))
    assert mesh.topology.way(b"k") == Way(4, (b"c",))


def test_who_stands_behind_one_that_came_nearer_gains_its_beginning() -> None:
    mesh = Mesh("ab", "bp", "pk", "ac", "cq", "qo", "ko")
    assert mesh.topology.way(b"o") == Way(3, (b"c",))
    mesh.join("bk")
    assert mesh.topology.settle().peers == {b"b", b"k", b"o"}
    assert mesh.topology.way(b"k") == Way(2, (b"b",))
    assert mesh.topology.way(b"o") == Way(3, (b"b", b"c"))


def test_who_loses_all_his_holds_at_once_is_lost_once() -> None:
    mesh = Mesh("ab", "ac", "bd", "cd", "ae", "ef", "fg", "gd")
    mesh.part("bd")
    mesh.part("cd")
    mesh.topology.settle()
    assert mesh.topology.way(b"d") == Way(4, (b"e",))


# -- edges


def test_an_edge_is_confirmed_when_both_ends_list_it() -> None:
    topology = Topology(b"a")
    topology.own_links({(b"a", b"b", LAN): 1})
    topology.claim(b"b", [Edge(b"c", LAN, 5)])
    topology.settle()
    assert topology.edge((b"b", b"c", LAN)) == EdgeState(5, b"c")
    assert not topology.reachable(b"c")
    topology.claim(b"c", [Edge(b"b", LAN, 9)])
    topology.settle()
    assert topology.edge((b"b", b"c", LAN)) == EdgeState(9)
    assert topology.reachable(b"c")
    topology.claim(b"b", [])
    topology.settle()
    assert topology.edge((b"b", b"c", LAN)) == EdgeState(9, b"b")
    assert set(topology.edges_of(b"b")) == {(b"a", b"b", LAN), (b"b", b"c", LAN)}
    assert not topology.reachable(b"c")
    topology.claim(b"c", [])
    topology.settle()
    assert topology.edge((b"b", b"c", LAN)) is None
    assert set(topology.edges_of(b"c")) == set()


def test_ends_that_name_different_transports_do_not_confirm_each_other() -> None:
    topology = Topology(b"a")
    topology.claim(b"b", [Edge(b"c", LAN, 5)])
    topology.claim(b"c", [Edge(b"b", BLUETOOTH, 5)])
    topology.settle()
    assert topology.degree(b"b") == 0


def test_our_own_link_is_confirmed_by_its_session_and_nothing_else() -> None:
    topology = Topology(b"a")
    edge = (b"a", b"b", LAN)
    topology.claim(b"b", [Edge(b"a", LAN, 5)])
    topology.claim(b"a", [Edge(b"b", LAN, 5)])
    topology.settle()
    assert topology.edge(edge) == EdgeState(5, b"a")
    assert not topology.reachable(b"b")
    topology.own_links({edge: 8})
    topology.settle()
    assert topology.edge(edge) == EdgeState(8)
    assert topology.way(b"b") == Way(1, (b"b",))
    topology.own_links({})
    topology.settle()
    assert topology.edge(edge) == EdgeState(5, b"a")
    assert topology.reach() == 0


def test_over_two_transports_there_are_two_edges_and_one_neighbour() -> None:
    mesh = Mesh("ab", "bc")
    mesh.join("bc", BLUETOOTH)
    settled = mesh.topology.settle()
    assert settled.edges == {(b"b", b"c", BLUETOOTH)}
    assert mesh.topology.degree(b"c") == 1
    mesh.part("bc")
    mesh.topology.settle()
    assert mesh.topology.way(b"c") == Way(2, (b"b",))
    mesh.part("bc", BLUETOOTH)
    mesh.topology.settle()
    assert mesh.topology.way(b"c") is None


def test_a_peer_that_lists_itself_says_nothing() -> None:
    topology = Topology(b"a")
    topology.claim(b"b", [Edge(b"b", LAN, 5)])
    topology.claim(b"b", [Edge(b"b", LAN, 6)])
    assert topology.settle().edges == set()
    assert not list(topology.edges_of(b"b"))


def test_what_nobody_has_a_record_of_is_never_reached() -> None:
    topology = Topology(b"a")
    topology.own_links({(b"a", b"b", LAN): 1})
    topology.claim(b"b", [Edge(b"a", LAN, 1), Edge(b"nobody", LAN, 1)])
    topology.settle()
    assert not topology.reachable(b"nobody")
    assert topology.edge((b"b", b"nobody", LAN)) == EdgeState(1, b"nobody")


def test_what_was_taken_back_before_it_was_settled_is_no_change() -> None:
    mesh = Mesh("ab", "bc", "cd")
    mesh.part("bc")
    mesh.join("bc")
    mesh.join("xy")
    mesh.part("xy")
    settled = mesh.topology.settle()
    assert not settled.peers
    assert not settled.edges
    assert len(mesh.ways()) == 4


def test_another_time_in_a_record_changes_the_edge_and_no_way() -> None:
    mesh = Mesh("ab", "bc", "cd")
    mesh.join("cd", since=90)
    settled = mesh.topology.settle()
    assert settled.edges == {(b"c", b"d", LAN)}
    assert settled.peers == {b"c", b"d"}
    assert mesh.topology.edge((b"c", b"d", LAN)) == EdgeState(90)


# -- it costs what it affects


class Counted(dict[bytes, int]):
    """Hops that know whose were asked for."""

    def __init__(self, hops: Mapping[bytes, int]) -> None:
        super().__init__(hops)
        self.asked: set[bytes] = set()

    def get(self, key: bytes, default: object = None) -> object:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("change", ["part", "join"])
def test_one_changed_edge_is_not_a_look_at_everybody(change: str) -> None:
    def key(n: int) -> bytes:
        return n.to_bytes(2, "big")

    # A tree of 1,000 peers, three behind each; the last ones are linked in a second way.
    topology = Topology(key(0))
    lists: dict[bytes, set[bytes]] = {key(n): set() for n in range(1_000)}
    for n in range(1, 1_000):
        lists[key(n)].add(key((n - 1) // 3))
        lists[key((n - 1) // 3)].add(key(n))
    topology.own_links({edge_key(key(0), far, LAN): 1 for far in lists[key(0)]})
    one, other = key(998), key(999)
    if change == "part":
        lists[one].add(other)
        lists[other].add(one)
    for near, fars in lists.items():
        topology.claim(near, [Edge(far, LAN, 1) for far in sorted(fars)])
    topology.settle()
    assert topology.reach() == 999
    hops = Counted(topology._hops)
    topology._hops = hops
    for near, far in ((one, other), (other, one)):
        lists[near] ^= {far}
        topology.claim(near, [Edge(far, LAN, 1) for far in sorted(lists[near])])
    topology.settle()
    assert {one, other} <= hops.asked
    assert len(hops.asked) < 10


# -- beside the plain search, whatever happens


@dataclass(frozen=True)
class Claim:
    key: bytes
    edges: list[Edge]


@dataclass(frozen=True)
class Links:
    links: dict[EdgeKey, int]


@dataclass(frozen=True)
class Pair:
    """Both ends list each other, or not any more."""

    one: bytes
    other: bytes
    linked: bool


Step = Claim | Links | Pair | None

PEERS = [bytes([n]) for n in b"abcdefghij"]
CLAIMS = st.lists(
    st.builds(
        Edge, st.sampled_from([*PEERS, b"nobody"]), st.sampled_from([LAN, BLUETOOTH]), st.just(1)
    ),
    max_size=5,
)
LINKS = st.dictionaries(
    st.builds(
        edge_key, st.just(b"a"), st.sampled_from(PEERS[1:]), st.sampled_from([LAN, BLUETOOTH])
    ),
    st.integers(1, 2),
    max_size=4,
)
PAIRS = st.builds(Pair, st.sampled_from(PEERS), st.sampled_from(PEERS), st.booleans())
STEPS = st.lists(
    st.one_of(
        PAIRS,
        PAIRS,
        st.none(),  # settle
        st.builds(Claim, st.sampled_from(PEERS), CLAIMS),
        st.builds(Links, LINKS),
    ),
    max_size=60,
)
MESHES = st.lists(
    st.tuples(st.sampled_from(PEERS), st.sampled_from(PEERS)), min_size=10, max_size=25
).map(lambda pairs: [Pair(one, other, linked=True) for one, other in pairs])


class Plain:
    """The same, worked out anew each time."""

    def __init__(self) -> None:
        self.lists: dict[bytes, dict[tuple[bytes, int], int]] = {}
        self.links: dict[EdgeKey, int] = {}

    def edges(self) -> dict[EdgeKey, EdgeState]:
        claims: dict[EdgeKey, dict[bytes, int]] = {}
        for near, listed in self.lists.items():
            for (far, transport), since in listed.items():
                if near not in (far, b"a"):
                    claims.setdefault(edge_key(near, far, transport), {})[near] = since
        states = {
            edge: EdgeState(
                max(said.values()), next((end for end in edge[:2] if end not in said), None)
            )
            for edge, said in claims.items()
        }
        return states | {edge: EdgeState(since) for edge, since in self.links.items()}

    def adjacency(self) -> dict[bytes, set[bytes]]:
        near: dict[bytes, set[bytes]] = {}
        for (low, high, _), state in self.edges().items():
            if state.confirmed:
                near.setdefault(low, set()).add(high)
                near.setdefault(high, set()).add(low)
        return near


def do(step: Step, plain: Plain, topology: Topology) -> None:
    if isinstance(step, Claim):
        plain.lists[step.key] = {(edge.key, edge.transport): edge.since for edge in step.edges}
        topology.claim(step.key, step.edges)
    elif isinstance(step, Links):
        plain.links = step.links
        topology.own_links(step.links)
    elif step is not None and step.one != step.other:
        for near, far in ((step.one, step.other), (step.other, step.one)):
            if near == b"a":
                links = {e: since for e, since in plain.links.items() if far not in e}
                plain.links = links | ({(b"a", far, LAN): 1} if step.linked else {})
                topology.own_links(plain.links)
                continue
            listed = {to: since for to, since in plain.lists.get(near, {}).items() if far not in to}
            plain.lists[near] = listed | ({(far, LAN): 1} if step.linked else {})
            topology.claim(
                near, [Edge(*to, since=since) for to, since in plain.lists[near].items()]
            )


@pytest.mark.parametrize("few", [0, FEW_PAIRS], ids=["anew", "followed up"])
@settings(max_examples=600, deadline=None)
@given(MESHES, STEPS)
def test_it_agrees_with_the_plain_search_whatever_happens(
    few: int, mesh: list[Step], steps: list[Step]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("presence_core.gossip.topology.FEW_PAIRS", few)
        agree(mesh, steps)


def agree(mesh: list[Step], steps: list[Step]) -> None:
    plain, topology = Plain(), Topology(b"a")
    edges: dict[EdgeKey, EdgeState] = {}
    ways = {b"a": Way(0, ())}
    for step in [*mesh, None, *steps, None]:
        do(step, plain, topology)
        if step is not None:
            continue
        settled = topology.settle()
        before, edges = edges, plain.edges()
        changed = {e for e in before.keys() | edges.keys() if before.get(e) != edges.get(e)}
        assert settled.edges == changed
        near, was = plain.adjacency(), ways
        ways = ways_from(b"a", near)
        rerouted = {k for k in was.keys() | ways.keys() if was.get(k) != ways.get(k)}
        assert settled.rerouted == rerouted
        assert settled.peers == rerouted | {end for edge in changed for end in edge[:2]}
        assert topology.reach() == len(ways) - 1
        for key in [*PEERS, b"nobody"]:
            assert topology.way(key) == ways.get(key)
            assert topology.reachable(key) is (key in ways)
            assert topology.degree(key) == len(near.get(key, ()))
            assert set(topology.edges_of(key)) == {edge for edge in edges if key in edge[:2]}
        for edge in before.keys() | edges.keys():
            assert topology.edge(edge) == edges.get(edge)
        assert set(topology._edges) == set(edges)
