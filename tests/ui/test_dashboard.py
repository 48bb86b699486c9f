"""The whole dashboard, by keyboard and mouse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, TextArea

from presence_core.identity.keyfile import HomeError
from presence_core.model import (
    MetadataState,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    View,
    ViewState,
)
from presence_tui.app import PresenceApp
from presence_tui.screens.help import HelpScreen
from presence_tui.screens.main import MainScreen
from presence_tui.screens.panes import PANES
from presence_tui.themes import THEMES
from presence_tui.viewmodel.help import KEYS
from presence_tui.viewmodel.orders import SORTS
from presence_tui.viewmodel.rows import Show
from presence_tui.widgets.bars import KeyHints, PaneBar
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.metadata_editor import MetadataEditor
from presence_tui.widgets.peer_key import PeerKeyPane
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.search_line import SearchLine
from presence_tui.widgets.timeline import TimelineView
from tests import canned
from tests.canned import CannedSource, Link, Member, make_graph, make_peer, peer_key
from tests.ui.hosts import screen_text, until

LOST = PeerPresence(PresenceState.LOST)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = canned.NOW

    def __call__(self) -> Any:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Dashboard:
    """A running dashboard and what a test does with it."""

    def __init__(self, graph: PresenceGraph) -> None:
        self.source = CannedSource(graph)
        self.clock = Clock()
        self.app = PresenceApp(self.source, now=self.clock)
        self.pilot: Pilot[Any]

    @property
    def screen(self) -> MainScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def table(self) -> PeerTable:
        return self.screen.table

    @property
    def names(self) -> list[str]:
        return [peer.device_name for peer in self.table.peers]

    @property
    def selected(self) -> str:
        peer = self.table.selected
        return peer.device_name if peer is not None else ""

    @property
    def note(self) -> str:
        return screen_text(self.screen.query_one(PaneBar))

    @property
    def hints(self) -> str:
        return screen_text(self.screen.query_one(KeyHints))

    def line_of(self, name: str) -> int:
        """Return on which line of the table a peer is, 0 being the titles; -1: out of view."""
        lines = screen_text(self.table).splitlines()
        return next((n for n, line in enumerate(lines) if f"{name} " in line[1:40]), -1)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, condition: Any) -> None:
        await until(self.pilot, condition)

    async def picture_at_rest(self) -> str:
        """Return what the screen looks like when it has stopped changing."""
        pictures = [""]

        def rests() -> bool:
            pictures.append(self.app.export_screenshot())
            return len(pictures) > 10 and len({*pictures[-10:]}) == 1

        await self.until(rests)
        return pictures[-1]

    async def publish(self, graph: PresenceGraph) -> None:
        self.source.publish(graph)
        await self.until(lambda: self.screen._graph is graph)
        await self.pilot.pause()

    async def change(self, number: int, **changes: Any) -> None:
        self.source.change(number, **changes)
        await self.until(lambda: self.screen._graph is self.source.graph)
        await self.pilot.pause()

    def shown(self, pane: str) -> bool:
        return bool(self.screen.query_one(f"#frame-{pane}").is_on_screen)


@asynccontextmanager
async def dashboard(
    graph: PresenceGraph, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[Dashboard]:
    one = Dashboard(graph)
    async with one.app.run_test(size=size) as pilot:
        one.pilot = pilot
        await pilot.pause()
        yield one


def letters(*names: str) -> PresenceGraph:
    """Return a graph of direct peers with these names, the first having number 1."""
    members = [Member(number, name) for number, name in enumerate(names, 1)]
    return make_graph(members, [Link(0, member.number, rtt_ms=1.0) for member in members])


# -- selection


async def test_metadata_that_waits_to_be_asked_for_is_asked_for_when_somebody_looks() -> None:
    async with dashboard(letters("aa", "bb")) as one:
        one.table.select(peer_key(1))
        await one.change(2, peer_metadata_state=MetadataState.PENDING)
        assert one.source.fetched == []
        one.table.select(peer_key(2))
        await one.until(lambda: one.source.fetched)
        assert set(one.source.fetched) == {peer_key(2)}


async def test_the_selection_is_a_peer_and_not_a_place() -> None:
    async with dashboard(canned.many()) as one:
        one.table.select(peer_key(5))
        for sort in SORTS:
            one.screen.sort_by(sort)
            await one.pilot.pause()
            assert one.selected == "drone-survey"
            assert one.line_of("drone-survey") > 0
        await one.press("S")
        assert one.selected == "drone-survey"
        assert one.line_of("drone-survey") > 0


async def test_the_selected_peer_stays_on_its_line_while_others_move_around_it() -> None:
    names = [f"n{number:03}" for number in range(200)]
    async with dashboard(letters(*names)) as one:
        one.table.select(peer_key(121))
        await one.pilot.pause()
        line = one.line_of("n120")
        assert line > 0
        one.clock.go(10)
        for number in range(1, 60):
            one.source.change(number, device_name=f"z{number}")
        await one.until(lambda: one.names[-1] == "z9")
        assert one.selected == "n120"
        assert one.line_of("n120") == line


async def test_whoever_has_scrolled_away_from_the_selection_keeps_what_he_looks_at() -> None:
    names = [f"n{number:03}" for number in range(200)]
    async with dashboard(letters(*names)) as one:
        await one.press("home")
        one.table.scroll_to(y=100, animate=False)
        await one.pilot.pause()
        assert one.line_of("n100") == 1
        one.clock.go(10)
        await one.change(50, device_name="z")
        one.clock.go(10)
        await one.until(lambda: one.names[-1] == "z")
        assert one.line_of("n100") == 1


async def test_who_has_not_chosen_yet_sees_the_table_from_its_top() -> None:
    async with dashboard(letters("m")) as one:
        assert one.selected == "m"
        graph = letters("m", "a", "b", "c", "z")
        await one.publish(graph)
        assert one.names == ["a", "b", "c", "m", "z"]
        assert one.selected == "m"
        assert one.line_of("a") == 1
        many = letters("m", *(f"a{number}" for number in range(60)))
        one.clock.go(5)
        await one.publish(many)
        assert one.line_of("a0") == 1
        assert one.selected.startswith("a")


async def test_when_the_selected_peer_is_forgotten_the_one_in_its_place_is_selected() -> None:
    graph = letters("a", "b", "c")
    async with dashboard(graph) as one:
        one.table.select(peer_key(2))
        peers = tuple(p for p in graph.remote_peers if p.device_name != "b")
        await one.publish(replace(graph, remote_peers=peers))
        assert one.selected == "c"
        await one.publish(replace(graph, remote_peers=()))
        assert one.selected == ""
        await one.press("down", "up", "pagedown", "end", "enter")
        assert one.selected == ""


async def test_a_selected_peer_that_is_lost_stays_though_only_the_online_are_shown() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        one.screen.set_show(Show.ONLINE)
        await one.press("down")
        assert one.selected == "b"
        await one.change(2, presence=LOST)
        one.clock.go(10)
        await one.change(3, device_name="d")
        assert one.names == ["a", "b", "d"]
        assert one.selected == "b"
        await one.press("up")
        one.clock.go(10)
        await one.until(lambda: one.names == ["a", "d"])
        assert one.selected == "a"


async def test_keys_move_the_selection_and_keep_it_in_view() -> None:
    async with dashboard(letters(*(f"n{number}" for number in range(40))), (80, 24)) as one:
        names = one.names
        for key, at in (("down", 1), ("j", 2), ("k", 1), ("end", 39), ("home", 0), ("G", 39)):
            await one.press(key)
            assert one.selected == names[at]
            assert names[at] in screen_text(one.table)
        await one.press("g", "pagedown")
        first = names.index(one.selected)
        await one.press("pagedown")
        assert names.index(one.selected) == 2 * first > 20


# -- the order is held


async def test_the_order_is_held_while_a_person_moves_and_the_screen_says_so() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        one.clock.go(1)
        await one.press("down")
        await one.change(1, device_name="z")
        assert one.names == ["z", "b", "c"]
        assert "order held" in one.note
        one.clock.go(4)
        await one.until(lambda: one.names == ["b", "c", "z"])
        await one.until(lambda: "held" not in one.note)
        assert one.selected == "b"


@pytest.mark.parametrize("how", ["hover", "scroll", "click"])
async def test_the_mouse_holds_the_order_too(how: str) -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        if how == "hover":
            await one.pilot.hover("#peers", offset=(5, 2))
        elif how == "click":
            await one.pilot.click("#peers", offset=(5, 2))
        else:
            await one.pilot._post_mouse_events([_scroll_down()], "#peers", (5, 2))
        await one.change(1, device_name="z")
        assert one.names == ["z", "b", "c"]


def _scroll_down() -> Any:
    from textual.events import MouseScrollDown

    return MouseScrollDown


async def test_a_clock_that_is_set_back_does_not_hold_the_order_for_hours() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        await one.press("down")
        one.clock.go(-3_600)
        await one.change(1, device_name="z")
        await one.until(lambda: one.names == ["b", "c", "z"])


async def test_rows_change_places_once_a_second_at_most() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        one.clock.go(1)
        await one.change(1, device_name="x")
        assert one.names == ["b", "c", "x"]
        await one.change(2, device_name="y")
        assert one.names == ["y", "c", "x"]
        one.clock.go(1)
        await one.until(lambda: one.names == ["c", "x", "y"])


async def test_whoever_asks_for_another_order_gets_it_at_once() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        await one.press("down")
        await one.change(1, device_name="z")
        await one.press("S")
        assert one.names == ["z", "c", "b"]


# -- search and filters


async def test_search_as_one_types_keep_it_and_clear_it() -> None:
    async with dashboard(canned.many()) as one:
        await one.press("slash", *"search-")
        assert one.names == ["search-team-a", "search-team-b"]
        assert "search: search- · 2 of 40" in one.note
        await one.press("down")
        assert one.selected == "search-team-b"
        await one.press("enter")
        assert one.app.focused is one.table
        assert len(one.names) == 2
        await one.press("escape")
        assert len(one.names) == 40
        assert "of 40" not in one.note
        await one.press("slash", *"xyz")
        assert one.names == []
        assert "no peer fits" in screen_text(one.table)
        await one.press("escape")
        assert len(one.names) == 40
        assert not one.screen.query_one(SearchLine).open


async def test_what_is_pasted_into_the_search_is_made_harmless() -> None:
    async with dashboard(canned.hostile()) as one:
        await one.press("slash")
        one.screen.query_one(SearchLine).insert_text_at_cursor(canned.HOSTILE)
        await one.pilot.pause()
        assert one.screen.query_one(Input).value == canned.HARMLESS
        assert len(one.names) == 1


async def test_filters_go_round() -> None:
    async with dashboard(canned.many()) as one:
        counts = []
        for _ in Show:
            counts.append(len(one.names))
            await one.press("f")
        assert counts == [40, 34, 8, 6]
        assert len(one.names) == 40
        await one.press("f")
        assert "only online · 34 of 40" in one.note
        await one.press("escape")
        assert len(one.names) == 40


# -- the mouse


async def test_a_click_selects_a_double_click_opens_and_a_title_sorts() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        await one.pilot.click("#peers", offset=(5, 3))
        assert one.selected == "c"
        await one.pilot.click("#peers", offset=(5, 2), times=2)
        await one.pilot.pause()
        assert one.selected == "b"
        assert one.app.focused is one.screen.query_one("#identity")
        await one.pilot.click("#peers", offset=(3, 0))
        await one.pilot.pause()
        assert one.names == ["c", "b", "a"]
        await one.pilot.click("#peers", offset=(5, 20))
        assert one.selected == "b"


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_a_click_on_hostile_text_does_nothing_anywhere(size: tuple[int, int]) -> None:
    async with dashboard(canned.hostile(), size) as one:
        for pane, _ in PANES:
            one.screen.action_pane(pane)
            await one.pilot.pause()
            for y in range(size[1]):
                for x in range(size[0]):
                    assert "@click" not in one.screen.get_style_at(x, y).meta, (pane, x, y)
            for y in range(2, size[1] - 1, size[1] // 6):
                await one.pilot.click(offset=(12, y))
        assert one.app.is_running
        assert one.app._exit is False
        assert one.app.screen is one.screen


async def test_bars_can_be_clicked() -> None:
    async with dashboard(canned.many(), (80, 24)) as one:
        await one.pilot.click("#panes", offset=(13, 0))
        await one.pilot.pause()
        assert one.shown("identity")
        assert not one.shown("peers")
        await one.pilot.click("#panes", offset=(3, 0))
        await one.pilot.pause()
        assert one.shown("peers")
        at = one.hints.index("Filter")
        await one.pilot.click("#keys", offset=(at, 0))
        await one.until(lambda: one.table.asked.show is Show.ONLINE)
        await one.pilot.click("#keys", offset=(one.hints.index("Help"), 0))
        await one.until(lambda: isinstance(one.app.screen, HelpScreen))


# -- panes


async def test_what_is_on_the_screen_at_each_size() -> None:
    async with dashboard(canned.many(), (80, 24)) as one:
        for width, height, wanted in (
            (80, 24, {"peers"}),
            (120, 36, {"peers", "identity"}),
            (200, 60, {pane for pane, _ in PANES}),
            (100, 30, {"peers"}),
        ):
            await one.pilot.resize_terminal(width, height)
            await one.until(lambda: {p for p, _ in PANES if one.shown(p)} == wanted)  # noqa: B023
            assert one.app.focused is one.table


async def test_the_links_of_a_peer_follow_its_neighbours_though_it_is_the_same() -> None:
    async with dashboard(canned.team()) as one:
        one.table.select(peer_key(6))
        await one.press("6")
        pane = one.screen.query_one("#links")
        assert "2 hops, over radio-relay" in screen_text(pane)
        await one.change(7, device_name="hill 402")
        assert "2 hops, over hill 402" in screen_text(pane)
        assert "✓ hill 402" in screen_text(pane)
        assert "one-sided" in screen_text(pane)
        await one.press("2")
        assert "2 hops, over hill 402" in screen_text(one.screen.query_one("#identity"))


async def test_in_a_stale_view_nobody_is_online_on_any_pane() -> None:
    async with dashboard(canned.team(), (200, 60)) as one:
        one.table.select(peer_key(11))
        await one.pilot.pause()
        assert "online" in screen_text(one.screen.query_one("#links"))
        await one.publish(canned.stale())
        for pane in ("#header", "#peers", "#links", "#identity"):
            text = screen_text(one.screen.query_one(pane)).replace("\u00a0", " ")
            assert "online" not in text
            assert "last known" in text


async def test_the_pane_with_the_keyboard_stays_when_the_terminal_gets_narrow() -> None:
    async with dashboard(canned.many(), (200, 60)) as one:
        await one.press("3")
        await one.pilot.resize_terminal(80, 24)
        await one.until(lambda: not one.shown("peers"))
        assert one.shown("key")
        assert isinstance(one.app.focused, PeerKeyPane)


async def test_numbers_go_to_panes_and_escape_goes_back() -> None:
    async with dashboard(canned.many(), (80, 24)) as one:
        for number, (pane, _) in enumerate(PANES, 1):
            await one.press(str(number))
            assert [p for p, _ in PANES if one.shown(p)] == [pane]
            assert one.app.focused is not None
            assert f"{number} " in one.note
            await one.press("escape")
            assert one.shown("peers")


async def test_the_bar_follows_the_keyboard_wherever_tab_takes_it() -> None:
    async with dashboard(canned.many(), (200, 60)) as one:
        seen = set()
        for _ in range(8):
            await one.press("tab")
            seen.add(one.screen._active)
        assert seen == {pane for pane, _ in PANES}


async def test_the_whole_screen_for_one_pane_and_back() -> None:
    async with dashboard(canned.many(), (120, 36)) as one:
        await one.press("z")
        assert not one.shown("identity")
        assert "CHANGED" in screen_text(one.table)
        await one.press("escape")
        assert one.shown("identity")
        await one.press("3", "z")
        assert not one.shown("peers")
        await one.press("z")
        assert one.shown("peers")


async def test_panes_show_the_selected_peer() -> None:
    async with dashboard(canned.many(), (200, 60)) as one:
        one.table.select(peer_key(7))
        await one.pilot.pause()
        for pane in ("#identity", "#key"):
            assert "radio-relay" in screen_text(one.screen.query_one(pane, Widget))
        await one.change(7, device_name="renamed")
        for pane in ("#identity", "#key"):
            assert "renamed" in screen_text(one.screen.query_one(pane, Widget))


async def test_enter_opens_the_details() -> None:
    async with dashboard(canned.many(), (80, 24)) as one:
        await one.press("down", "enter")
        assert one.shown("identity")
        name = one.selected
        assert name in screen_text(one.screen.query_one("#identity", Widget))


# -- the view


async def test_in_a_blind_view_nobody_is_online() -> None:
    async with dashboard(canned.team()) as one:
        assert "online" in screen_text(one.table)
        blind = View(ViewState.BLIND, canned.NOW, "no link to any peer")
        await one.publish(replace(canned.team(), view=blind))
        await one.pilot.pause()
        assert "online" not in screen_text(one.table)
        assert "? last known" in screen_text(one.table)
        await one.publish(canned.team())
        await one.pilot.pause()
        assert "online" in screen_text(one.table)


async def test_an_empty_table_says_what_to_do() -> None:
    async with dashboard(canned.filling()) as one:
        assert "nobody else has been seen" in screen_text(one.table)


# -- metadata


async def test_metadata_is_saved() -> None:
    async with dashboard(canned.team()) as one:
        await one.press("4")
        area = one.screen.query_one(TextArea)
        area.text = '{"role": "cook"}'
        await one.press("ctrl+s")
        await one.until(lambda: one.source.taken == ['{"role": "cook"}'])
        editor = one.screen.query_one(MetadataEditor)
        await one.until(lambda: str(editor.state) == "published")


@pytest.mark.parametrize(
    "error",
    [HomeError("the disk is full: make room"), RuntimeError("\x1b]0;owned\x07 broken"), OSError()],
)
async def test_a_refused_save_is_told_and_the_text_stays(error: Exception) -> None:
    async with dashboard(canned.team()) as one:
        one.source.refusal = error
        await one.press("4")
        area = one.screen.query_one(TextArea)
        area.text = '{"role": "cook"}'
        await one.press("ctrl+s")
        editor = one.screen.query_one(MetadataEditor)
        await one.until(lambda: str(editor.state) == "failed")
        pane = screen_text(one.screen.query_one("#metadata-details", Widget))
        assert pane.strip()
        assert "\x1b" not in pane
        assert area.text == '{"role": "cook"}'
        assert one.app.is_running


# -- keys, help, commands


def all_bindings(one: Dashboard) -> list[Binding]:
    nodes = [one.app, one.screen, *one.screen.query("*")]
    ours = [node for node in nodes if type(node).__module__.startswith("presence_tui")]
    return [b for node in set(map(type, ours)) for b in vars(node).get("BINDINGS", ())]


async def test_every_binding_has_an_id_of_its_own() -> None:
    async with dashboard(canned.one()) as one:
        ids = [binding.id for binding in all_bindings(one)]
        assert all(ids)
        assert len(ids) == len(set(ids))


async def test_the_help_names_every_key() -> None:
    written = {key for _, keys in KEYS for text, _ in keys for key in text.split()}
    names = {"question_mark": "?", "slash": "/", "pageup": "pgup", "pagedown": "pgdn"}
    names |= {"up": "↑", "down": "↓", "left": "←", "right": "→", "escape": "esc"}
    async with dashboard(canned.one()) as one:
        keys = {key for binding in all_bindings(one) for key in binding.key.split(",")}
        assert {names.get(key, key) for key in keys} <= written


@pytest.mark.parametrize("key", ["escape", "question_mark", "q", "enter", "f1"])
async def test_help_opens_and_closes(key: str) -> None:
    async with dashboard(canned.one()) as one:
        await one.press("question_mark")
        assert len(one.app.screen_stack) == 2
        await one.press(key)
        assert one.app.screen_stack == [one.screen]
        assert one.app.is_running


async def test_graphs_go_on_arriving_under_the_help() -> None:
    async with dashboard(letters("a")) as one:
        await one.press("question_mark")
        await one.publish(letters("a", "b"))
        await one.press("escape")
        assert one.names == ["a", "b"]


async def test_hints_are_those_of_the_keys_that_work_here() -> None:
    async with dashboard(canned.many(), (80, 24)) as one:
        assert [w for w in ("Details", "Search", "Quit") if w not in one.hints] == []
        assert "Back" not in one.hints
        await one.press("4")
        assert "^s Save" in one.hints
        assert "^q Quit" in one.hints
        assert "esc Back" in one.hints
        assert "Search" not in one.hints
        await one.press("escape", "slash")
        assert "enter Keep" in one.hints
        assert "esc Clear" in one.hints


async def test_the_hint_bar_leaves_nothing_behind_when_the_focus_moves() -> None:
    async with dashboard(canned.many(), (200, 60)) as one:
        await one.press(*["tab"] * 8)
        before = len(one.screen.query("*"))
        await one.press(*["tab"] * 40)
        assert len(one.screen.query("*")) == before


async def test_every_action_is_a_command() -> None:
    async with dashboard(canned.many(), (200, 60)) as one:
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        for sort in SORTS:
            commands[f"Sort by {sort}"]()
            assert one.table.asked.sort == sort
        for show in Show:
            commands[f"Show {show} peers"]()
            assert one.table.asked.show is show
        one.screen.set_show(Show.ALL)
        for pane, title in PANES:
            commands[f"Go to {title.lower()}"]()
            await one.pilot.pause()
            assert one.screen._active == pane
        commands["Zoom"]()
        assert one.screen._zoomed
        commands["Zoom"]()
        commands["Reverse the order"]()
        assert one.table.asked.reverse
        for title in ("Copy peer key", "QR code", "Revert metadata", "Save metadata", "Search"):
            commands[title]()
            await one.pilot.pause()
        assert one.screen.query_one(SearchLine).open
        theme = one.app.theme
        commands["Theme"]()
        assert one.app.theme != theme
        commands["Help"]()
        await one.until(lambda: isinstance(one.app.screen, HelpScreen))


async def test_commands_are_found_by_typing() -> None:
    async with dashboard(canned.many()) as one:
        await one.press("ctrl+p", *"sort by rtt")
        await one.until(lambda: one.app.screen is not one.screen)
        await one.pilot.app.workers.wait_for_complete()
        await one.press("enter")
        await one.until(lambda: one.table.asked.sort == "rtt")


async def test_all_themes_draw_everything_anew() -> None:
    async with dashboard(canned.many()) as one:
        dark = await one.picture_at_rest()
        await one.press("t")
        await one.until(lambda: one.app.export_screenshot() != dark)
        await one.press(*["t"] * (len(THEMES) - 1))
        await one.until(lambda: one.app.export_screenshot() == dark)


@pytest.mark.parametrize("keys", [("q",), ("ctrl+q",), ("4", "ctrl+q"), ("slash", "ctrl+q")])
async def test_quitting(keys: tuple[str, ...]) -> None:
    async with dashboard(canned.many()) as one:
        await one.press(*keys)
        await one.until(lambda: one.app._exit)
    assert one.source.watchers == 0
    assert one.app.return_code == 0


async def test_a_q_that_is_typed_is_a_letter() -> None:
    async with dashboard(canned.many()) as one:
        await one.press("slash", "q", "question_mark")
        assert one.screen.query_one(Input).value == "q?"
        await one.press("escape", "4", "q")
        assert one.app.is_running
        assert "q" in one.screen.query_one(LocalPeerPane).editor.text


# -- graphs that come fast, tables that are long


async def test_of_graphs_that_come_faster_than_they_are_shown_the_newest_is_shown() -> None:
    async with dashboard(letters("a")) as one:
        handled: list[PresenceGraph] = []
        show = one.screen.show

        def watched(graph: PresenceGraph) -> None:
            handled.append(graph)
            show(graph)

        one.screen.show = watched  # type: ignore[method-assign]
        graphs = [replace(letters("a"), sequence=number) for number in range(2, 202)]
        for graph in graphs:
            one.source.publish(graph)
        await one.until(lambda: one.screen._graph is graphs[-1])
        assert len(handled) < 20
        numbers = [graph.sequence for graph in handled]
        assert numbers == sorted(numbers)


async def test_graphs_may_come_from_another_thread() -> None:
    async with dashboard(letters("a")) as one:
        graphs = [letters("a", *(f"b{n}" for n in range(number))) for number in range(20)]

        def publish() -> None:
            for graph in graphs:
                one.source.publish(graph)

        await asyncio.to_thread(publish)
        await one.until(lambda: one.screen._graph is graphs[-1])
        assert len(one.names) == 20


async def test_only_lines_that_changed_are_drawn() -> None:
    names = [f"n{number:04}" for number in range(1_000)]
    async with dashboard(letters(*names), (80, 24)) as one:
        await one.press("down")
        drawn: list[int] = []
        render = one.table.render_line

        def watched(y: int) -> Strip:
            drawn.append(y)
            return render(y)

        one.table.render_line = watched  # type: ignore[method-assign]
        await one.change(900, trust="verified")
        await one.pilot.pause()
        assert drawn == []
        await one.change(4, trust="verified")
        await one.until(lambda: drawn == [4])


async def test_in_a_big_mesh_too_everything_that_happens_is_told() -> None:
    names = [f"n{number:04}" for number in range(1_200)]
    async with dashboard(letters(*names)) as one:
        told = one.screen.query_one(TimelineView).timeline
        for number in range(1, 9):
            one.source.change(number, presence=LOST)
            await asyncio.sleep(0)
        await one.press("down", "8")
        await one.until(lambda: len(told.shown) == 8)
        assert {event.name for event in told.shown} == set(names[:8])
        await one.until(lambda: "▸ 8 peers" in screen_text(one.screen.query_one(TimelineView)))
        one.clock.go(2)
        await one.until(lambda: bool(one.app._notifications))
        assert "8 peers lost" in next(iter(one.app._notifications)).message


async def test_ten_thousand_peers() -> None:
    peers = [make_peer(n, f"peer {n:05}", peer_key=f"pk1{n:05}") for n in range(10_000)]
    graph = replace(canned.one(), remote_peers=tuple(peers))
    async with dashboard(graph) as one:
        assert one.table.count == 10_000
        await one.press("end")
        assert one.selected == "peer 09999"
        assert one.line_of("peer 09999") > 0
        await one.press("pageup", "slash", *"00042")
        await one.until(lambda: one.names == ["peer 00042"])  # the search waits for more letters
        await one.press("escape", "S")
        assert one.names[0] == "peer 09999"
        sorts = one.screen.table.peers
        assert all(a.device_name > b.device_name for a, b in pairwise(sorts))
