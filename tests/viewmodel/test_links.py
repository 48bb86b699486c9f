from __future__ import annotations

from dataclasses import replace

import pytest

from presence_core.model import Peer, PresenceGraph, View, ViewState
from presence_tui.viewmodel.links import (
    MAX_LINKS,
    bytes_words,
    links_of,
    links_page,
    some_names,
    way_words,
)
from presence_tui.viewmodel.names import Names
from tests import canned
from tests.canned import HARMLESS, HOSTILE, NOW, Link, Member, make_graph, peer_key


def named(graph: PresenceGraph, name: str) -> Peer:
    return next(peer for peer in graph.remote_peers if peer.device_name == name)


def page(graph: PresenceGraph, name: str = "") -> list[str]:
    peer = named(graph, name) if name else graph.local_peer
    return [line.text.replace("\u00a0", " ") for line in links_page(graph, peer, NOW)]


# -- the way


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("radio-relay", "direct: a link of our own"),
        ("bridge-watch", "2 hops, over radio-relay"),
        ("ambulance-7", "3 hops, over water-truck-1 or triage-tent"),
        ("drone-survey", "out of reach: no confirmed way leads to it"),
        ("search-team-a", "out of reach: no confirmed way leads to it"),
        ("kitchen", "it said goodbye"),
    ],
)
def test_the_way_to_a_peer_in_words(name: str, words: str) -> None:
    graph = canned.team()
    assert way_words(graph, named(graph, name)) == words


def test_a_blind_view_does_not_say_who_is_out_of_reach() -> None:
    graph = canned.blind()
    words = {way_words(graph, peer) for peer in graph.remote_peers}
    assert words == {
        "this device has no link: what became of it is not known",
        "it said goodbye",
    }


def test_names_in_a_row() -> None:
    graph = canned.team()
    keys = [peer_key(number) for number in (1, 2, 3, 4, 5)]
    said = [some_names(keys[:count], Names(graph), "and") for count in range(6)]
    assert said == [
        "",
        "triage-tent",
        "triage-tent and field-hospital",
        "triage-tent, field-hospital and water-truck-1",
        "triage-tent, field-hospital, water-truck-1 and 1 more",
        "triage-tent, field-hospital, water-truck-1 and 2 more",
    ]


# -- the page


def test_a_neighbour_with_what_was_measured_on_the_link_with_it() -> None:
    assert page(canned.team(), "water-truck-1") == [
        "water-truck-1",
        "● online  direct: a link of our own",
        "last seen 21:40:59 UTC  just now",
        "",
        "Links with this device (1)",
        "✓ L─ LAN",
        "0.8 ms  in 40 KiB  out 20 KiB",
        "up since 20:49:20 UTC  51 min ago",
        "",
        "Links with others (2)",
        "✓ supply-depot  L─ LAN",
        "✓ triage-tent  L─ LAN",
    ]


def test_a_distant_peer_with_a_link_that_only_one_end_lists() -> None:
    assert page(canned.team(), "bridge-watch") == [
        "bridge-watch",
        "● online  2 hops, over radio-relay",
        "its last record is of 21:40:59 UTC  just now",
        "",
        "Links with this device",
        "none",
        "",
        "Links with others (2)",
        "✓ radio-relay  L─ LAN",
        "! supply-depot  L─ LAN",
        "one-sided: only supply-depot says so",
    ]


def test_a_peer_that_was_lost_with_the_hub_before_it() -> None:
    assert page(canned.team(), "search-team-a") == [
        "search-team-a",
        "✗ lost  out of reach: no confirmed way leads to it",
        "lost together with drone-survey and search-team-b",
        "last seen 21:40:18 UTC  42 s ago",
        "",
        "Links with this device",
        "none",
        "",
        "Links with others, last known (2)",
        "✓ drone-survey  L─ LAN  ✗ lost",
        "✓ search-team-b  L─ LAN  ✗ lost",
    ]


@pytest.mark.parametrize("scene", [canned.stale, canned.blind])
def test_nobody_is_online_on_the_page_of_an_unsure_view(scene: object) -> None:
    graph = scene()  # type: ignore[operator]
    for peer in graph.remote_peers:
        text = "\n".join(page(graph, peer.device_name))
        assert "online" not in text
        assert ("last known" in text) or ("✗ lost" in text) or ("○ left" in text)


