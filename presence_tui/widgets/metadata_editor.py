"""The editor of the local peer's metadata."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from operator import is_
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Static, TextArea

from presence_tui.viewmodel.differences import difference_page
from presence_tui.viewmodel.editor import (
    Checked,
    Editing,
    EditorState,
    check,
    counter,
    details,
    metadata_text,
    published_page,
    state_line,
)
from presence_tui.viewmodel.fields import with_template
from presence_tui.viewmodel.page import BLANK, Tone
from presence_tui.widgets.draft_file import DraftFile
from presence_tui.widgets.external_editor import ExternalEditorError, edit_elsewhere
from presence_tui.widgets.json_area import PLAIN_FROM, JsonArea
from presence_tui.widgets.metadata_form import MetadataForm
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer

    from presence_core.model import JsonObject

_CHECK_AFTER = 0.1
_KEEP_AFTER = 0.25
_WIDE = 84


class MetadataEditor(Vertical):
    """Edits metadata as JSON or as a form: checked as one types, saved on demand, losing no text.

    The text is the one truth: a change in the form is an edit of it, which undo takes back.

    :meth:`show_published` tells what other peers see; :class:`SaveRequested` asks to publish the
    text, answered by :meth:`saved` or :meth:`failed`. With a draft path, text that is not
    published is kept in that file and put back at the next start. ``shows_only``: it is what is
    published, to be read.
    """

    @dataclass
    class SaveRequested(Message):
        """The person wants this text published; it is valid metadata."""

        text: str

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="metadata.save"),
        Binding("ctrl+r", "revert", "Revert", id="metadata.revert"),
        Binding("f2", "form", "Form", id="metadata.form"),
        Binding("f3", "difference", "Difference", id="metadata.difference"),
        Binding("f4", "elsewhere", "$EDITOR", id="metadata.elsewhere"),
    ]
    DEFAULT_CSS = """
    MetadataEditor {
        height: 1fr;
        & .row { height: 1; }
        & .row Static, & .row Sheet { width: 1fr; }
        & #metadata-state { overflow-y: hidden; }
        & #metadata-title { color: $text-primary; text-style: bold; }
        & .row #metadata-counter {
            width: auto;
            color: $text-muted;
            &.-warning { color: $text-warning; text-style: bold; }
            &.-bad { color: $text-error; text-style: bold; }
        }
        & #metadata-body { height: 1fr; min-height: 3; }
        & JsonArea, & MetadataForm { width: 1fr; height: 1fr; }
        & MetadataForm { display: none; }
        &.-form MetadataForm { display: block; }
        &.-form JsonArea { display: none; }
        & #metadata-published {
            display: none;
            width: 1fr;
            height: 1fr;
            margin-left: 1;
            padding: 0 1;
            background: $panel;
        }
        &.-wide.-unsent #metadata-published, &.-difference #metadata-published { display: block; }
        &.-difference #metadata-body { layout: vertical; }
        &.-difference #metadata-published { margin-left: 0; }
        &.-difference.-wide #metadata-body { layout: horizontal; }
        &.-difference.-wide #metadata-published { margin-left: 1; }
        & Button { min-width: 0; width: auto; margin-left: 1; }
        & #metadata-details { height: auto; max-height: 6; }
    }
    """

    def __init__(
        self, *, draft: Path | None = None, shows_only: bool = False, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._shows_only = shows_only
        self._editing = Editing()
        self._shown: JsonObject | None = None
        self._compared: tuple[JsonObject, JsonObject | None] | None = None
        self._latest = ""
        self._note = ""
        self._check_timer: Timer | None = None
        self._draft = DraftFile(draft) if draft is not None else None
        self._draft_found: str | None = None
        self._draft_read = False
        self._draft_settled = False  # until then the file may hold what nobody has seen yet
        self._kept: str | None = None
        self._keep_timer: Timer | None = None
        self._keep_lock = asyncio.Lock()

    def compose(self) -> ComposeResult:
        """Lay out title and counter, the text, its state, and what there is to say about it."""
        with Horizontal(classes="row"):
            yield Static("Metadata", markup=False, id="metadata-title")
            yield Static("", markup=False, id="metadata-counter")
        with Horizontal(id="metadata-body"):
            yield JsonArea(id="metadata-text")
            yield MetadataForm(id="metadata-form")
            yield Sheet(id="metadata-published")
        with Horizontal(classes="row"):
            yield Sheet(id="metadata-state")
            yield Button("Save", compact=True, id="metadata-save", variant="primary")
            yield Button("Revert", compact=True, id="metadata-revert")
        yield Sheet(id="metadata-details")

    async def on_mount(self) -> None:
        """Look for text that an earlier session did not send."""
        for button in self.query(Button):
            button.can_focus = False  # the keys work from the text, and the cursor stays there
            button.display = not self._shows_only
        self._area.read_only = self._shows_only
        if self._draft is not None:
            self._area.read_only = True
            self._draft_found = await asyncio.to_thread(self._draft.read)
            self._area.read_only = self._shows_only
        self._draft_read = True
        self._settle_draft()
        self._refresh_status()

    async def on_unmount(self) -> None:
        """Keep what is not published before the screen is gone."""
        await self._keep()

    def on_resize(self, event: events.Resize) -> None:
        """Show the published text beside the edited one when there is room for both."""
        self.set_class(event.size.width >= _WIDE, "-wide")

    @property
    def state(self) -> EditorState:
        """Where the text stands, by the newest check."""
        return self._editing.state

    @property
    def checking(self) -> bool:
        """Whether the text was changed and its check is still to come."""
        self._take_text()
        return self._editing.dirty

    @property
    def text(self) -> str:
        """The text as it is now."""
        return self._area.text

    def show_published(self, metadata: JsonObject) -> None:
        """Take the metadata that other peers see now; the same object again costs nothing."""
        if metadata is self._shown:
            return
        self._shown = metadata
        self._take_text()
        followed = self._editing.publish(metadata)
        if followed is not None:
            self._area.replace_text(followed)
            self._latest = self._area.text
        self._settle_draft()
        self._refresh_status()

    def saved(self) -> None:
        """Take note that the text of the last :class:`SaveRequested` is published."""
        self._editing.saved()
        self._refresh_status()

    def failed(self, reason: str) -> None:
        """Say why the text of the last :class:`SaveRequested` was refused; the text stays."""
        self._editing.failed(reason)
        self._refresh_status()

    def action_save(self) -> None:
        """Ask for the text to be published, if it may be and is not."""
        self._check_now()
        if self._editing.send():
            self.post_message(self.SaveRequested(self._latest))
        elif self._editing.state is EditorState.SENDING:
            self.notify("still sending the text before", markup=False)
        elif self._editing.last_check.error is not None:
            self.app.bell()
            if self._editing.last_check.position is not None:
                self._area.move_cursor(self._editing.last_check.position)
        else:
            self.notify("nothing to send: others see this already", markup=False)
        self._refresh_status()

    def action_revert(self) -> None:
        """Put the published text back; undo brings the edited one again."""
        self._area.replace_text(metadata_text(self._editing.published))
        self._check_now()

    # -- the same as a form, beside what is published, or in an editor of one's own

    def focus_text(self) -> None:
        """Give the keyboard to the text, or to the form when that is shown."""
        if self.has_class("-form"):
            self.query_one("#metadata-fields").focus()
        else:
            self._area.focus()

    def action_form(self) -> None:
        """Show the form in place of the text, or the text again."""
        self._check_now()
        self.toggle_class("-form")
        self._refresh_status()
        self.focus_text()

    def action_difference(self) -> None:
        """Show what saving changes for others, or hide it again."""
        self._check_now()
        self.toggle_class("-difference")
        self._refresh_status()

    def action_template(self) -> None:
        """Add the keys that most teams use, where they are missing."""
        self._check_now()
        value = self._editing.last_check.value
        if value is not None:
            self._change_text(metadata_text(with_template(value)))

    @work(exclusive=True, group="elsewhere", exit_on_error=False)
    async def action_elsewhere(self) -> None:
        """Edit the text in ``$VISUAL`` or ``$EDITOR``."""
        try:
            text = await edit_elsewhere(self.app, self._area.text)
        except ExternalEditorError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._change_text(text.rstrip("\n"))
        self.app.refresh(layout=True)

    def _change_text(self, text: str) -> None:
        if text != self._area.text:
            self._area.replace_text(text)
        self._check_now()

    @on(MetadataForm.Changed)
    def _form_changed(self, event: MetadataForm.Changed) -> None:
        event.stop()
        self._change_text(metadata_text(event.metadata))

    @on(MetadataForm.UndoRequested)
    def _undo_requested(self, event: MetadataForm.UndoRequested) -> None:
        event.stop()
        if event.redo:
            self._area.redo()
        else:
            self._area.undo()
        self._check_now()

    @on(Button.Pressed, "#metadata-save")
    def _save_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_save()

    @on(Button.Pressed, "#metadata-revert")
    def _revert_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_revert()

    @on(TextArea.Changed)
    def _text_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._take_text()

    @property
    def _area(self) -> JsonArea:
        return self.query_one(JsonArea)

    def _take_text(self) -> None:
        """Take note of the text as it is: the message about a change may be under way still."""
        text = self._area.text
        if text == self._latest:
            return
        self._latest = text
        self._editing.edited()
        self._keep_soon()
        if self._check_timer is not None:
            self._check_timer.stop()
        self._check_timer = self.set_timer(_CHECK_AFTER, self._check_when_quiet)

    def _check_when_quiet(self) -> None:
        if len(self._latest) < PLAIN_FROM:
            self._check_now()
        else:
            self._check_in_thread()

    @work(group="check", exclusive=True)
    async def _check_in_thread(self) -> None:
        text = self._latest
        self._take_check(text, await asyncio.to_thread(check, text))

    def _check_now(self) -> None:
        self._take_text()
        if self._editing.dirty:
            self._take_check(self._latest, check(self._latest))

    def _take_check(self, text: str, result: Checked) -> None:
        if text != self._latest:
            return  # of a text that has changed since; the next check is on its way
        self._editing.checked(result)
        self._area.suit_size(len(text))
        self._refresh_status()

    def _refresh_status(self) -> None:
        editing = self._editing
        if not editing.unsent:
            self._note = ""
        self.set_class(editing.unsent, "-unsent")
        self._area.set_class(editing.last_check.error is not None, "-invalid")
        size = counter(editing.last_check.size)
        label = self.query_one("#metadata-counter", Static)
        if label.content != size.text:
            label.update(size.text)
        for tone in (Tone.WARNING, Tone.BAD):
            label.set_class(size.tone is tone, f"-{tone}")
        self.query_one("#metadata-state", Sheet).show_page((state_line(editing.state),))
        self.query_one("#metadata-details", Sheet).show_page(details(editing, note=self._note))
        if self.has_class("-form"):
            self.query_one(MetadataForm).show(editing.last_check.value)
        self._compare()
        self._keep_soon()

    def _compare(self) -> None:
        """Show beside the text what others see, and what saving changes of it."""
        editing = self._editing
        compared = editing.published, editing.last_check.value
        shown = editing.unsent or self.has_class("-difference")
        if not shown or (self._compared is not None and all(map(is_, compared, self._compared))):
            return
        self._compared = compared
        page = published_page(editing.published)
        if compared[1] is not None:
            page = (*difference_page(editing.published, compared[1]), BLANK, *page)
        self.query_one("#metadata-published", Sheet).show_page(page)

    def _settle_draft(self) -> None:
        """Put the draft into the text, once it and the published value are both known."""
        if self._draft_settled or not self._draft_read or self._shown is None:
            return
        self._draft_settled = True
        self._kept = self._draft_found
        if self._draft_found is None:
            return
        self._area.replace_text(self._draft_found)
        self._check_now()
        if self._editing.unsent:
            self._note = "kept from last time, not sent yet: save sends it, revert drops it"

    @property
    def _unsent_text(self) -> str | None:
        return self._latest if self._editing.unsent else None

    def _keep_soon(self) -> None:
        """Keep the draft a moment later, however fast somebody types meanwhile."""
        waiting = self._draft is None or not self._draft_settled or self._keep_timer is not None
        if not waiting and self._unsent_text != self._kept:
            self._keep_timer = self.set_timer(_KEEP_AFTER, self._keep_in_background)

    @work(group="draft")
    async def _keep_in_background(self) -> None:
        self._keep_timer = None
        await self._keep()

    async def _keep(self) -> None:
        if self._draft is None or not self._draft_settled:
            return
        async with self._keep_lock:
            text = self._unsent_text
            if text != self._kept and await asyncio.to_thread(self._draft.keep, text):
                self._kept = text
