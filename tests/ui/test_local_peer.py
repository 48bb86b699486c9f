from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Static

from presence_core.model import MetadataState
from presence_tui.viewmodel.editor import EditorState
from presence_tui.widgets.draft_file import DraftFile
from presence_tui.widgets.json_area import PLAIN_FROM, JsonArea, highlighting_works
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.sheet import Sheet
from tests.ui.hosts import Host, screen_text, until
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, graph, metadata_of_size, peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.pilot import Pilot

    from presence_core.model import PresenceGraph

METADATA: dict[str, Any] = {"role": "medic", "deck": 3}


def of(metadata: dict[str, Any], **changes: Any) -> PresenceGraph:
    """Return a graph whose local peer publishes that metadata."""
    return graph(local=peer(1, "field-laptop", peer_metadata=metadata), **changes)


class Bench:
    """The pane in a running app, and short ways to its parts."""

    def __init__(self, pilot: Pilot[None], host: Host, pane: LocalPeerPane) -> None:
        self.pilot, self.host, self.pane = pilot, host, pane
        self.editor = pane.editor
        self.area = pane.query_one(JsonArea)

    def has_colours(self) -> bool:
        return self.area.language == "json"

    def wraps(self) -> bool:
        return self.area.soft_wrap

    def at(self, state: EditorState) -> bool:
        return self.editor.state is state

    @property
    def details(self) -> str:
        page = self.pane.query_one("#metadata-details", Sheet).page
        return "\n".join(line.text for line in page)

    @property
    def counter(self) -> str:
        return str(self.pane.query_one("#metadata-counter", Static).content)

    async def put(self, text: str) -> None:
        """Replace the text as a paste over everything does."""
        self.area.focus()
        self.area.select_all()
        self.area.replace(text, *self.area.selection, maintain_selection_offset=False)
        await self.pilot.pause()

    async def put_and_check(self, text: str) -> None:
        await self.put(text)
        await self.until(lambda: not self.editor.checking)

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(self.pilot, condition)


async def bench(
    pilot: Pilot[None], metadata: dict[str, Any] | None = None, **changes: Any
) -> Bench:
    host = pilot.app
    assert isinstance(host, Host)
    pane = host.pane
    assert isinstance(pane, LocalPeerPane)
    pane.show(of(METADATA if metadata is None else metadata, **changes), None)
    await pilot.pause()
    return Bench(pilot, host, pane)


def app(draft: Path | None = None) -> Host:
    return Host(LocalPeerPane(draft=draft))


@pytest.mark.parametrize("width", [36, 60, 120])
async def test_the_pane_tells_who_this_device_is(width: int) -> None:
    host = app()
    async with host.run_test(size=(width, 30)) as pilot:
        b = await bench(pilot, open_mesh=True)
        facts = screen_text(b.pane.query_one("#local-facts", Sheet))
        assert "field-laptop" in facts
        assert "open" in facts
        assert "knows its name" in " ".join(facts.split())
        b.pane.show(of(METADATA, open_mesh=False))
        await pilot.pause()
        assert "keyed" in screen_text(b.pane.query_one("#local-facts", Sheet))
        assert b.at(EditorState.PUBLISHED)
        assert b.counter.endswith("/ 4,096 B")


async def test_a_graph_may_come_before_the_pane_is_mounted() -> None:
    pane = LocalPeerPane()
    pane.show(of(METADATA), None)
    async with Host(pane).run_test() as pilot:
        await pilot.pause()
        assert json.loads(pane.editor.text) == METADATA


async def test_typing_is_checked_and_counted() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot, {})
        assert b.area.text == "{}"
        b.area.focus()
        b.area.move_cursor((0, 1))
        await pilot.press(*'"a"')
        await b.until(lambda: b.at(EditorState.INVALID))
        assert "line 1" in b.details
        assert b.area.has_class("-invalid")
        await pilot.press(":", "1")
        await b.until(lambda: b.at(EditorState.EDITED))
        assert b.counter == "4 / 4,096 B"
        assert not b.area.has_class("-invalid")
        assert "will send   1 key: + a" in b.details


async def test_enter_keeps_the_indentation_and_goes_deeper_after_a_bracket() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot, {})
        await b.put("  {")
        await pilot.press("enter", "x", "enter", "y")
        assert b.area.text == "  {\n    x\n    y"


@pytest.mark.parametrize("way", ["key", "button"])
async def test_save_asks_once_and_ends_in_published(way: str) -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put('{"role": "cook"}')
        for _ in range(2):
            if way == "key":
                await pilot.press("ctrl+s")
            else:
                await pilot.click("#metadata-save")
        await pilot.pause()
        assert b.host.requests == ['{"role": "cook"}']
        assert b.at(EditorState.SENDING)
        assert b.area.has_focus
        b.pane.saved()
        assert b.at(EditorState.PUBLISHED)
        assert b.area.text == '{"role": "cook"}'  # as it was written
        b.pane.show(of(METADATA), None)  # a graph that was under way
        b.pane.show(of({"role": "cook"}), None)
        await pilot.pause()
        assert b.area.text == '{"role": "cook"}'
        assert b.at(EditorState.PUBLISHED)


