"""A text area for JSON: highlighted while that is cheap, and harmless whatever is pasted."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual._text_area_theme import TextAreaTheme
from textual.document._document_navigator import DocumentNavigator
from textual.document._wrapped_document import WrappedDocument
from textual.widgets import TextArea

from presence_tui.viewmodel.editor import escape_hidden

if TYPE_CHECKING:
    from textual import events
    from textual.document._document import EditResult, Location
    from textual.document._edit import Edit

PLAIN_FROM = 20 * 1024
"""Characters from which a text is neither highlighted nor wrapped: each key would cost 40 ms."""

_SYNTAX = {
    "json.label": "json-area--key",
    "string": "json-area--string",
    "string.escape": "json-area--escape",
    "number": "json-area--number",
    "boolean": "json-area--number",
    "json.null": "json-area--number",
    "json.error": "json-area--error",
    "punctuation.delimiter": "json-area--mark",
    "punctuation.bracket": "json-area--mark",
}


@cache
def highlighting_works() -> bool:
    """Return whether tree-sitter is here, in a version that does not crash the interpreter.

    0.26 dies with a segmentation fault on the first JSON text (py-tree-sitter #472), which
    nothing can catch; an environment that has it gets an editor without colours.
    """
    try:
        release = version("tree-sitter").split(".")
    except PackageNotFoundError:
        return False
    return release[:2] == ["0", "25"] and find_spec("tree_sitter_json") is not None


class _ThemeOfTheApp(TextAreaTheme):
    """Takes the colours of the syntax from CSS, so that they follow the theme of the app."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.syntax_styles = {}  # not shared with the registered original

    def apply_css(self, text_area: TextArea) -> None:
        super().apply_css(text_area)
        for name, component in _SYNTAX.items():
            style = text_area.get_component_rich_style(component)
            # Without a background, so that selection and cursor line show through.
            self.syntax_styles[name] = Style(color=style.color, underline=style.underline)


class _CountedOnce(WrappedDocument):
    """Counts its rows once after a change; Textual does so for every row that it draws."""

    _rows: int | None = None

    def wrap(self, width: int, tab_width: int | None = None) -> None:
        self._rows = None
        super().wrap(width, tab_width)

    def wrap_range(self, start: Location, old_end: Location, new_end: Location) -> None:
        self._rows = None
        super().wrap_range(start, old_end, new_end)

    @property
    def height(self) -> int:
        if self._rows is None:
            self._rows = super().height
        return self._rows


class JsonArea(TextArea):
    """Edits a JSON text. Enter keeps the indentation; Tab moves on to the next widget.

    Characters that do not print never get in: they are turned into JSON escapes.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(_SYNTAX.values())
    DEFAULT_CSS = """
    JsonArea {
        border: none;
        border-left: outer $border-blurred;
        padding: 0;
        min-height: 3;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        &:focus { border: none; border-left: outer $border; }
        &.-invalid, &.-invalid:focus { border-left: outer $error; }
        & .json-area--key { color: $text-primary; }
        & .json-area--string { color: $text-success; }
        & .json-area--escape { color: $text-warning; }
        & .json-area--number { color: $text-accent; }
        & .json-area--error { color: $text-error; text-style: underline; }
        & .json-area--mark { color: $text-muted; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            language="json" if highlighting_works() else None,
            soft_wrap=True,
            show_line_numbers=True,
            tab_behavior="focus",
            placeholder="{}",
        )
        self.indent_width = 2
        self.register_theme(_ThemeOfTheApp("app"))
        self.theme = "app"

    def on_mount(self) -> None:
        """Keep the cursor still where nothing else moves either."""
        self.cursor_blink = self.app.animation_level != "none"

    def edit(self, edit: Edit) -> EditResult:
        """Do one edit, typed, pasted or programmatic."""
        edit.text = escape_hidden(edit.text)
        self.suit_size(len(self.text) + len(edit.text))
        return super().edit(edit)

    def load_text(self, text: str) -> None:
        """Replace the text and forget its history."""
        text = escape_hidden(text)
        self.suit_size(len(text))
        super().load_text(text)

    def replace_text(self, text: str) -> None:
        """Replace the text, undoably, leaving the cursor and the scroll position where they are."""
        row, column = self.cursor_location
        scroll = self.scroll_offset
        self.history.checkpoint()
        self.replace(text, (0, 0), self.document.end)
        self.suit_size(len(text))
        self.move_cursor(self.clamp_visitable((row, column)))
        self.scroll_to(scroll.x, scroll.y, animate=False)

    def suit_size(self, size: int) -> None:
        """Switch highlighting and wrapping for a text of so many characters."""
        plain = size >= PLAIN_FROM
        if plain is not self.soft_wrap:
            return
        selection, scroll = self.selection, self.scroll_offset
        self.match_cursor_bracket = not plain
        self.soft_wrap = not plain
        self.language = "json" if highlighting_works() and not plain else None
        self.wrapped_document = _CountedOnce(self.document, self.wrap_width, self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self.selection = selection
        self.scroll_to(scroll.x, scroll.y, animate=False)

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter" and not self.read_only:
            event.stop()
            event.prevent_default()
            self.replace(self._line_break(), *self.selection, maintain_selection_offset=False)
            self.scroll_cursor_visible()

    def _line_break(self) -> str:
        row, column = min(self.selection)
        before = self.document.get_line(row)[:column]
        indent = len(before) - len(before.lstrip(" "))
        deeper = self.indent_width if before.rstrip().endswith(("{", "[")) else 0
        return "\n" + " " * (indent + deeper)
