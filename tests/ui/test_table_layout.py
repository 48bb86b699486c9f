"""Columns, orders, groups, pins, export: in the whole dashboard."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from presence_tui.app import PresenceApp
from presence_tui.screens.columns import ColumnsScreen
from presence_tui.viewmodel.layout import read_layout
from presence_tui.widgets.peer_table import PeerTable
from tests import canned
from tests.canned import CannedSource, peer_key
from tests.ui.hosts import screen_text, until
from tests.ui.test_dashboard import Dashboard, dashboard


def titles(one: Dashboard) -> list[str]:
    return screen_text(one.table).splitlines()[0].split()


async def choose(one: Dashboard, *keys: str) -> None:
    await one.press("c")
    await one.until(lambda: isinstance(one.app.screen, ColumnsScreen))
    await one.press(*keys)


async def to_role(one: Dashboard) -> None:
    """Open the columns and go to the first of metadata."""
    await choose(one)
    screen = one.app.screen
    assert isinstance(screen, ColumnsScreen)
    await one.press(*["down"] * screen._columns.keys.index("meta:role"))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_metadata_becomes_a_column_that_sorts_and_groups(size: tuple[int, int]) -> None:
    async with dashboard(canned.team(), size) as one:
        await to_role(one)
        await one.press("space", *["K"] * 12, "s", "escape")
        assert titles(one)[0] == "ROLE▲"
        assert one.names[0] == "kitchen"
        assert set(one.names[1:3]) == {"ambulance-7", "water-truck-1"}
        await choose(one, "g", "escape")
        lines = screen_text(one.table).splitlines()
        assert lines[1].strip() == "role cook (1)"
        assert "kitchen" in lines[2]
        assert lines[3].strip() == "role driver (2)"
        await one.press("home")
        assert one.selected == "kitchen"
        await one.press("down")
        assert one.selected == one.names[1]  # titles are passed over
        await one.press("up", "up")
        assert one.selected == "kitchen"
        assert screen_text(one.table).splitlines()[1].strip() == "role cook (1)"
        await one.press("end")
        assert one.selected == "field-hospital"
        lines = screen_text(one.table).splitlines()
        title = next(y for y, text in enumerate(lines) if "role driver (2)" in text)
        await one.pilot.click("#peers", offset=(5, title))  # a title selects nobody
        assert one.selected == "field-hospital"


async def test_each_change_is_seen_at_once_and_can_be_undone() -> None:
    async with dashboard(canned.team()) as one:
        before = titles(one)
        await choose(one, "down", "space")
        assert "KEY" not in titles(one)
        await one.press("x", "escape")
        assert titles(one) == before


async def test_a_title_clicked_with_shift_sorts_after_the_others() -> None:
    async with dashboard(canned.team()) as one:
        line = screen_text(one.table).splitlines()[0]
        await one.pilot.click("#peers", offset=(line.index("PRESENCE"), 0))
        await one.pilot.click("#peers", offset=(line.index("NAME"), 0), shift=True)
        await one.pilot.click("#peers", offset=(line.index("NAME"), 0), shift=True)
        await one.pilot.pause()
        assert one.table.asked.orders == (("presence", False), ("name", True))
        assert one.names[:2] == ["water-truck-1", "triage-tent"]
        line = screen_text(one.table).splitlines()[0]
        assert "NAME▼" in line
        assert "PRESENCE▲" in line
        await one.press("s")
        assert one.table.asked.then == ()


async def test_a_pinned_peer_stays_on_top() -> None:
    async with dashboard(canned.team()) as one:
        one.table.select(peer_key(2))
        await one.press("p")
        assert one.names[0] == "field-hospital"
        assert one.selected == "field-hospital"
        await one.press("down")
        assert screen_text(one.table).splitlines()[1].startswith("*field-hospital")
        await one.press("S")
        assert one.names[0] == "field-hospital"
        one.table.select(peer_key(2))
        await one.press("p")
        assert one.names[0] != "field-hospital"


async def test_the_layout_is_kept_between_runs(tmp_path: Path) -> None:
    kept = tmp_path / "dashboard.json"

    def app() -> PresenceApp:
        return PresenceApp(CannedSource(canned.team()), now=lambda: canned.NOW, layout_file=kept)

    first = app()
    async with first.run_test(size=(120, 36)) as pilot:
        await pilot.press("p", "c")
        await until(pilot, lambda: isinstance(first.screen, ColumnsScreen))
        await pilot.press("down", "space", "s", "escape")
        await until(pilot, lambda: kept.exists() and bool(read_layout(kept.read_text()).columns))
    second = app()
    async with second.run_test(size=(120, 36)) as pilot:
        table = second.screen.query_one(PeerTable)
        await until(pilot, lambda: bool(table.columns))
        assert table.asked.sort == "key"
        assert len(table.asked.pinned) == 1
        assert "key" not in {c.key for c in table.columns}


@pytest.mark.parametrize("text", ["no json", '{"columns": [["nothing", 1]]}', "\x00"])
async def test_a_damaged_layout_is_left_alone(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "dashboard.json"
    kept.write_text(text)
    app = PresenceApp(CannedSource(canned.team()), now=lambda: canned.NOW, layout_file=kept)
    async with app.run_test(size=(120, 36)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "ambulance-7" in screen_text(app.screen.query_one(PeerTable))
    assert kept.read_text() == text


# -- for other programs


def notes(one: Dashboard) -> list[str]:
    return [note.message for note in one.app._notifications]


def commands(one: Dashboard) -> dict[str, Any]:
    return {c.title: c.callback for c in one.app.get_system_commands(one.screen)}


async def test_what_is_shown_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(canned.team()) as one:
        await one.press("slash", *"team=medical", "enter", "S", "e")
        await one.until(lambda: bool(notes(one)))
        path = tmp_path / "presence-peers-20261123-214100.csv"
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["deviceName"] for row in rows] == one.names
        assert len(rows) == 3
        assert str(path) in notes(one)[0].replace("\n", "")
        commands(one)["Export shown peers as JSON"]()
        await one.until(lambda: len(notes(one)) == 2)
        data = json.loads(path.with_suffix(".json").read_text())
        assert [peer["deviceName"] for peer in data["peers"]] == one.names


async def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard(canned.team()) as one:
        gone = tmp_path / "gone"
        monkeypatch.setattr(Path, "cwd", lambda: gone)
        await one.press("e")
        await one.until(lambda: bool(notes(one)))
        (note,) = one.app._notifications
        assert note.severity == "error"
        assert "cannot be written" in note.message
        assert one.app.is_running


async def test_peers_are_copied() -> None:
    async with dashboard(canned.team()) as one:
        copied: list[str] = []
        one.app.copy_to_clipboard = copied.append  # type: ignore[method-assign,assignment]
        one.table.select(peer_key(6))
        await one.press("y")
        assert [p["deviceName"] for p in json.loads(copied[0])["peers"]] == ["bridge-watch"]
        commands(one)["Copy shown peers as CSV"]()
        assert len(copied[1].splitlines()) == 12
        commands(one)["Copy selected peer as CSV"]()
        assert copied[2].splitlines()[1].split(",")[1] == "bridge-watch"
