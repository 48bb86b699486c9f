from __future__ import annotations

import pytest

from presence_core.model import EMPTY, PeerPresence, PresenceState
from presence_tui.viewmodel.rows import Query, Rows, Show
from presence_tui.viewmodel.search import Hops, Search, search_text, understand
from tests import canned
from tests.canned import HOSTILE, NOW, make_peer, peer_key


def found(search: str, show: Show = Show.ALL) -> set[str]:
    rows = Rows()
    rows.ask(Query(search=search, show=show))
    rows.take(canned.team().remote_peers, NOW)
    rows.arrange(hold=False)
    return {row.peer.device_name for row in rows.shown}


DIRECT = {"triage-tent", "water-truck-1", "radio-relay"}
TWO = {"field-hospital", "supply-depot", "bridge-watch"}
THREE = {"ambulance-7"}
LOST = {"drone-survey", "search-team-a", "search-team-b"}


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("hops:1", DIRECT),
        ("direct", DIRECT),
        ("hops:2", TWO),
        ("hops:=2", TWO),
        ("hops:>1", TWO | THREE),
        ("hops:>=3", THREE),
        ("hops:<=2", DIRECT | TWO),
        ("hops:<2", DIRECT),
        ("hops:>1 hops:<3", TWO),
        ("hops:>1 medical", {"field-hospital", "ambulance-7"}),
        ("HOPS:3", THREE),
        ("!hops:<3", THREE | LOST | {"kitchen"}),
        ("hops:none", LOST | {"kitchen"}),
        ("hops:9999", set()),
        (f"via:{peer_key(1)}", {"field-hospital", "ambulance-7"}),
    ],
)
def test_a_search_knows_distances_and_ways(search: str, names: set[str]) -> None:
    assert found(search) == names


@pytest.mark.parametrize("typed", ["h", "hops", "hops:", "hops:>", "hops:>="])
def test_a_distance_that_is_being_typed_does_not_empty_the_table(typed: str) -> None:
    assert len(found(typed)) > 3


def test_filters_and_search_narrow_together() -> None:
    assert found("hops:>1", Show.DIRECT) == set()
    assert found("team:medical", Show.ONLINE) == {"triage-tent", "field-hospital", "ambulance-7"}


def test_words_and_distances_are_told_apart() -> None:
    assert understand(" A !b  ! !!c hops:>2 !hops:1 hops:x ") == Search(
        (("a", True), ("b", False), ("c", False), ("hops:x", True)),
        (Hops(">", 2, True), Hops("", 1, False)),
    )


def test_distances_are_whole_numbers_and_not_their_beginnings() -> None:
    far = make_peer(1, presence=PeerPresence(PresenceState.ONLINE, hops=20))
    assert not understand("hops:2").reaches(far)
    assert understand("hops:20").reaches(far)


def test_a_search_looks_at_a_bounded_part_of_metadata() -> None:
    huge = make_peer(1, peer_metadata={"a": "x" * 100_000, "b": list(range(50_000))})
    assert len(search_text(huge, "")) < 40_000
    deep: dict[str, object] = {}
    for _ in range(1_000):
        deep = {"a": deep}
    assert search_text(make_peer(1, peer_metadata=deep), "")


def test_names_are_searched_as_they_are_shown() -> None:
    graph = canned.make_graph([canned.Member(1, HOSTILE)], [canned.Link(0, 1)])
    rows = Rows()
    rows.ask(Query(search="\x1b"))
    rows.take(graph.remote_peers, NOW)
    rows.arrange(hold=False)
    assert rows.shown == []


def test_a_peer_without_metadata_is_like_any_other() -> None:
    assert search_text(make_peer(1, peer_metadata=EMPTY), "x")
