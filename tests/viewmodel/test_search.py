from __future__ import annotations

import pytest

from presence_core.model import EMPTY, PeerPresence, PresenceState
from presence_tui.viewmodel.rows import Query, Rows, Show
from presence_tui.viewmodel.search import Not, Number, Search, search_text, understand
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
        ("hops>1", TWO | THREE),
        ("hops=2", TWO),
        ("!hops:none hops:>=2", TWO | THREE),
        ("state:lo", LOST),
        ("state:lost|left", LOST | {"kitchen"}),
        ("!state:online", LOST | {"kitchen"}),
        ("team=medical", {"triage-tent", "field-hospital", "ambulance-7"}),
        ("TEAM=Medical|scout", {"triage-tent", "field-hospital", "ambulance-7", "drone-survey"}),
        ("team=med", set()),
        ("team=* !team=medical !team=supply", {"drone-survey"}),
        ("!team=*", {"bridge-watch", "radio-relay", "search-team-a", "search-team-b", "kitchen"}),
        ("beds>12", {"field-hospital"}),
        ("beds>=12 beds<30", {"triage-tent"}),
        ("beds=12", {"triage-tent"}),
        ("beds=12.0", {"triage-tent"}),
        ("battery<70", {"radio-relay"}),
        ("role<5", set()),
        ('location="north bridge"', {"bridge-watch"}),
        ('"north bridge"', {"bridge-watch"}),
        ("north bridge", {"bridge-watch"}),
        ('!"sector 4" sector', {"triage-tent", "field-hospital", "search-team-b"}),
        ("name:truck", {"water-truck-1"}),
        ("type:lan", DIRECT | TWO | THREE | LOST),
        ("type:ble", set()),
        ("rtt:<1", {"triage-tent", "water-truck-1"}),
        ("trust:seen", {"drone-survey"}),
        ("os:linux name:a name:team", {"search-team-a", "search-team-b"}),
        (f"via:{peer_key(1)}", {"field-hospital", "ambulance-7"}),
    ],
)
def test_a_search_knows_distances_and_ways(search: str, names: set[str]) -> None:
    assert found(search) == names


@pytest.mark.parametrize("typed", ["h", "hops", "hops:", "hops:>", "hops:>="])
def test_a_distance_that_is_being_typed_does_not_empty_the_table(typed: str) -> None:
    assert len(found(typed)) > 3


@pytest.mark.parametrize(
    "typed",
    ["type:", "state:", "role=", "=medic", "!", "!state:", '"', '"north', "trust:|", "rtt:."],
)
def test_what_is_being_typed_is_no_problem(typed: str) -> None:
    assert understand(typed).problem == ""


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("hops:near", "hops:near: a number is wanted, as hops:2 or hops:>1"),
        ("rtt:fast", "rtt:fast: a number is wanted, as rtt:2 or rtt:>1"),
        ("state:here", "state:here is none of online, left, lost"),
        ("trust:seen|good", "trust:good is none of unknown, seen, verified, blocked"),
        ("battery<low", "battery<low: < compares with a number"),
    ],
)
def test_what_can_never_fit_is_said(typed: str, problem: str) -> None:
    assert understand(typed).problem == problem
    assert understand(f"pump {typed} x:y").problem == problem


def test_types_of_links_have_the_names_that_people_use() -> None:
    graph = canned.many()
    for alias, name in (("ble", "Bluetooth"), ("ws", "WebSocket"), ("server", "Server")):
        search = understand(f"type:{alias}")
        for peer in graph.remote_peers:
            assert search.fits(peer, "") == any(c.type == name for c in peer.connections)


def test_metadata_is_found_where_it_lies() -> None:
    peer = make_peer(
        1, peer_metadata={"Deck": {"Place": "Aft", "rooms": ["a", 5]}, "on": True, "a.b": 1}
    )
    for typed in ("deck.place=aft", "deck.rooms=5", "deck.rooms=a", "deck.rooms>4", "on=true"):
        assert understand(typed).fits(peer, ""), typed
    for typed in ("place=aft", "deck=aft", "deck.place=*x", "on>0", "deck.rooms=6", "deck.x.y=1"):
        assert not understand(typed).fits(peer, ""), typed


def test_issuers_and_subjects_are_found() -> None:
    peers = canned.statuses().remote_peers
    found = [p for p in peers if understand("issuer:relief subject:expired").fits(p, "")]
    assert [p.device_name for p in found] == ["11 expired"]


def test_filters_and_search_narrow_together() -> None:
    assert found("hops:>1", Show.DIRECT) == set()
    assert found("team:medical", Show.ONLINE) == {"triage-tent", "field-hospital", "ambulance-7"}


def test_words_and_distances_are_told_apart() -> None:
    assert understand(" A !b  ! !!c hops:>2 !hops:1 hops:x ") == Search(
        (("a", True), ("b", False), ("c", False)),
        (Number("hops", ">", 2), Not(Number("hops", "", 1))),
        "hops:x: a number is wanted, as hops:2 or hops:>1",
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