def test_of_a_blind_view_what_a_neighbour_still_says_of_us_is_named_as_its_word() -> None:
    text = page(canned.blind(), "triage-tent")
    assert text[4:7] == [
        "Links with this device (1)",
        "! L─ LAN",
        "one-sided: only triage-tent says so",
    ]
    assert "lost together" not in "\n".join(text)


def test_this_device_has_its_own_links_by_name() -> None:
    lines = page(canned.team())
    assert lines[:3] == ["field-laptop  this device", "", "Links of this device (3)"]
    assert [line for line in lines if line.startswith("✓")] == [
        "✓ radio-relay  L─ LAN",
        "✓ triage-tent  L─ LAN",
        "✓ water-truck-1  L─ LAN",
    ]


# -- links


def test_who_alone_lists_a_link_is_told_where_it_is_known() -> None:
    members = [Member(1, "near"), Member(2, "gone home", gone=9, left=True), Member(3, "far")]
    graph = make_graph(
        members,
        [
            Link(0, 1),
            Link(1, 2, confirmed=False),
            Link(1, 3, confirmed=False),
            Link(1, 9, confirmed=False),
            Link(0, 3, confirmed=False),
        ],
    )
    doubts = {link.name: link.doubt for link in links_of(graph, named(graph, "near"))}
    assert doubts == {
        "this device": "",
        "gone home": "one-sided: only near says so",
        "far": "one-sided: only near says so",
        f"{peer_key(9)[:12]}…": "one-sided: only near says so",
    }
    own = {link.name: link.doubt for link in links_of(graph, graph.local_peer)}
    assert own["far"] == "one-sided: only far says so"


def test_an_earlier_version_does_not_tell_who_alone_lists_a_link() -> None:
    graph = make_graph([Member(1, "near"), Member(2, "far")], [Link(1, 2, confirmed=False)])
    near = named(graph, "near")
    near = replace(near, connections=tuple(replace(c, said_by=None) for c in near.connections))
    (link,) = links_of(graph, near)
    assert link.doubt == "one-sided: only one of the two says so"


def test_a_peer_of_whom_thousands_claim_a_link_has_a_page_that_ends() -> None:
    claims = [Link(1, number, confirmed=False) for number in range(2, 400)]
    graph = make_graph([Member(1, "hub")], [Link(0, 1), *claims])
    lines = page(graph, "hub")
    assert sum(line.startswith("! ") for line in lines) == MAX_LINKS
    assert lines[-1] == f"… and {398 - MAX_LINKS} more"


def test_everything_that_others_say_is_harmless() -> None:
    graph = canned.hostile()
    for peer in graph.remote_peers:
        for line in links_page(graph, peer, NOW):
            assert line.text.replace("\u00a0", " ").isprintable()
    behind = make_graph([Member(1, HOSTILE), Member(2, "x")], [Link(0, 1), Link(1, 2)])
    text = "\n".join(page(behind, "x"))
    assert f"2 hops, over {HARMLESS}" in text
    assert f"✓ {HARMLESS}" in text


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_536, "1.5 KiB"),
        (40_960, "40 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 30, "3.0 GiB"),
    ],
)
def test_amounts_of_bytes(count: int, words: str) -> None:
    assert bytes_words(count) == words


# -- names


def test_every_peer_is_found_by_its_key_and_nobody_else() -> None:
    graph = canned.many()
    names = Names(graph)
    for peer in (graph.local_peer, *graph.remote_peers):
        assert names.peer(peer.peer_key) is peer
    assert names.peer(peer_key(99)) is None
    assert names.peer(peer_key(1)[:20]) is None
    assert names.name(peer_key(99)) == f"{peer_key(99)[:12]}…"


def test_a_peer_without_a_name_goes_by_its_short_id() -> None:
    graph = make_graph([Member(1, "\u200b")], [Link(0, 1)])
    assert Names(graph).name(peer_key(1)) == graph.remote_peers[0].short_id
    said = f"no room at {peer_key(1)[:12]}…"
    assert Names(graph).put_into(said) == said


def test_a_view_that_went_stale_calls_links_last_known() -> None:
    graph = replace(canned.team(), view=View(ViewState.STALE, NOW, "no neighbour is answering"))
    assert "Links with others, last known (2)" in page(graph, "triage-tent")
