"""Metadata as a form, and what saving it changes: all of it is an edit of the one text."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Static

from presence_core.model import MetadataState
from presence_tui.app import PresenceApp
from presence_tui.viewmodel.editor import EditorState
from presence_tui.widgets.field_list import FieldList
from presence_tui.widgets.json_area import JsonArea
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.metadata_editor import MetadataEditor
from presence_tui.widgets.metadata_form import FieldLine
from presence_tui.widgets.sheet import Sheet
from tests import canned
from tests.ui.hosts import Host, screen_text
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, graph, peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

METADATA: dict[str, Any] = {"role": "medic", "deck": 3, "ready": True, "berths": [1, 2]}


class Form:
    """The form in a running app, and short ways to its parts."""

    def __init__(self, pilot: Pilot[None], pane: LocalPeerPane) -> None:
        self.pilot, self.pane = pilot, pane
        self.editor = pane.query_one(MetadataEditor)
        self.list = pane.query_one(FieldList)
        self.line = pane.query_one(FieldLine)

    @property
    def value(self) -> Any:
        return json.loads(self.editor.text)

    @property
    def shown(self) -> str:
        prompt = self.pane.query_one("#field-prompt", Static)
        return "\n".join(map(screen_text, (self.list, prompt, self.line)))

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def choose(self, key: str) -> None:
        await self.press("home")
        for _ in range(50):
            if self.list.chosen is not None and self.list.chosen.key == key:
                return
            await self.press("down")
        raise AssertionError(f"there is no field {key}")

    async def type(self, text: str) -> None:
        """Replace what stands in the line, and accept it."""
        self.line.value = text
        await self.press("enter")


@asynccontextmanager
async def form(metadata: Any = None, size: tuple[int, int] = (60, 30)) -> AsyncIterator[Form]:
    pane = LocalPeerPane()
    async with Host(pane).run_test(size=size) as pilot:
        published = METADATA if metadata is None else metadata
        pane.show(graph(local=peer(1, "field-laptop", peer_metadata=published)), None)
        pane.editor.focus_text()
        await pilot.press("f2")
        await pilot.pause()
        yield Form(pilot, pane)


async def test_the_fields_with_their_types() -> None:
    async with form() as f:
        rows = [row.split() for row in f.shown.splitlines()[:4]]
        assert rows == [
            ["▌", "role", "text", "medic"],
            ["deck", "number", "3"],
            ["ready", "yes/no", "yes"],
            ["berths", "nested", "[1,", "2]"],
        ]
        assert f.pilot.app.focused is f.list
        assert not f.pane.query_one(JsonArea).display


async def test_another_value_is_an_edit_of_the_text_that_can_be_undone() -> None:
    async with form() as f:
        await f.press("enter")
        assert f.line.value == "medic"
        await f.type("surgeon")
        assert f.value == {**METADATA, "role": "surgeon"}
        assert "surgeon" in f.shown
        assert f.editor.state is EditorState.EDITED
        await f.press("ctrl+z")
        assert f.value == METADATA
        assert "medic" in f.shown
        await f.press("ctrl+y")
        assert f.value["role"] == "surgeon"


async def test_typing_over_the_value_and_leaving_it() -> None:
    async with form() as f:
        await f.press("enter", *"lead", "escape")
        assert f.value == METADATA
        assert f.pilot.app.focused is f.list
        await f.press("enter", *"lead", "enter")
        assert f.value["role"] == "lead"


async def test_a_number_stays_a_number_and_nonsense_stays_in_the_line() -> None:
    async with form() as f:
        await f.choose("deck")
        await f.press("enter")
        await f.type("four")
        assert f.value == METADATA
        assert "'four' is not a number" in f.shown
        assert f.pilot.app.focused is f.line
        await f.type("4")
        assert f.value["deck"] == 4
        assert f.list.chosen is not None
        assert f.list.chosen.key == "deck"


async def test_yes_and_no_change_places() -> None:
    async with form() as f:
        await f.choose("ready")
        await f.press("enter")
        assert f.value["ready"] is False
        await f.press("enter")
        assert f.value["ready"] is True


async def test_a_new_key_with_a_suggestion_and_its_value() -> None:
    async with form() as f:
        await f.press("a", "t", "e")
        await f.pilot.pause()
        await f.press("right", "enter")
        assert f.value["team"] == ""
        assert f.pilot.app.focused is f.line
        await f.type("alpha")
        assert f.value == {**METADATA, "team": "alpha"}
        assert f.list.chosen is not None
        assert f.list.chosen.key == "team"


async def test_a_key_that_is_there_already_is_refused_in_the_line() -> None:
    async with form() as f:
        await f.press("a")
        await f.type("deck")
        assert "'deck' already" in f.shown
        await f.type("  ")
        assert "needs a name" in f.shown
        await f.press("escape")
        assert f.value == METADATA


async def test_a_key_is_renamed_retyped_and_removed() -> None:
    async with form() as f:
        await f.choose("deck")
        await f.press("n")
        await f.type("level")
        assert list(f.value) == ["role", "level", "ready", "berths"]
        kinds = []
        for _ in range(4):
            await f.press("y")
            kinds.append(f.value["level"])
        assert kinds == [True, None, "", 0]
        assert f.list.chosen is not None
        assert f.list.chosen.key == "level"
        await f.press("delete")
        assert list(f.value) == ["role", "ready", "berths"]
        assert f.list.chosen.key == "ready"
        await f.press("ctrl+z")
        assert list(f.value) == ["role", "level", "ready", "berths"]


async def test_the_template() -> None:
    async with form({"role": "medic"}) as f:
        await f.press("m")
        assert f.value == {"role": "medic", "team": "", "location": ""}
        text = f.editor.text
        await f.press("m")
        assert f.editor.text == text


async def test_the_template_as_text() -> None:
    async with form({"role": "medic"}) as f:
        await f.press("f2")
        f.editor.action_template()
        assert f.value == {"role": "medic", "team": "", "location": ""}
        f.pane.query_one(JsonArea).replace_text("[")
        f.editor.action_template()
        assert f.editor.text == "["


async def test_nested_values_are_left_to_the_text() -> None:
    async with form() as f:
        await f.choose("berths")
        await f.press("enter", "y")
        assert not f.line.display
        assert f.value == METADATA
        await f.press("n")
        await f.type("bunks")
        assert f.value["bunks"] == [1, 2]


async def test_without_keys_it_says_what_to_do() -> None:
    async with form({}) as f:
        assert "no keys yet" in f.shown
        await f.press("enter", "n", "y", "delete", "down")
        assert f.value == {}


async def test_a_text_that_is_no_json_has_no_fields_and_is_not_lost() -> None:
    async with form() as f:
        await f.press("f2")
        area = f.pane.query_one(JsonArea)
        area.replace_text('{"role": ')
        await f.press("f2")
        assert "mend it" in f.shown
        await f.press("a", "m", "delete")
        assert f.editor.text == '{"role": '


async def test_what_is_published_meanwhile_is_shown_and_a_line_that_is_typed_stays() -> None:
    async with form() as f:
        await f.press("enter", *"lea")
        newer = {**METADATA, "deck": 5}
        f.pane.show(graph(local=peer(1, "field-laptop", peer_metadata=newer)), None)
        await f.pilot.pause()
        assert f.line.value == "lea"
        await f.press("d", "enter")
        assert f.value == {**newer, "role": "lead"}


async def test_a_key_that_goes_while_its_value_is_typed() -> None:
    async with form() as f:
        await f.press("enter", *"lead")
        newer = {"deck": 5}
        f.pane.show(graph(local=peer(1, "field-laptop", peer_metadata=newer)), None)
        await f.pilot.pause()
        await f.press("enter")
        assert f.value == newer


async def test_hostile_keys_and_values_do_not_reach_the_terminal() -> None:
    async with form({HOSTILE: HOSTILE, "a": {HOSTILE: 1}}) as f:
        assert not FORBIDDEN & set(f.shown)
        await f.press("enter", "escape", "n")
        assert not FORBIDDEN & set(f.shown)
        await f.press("escape")
        assert f.value == {HOSTILE: HOSTILE, "a": {HOSTILE: 1}}


async def test_more_fields_than_rows() -> None:
    async with form({f"key-{n:03}": n for n in range(200)}) as f:
        await f.press("end")
        assert "key-199" in f.shown
        await f.press("home")
        assert "key-000" in f.shown
        assert "key-199" not in f.shown


async def test_a_click_chooses_a_field() -> None:
    async with form() as f:
        await f.pilot.click(FieldList, offset=(3, 2))
        assert f.list.chosen is not None
        assert f.list.chosen.key == "ready"


@pytest.mark.parametrize("width", [44, 120])
async def test_the_difference_to_what_others_see(width: int) -> None:
    async with form(size=(width, 36)) as f:
        side = f.pane.query_one("#metadata-published", Sheet)
        before = side.display
        await f.press("f3")
        assert (before, side.display) == (False, True)
        assert "others see this already" in screen_text(side)
        await f.press("delete", "enter")
        await f.type("7")
        said = screen_text(side)
        assert "saving changes 2 of what others see" in said
        assert "- role" in said
        assert "~ deck" in said
        assert "3 → 7" in said
        assert f.list.display, "the form is still there beside it, or above"
        await f.press("f3")
        assert side.display is (width == 120), "where there is room it stays"


async def test_in_the_dashboard_the_form_gets_the_keyboard_and_saves() -> None:
    source = canned.CannedSource(canned.team())
    app = PresenceApp(source, now=lambda: canned.NOW)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("4", "f2", "enter", *"chief", "enter")
        await pilot.pause()
        await pilot.press("1", "4")
        assert isinstance(app.screen.focused, FieldList)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert json.loads(source.taken[-1]) == {"role": "chief", "team": "alpha"}
        assert source.graph.local_peer.peer_metadata_state is MetadataState.PRESENT
        await pilot.press("f2")
        assert isinstance(app.screen.focused, JsonArea)
