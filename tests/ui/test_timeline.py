"""The timeline pane: what happened, in the whole dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from presence_core.model import PeerPresence, PresenceState, View, ViewState
from presence_tui.app import PresenceApp
from presence_tui.look import Look
from presence_tui.viewmodel.rows import Show
from presence_tui.viewmodel.timeline import Topic
from presence_tui.widgets.timeline import TimelineView
from tests import canned
from tests.canned import peer_key
from tests.canned_story import story
from tests.ui.hosts import screen_text, until
from tests.ui.test_dashboard import LOST, Clock, Dashboard, dashboard, letters


def pane_of(one: Dashboard) -> TimelineView:
    return one.screen.query_one(TimelineView)


def shown(one: Dashboard) -> list[str]:
    return screen_text(pane_of(one)).splitlines()


def marked(one: Dashboard) -> str:
    return next((line for line in shown(one) if line.startswith("▌")), "")


@asynccontextmanager
async def lived(size: tuple[int, int] = (120, 36)) -> AsyncIterator[Dashboard]:
    graphs = story()
    async with dashboard(graphs[0], size) as one:
        one.clock.now = graphs[0].generated_at
        for graph in graphs[1:]:
            one.clock.now = graph.generated_at
            await one.publish(graph)
        one.clock.now = canned.NOW
        await one.press("8")
        yield one


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_what_happened_before_the_pane_was_opened_is_there(size: tuple[int, int]) -> None:
    async with lived(size) as one:
        lines = shown(one)
        assert lines[0].strip().startswith("9 online")
        assert "8 to 11 in" in lines[0]
        assert "returned" in lines[2]
        assert "21:40:55" in lines[2]
        assert "5 s" in lines[2]


async def test_the_newest_stays_under_the_cursor_until_somebody_moves() -> None:
    async with lived() as one:
        assert "returned" in marked(one)
        await one.change(1, presence=LOST)
        assert "lost" in marked(one)
        assert "triage-tent" in marked(one)
        await one.press("down")
        line = marked(one)
        assert "returned" in line
        at = shown(one).index(line)
        await one.change(2, presence=LOST)
        assert marked(one) == line
        assert shown(one).index(line) == at  # what is read does not move
        await one.press("home")
        assert "field-hospital" in marked(one)
        await one.press("end")
        assert "link down" in marked(one)
        assert "kitchen" in marked(one)


async def test_enter_goes_to_the_peer_whatever_the_table_shows() -> None:
    async with lived() as one:
        one.screen.set_show(Show.MISSING)
        await one.press("enter")
        assert one.selected == "search-team-a"
        assert one.app.focused is one.table
        assert one.line_of("search-team-a") > 0


async def test_a_double_click_opens_a_line_and_goes_to_a_peer() -> None:
    async with lived() as one:
        line = next(n for n, text in enumerate(shown(one)) if "lost" in text)
        assert "▸ 3 peers" in shown(one)[line]
        await one.pilot.click("#timeline", offset=(30, line), times=2)
        await one.until(lambda: "▾ 3 peers" in shown(one)[line])
        at = next(n for n, text in enumerate(shown(one)) if n > line and "drone-survey" in text)
        assert "drone-survey" not in one.selected
        await one.pilot.click("#timeline", offset=(30, at), times=2)
        await one.until(lambda: one.selected == "drone-survey")


async def test_a_line_of_several_is_opened_and_closed_and_leads_to_each() -> None:
    async with dashboard(letters("a", "b", "c", "d")) as one:
        await one.press("8")
        graph = one.source.graph
        peers = tuple(
            p if p.device_name == "d" else replace(p, presence=LOST) for p in graph.remote_peers
        )
        await one.publish(replace(graph, remote_peers=peers, sequence=2))
        assert "▸ 3 peers" in marked(one)
        assert len(pane_of(one).entries) == 1
        await one.press("enter")
        assert "▾ 3 peers" in marked(one)
        assert len(pane_of(one).entries) == 4
        await one.press("enter", "right", "right", "down", "down")
        told = marked(one)
        assert "lost" in told
        await one.press("left")
        assert "▸ 3 peers" in marked(one)
        await one.press("left", "l", "down", "down")
        assert marked(one) == told
        await one.change(4, presence=LOST)  # the line grows above the cursor
        assert len(pane_of(one).entries) == 5
        assert marked(one) == told
        await one.press("enter")
        assert one.selected in told
        assert one.app.focused is one.table


async def test_who_reads_a_closed_line_stays_on_it_while_it_grows() -> None:
    async with dashboard(letters("a", "b", "c", "d")) as one:
        await one.press("8")
        await one.change(1, presence=LOST)
        await one.change(1, peer_metadata={"x": 1})
        await one.press("down")
        assert "lost" in marked(one)
        await one.change(2, presence=LOST)
        assert "▸ 2 peers" in marked(one)
        await one.press("o")  # about several: about the selected one then
        assert pane_of(one).timeline.only.peer_key == peer_key(1)


async def test_what_is_about_no_peer_leads_nowhere() -> None:
    async with lived() as one:
        await one.press("f", "f", "f", "f", "f")
        assert "only this device" in shown(one)[1]
        before = one.selected
        await one.press("enter")
        assert one.selected == before
        assert one.app.focused is pane_of(one)


async def test_topics_and_one_peer_only() -> None:
    async with lived() as one:
        await one.press("f")
        assert "only peers" in shown(one)[1]
        assert {event.topic for event in pane_of(one).timeline.shown} == {Topic.PEERS}
        await one.press("o")
        assert "of search-team-a" in shown(one)[1]
        assert len(pane_of(one).timeline.shown) == 2
        await one.press("o")
        assert "of search-team-a" not in shown(one)[1]
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        commands["Timeline: links"]()
        await one.pilot.pause()
        assert "only links" in shown(one)[1]
        commands["Timeline: everything"]()
        await one.pilot.pause()
        assert "all that happened" in shown(one)[1]
        assert one.screen.table.asked.show is Show.ALL  # f was not for the table


async def test_a_pause_says_what_waits_and_catches_up() -> None:
    async with lived() as one:
        before = shown(one)[2:]
        await one.press("space")
        await one.change(1, presence=LOST)
        assert "paused: 1 new" in shown(one)[1]
        assert shown(one)[2:] == before
        await one.press("space")
        assert "paused" not in shown(one)[1]
        assert "triage-tent" in shown(one)[2]


async def test_nothing_has_happened_yet() -> None:
    async with dashboard(canned.team(), (80, 24)) as one:
        await one.press("8")
        assert "nothing has happened" in shown(one)[2]
        await one.press("down", "up", "pagedown", "end", "home", "enter", "o", "space", "f")
        assert "nothing of this has happened" in screen_text(pane_of(one))
        assert one.app.is_running


# -- toasts


def notes(one: Dashboard) -> list[str]:
    return [note.message for note in one.app._notifications]


async def test_those_who_are_lost_together_are_one_toast() -> None:
    names = [f"n{number}" for number in range(9)]
    async with dashboard(letters(*names)) as one:
        peers = tuple(replace(p, presence=LOST) for p in one.source.graph.remote_peers[:7])
        rest = one.source.graph.remote_peers[7:]
        await one.publish(replace(one.source.graph, remote_peers=peers + rest, sequence=2))
        assert notes(one) == []
        one.clock.go(2)
        await one.until(lambda: len(notes(one)) == 1)
        (note,) = one.app._notifications
        assert note.message.startswith("7 peers lost: ")
        assert note.severity == "warning"
        assert not note.markup


async def test_a_device_that_is_cut_off_says_so_and_raises_no_storm() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        lost = PeerPresence(PresenceState.LOST)
        peers = tuple(replace(p, presence=lost) for p in one.source.graph.remote_peers)
        view = View(ViewState.BLIND, canned.NOW, "no link to any peer")
        await one.publish(replace(one.source.graph, remote_peers=peers, view=view, sequence=2))
        one.clock.go(5)
        await one.change(1, key_warning="met before under another key")
        one.clock.go(5)
        await one.until(lambda: bool(notes(one)))
        assert notes(one) == ["a: key warning: met before under another key"]
        (note,) = one.app._notifications
        assert note.severity == "error"


async def test_who_wants_no_toasts_gets_none_and_still_has_the_timeline() -> None:
    source = canned.CannedSource(letters("a", "b"))
    clock = Clock()
    app = PresenceApp(source, now=clock, look=Look(toasts=False))
    async with app.run_test(size=(80, 24)) as pilot:
        source.change(1, presence=LOST)
        pane = app.screen.query_one(TimelineView)
        await until(pilot, lambda: len(pane.timeline.shown) == 1)
        clock.go(60)
        looks: list[int] = []  # another timer, as often as the one that would tell
        app.screen.set_interval(0.5, lambda: looks.append(1))
        await until(pilot, lambda: len(looks) == 3)
        assert not app._notifications


async def test_hostile_names_reach_no_terminal() -> None:
    async with dashboard(canned.hostile()) as one:
        await one.press("8")
        await one.change(1, presence=LOST, key_warning=canned.HOSTILE)
        one.clock.go(2)
        await one.until(lambda: bool(notes(one)))
        assert canned.HARMLESS in screen_text(pane_of(one))
        for text in (screen_text(pane_of(one)), *notes(one)):
            assert not set("\x1b\x07\u202e") & set(text)
