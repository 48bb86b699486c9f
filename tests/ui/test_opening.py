"""The screen before there is a source, and the change to the main one."""

from __future__ import annotations

import pytest

from presence_tui.app import PresenceApp
from presence_tui.screens.help import HelpScreen
from presence_tui.screens.main import MainScreen
from presence_tui.screens.opening import OpeningScreen
from presence_tui.widgets.header_line import HeaderLine
from presence_tui.widgets.sheet import Sheet
from tests import canned


def opening(name: str = "field-laptop") -> OpeningScreen:
    return OpeningScreen(mesh="convoy", name=name, doing="opening…")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_nothing_jumps_when_the_main_screen_comes(size: tuple[int, int]) -> None:
    app = PresenceApp(opening(), now=lambda: canned.NOW)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        before = {name: app.screen.query_one(f"#{name}").region for name in ("panes", "keys")}
        text = app.screen.query_one("#header", Sheet).content_region.offset
        await app.open(canned.CannedSource(canned.one()))
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
        assert before == {name: app.screen.query_one(f"#{name}").region for name in before}
        assert text == app.screen.query_one(HeaderLine).content_region.offset


async def test_keys_that_need_a_mesh_wait_for_it() -> None:
    app = PresenceApp(opening(), now=lambda: canned.NOW)
    async with app.run_test() as pilot:
        await pilot.press("question_mark", "f1", "ctrl+p")
        assert isinstance(app.screen, OpeningScreen)
        theme = app.theme
        await pilot.press("t")
        assert app.theme != theme
        await app.open(canned.CannedSource(canned.one()))
        await pilot.press("escape")  # there is nothing to go back to
        assert isinstance(app.screen, MainScreen)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)


async def test_a_name_is_made_safe() -> None:
    app = PresenceApp(opening("\x1b[31mred[bold]"), now=lambda: canned.NOW)
    async with app.run_test() as pilot:
        await pilot.pause()
        (who, _) = app.screen.query_one("#header", Sheet).page
        assert "\x1b" not in "".join(span.text for span in who.spans)
        assert who.spans[-1].text.endswith("red[bold]")
