"""Keys that come in one burst, faster than the screen follows them."""

from __future__ import annotations

from typing import Any

import pytest
from textual.events import Hide, Key, Paste
from textual.keys import _character_to_key
from textual.widgets import Input

from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.screens.help import HelpScreen
from presence_tui.viewmodel.timeline import Topic
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.metadata_form import MetadataForm
from presence_tui.widgets.search_line import SearchLine
from presence_tui.widgets.timeline import TimelineView
from tests import canned
from tests.ui.test_dashboard import Dashboard, dashboard
from tests.ui.test_trust import asked

SIZES = [(80, 24), (120, 36), (200, 60)]
NAMES = {"\r": "enter", "\x1b": "escape", "\t": "tab", "\x10": "ctrl+p"}


def burst(one: Dashboard, text: str) -> None:
    """Send all keys at once, as a driver does that has read them at once."""
    driver = one.app._driver
    assert driver is not None
    for char in text:
        key = NAMES.get(char) or (char if char.isalnum() else _character_to_key(char))
        driver.send_message(Key(key, char))


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_reaches_the_pane_that_the_one_before_asked_for(size: tuple[int, int]) -> None:
    async with dashboard(canned.team(), size) as one:
        burst(one, "3v")
        await one.until(lambda: isinstance(one.app.screen, ConfirmScreen))
        await one.press("escape")
        burst(one, "8f")
        timeline = one.screen.query_one(TimelineView)
        await one.until(lambda: timeline.timeline.only.topic is Topic.PEERS)
        assert one.screen._active == "timeline"
        burst(one, "1f8ff2")
        await one.until(lambda: one.screen._active == "identity")
        assert timeline.timeline.only.topic is Topic.METADATA
        assert one.table.asked.show == "online"


async def test_a_question_is_not_answered_before_it_is_seen() -> None:
    async with dashboard(canned.team()) as one:
        burst(one, "3vyyy")
        await one.until(lambda: asked(one))
        await one.pilot.pause()
        assert one.source.decided == []
        burst(one, "y")
        await one.until(lambda: one.app.screen is one.screen)
        await one.until(lambda: bool(one.source.decided))
        await one.until(lambda: one.screen._graph is one.source.graph)


async def test_a_key_that_is_lost_on_its_way_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("presence_tui.type_ahead.LOST_SECONDS", 0.05)
    async with dashboard(canned.team()) as one:
        real, lost = one.table.call_later, one.app._type_ahead._through

        def call_later(callback: Any, *args: Any) -> bool:
            return callback == lost or real(callback, *args)

        one.table.call_later = call_later  # type: ignore[method-assign]
        burst(one, "23")  # nobody comes back from the table to say that the first is through

        def comes_through() -> bool:
            burst(one, "3")
            return one.screen._active == "key"

        await one.until(comes_through)


async def test_what_is_typed_after_the_end_is_left_unread() -> None:
    async with dashboard(canned.many()) as one:
        burst(one, "3qvjj8f1yy")
        await one.until(lambda: one.app._exit)
    assert one.app.return_code == 0
    assert one.source.decided == []


@pytest.mark.parametrize("size", SIZES)
async def test_a_search_is_written_ended_and_left_in_one_burst(size: tuple[int, int]) -> None:
    async with dashboard(canned.team(), size) as one:
        burst(one, "/rad\r2")
        await one.until(lambda: one.screen._active == "identity")
        assert one.screen.query_one(Input).value == "rad"
        assert not one.screen.query_one(SearchLine).open
        assert one.names == ["radio-relay"]
        burst(one, "\x1b\x1b/q2\x1b3")
        await one.until(lambda: one.screen._active == "key")
        assert one.screen.query_one(Input).value == ""
        assert one.app.is_running


@pytest.mark.parametrize("size", SIZES)
async def test_a_text_for_the_editor_goes_into_the_editor(size: tuple[int, int]) -> None:
    async with dashboard(canned.team(), size) as one:
        before = one.screen.query_one(LocalPeerPane).editor.text
        burst(one, "4q 3 f\x1b2")
        await one.until(lambda: one.screen._active == "identity")
        assert one.screen.query_one(LocalPeerPane).editor.text == f"q 3 f{before}"
        assert one.app.is_running


async def test_a_search_that_is_opened_again_before_it_knew_that_it_was_closed() -> None:
    async with dashboard(canned.team(), (80, 24)) as one:
        await one.press("slash")
        search = one.screen.query_one(SearchLine)
        await one.until(lambda: search.has_focus)
        search.post_message(Hide())  # it comes late: the line was closed and opened again
        await one.press("q", "2")
        assert search.value == "q2"
        await one.press("escape", "2")
        assert one.screen._active == "identity"
        assert one.app.is_running


async def test_what_is_pasted_right_after_a_key_goes_where_the_key_leads() -> None:
    async with dashboard(canned.team()) as one:
        driver = one.app._driver
        assert driver is not None
        burst(one, "/")
        driver.send_message(Paste("radio"))
        burst(one, "-\r")
        await one.until(lambda: one.names == ["radio-relay"])


async def test_a_screen_over_the_others_takes_what_is_typed_after_its_key() -> None:
    async with dashboard(canned.team()) as one:
        burst(one, "?q")  # which closes the help, and does not quit
        await one.until(lambda: one.app.screen is one.screen)
        burst(one, "?")
        await one.until(lambda: isinstance(one.app.screen, HelpScreen))
        burst(one, "q2")
        await one.until(lambda: one.screen._active == "identity")
        assert one.app.is_running


async def test_the_form_takes_keys_as_fast_as_they_come() -> None:
    async with dashboard(canned.team()) as one:
        await one.press("4", "f2")
        burst(one, "azone\rharbour\r")
        editor = one.screen.query_one(LocalPeerPane).editor
        await one.until(lambda: '"zone": "harbour"' in editor.text)
        assert not one.screen.query_one(MetadataForm).typing


async def test_of_many_keys_all_arrive() -> None:
    async with dashboard(canned.many()) as one:
        burst(one, "1235678" * 5 + "1" + "j" * 17)
        await one.until(lambda: one.selected == one.names[17])
        assert one.screen._active == "peers"
