"""Drawing the rows of the peer table, and keeping what was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.strip import Strip

from presence_core.model import Trust
from presence_tui.viewmodel.columns import Chosen, Column, columns_for
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.table import CellContext, cell, fit, title
from presence_tui.viewmodel.words import UNSURE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.widget import Widget

    from presence_core.model import ViewState
    from presence_tui.viewmodel.rows import GroupTitle, Query, Row

COMPONENTS = {
    *(f"table--{tone}" for tone in Tone),
    "table--header",
    "table--marked",
    "table--cursor",
    "table--cursor-blurred",
    "table--gone",
}
"""Component classes that the widget must have."""

STYLES = """
& .table--header { color: $text-primary; text-style: bold; }
& .table--plain { color: $foreground; }
& .table--dim { color: $text-muted; }
& .table--strong { color: $foreground; text-style: bold; }
& .table--heading { color: $text-primary; }
& .table--key { color: $text-secondary; }
& .table--good { color: $text-success; }
& .table--warning { color: $text-warning; }
& .table--bad { color: $text-error; text-style: bold; }
& .table--gone { text-style: dim; }
& .table--marked { background: $secondary 25%; }
& .table--cursor { background: $primary 40%; text-style: bold; }
& .table--cursor-blurred { background: $primary 18%; }
"""
"""What they look like; part of the style sheet of the widget."""

_CACHED_STRIPS = 512
_MARKS = {
    (False, False): "",
    (True, False): "▌",
    (False, True): "■",
    (True, True): "█",
}
"""What stands before the row under the cursor (or not), marked (or not): told without colour."""

_MOVING = frozenset({"changed", "via"})
"""Columns whose words depend on more than the peer: on the time, on other peers' names."""


class RowPainter:
    """Draws lines for a widget, in its styles and as wide as it is.

    A row is drawn anew only when its peer is another object, or its moving words have changed.
    """

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._columns: list[Column] = []
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(_CACHED_STRIPS)
        self._styles: dict[str, Style] = {}

    def lay_out(self, width: int, view: ViewState, chosen: Sequence[Chosen]) -> None:
        """Choose the columns for so many cells: those a person wants, or the usual ones."""
        self._columns = columns_for(width, view, chosen)
        self._strips.clear()

    def forget_styles(self) -> None:
        """Take note that colours have changed."""
        self._styles.clear()
        self._strips.clear()

    def column_at(self, x: int) -> str:
        """Return the key of the column at a cell; "" for none."""
        at = 1
        for column in self._columns:
            if at <= x <= at + column.width:
                return column.key
            at += column.width + 1
        return ""

    def titles(self, query: Query) -> Strip:
        """Return the line of titles."""
        orders = dict(query.orders)
        text = "".join(
            title(c, sort=c.key if c.key in orders else "", reverse=orders.get(c.key, False))
            for c in self._columns
        )
        return self._line([Segment(f" {text}", self._style("header"))], self._style("base"))

    def words(self, text: str) -> Strip:
        """Return a line that only says something."""
        return self._line([Segment(f"  {text}", self._style("dim"))], self._style("base"))

    def group(self, title: GroupTitle) -> Strip:
        """Return the line above rows that are kept together."""
        text = (
            f" {fit(title.words, max(1, self._widget.size.width - 12)).rstrip()} ({title.count:,})"
        )
        return self._line([Segment(text, self._style("heading"))], self._style("base"))

    def row(
        self, row: Row, context: CellContext, *, chosen: bool, marked: bool, pinned: bool
    ) -> Strip:
        """Return the line of a peer."""
        moving = {
            column.key: cell(row, column, context)
            for column in self._columns
            if column.key in _MOVING
        }
        focused = chosen and self._widget.has_focus
        key = (row.peer, context.view, chosen, focused, marked, pinned, tuple(moving.values()))
        strip = self._strips.get(key)
        if strip is None:
            spans = [moving.get(c.key) or cell(row, c, context) for c in self._columns]
            gone = context.view in UNSURE or row.peer.presence.hops is None
            gone = gone or row.peer.trust is Trust.BLOCKED
            cursor = "cursor" if focused else "cursor-blurred" if chosen else ""
            under = [cursor] if cursor else ["gone"] * gone + ["marked"] * marked
            mark = _MARKS[chosen, marked] or ("*" if pinned else " ")
            strip = self._strips[key] = self._draw(spans, under, mark)
        return strip

    def _draw(self, spans: list[Span], under: list[str], mark: str) -> Strip:
        segments = [Segment(mark, self._style("heading"))]
        for column, span in zip(self._columns, spans, strict=True):
            text = fit(span.text, column.width, right=column.right)
            segments.append(Segment(f"{text} ", self._style(str(span.tone))))
        return self._line(segments, sum(map(self._style, under), self._style("base")))

    def _line(self, segments: list[Segment], under: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self._widget.size.width).apply_style(under)

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self._make_style(name)
        return style

    def _make_style(self, name: str) -> Style:
        if name == "base":
            return self._widget.rich_style
        full = self._widget.get_component_rich_style(f"table--{name}")
        if name.startswith(("cursor", "marked")):
            return Style(bgcolor=full.bgcolor, bold=full.bold)
        # without its background: that of the row lies under it
        return Style(color=full.color, bold=full.bold, dim=full.dim, reverse=full.reverse)