async def test_a_refused_save_keeps_the_text() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put('{"role": "cook"}')
        await pilot.press("ctrl+s")
        await pilot.pause()
        b.pane.failed("the disk is full")
        assert b.at(EditorState.FAILED)
        assert "the disk is full" in b.details
        assert b.area.text == '{"role": "cook"}'
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert len(b.host.requests) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": NaN}', "finite"),
        ('{"a":' * 16 + "{}" + "}" * 16, "limit of 16"),
        ("[]", "object"),
        ('{"a": }', "line 1"),
        ("", "write {}"),
        (json.dumps(metadata_of_size(131_073)), "131,072"),
    ],
    ids=["duplicate", "nan", "depth 17", "list", "syntax", "empty", "131,073 bytes"],
)
async def test_invalid_text_is_said_and_kept_and_never_sent(text: str, said: str) -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put(text)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert b.host.requests == []
        assert b.at(EditorState.INVALID)
        assert said in b.details
        assert b.area.text == text


async def test_saving_broken_json_puts_the_cursor_where_it_breaks_off() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put('{\n  "a": }\n\n')
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert b.area.cursor_location == (1, 7)


@pytest.mark.parametrize(
    ("size", "counter", "style"),
    [
        (4_096, "4,096 / 4,096 B", None),
        (4_097, "4,097 / 131,072 B", "-warning"),
        (131_072, "131,072 / 131,072 B", "-warning"),
        (131_073, "131,073 / 131,072 B", "-bad"),
    ],
)
async def test_the_byte_counter_at_its_borders(size: int, counter: str, style: str | None) -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put_and_check(json.dumps(metadata_of_size(size)))
        assert b.counter == counter
        label = b.pane.query_one("#metadata-counter", Static)
        assert {c for c in label.classes if c.startswith("-")} == ({style} if style else set())
        assert b.at(EditorState.EDITED) == (size <= 131_072)


async def test_a_large_text_is_neither_highlighted_nor_wrapped_and_stays_editable() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        assert highlighting_works()
        assert b.has_colours()
        assert b.wraps()
        large = json.dumps({f"k{n}": "value" for n in range(9_000)}, indent=2)
        await b.put(large)
        assert not b.has_colours()
        assert not b.wraps()
        b.area.move_cursor((0, 1))
        await pilot.press("enter")
        await b.until(lambda: b.at(EditorState.EDITED))
        assert b.area.text == large.replace("{", "{\n  ", 1)
        assert b.area.cursor_location == (1, 2)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert b.host.requests == [b.area.text]
        await b.put("{}" + " " * 9)
        await b.until(b.has_colours)
        assert len(large) > PLAIN_FROM


@pytest.mark.parametrize("way", ["key", "button"])
async def test_revert_restores_the_published_text_and_can_be_undone(way: str) -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put_and_check('{"oops": ')
        if way == "key":
            await pilot.press("ctrl+r")
        else:
            await pilot.click("#metadata-revert")
        await b.until(lambda: b.area.text != '{"oops": ')
        assert json.loads(b.area.text) == METADATA
        assert b.at(EditorState.PUBLISHED)
        await pilot.press("ctrl+z")
        await b.until(lambda: b.at(EditorState.INVALID))
        assert b.area.text == '{"oops": '


async def test_an_unedited_text_follows_and_keeps_cursor_and_focus() -> None:
    many = {f"k{n}": n for n in range(60)}
    async with app().run_test(size=(60, 24)) as pilot:
        b = await bench(pilot, many)
        b.area.focus()
        b.area.move_cursor((40, 4))
        await pilot.pause()
        scroll = b.area.scroll_offset
        b.pane.show(of(many | {"k3": "new"}), None)
        await pilot.pause()
        assert '"k3": "new"' in b.area.text
        assert b.area.cursor_location == (40, 4)
        assert b.area.scroll_offset == scroll
        assert b.area.has_focus
        assert b.at(EditorState.PUBLISHED)


async def test_an_edited_text_stays_and_says_that_the_published_one_changed() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put('{"role": "cook"}')
        b.pane.show(of({"role": "captain"}), None)
        await b.until(lambda: "published changed meanwhile" in b.details)
        assert b.area.text == '{"role": "cook"}'
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert json.loads(b.area.text) == {"role": "captain"}
        assert "meanwhile" not in b.details


async def test_showing_the_same_again_touches_nothing() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        same = of(METADATA)
        b.pane.show(same, None)
        await b.put_and_check('{"half": ')
        edits = b.area.history
        before = (b.area.text, b.area.cursor_location, len(edits.undo_stack))
        for _ in range(5):
            b.pane.show(same, None)
        await pilot.pause()
        assert (b.area.text, b.area.cursor_location, len(edits.undo_stack)) == before


