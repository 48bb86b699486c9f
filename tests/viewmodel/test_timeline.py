from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len

from presence_core.model import (
    ChangeKind,
    IdentityStatus,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    View,
    ViewState,
)
from presence_tui.viewmodel.event_words import SIGN_WIDTH, event_words
from presence_tui.viewmodel.online import STEP_SECONDS, UNKNOWN, OnlineHistory
from presence_tui.viewmodel.timeline import KEPT, Event, Only, Timeline, Topic
from presence_tui.viewmodel.timeline_folds import Entries
from presence_tui.viewmodel.timeline_lines import clock_words, entry_line, top_lines
from tests import canned
from tests.canned import HOSTILE, NOW, Link, Member, make_graph, make_peer, peer_key
from tests.canned_story import story
from tests.viewmodel.peers import FORBIDDEN

LOST = PeerPresence(PresenceState.LOST)
HERE = PeerPresence(PresenceState.ONLINE, direct=True, hops=1)


def told(events: list[Event]) -> list[str]:
    shown = []
    for event in events:
        words = event_words(event)
        shown.append(f"{words.sign.text} | {words.who} | {words.detail}")
    return shown


def opened(timeline: Timeline) -> Entries:
    """Return the lines of a timeline, every one of which is opened that can be."""
    entries = Entries(timeline)
    for entry in entries.lines:
        if entry.folds:
            entries.toggle(entry)
    assert any(entry.part for entry in entries.lines)
    return entries


def lived() -> Timeline:
    timeline = Timeline()
    for graph in story():
        timeline.take(graph)
    return timeline


def changed(graph: PresenceGraph, number: int, **changes: object) -> PresenceGraph:
    key = peer_key(number)
    peers = tuple(
        replace(peer, **changes) if peer.peer_key == key else peer  # type: ignore[arg-type]
        for peer in graph.remote_peers
    )
    return replace(graph, remote_peers=peers, sequence=graph.sequence + 1)


def crowd(count: int, presence: PeerPresence = HERE) -> PresenceGraph:
    peers = [make_peer(n, f"n{n}", peer_key=f"pk1{n:05}", presence=presence) for n in range(count)]
    return replace(canned.one(), remote_peers=tuple(peers))


def test_what_happens_is_told_newest_first_and_of_one_moment_the_peers_first() -> None:
    lines = told(lived().shown)
    assert lines[:4] == [
        "● returned | search-team-a | 3 hops",
        "+ link up | search-team-a | with supply-depot  L─ LAN",
        "● current | view | was stale",
        "! warning | finding peers (mDNS) | our own multicast announcement does not come back",
    ]
    assert lines[4] == "◐ stale | view | was current: no neighbour is answering"
    lost = [line for line in lines if line.startswith("✗ lost")]
    assert lost == [
        "✗ lost | search-team-a | ",
        "✗ lost | drone-survey | ",
        "✗ lost | search-team-b | ",
    ]
    for line in (
        "○ left | kitchen | ",
        "+ link up | triage-tent | with bridge-watch  B┄ Bluetooth",
        "* metadata | triage-tent | + beds, + note",
        "! identity | field-hospital | verified → expired: its identity token ran out at 21:39:00",
        "● joined | field-hospital | 2 hops",
        "! warning | field-hospital | this name belongs to another key, frnjf3ms, seen",
        "= trust | field-hospital | unknown → blocked",
        "- link down | drone-survey | with this device  L─ LAN",
    ):
        assert line in lines
    assert [event.number for event in lived().shown] == sorted(
        (event.number for event in lived().shown), reverse=True
    )


def test_every_kind_of_change_has_a_topic_and_words() -> None:
    events = lived().shown
    assert {event.change.kind for event in events} == set(ChangeKind)
    assert {event.topic for event in events} == set(Topic)
    for event in events:
        assert cell_len(event_words(event).sign.text) <= SIGN_WIDTH


def test_the_first_graph_and_the_first_exchange_are_no_news() -> None:
    timeline = Timeline()
    timeline.take(canned.filling())
    events = timeline.take(canned.team())
    assert [event.change.kind for event in events] == [ChangeKind.VIEW_CHANGED]
    assert timeline.take(canned.team()) == []
    assert len(timeline.shown) == 1


