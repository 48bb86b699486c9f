from __future__ import annotations

from presence_core.engine.edges import Way, edge_key, ways_from


def adjacency(*edges: str) -> dict[bytes, set[bytes]]:
    near: dict[bytes, set[bytes]] = {}
    for edge in edges:
        a, b = edge[0].encode(), edge[1].encode()
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    return near


def test_a_lonely_peer_reaches_itself_only() -> None:
    assert ways_from(b"a", {}) == {b"a": Way(0, ())}


def test_hops_are_counted_along_a_line() -> None:
    ways = ways_from(b"a", adjacency("ab", "bc", "cd"))
    assert {key: way.hops for key, way in ways.items()} == {b"a": 0, b"b": 1, b"c": 2, b"d": 3}
    assert ways[b"d"].via == (b"b",)


def test_all_neighbours_at_the_beginning_of_a_shortest_way_are_named() -> None:
    ways = ways_from(b"a", adjacency("ab", "ac", "bd", "cd", "ae", "ef", "fd"))
    assert ways[b"d"] == Way(2, (b"b", b"c"))


def test_islands_are_not_reached() -> None:
    assert b"x" not in ways_from(b"a", adjacency("ab", "xy"))


def test_a_connection_has_one_name_whichever_end_lists_it() -> None:
    assert edge_key(b"a", b"b", 1) == edge_key(b"b", b"a", 1)
    assert edge_key(b"a", b"b", 1) != edge_key(b"a", b"b", 2)
