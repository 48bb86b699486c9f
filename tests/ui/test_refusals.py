"""A dashboard that may only show offers nothing that it would refuse."""

from __future__ import annotations

import re

import pytest

from presence_tui.app import PresenceApp
from presence_tui.control.read_only import ReadOnlySource
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.screens.help import HelpScreen
from presence_tui.screens.panes import PANES
from presence_tui.viewmodel.refusals import Refusals
from presence_tui.wall.viewer import WallApp
from presence_tui.widgets.bars import KeyHints
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.sheet import Reader
from tests import canned
from tests.ui.hosts import screen_text, until

SIZES = [(80, 24), (120, 36), (200, 60)]
CHANGING = re.compile(
    r"\b(verify|verified now|block|forget|save|revert|publish|difference|form)\b", re.IGNORECASE
)
"""Words of hints, commands and the help that are about what a display does not do."""


def only_shows() -> tuple[canned.CannedSource, PresenceApp]:
    source = canned.CannedSource(canned.team())
    return source, PresenceApp(ReadOnlySource(source), now=lambda: canned.NOW)


@pytest.mark.parametrize("size", SIZES)
async def test_no_pane_offers_what_is_refused(size: tuple[int, int]) -> None:
    _, app = only_shows()
    async with app.run_test(size=size) as pilot:
        for number, (pane, _) in enumerate(PANES, 1):
            await pilot.press(str(number))
            await pilot.pause()
            hints = screen_text(app.screen.query_one(KeyHints))
            assert not CHANGING.search(hints), (pane, hints)
            assert "Help" in hints or "^q" in hints
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "Save" not in text


async def test_neither_commands_nor_help_name_what_is_refused() -> None:
    _, app = only_shows()
    async with app.run_test(size=(120, 36)) as pilot:
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert not [title for title in titles if CHANGING.search(title)]
        assert "Copy peer key" in titles
        assert "Export shown peers as CSV" in titles  # it may write here, though nowhere else
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        page = "\n".join(line.text for line in app.screen.query_one(Reader).page)
        keys = page.partition("Presence\n")[0]
        assert "This device\n" not in keys
        assert not CHANGING.search(keys.replace("what is copied", "")), keys
        assert "copy the full key" in keys


async def test_a_key_that_is_pressed_all_the_same_says_why_it_does_nothing() -> None:
    source, app = only_shows()
    async with app.run_test(size=(120, 36)) as pilot:
        for keys in (("3", "v"), ("b",), ("1", "b"), ("4", "ctrl+s"), ("f2",)):
            before = len(app._notifications)
            await pilot.press(*keys)
            await until(pilot, lambda: len(app._notifications) > before)  # noqa: B023
            assert not isinstance(app.screen, ConfirmScreen)
        assert {note.message.partition(":")[0] for note in app._notifications} == {
            "this display only shows"
        }
        assert not source.decided
        assert not source.taken


async def test_the_metadata_can_be_read_and_not_edited() -> None:
    source, app = only_shows()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "x", "delete", "enter")
        editor = app.screen.query_one(LocalPeerPane).editor
        assert editor.text == source.peer_metadata_json
        await source.set_peer_metadata({"role": "cook"})
        await until(pilot, lambda: "cook" in editor.text)
        await pilot.press("1")
        assert app.focused is app.screen.query_one("#peers")


async def test_a_browser_is_offered_no_files_and_no_end() -> None:
    app = WallApp(canned.CannedSource(canned.team()), "dark")
    async with app.run_test(size=(200, 60)) as pilot:
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Save metadata" in titles  # with --control
        assert not [t for t in titles if t.startswith(("Export", "Edit elsewhere", "Quit"))]
        await pilot.press("4")
        await pilot.pause()
        hints = screen_text(app.screen.query_one(KeyHints))
        assert "Save" in hints
        assert "EDITOR" not in hints
        assert "Quit" not in hints


def test_what_is_refused_is_said_in_words() -> None:
    assert Refusals().why("decide('block')") is None
    assert Refusals(shows_only=True).why("screen.export('csv')") is None
    assert "only shows" in (Refusals(shows_only=True).why("decide('block')") or "")
    assert "no files" in (Refusals(no_files=True).why("screen.export('csv')") or "")
    assert Refusals(no_files=True).why("save") is None