def test_a_key_warning_is_told_even_while_the_view_is_filling() -> None:
    timeline = Timeline()
    timeline.take(canned.filling())
    members = [Member(1, "a", key_warning="met before under another key")]
    timeline.take(make_graph(members, [Link(0, 1)], view=canned.filling().view))
    assert told(timeline.shown) == ["! warning | a | met before under another key"]


def test_a_topic_and_a_peer_can_be_looked_for() -> None:
    timeline = lived()
    everything = len(timeline.shown)
    seen = 0
    for topic in Topic:
        timeline.show_only(Only(topic))
        assert timeline.shown
        assert {event.topic for event in timeline.shown} == {topic}
        seen += len(timeline.shown)
    assert seen == everything
    timeline.show_only(Only(Topic.LINKS, peer_key(5)))
    assert told(timeline.shown) == [
        "- link down | drone-survey | with this device  L─ LAN",
        "- link down | search-team-a | with drone-survey  L─ LAN",
        "- link down | drone-survey | with search-team-b  L─ LAN",
    ]
    timeline.show_only(Only(peer_key="pk1nobody"))
    assert timeline.shown == []


def test_topics_go_round() -> None:
    only = Only(peer_key="pk1x")
    seen = []
    for _ in range(len(Topic) + 1):
        seen.append(only.topic)
        only = only.next_topic()
        assert only.peer_key == "pk1x"
    assert seen == [None, *Topic]
    assert only.topic is None


def test_a_pause_holds_back_and_catches_up() -> None:
    graphs = story()
    timeline = Timeline()
    for graph in graphs[:4]:
        timeline.take(graph)
    before = list(timeline.shown)
    timeline.pause()
    for graph in graphs[4:]:
        timeline.take(graph)
    assert timeline.shown == before
    assert timeline.waiting == len(lived().shown) - len(before)
    timeline.resume()
    assert told(timeline.shown) == told(lived().shown)
    assert timeline.waiting == 0
    assert not timeline.paused


def test_links_do_not_push_out_who_was_lost() -> None:
    timeline = Timeline()
    graph = make_graph([Member(1, "a"), Member(2, "b")], [Link(0, 1), Link(0, 2)])
    timeline.take(graph)
    timeline.take(changed(graph, 1, presence=LOST))
    graph = changed(graph, 1, presence=LOST)
    for round_ in range(2 * KEPT[Topic.LINKS]):
        links = graph.connections if round_ % 2 else {}
        timeline.take(replace(graph, connections=links, sequence=round_ + 3))
    assert len(timeline.shown) == KEPT[Topic.LINKS] + 1
    assert timeline.shown[-1].change.kind is ChangeKind.PEER_LOST


def test_it_is_bounded_however_much_happens_at_once() -> None:
    timeline = Timeline()
    timeline.take(crowd(9_000))
    events = timeline.take(crowd(9_000, LOST))
    assert len(events) == len(timeline.shown) == KEPT[Topic.PEERS]
    assert sum(KEPT.values()) == 5_000


def test_names_are_those_of_then() -> None:
    timeline = Timeline()
    graph = make_graph([Member(1, "first name")], [Link(0, 1)])
    timeline.take(graph)
    timeline.take(changed(graph, 1, presence=LOST))
    timeline.take(changed(graph, 1, presence=LOST, device_name="second name"))
    timeline.take(replace(graph, remote_peers=()))
    assert {event.name for event in timeline.shown if event.topic is Topic.PEERS} == {"first name"}


def test_a_peer_that_is_forgotten_while_online_is_told_by_name() -> None:
    timeline = Timeline()
    graph = make_graph([Member(1, "gone")], [Link(0, 1)])
    timeline.take(graph)
    timeline.take(replace(graph, remote_peers=()))
    assert "✗ lost | gone | its record has run out" in told(timeline.shown)


