"""Metadata as a form: a list of fields, and a line in which one of them is edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.editor import metadata_text
from presence_tui.viewmodel.fields import (
    MAX_KEY,
    MAX_VALUE,
    FieldError,
    Kind,
    fields_of,
    suggested,
    typed,
    with_field,
    with_kind,
    with_name,
    with_template,
    with_value,
    without_field,
)
from presence_tui.widgets.field_list import FieldList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult


class FieldLine(Input):
    """The line in which a name or a value is typed; what is pasted is made safe to show."""

    @dataclass
    class Left(Message):
        """The person does not want to change anything after all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Accept", key_display="enter", id="form.accept"),
        Binding("escape", "leave", "Leave it", id="form.leave"),
    ]
    DEFAULT_CSS = """
    FieldLine {
        height: 1;
        border: none;
        padding: 0 1;
        background: $panel;
        &:focus { border: none; background: $panel; }
    }
    """

    def replace(self, text: str, start: int, end: int) -> None:
        """Put text in the place of other text (all that is typed or pasted comes this way)."""
        super().replace(safe_text(text, limit=MAX_VALUE), start, end)

    def action_leave(self) -> None:
        """Tell that nothing is to be changed."""
        self.post_message(self.Left())


class MetadataForm(Vertical):
    """Edits an object of simple values. It keeps nothing: each change goes to the owner.

    Feed it with :meth:`show`; answer :class:`Changed` by showing what became of it.
    """

    @dataclass
    class Changed(Message):
        """The person changed something; this is the whole object then."""

        metadata: dict[str, Any]

    @dataclass
    class UndoRequested(Message):
        """The person wants the last change undone, or (``redo``) made again."""

        redo: bool = False

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "value", "Value", key_display="enter", id="form.value"),
        Binding("a", "add", "Add", id="form.add"),
        Binding("n", "name", "Rename", id="form.name"),
        Binding("y", "kind", "Type", id="form.kind"),
        Binding("delete", "remove", "Delete", key_display="del", id="form.remove"),
        Binding("m", "template", "Template", id="form.template"),
        Binding("ctrl+z", "undo(False)", "Undo", show=False, id="form.undo"),
        Binding("ctrl+y", "undo(True)", "Redo", show=False, id="form.redo"),
    ]
    DEFAULT_CSS = """
    MetadataForm {
        height: 1fr;
        min-height: 3;
        & #field-prompt, & FieldLine { display: none; height: 1; }
        & #field-prompt { color: $text-primary; }
        & #field-prompt.-refused { color: $text-error; text-style: bold; }
        &.-typing #field-prompt, &.-typing FieldLine { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._metadata: Mapping[str, Any] | None = None
        self._wanted = ""
        self._key: str | None = None
        self._choose: str | None = None

    def compose(self) -> ComposeResult:
        """Lay out the list above the line."""
        yield FieldList(id="metadata-fields")
        yield Static("", markup=False, id="field-prompt")
        yield FieldLine(id="field-line", select_on_focus=True, max_length=MAX_VALUE)

    def show(self, metadata: Mapping[str, Any] | None) -> None:
        """Show metadata; None: the text is no JSON object, so there are no fields."""
        self._metadata = metadata
        empty = "no keys yet: a adds one, m the usual"
        if metadata is None:
            empty = "the text is not valid: mend it (f2)"
        choose, self._choose = self._choose, None
        self._list.show(fields_of(metadata or {}), empty=empty, choose=choose)

    @property
    def typing(self) -> bool:
        """Whether a name or a value is being typed."""
        return self.has_class("-typing")

    @property
    def _list(self) -> FieldList:
        return self.query_one(FieldList)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions do something now: while one types, those of the list do nothing."""
        if action in ("value", "add", "name", "kind", "remove", "template"):
            return not self.typing and self._metadata is not None
        return True

    # -- what the person asks for

    def action_add(self) -> None:
        """Ask for the name of a new key."""
        left = suggested(self._metadata or {})
        self._ask("add", f"name of the new key{f' (like {left[0]})' if left else ''}", "", left)

    def action_name(self) -> None:
        """Ask for another name of the chosen key."""
        field = self._list.chosen
        if field is not None:
            self._key = field.key
            self._ask("name", f"another name for {field.name}", field.name)

    def action_value(self) -> None:
        """Ask for another value of the chosen key; yes and no just change places."""
        field = self._list.chosen
        if field is None or self._metadata is None:
            return
        if field.kind is Kind.NESTED:
            self.notify("an object or a list is edited as JSON: f2", markup=False)
        elif field.kind is Kind.YES_NO:
            value = self._metadata[field.key]
            self._change({**self._metadata, field.key: not value}, field.key)
        else:
            try:
                text = typed(self._metadata[field.key])
            except FieldError as error:
                self.notify(str(error), markup=False)
                return
            self._key = field.key
            self._ask("value", f"{field.kind.value} of {field.name}", text)

    def action_kind(self) -> None:
        """Turn the value of the chosen key into the next type."""
        field = self._list.chosen
        if field is None or self._metadata is None:
            return
        try:
            self._change(with_kind(self._metadata, field.key, field.kind.next()), field.key)
        except FieldError as error:
            self.notify(str(error), markup=False)

    def action_remove(self) -> None:
        """Remove the chosen key; undo brings it back."""
        field = self._list.chosen
        if field is not None and self._metadata is not None:
            self._change(without_field(self._metadata, field.key))

    def action_template(self) -> None:
        """Add the keys that most teams use."""
        if self._metadata is not None:
            self._change(with_template(self._metadata))

    def action_undo(self, redo: bool) -> None:  # noqa: FBT001  it comes from a binding
        """Ask for the last change to be undone, or made again."""
        self.post_message(self.UndoRequested(redo))

    # -- the line

    def _ask(
        self, wanted: str, words: str, text: str, suggestions: list[str] | None = None
    ) -> None:
        self._wanted = wanted
        self._say(f"{words}:")
        line = self.query_one(FieldLine)
        line.suggester = SuggestFromList(suggestions) if suggestions else None
        line.value = text
        self.add_class("-typing")
        line.focus()

    def _say(self, words: str, *, refused: bool = False) -> None:
        prompt = self.query_one("#field-prompt", Static)
        prompt.update(words)
        prompt.set_class(refused, "-refused")

    def _done(self) -> None:
        self.remove_class("-typing")
        self._list.focus()
        self.refresh_bindings()

    @on(FieldLine.Left)
    def _left(self, event: FieldLine.Left) -> None:
        event.stop()
        self._done()

    @on(Input.Changed)
    def _line_changed(self, event: Input.Changed) -> None:
        event.stop()

    @on(Input.Submitted)
    def _line_accepted(self, event: Input.Submitted) -> None:
        """Make the change; when it is refused, the line stays with what was typed."""
        event.stop()
        metadata, key = self._metadata, self._key
        if metadata is None or (self._wanted != "add" and key not in metadata):
            self._done()  # the text has become another one meanwhile
            return
        try:
            if self._wanted == "add":
                key = event.value.strip()[:MAX_KEY]
                changed = with_field(metadata, key)
            elif self._wanted == "name":
                changed = with_name(metadata, key or "", event.value.strip()[:MAX_KEY])
                key = event.value.strip()[:MAX_KEY]
            else:
                changed = with_value(metadata, key or "", event.value)
        except FieldError as error:
            self._say(str(error), refused=True)
            self.app.bell()
            return
        added = self._wanted == "add"
        self._done()
        self._change(changed, key)
        if added:
            self._key = key
            self._ask("value", f"text of {safe_text(key or '', limit=MAX_KEY)}", "")

    def _change(self, metadata: dict[str, Any], choose: str | None = None) -> None:
        if metadata_text(metadata) != metadata_text(self._metadata or {}):
            self._choose = choose
            self.post_message(self.Changed(metadata))
