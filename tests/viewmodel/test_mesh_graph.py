"""Which peers are nodes, what is linked, the way to one of them, and what is only counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.model import PresenceGraph
from presence_tui.viewmodel.mesh_graph import (
    MAX_NODES,
    MeshGraph,
    Standing,
    mesh_graph,
    mesh_graph_slices,
)
from tests import canned
from tests.canned import Link, Member, make_graph, peer_key


def names(graph: MeshGraph) -> dict[str, Standing]:
    return {node.name: node.standing for node in graph.nodes}


def way(graph: MeshGraph) -> list[str]:
    by_key = {node.key: node.name for node in graph.nodes}
    return [by_key[one] for one in graph.way]


def chain(count: int, kind: str = "LAN") -> PresenceGraph:
    members = [Member(n, f"peer-{n}") for n in range(1, count + 1)]
    return make_graph(members, [Link(n - 1, n, kind) for n in range(1, count + 1)])


def test_the_team() -> None:
    graph = mesh_graph(canned.team(), focus=peer_key(11))
    assert names(graph) == {
        "field-laptop": Standing.OWN,
        **dict.fromkeys(("triage-tent", "water-truck-1", "radio-relay"), Standing.ONLINE),
        **dict.fromkeys(("field-hospital", "supply-depot", "bridge-watch"), Standing.ONLINE),
        **dict.fromkeys(("drone-survey", "search-team-a", "search-team-b"), Standing.LOST),
        "ambulance-7": Standing.ONLINE,
        "kitchen": Standing.LEFT,
    }
    assert graph.nodes[0].key == peer_key(0)
    assert [node.ring for node in graph.nodes] == [0, 1, 1, 1, 2, 2, 2, 3, None, None, None, None]
    assert way(graph) in (
        ["field-laptop", "water-truck-1", "supply-depot", "ambulance-7"],
        ["field-laptop", "triage-tent", "field-hospital", "ambulance-7"],
    )
    assert sum(link.confirmed for link in graph.links) == 12
    assert len(graph.links) == 14
    assert (graph.behind, graph.more_gone, graph.more_links, graph.rings) == (0, 0, 0, 3)


def test_the_way_takes_the_stronger_links() -> None:
    members = [Member(1, "slow"), Member(2, "fast"), Member(3, "far")]
    links = [Link(0, 1), Link(0, 2), Link(1, 3, "Bluetooth"), Link(2, 3, "LAN")]
    graph = mesh_graph(make_graph(members, links), focus=peer_key(3))
    assert way(graph) == ["field-laptop", "fast", "far"]
    on_way = {link.pair for link in graph.links if graph.on_way(link)}
    assert on_way == {
        tuple(sorted((peer_key(0), peer_key(2)))),
        tuple(sorted((peer_key(2), peer_key(3)))),
    }


def test_no_way_leads_over_what_only_one_end_says() -> None:
    members = [Member(1, "near"), Member(2, "far")]
    links = [Link(0, 1), Link(1, 2, confirmed=False)]
    graph = mesh_graph(make_graph(members, links), focus=peer_key(2))
    assert graph.way == ()
    assert names(graph)["far"] is Standing.LOST
    assert [link.confirmed for link in graph.links] == [True, False]


def test_no_way_to_nobody_and_to_the_lost() -> None:
    for focus in (None, "pk1nobody", peer_key(5), peer_key(10)):
        assert mesh_graph(canned.team(), focus=focus).way == ()
    assert mesh_graph(canned.team(), focus=peer_key(0)).way == (peer_key(0),)


def test_direct_only() -> None:
    graph = mesh_graph(canned.team(), direct_only=True, focus=peer_key(1))
    assert {node.ring for node in graph.nodes} == {0, 1}
    assert len(graph.nodes) == 4
    assert all(peer_key(0) in link.pair for link in graph.links)
    assert len(graph.links) == 3
    behind = {node.name: node.behind for node in graph.nodes if node.behind}
    assert sum(behind.values()) == 4
    assert set(behind) <= {"triage-tent", "water-truck-1", "radio-relay"}


def test_direct_only_keeps_the_way_to_a_distant_peer() -> None:
    graph = mesh_graph(canned.team(), direct_only=True, focus=peer_key(11))
    assert "ambulance-7" in names(graph)
    assert len(graph.way) == 4


def test_a_blind_view_shows_who_was_where() -> None:
    graph = mesh_graph(canned.blind(), focus=peer_key(11))
    rings = {node.name: node.ring for node in graph.nodes}
    assert rings["triage-tent"] == 1
    assert rings["ambulance-7"] == 3
    assert rings["kitchen"] is None
    assert set(names(graph).values()) == {Standing.OWN, Standing.LAST_KNOWN, Standing.LEFT}
    assert graph.way == ()


def test_a_stale_view_shows_nobody_online() -> None:
    assert Standing.ONLINE not in names(mesh_graph(canned.stale())).values()


def test_of_a_big_mesh_the_nearest_are_drawn_and_the_rest_is_counted() -> None:
    source = canned.many(300)
    graph = mesh_graph(source)
    assert len(graph.nodes) == MAX_NODES
    online = sum(p.presence.hops is not None for p in source.remote_peers)
    shown = sum(node.ring not in (None, 0) for node in graph.nodes)
    gone = sum(node.ring is None for node in graph.nodes)
    assert shown + graph.behind == online
    assert gone + graph.more_gone == len(source.remote_peers) - online
    assert {node.name for node in graph.nodes} >= {
        "triage-tent",
        "field-hospital",
        "water-truck-1",
        "radio-relay",
    }


def test_the_peer_in_focus_is_drawn_with_its_way_however_far_it_is() -> None:
    graph = mesh_graph(chain(200), focus=peer_key(19), max_nodes=20)
    assert way(graph) == ["field-laptop", *(f"peer-{n}" for n in range(1, 20))]
    graph = mesh_graph(canned.many(300), focus=peer_key(299), max_nodes=20)
    assert peer_key(299) in {node.key for node in graph.nodes}


def test_a_way_that_is_longer_than_the_picture_is_only_counted() -> None:
    graph = mesh_graph(chain(200), focus=peer_key(200), max_nodes=20)
    assert graph.way == ()
    assert (len(graph.nodes), graph.behind) == (20, 181)


def test_somebody_out_of_reach_is_drawn_when_in_focus() -> None:
    source = canned.many(300)
    gone = [p.peer_key for p in source.remote_peers if p.presence.hops is None]
    assert len(gone) > 20
    for key in gone:
        graph = mesh_graph(source, focus=key)
        assert key in {node.key for node in graph.nodes}
        assert len(graph.nodes) <= MAX_NODES


def test_who_was_drawn_stays_when_another_is_as_near() -> None:
    members = [Member(n, f"peer-{n}") for n in range(1, 101)]
    source = make_graph(members, [Link(0, n) for n in range(1, 101)])
    drawn = {node.key for node in mesh_graph(source, max_nodes=30).nodes}
    others = {p.peer_key for p in source.remote_peers} - drawn
    kept = others | {next(iter(drawn - {source.local_peer.peer_key}))}
    again = {node.key for node in mesh_graph(source, max_nodes=30, before=kept).nodes}
    assert len(again & kept) == 29


def test_links_beyond_the_limit_are_counted_and_the_ways_kept() -> None:
    members = [Member(n, f"peer-{n}") for n in range(1, 31)]
    links = [Link(a, b) for a in range(31) for b in range(a)]
    graph = mesh_graph(make_graph(members, links), max_links=50)
    assert len(graph.links) == 50
    assert graph.more_links == len(links) - 50
    assert {link.pair for link in graph.links} >= {
        tuple(sorted((peer_key(0), peer_key(n)))) for n in range(1, 31)
    }


def test_several_links_of_a_pair_have_lanes_the_strongest_first() -> None:
    kinds = ["Server", "Unknown-1", "LAN", "Bluetooth"]
    graph = mesh_graph(make_graph([Member(1, "near")], [Link(0, 1, kind) for kind in kinds]))
    assert [(link.type, link.lane) for link in graph.links] == [
        ("LAN", 0),
        ("Bluetooth", 1),
        ("Server", 2),
    ]


def test_without_limits_everybody_is_there() -> None:
    source = canned.many(300)
    graph = mesh_graph(source, max_nodes=None, max_links=None)
    assert len(graph.nodes) == 301
    assert graph.behind == graph.more_gone == graph.more_links == 0


def test_graphs_that_are_drawn_alike_are_equal() -> None:
    source = canned.team()
    other = replace(source, sequence=9, remote_peers=tuple(map(replace, source.remote_peers)))
    assert mesh_graph(source) == mesh_graph(other)


def test_names_are_safe() -> None:
    for node in mesh_graph(canned.hostile()).nodes:
        assert node.name
        assert all(char.isprintable() for char in node.name)


@given(st.integers(1, 80), st.integers(0, 200), st.integers(1, 90), st.booleans(), st.randoms())
@settings(deadline=None, max_examples=60)
def test_everybody_is_drawn_or_counted(
    count: int, more: int, limit: int, direct_only: bool, rng: Random
) -> None:
    pairs = {tuple(sorted(rng.sample(range(count + 1), 2))) for _ in range(more)}
    source = make_graph(
        [Member(n, f"peer-{n}") for n in range(1, count + 1)],
        [Link(a, b, confirmed=rng.random() < 0.8) for a, b in sorted(pairs)],
    )
    focus = peer_key(rng.randint(0, count))
    graph = mesh_graph(
        source, max_nodes=limit, direct_only=direct_only, focus=focus, max_links=None
    )
    keys = [node.key for node in graph.nodes]
    assert len(set(keys)) == len(keys)
    assert keys[0] == peer_key(0)
    online = sum(p.presence.hops is not None for p in source.remote_peers)
    assert sum(bool(node.ring) for node in graph.nodes) + graph.behind == online
    assert set(graph.way) <= set(keys)
    for link in graph.links:
        assert link.one < link.other
        assert {link.one, link.other} <= set(keys)


def test_of_a_big_mesh_it_is_made_in_slices_and_comes_out_the_same() -> None:
    graph, made = canned.many(9_000), []

    def slices() -> Iterator[None]:
        made.append((yield from mesh_graph_slices(graph, focus=peer_key(4_000))))

    assert sum(1 for _ in slices()) >= 4
    assert made == [mesh_graph(graph, focus=peer_key(4_000))]
