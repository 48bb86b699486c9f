"""The fields of metadata as a list: key, type and value, one of them chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from presence_tui.viewmodel.fields import Kind
from presence_tui.viewmodel.table import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from presence_tui.viewmodel.fields import Field

_KIND_WIDTH = 8
_NAME_WIDTHS = (8, 20)


class FieldList(ScrollView, can_focus=True):
    """Shows fields; the chosen one belongs to a key and stays chosen when others come and go."""

    ALLOW_MAXIMIZE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="form.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="form.down"),
        Binding("home,g", "move(-100000)", "First", show=False, id="form.first"),
        Binding("end,G", "move(100000)", "Last", show=False, id="form.last"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "fields--name",
        "fields--kind",
        "fields--value",
        "fields--quiet",
        "fields--cursor",
        "fields--cursor-blurred",
    }
    DEFAULT_CSS = """
    FieldList {
        height: 1fr;
        min-height: 2;
        background: $surface;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 1;
        scrollbar-gutter: stable;
        & .fields--name { color: $text-primary; }
        & .fields--kind { color: $text-muted; }
        & .fields--value { color: $foreground; }
        & .fields--quiet { color: $text-muted; }
        & .fields--cursor { background: $primary 40%; text-style: bold; }
        & .fields--cursor-blurred { background: $primary 18%; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fields: Sequence[Field] = ()
        self._chosen = 0
        self._empty = ""

    def show(self, fields: Sequence[Field], *, empty: str, choose: str | None = None) -> None:
        """Show fields, or words when there are none; ``choose``: the key to be chosen."""
        wanted = choose if choose is not None else self.chosen.key if self.chosen else None
        self._fields, self._empty = fields, empty
        at = next((n for n, field in enumerate(fields) if field.key == wanted), self._chosen)
        self._chosen = max(0, min(at, len(fields) - 1))
        self.virtual_size = Size(self.size.width, len(fields))
        self._keep_in_view()
        self.refresh()

    @property
    def chosen(self) -> Field | None:
        """The field that the person has chosen."""
        return self._fields[self._chosen] if self._fields else None

    def action_move(self, rows: int) -> None:
        """Choose a field some rows away."""
        self._chosen = max(0, min(len(self._fields) - 1, self._chosen + rows))
        self._keep_in_view()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Choose the field that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y + self.scroll_offset.y < len(self._fields):
            self.action_move(offset.y + self.scroll_offset.y - self._chosen)

    def on_resize(self, event: events.Resize) -> None:
        """Keep the chosen field in view."""
        self._keep_in_view()

    def on_focus(self) -> None:
        """Draw the cursor of a list that has the keyboard."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor of a list that has not."""
        self.refresh()

    def _keep_in_view(self) -> None:
        top, lines = self.scroll_offset.y, max(1, self.size.height)
        if not top <= self._chosen < top + lines:
            y = min(self._chosen, max(0, self._chosen - lines + 1))
            self.scroll_to(y=y, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """Return one line on the screen."""
        at, width, base = y + self.scroll_offset.y, self.size.width, self.rich_style
        if at >= len(self._fields):
            words = f"  {self._empty}" if not at else ""
            segment = Segment(words, self._ink("fields--quiet"))
            return Strip([segment]).adjust_cell_length(width).apply_style(base)
        field, chosen = self._fields[at], at == self._chosen
        least, most = _NAME_WIDTHS
        names = max(cell_len(one.name) for one in self._fields)
        wide = max(least, min(most, names, width // 3))
        room = max(0, width - wide - _KIND_WIDTH - 4)
        value = "fields--quiet" if field.kind in (Kind.NESTED, Kind.NOTHING) else "fields--value"
        parts = (
            ("▌ " if chosen else "  ", "fields--name"),
            (f"{fit(field.name, wide)} ", "fields--name"),
            (f"{fit(field.kind.value, _KIND_WIDTH)} ", "fields--kind"),
            (fit(field.shown, room) if room else "", value),
        )
        segments = [Segment(text, self._ink(name)) for text, name in parts]
        if chosen:
            cursor = "fields--cursor" if self.has_focus else "fields--cursor-blurred"
            base += Style(
                bgcolor=self.get_component_rich_style(cursor).bgcolor, bold=self.has_focus
            )
        return Strip(segments).adjust_cell_length(width).apply_style(base)

    def _ink(self, name: str) -> Style:
        """Return a style without its background: that of the row lies under it."""
        return Style(color=self.get_component_rich_style(name).color)
