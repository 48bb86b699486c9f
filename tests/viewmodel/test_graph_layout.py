"""Where nodes stand: the own one in the middle, the others near their rings, and at rest."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import dist, hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_tui.viewmodel.graph_layout import Layout, lay_out
from presence_tui.viewmodel.mesh_graph import MeshGraph
from tests.viewmodel.meshes import key, mesh, meshes


@given(meshes())
@settings(deadline=None)
def test_everybody_is_inside_the_circle_and_this_device_in_the_middle(graph: MeshGraph) -> None:
    layout = lay_out(graph)
    assert set(layout.points) == {node.key for node in graph.nodes}
    assert layout.points[graph.nodes[0].key] == (0.0, 0.0)
    assert all(hypot(*point) <= 1 + 1e-9 for point in layout.points.values())


@given(meshes())
@settings(deadline=None)
def test_the_distance_from_the_middle_tells_the_hops(graph: MeshGraph) -> None:
    layout = lay_out(graph)
    for node in graph.nodes[1:]:
        ring = layout.ring(hypot(*layout.points[node.key]))
        if node.ring is None:
            assert ring > layout.rings
        else:
            assert round(ring) == node.ring


@given(meshes())
@settings(deadline=None)
def test_the_same_graph_has_the_same_layout(graph: MeshGraph) -> None:
    first, again = lay_out(graph), lay_out(graph)
    assert first == again


@pytest.mark.parametrize("seed", range(20))
def test_no_two_nodes_are_in_one_place(seed: int) -> None:
    layout = lay_out(mesh(40, seed, gone=seed % 5, more=20))
    apart = [dist(one, other) for one, other in combinations(layout.points.values(), 2)]
    assert min(apart) > 0.02


@pytest.mark.parametrize("seed", range(10))
def test_a_graph_that_stays_the_same_comes_to_rest(seed: int) -> None:
    graph = mesh(40, seed, more=10)
    layout = lay_out(graph)
    moved = []
    for _ in range(8):
        after = lay_out(graph, layout)
        moved.append(max(dist(layout.points[k], after.points[k]) for k in layout.points))
        layout = after
    assert max(moved) <= 0.04


@given(meshes(), st.data())
@settings(deadline=None)
def test_who_stays_hardly_moves_when_others_come_and_go(
    graph: MeshGraph, data: st.DataObject
) -> None:
    """A peer and its links go, and come back: the others are where they were, nearly."""
    leaves = [
        node
        for node in graph.nodes[1:]
        if all(
            other.ring is None or other.ring <= (node.ring or 99)
            for other in graph.nodes
            if any({node.key, other.key} == {*link.pair} for link in graph.links)
        )
        and (node.ring is None or [n.ring for n in graph.nodes].count(node.ring) > 1)
    ]
    if len(leaves) < 2 or sum(node.ring is None for node in graph.nodes) == 1:
        return
    gone = data.draw(st.sampled_from(leaves))
    fewer = replace(
        graph,
        nodes=tuple(node for node in graph.nodes if node is not gone),
        links=tuple(link for link in graph.links if gone.key not in link.pair),
    )
    before = lay_out(graph)
    without = lay_out(fewer, before)
    with_again = lay_out(graph, without)
    for stays in fewer.nodes:
        assert dist(before.points[stays.key], without.points[stays.key]) <= 0.04
        assert dist(without.points[stays.key], with_again.points[stays.key]) <= 0.04


def test_who_comes_nearer_moves_to_the_inner_ring_in_the_same_direction() -> None:
    graph = mesh(30, 4)
    far = next(node for node in graph.nodes if node.ring == 3)
    before = lay_out(graph)
    nearer = replace(graph, nodes=tuple(replace(n, ring=2) if n is far else n for n in graph.nodes))
    after = lay_out(nearer, before)
    x, y = before.points[far.key]
    there = after.points[far.key]
    assert round(after.ring(hypot(*there))) == 2
    assert x * there[0] + y * there[1] > 0.9 * hypot(x, y) * hypot(*there)


@pytest.mark.parametrize("seed", range(10))
def test_a_newcomer_appears_near_to_its_neighbours(seed: int) -> None:
    graph = mesh(20, seed)
    newcomer = graph.nodes[-1].key
    old = tuple(link for link in graph.links if newcomer not in link.pair)
    before = lay_out(replace(graph, nodes=graph.nodes[:-1], links=old))
    neighbours = {*next(link for link in graph.links if newcomer in link.pair).pair} - {newcomer}
    after = lay_out(graph, before)
    x, y = after.points[newcomer]
    for there in (after.points[neighbour] for neighbour in neighbours):
        assert x * there[0] + y * there[1] > 0


def test_another_mesh_is_laid_out_anew() -> None:
    one, other = mesh(12, 1), mesh(12, 2)
    renamed = replace(
        other,
        nodes=tuple(replace(node, key=f"x{node.key}") for node in other.nodes),
        links=tuple(replace(e, one=f"x{e.one}", other=f"x{e.other}") for e in other.links),
    )
    assert lay_out(renamed, lay_out(one)) == lay_out(renamed)


def test_alone() -> None:
    alone = lay_out(mesh(0, 0))
    assert alone == Layout({key(0): (0.0, 0.0)}, 1, rim=False)