async def test_a_value_that_is_only_announced_does_not_empty_the_text() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        announced = peer(1, "field-laptop", peer_metadata_state=MetadataState.PENDING)
        b.pane.show(graph(local=announced), None)
        await pilot.pause()
        assert json.loads(b.area.text) == METADATA


async def test_metadata_may_be_made_of_read_only_mappings() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        inner = MappingProxyType({"deck": (1, 2)})
        local = peer(1, peer_metadata=MappingProxyType({"place": inner}))
        b.pane.show(graph(local=local), None)
        await pilot.pause()
        assert json.loads(b.area.text) == {"place": {"deck": [1, 2]}}
        assert b.at(EditorState.PUBLISHED)


async def test_the_published_text_stands_beside_the_edited_one_when_there_is_room() -> None:
    async with app().run_test(size=(120, 30)) as pilot:
        b = await bench(pilot)

        def is_beside() -> bool:
            return beside.display

        beside = b.pane.query_one("#metadata-published", Sheet)
        assert not is_beside()
        await b.put_and_check('{"role": "cook"}')
        await pilot.pause()
        assert is_beside()
        assert "medic" in screen_text(beside)
        await pilot.resize_terminal(60, 30)
        await b.until(lambda: not is_beside())


async def test_hostile_metadata_and_pastes_reach_no_terminal() -> None:
    hostile = {HOSTILE: [HOSTILE, {"b": HOSTILE}]}
    local = peer(1, HOSTILE, os=HOSTILE, version=HOSTILE, peer_metadata=hostile)
    async with app().run_test(size=(120, 40)) as pilot:
        b = await bench(pilot)
        b.pane.show(graph(local=local), None)
        await pilot.pause()
        assert json.loads(b.area.text) == hostile
        assert b.at(EditorState.PUBLISHED)
        await b.put_and_check(
            json.dumps({"x": HOSTILE}, ensure_ascii=False).replace("\\u001b", "\x1b")
        )
        await pilot.pause()
        assert json.loads(b.area.text) == {"x": HOSTILE}
        shown = "\n".join(
            screen_text(part) for part in (b.area, *b.pane.query(Sheet)) if part.display
        )
        assert "[@click=app.quit]" in shown
        assert not FORBIDDEN & set(shown)
        b.pane.failed(HOSTILE)
        assert not FORBIDDEN & set(b.details)


async def test_unsent_text_is_kept_in_the_draft_and_comes_back(tmp_path: Path) -> None:
    draft = tmp_path / "home" / "metadata.draft"
    draft.parent.mkdir()
    async with app(draft).run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put('{"role": "co')
        await b.until(draft.exists)
        assert draft.read_text() == '{"role": "co'
        assert draft.stat().st_mode & 0o077 == 0
    async with app(draft).run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.until(lambda: b.area.text == '{"role": "co')
        assert "kept from last time" in b.details
        assert b.at(EditorState.INVALID)
        b.area.focus()
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert json.loads(b.area.text) == METADATA
        await b.until(lambda: not draft.exists())
        await pilot.press("ctrl+z")
        await b.until(draft.exists)


async def test_leaving_at_once_keeps_the_last_key(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    async with app(draft).run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.until(lambda: not b.area.read_only)
        b.area.focus()
        b.area.move_cursor((0, 1))
        await pilot.press("x", "y")
    assert draft.read_text().startswith("{xy")


async def test_a_draft_of_what_is_published_is_dropped(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    draft.write_text(json.dumps(METADATA))
    async with app(draft).run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.until(lambda: not draft.exists())
        assert b.at(EditorState.PUBLISHED)
        assert "kept from last time" not in b.details


async def test_saved_text_leaves_no_draft(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    async with app(draft).run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put('{"role": "cook"}')
        await b.until(draft.exists)
        await pilot.press("ctrl+s")
        b.pane.saved()
        await b.until(lambda: not draft.exists())


async def test_a_draft_that_cannot_be_kept_stops_no_edit(tmp_path: Path) -> None:
    draft = tmp_path / "missing folder" / "draft"
    async with app(draft).run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        await b.put_and_check('{"role": "cook"}')
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert b.host.requests == ['{"role": "cook"}']


def test_a_draft_file_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "draft"
    path.write_bytes(b"\xff\xfe")
    assert DraftFile(path).read() is None
    assert path.exists()
    assert DraftFile(tmp_path / "none").read() is None
    assert DraftFile(path).keep("é")
    assert DraftFile(path).read() == "é"
    assert DraftFile(path).keep(None)
    assert not path.exists()


async def test_the_text_is_the_only_stop_of_the_tab_key() -> None:
    async with app().run_test(size=(60, 30)) as pilot:
        b = await bench(pilot)
        assert b.host.focused is b.area
        assert b.host.screen.focus_chain == [b.area]
