"""Marking peers of the table, and what is done with those that are marked."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from presence_core.identity.keyfile import HomeError
from presence_core.model import Trust
from presence_tui.app import PresenceApp
from presence_tui.look import Look
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.sheet import Reader
from tests import canned
from tests.canned import peer_key
from tests.ui.hosts import screen_text, until
from tests.ui.test_dashboard import LOST, Dashboard, dashboard, letters
from tests.ui.test_trust import asked


def marked(one: Dashboard) -> list[str]:
    return [peer.device_name for peer in one.table.marked]


def sign(one: Dashboard, name: str) -> str:
    """Return what stands before the row of a peer."""
    return screen_text(one.table).splitlines()[one.line_of(name)][0]


async def test_space_marks_a_peer_and_takes_the_mark_away() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        assert "marked" not in one.note
        await one.press("space")
        assert marked(one) == ["a"]
        assert sign(one, "a") == "█"
        assert "1 marked" in one.note
        await one.press("down", "space")
        assert [sign(one, name) for name in "abc"] == ["■", "█", " "]
        assert "2 marked" in one.note
        await one.press("space")
        assert marked(one) == ["a"]
        assert sign(one, "b") == "▌"


async def test_a_mark_belongs_to_a_peer_whatever_moves() -> None:
    async with dashboard(letters("a", "b", "c", "d")) as one:
        await one.press("down", "space", "down", "space", "home")
        assert marked(one) == ["b", "c"]
        await one.press("S")
        assert marked(one) == ["c", "b"]  # in the order of the table
        await one.change(2, device_name="z", presence=LOST)
        one.clock.go(10)
        await one.until(lambda: one.names == ["z", "d", "c", "a"])
        assert marked(one) == ["z", "c"]
        assert [sign(one, name) for name in ("z", "d", "c")] == ["■", " ", "■"]
        graph = one.source.graph
        peers = tuple(p for p in graph.remote_peers if p.device_name != "z")
        await one.publish(replace(graph, remote_peers=peers))
        assert marked(one) == ["c"]
        await one.publish(graph)  # who comes back is not marked: it may be another
        assert marked(one) == ["c"]


async def test_all_that_a_search_shows_are_marked_and_unmarked() -> None:
    async with dashboard(canned.team(), (200, 60)) as one:
        await one.press("slash", *"team=medical", "enter", "a")
        found = one.names
        assert len(found) == 3
        assert marked(one) == found
        assert "3 marked" in one.note
        await one.press("escape")
        assert len(one.names) == 11
        assert marked(one) == found
        await one.press("slash", *"team=supply", "enter", "a")
        assert "5 marked (3 not shown)" in one.note
        await one.press("escape", "escape")
        assert marked(one) == []
        assert "Back" not in one.hints
        await one.press("a", "A")
        assert marked(one) == []


async def test_a_click_with_ctrl_marks() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        await one.pilot.click("#peers", offset=(5, 3), control=True)
        await one.pilot.pause()
        assert marked(one) == ["c"]
        assert one.selected == "c"


async def test_marked_peers_are_copied_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(letters("a", "b", "c", "d")) as one:
        copied: list[str] = []
        one.app.copy_to_clipboard = copied.append  # type: ignore[method-assign,assignment]
        one.clock.go(60)
        await one.press("down", "space", "end", "space", "home", "y", "e")
        assert [p["deviceName"] for p in json.loads(copied[0])["peers"]] == ["b", "d"]
        path = tmp_path / "presence-peers-20261123-214200.csv"
        await one.until(path.exists)
        rows = csv.DictReader(path.read_text().splitlines())
        assert [row["deviceName"] for row in rows] == ["b", "d"]
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        commands["Copy shown peers as CSV"]()
        assert len(copied[1].splitlines()) == 3
        await one.until(lambda: len(one.app._notifications) == 3)
        assert all("2 marked peers" in note.message for note in one.app._notifications)


async def test_marked_peers_are_pinned_together_and_let_go_together() -> None:
    async with dashboard(letters("a", "b", "c", "d")) as one:
        await one.press("down", "p", "home", "end", "space", "up", "up", "p")
        assert one.names == ["b", "d", "a", "c"]  # b was pinned by itself
        await one.press("p")
        assert one.names == ["b", "a", "c", "d"]


async def test_marked_peers_are_blocked_after_one_question() -> None:
    names = [f"n{number:02}" for number in range(20)]
    async with dashboard(letters(*names)) as one:
        await one.change(3, trust=Trust.BLOCKED)
        await one.press("a", "b")
        await one.until(lambda: asked(one))
        words = screen_text(one.app.screen.query_one(Reader))
        assert one.app.screen.query_one("#confirm").border_title == "Block 19 keys?"
        assert "n00" in words
        assert "n02" not in words  # is blocked already
        assert "and 7 more" in words
        await one.press("n")
        assert one.source.decided == []
        await one.press("b")
        await one.until(lambda: asked(one))
        await one.press("y")
        await one.until(lambda: len(one.source.decided) == 19)
        assert {trust for _, trust in one.source.decided} == {"blocked"}
        await one.until(lambda: bool(one.app._notifications))
        assert "19 keys are blocked now" in [n.message for n in one.app._notifications]


async def test_without_marks_b_is_about_the_selected_peer() -> None:
    async with dashboard(letters("a", "b")) as one:
        await one.press("down", "b")
        await one.until(lambda: asked(one))
        await one.press("y")
        await one.until(lambda: one.source.decided == [(peer_key(2), "blocked")])


async def test_what_keeps_a_key_from_being_blocked_is_told() -> None:
    async with dashboard(letters("a", "b", "c")) as one:
        one.source.refusal = HomeError("the disk is full: make room")
        await one.press("a", "b")
        await one.until(lambda: asked(one))
        await one.press("y")
        await one.until(lambda: bool(one.app._notifications))
        (note,) = one.app._notifications
        assert note.message == "0 of 3 are blocked, then: the disk is full: make room"
        assert note.severity == "error"


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "monochrome"])
async def test_marks_are_seen_in_every_theme_and_in_ascii(theme: str) -> None:
    app = PresenceApp(canned.CannedSource(letters("a", "b", "c")), look=Look(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.screen.query_one(PeerTable)
        await until(pilot, lambda: table.count == 3)
        await pilot.press("space", "down")
        rows = [table.render_line(y) for y in (1, 2, 3)]
        assert [row.text[0] for row in rows] == ["■", "▌", " "]
        grounds = {row._segments[1].style.bgcolor for row in rows if row._segments[1].style}
        assert len(grounds) == 3
        app.toggle_ascii()
        await pilot.press("up")
        lines = [row.text for row in app.screen._compositor.render_strips()]
        assert any(line.strip("|").startswith("@a ") for line in lines), lines