def test_a_renewed_token_tells_what_is_other() -> None:
    timeline = Timeline()
    identity = canned.identity(IdentityStatus.VERIFIED, "anna")
    graph = make_graph([Member(1, "a", identity=identity)], [Link(0, 1)])
    timeline.take(graph)
    later = replace(identity, expires_at=NOW + timedelta(days=2), key_id="00")
    timeline.take(changed(graph, 1, identity=later))
    assert told(timeline.shown) == ["✓ identity | a | verified, other key id and times"]


def test_hostile_texts_are_harmless() -> None:
    timeline = Timeline()
    graph = canned.hostile()
    timeline.take(replace(graph, remote_peers=(), connections={}, conditions=()))
    timeline.take(changed(graph, 1, key_warning=HOSTILE, peer_metadata={HOSTILE: HOSTILE}))
    timeline.take(replace(graph, view=View(ViewState.BLIND, NOW, HOSTILE), conditions=()))
    assert {event.topic for event in timeline.shown} >= set(Topic) - {Topic.IDENTITY}
    for width in (20, 60, 200):
        for entry in opened(timeline).lines:
            text = "".join(span.text for span in entry_line(entry, NOW, width))
            assert not FORBIDDEN & set(text)
            assert cell_len(text) <= max(width, 60)


@pytest.mark.parametrize("width", [70, 76, 110])
def test_a_line_fills_its_width_and_says_when(width: int) -> None:
    for entry in opened(lived()).lines:
        text = "".join(span.text for span in entry_line(entry, NOW, width))
        assert cell_len(text) == width
        assert text.startswith(entry.newest.change.at.strftime("%H:%M:%S"))
    assert clock_words(NOW - timedelta(days=3), NOW) == " Nov 20 "


# -- how many were online


def moments(count: int) -> list[timedelta]:
    return [timedelta(seconds=n * STEP_SECONDS) for n in range(count)]


def test_columns_reach_from_the_fewest_to_the_most() -> None:
    history = OnlineHistory()
    for passed, count in zip(moments(4), (0, 100, 101, 104), strict=True):
        history.take(count, NOW + passed)
    assert history.columns(10) == ("▁▇▇█", 0, 104)
    columns, fewest, most = history.columns(3)
    assert (columns, fewest, most) == ("▂▃█", 100, 104)
    assert history.columns(0) == ("", 0, 0)


def test_times_without_news_are_as_before_and_those_of_a_bad_view_are_blank() -> None:
    history = OnlineHistory()
    history.take(3, NOW)
    history.take(None, NOW + timedelta(seconds=4 * STEP_SECONDS))
    assert history.columns(10) == (f"▅▅▅▅{UNKNOWN}", 3, 3)


def test_the_newest_column_is_what_is_now() -> None:
    history = OnlineHistory()
    history.take(3, NOW)
    history.take(9, NOW + timedelta(seconds=STEP_SECONDS))
    history.take(5, NOW + timedelta(seconds=STEP_SECONDS + 1))
    assert history.columns(10)[1:] == (3, 5)


def test_it_is_bounded_and_survives_a_clock_that_jumps() -> None:
    history = OnlineHistory()
    history.take(3, NOW)
    history.take(4, NOW + timedelta(days=400))
    assert len(history.columns(10_000)[0]) == 240
    history.take(5, NOW)
    assert history.columns(10) == ("▅", 5, 5)


def test_the_top_says_how_many_and_what_is_shown() -> None:
    timeline, history = lived(), OnlineHistory()
    for passed, count in zip(moments(30), [5] * 29 + [7], strict=True):
        history.take(count, NOW + passed)
    timeline.show_only(Only(Topic.LINKS))
    timeline.pause()
    first, second = (
        "".join(span.text for span in row)
        for row in top_lines(timeline, history, online=7, about="base", width=76)
    )
    assert first.startswith("7 online ▂")
    assert first.endswith("█ 5 to 7 in 2 min")
    assert cell_len(first) <= 76
    assert second == "only links · of base  paused: 0 new, space shows them"
    unsure, _ = top_lines(timeline, history, online=None, about=None, width=76)
    assert unsure[0].text == "? online "
