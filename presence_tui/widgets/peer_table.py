"""The remote peer table: thousands of rows, of which only those in view are ever drawn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.table import (
    SORTS,
    CellContext,
    Column,
    Query,
    Rows,
    cell,
    columns_for,
    is_blind,
    keep_order,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual import events

    from presence_core.model import Peer, PresenceGraph

HOLD_SECONDS = 3.0
"""For so long after a move nothing is put into another order under the reader's eyes."""

_HEADER_ROWS = 1
_CACHED_STRIPS = 512


class PeerTable(ScrollView, can_focus=True):
    """One row a peer. The selection belongs to a peer key, never to a place in the list.

    Feed it with :meth:`show`, change what is shown with :attr:`query`.
    """

    @dataclass
    class Selected(Message):
        """Another peer is selected; None when there is none."""

        peer: Peer | None

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="table.page-down"),
        Binding("home,g", "to_end(-1)", "First", show=False, id="table.first"),
        Binding("end,G", "to_end(1)", "Last", show=False, id="table.last"),
    ]
    HELP = """
## Peers

One row for each peer of the mesh. `/` searches, `f` filters, `s` sorts by the next column, `S`
turns the order round. The selected peer stays selected when rows move; while you move about, the
order is held.
"""
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"table--{tone}" for tone in Tone),
        "table--header",
        "table--cursor",
        "table--cursor-blurred",
        "table--gone",
    }
    DEFAULT_CSS = """
    PeerTable {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 1;
        scrollbar-gutter: stable;
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
        & .table--cursor { background: $primary 40%; text-style: bold; }
        & .table--cursor-blurred { background: $primary 18%; }
    }
    """

    def __init__(self, *, now: Callable[[], datetime], id: str | None = None) -> None:
        super().__init__(id=id)
        self.query_now = Query()
        self.peers: list[Peer] = []
        """The rows, in order."""
        self.held = False
        """Whether the order is held while the person moves about."""
        self._now = now
        self._graph: PresenceGraph | None = None
        self._rows = Rows()
        self._index: dict[str, int] = {}
        self._selected: str | None = None
        self._moved_at = float("-inf")
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(_CACHED_STRIPS)
        self._styles: dict[str, Style] = {}
        self._layout_width = -1
        self._columns: list[tuple[Column, int]] = []

    # -- what it is told

    def show(self, graph: PresenceGraph) -> None:
        """Show a graph; only what is in view and has changed is drawn anew."""
        before = self._graph
        self._graph = graph
        if before is None or before.remote_peers is not graph.remote_peers:
            self._rows.note(graph, self._now())
            self._arrange()
        if before is None or is_blind(before) is not is_blind(graph):
            self.refresh()

    def set_query(self, query: Query) -> None:
        """Show other rows, or in another order, at once."""
        self.query_now = query
        self._moved_at = float("-inf")
        self._arrange()
        self.refresh()

    def on_mount(self) -> None:
        """Let relative times move on, and an order that was held be taken up again."""
        self.set_interval(5.0, self._times_pass)
        self.set_interval(0.5, self._release)

    def _times_pass(self) -> None:
        self.refresh()

    def _release(self) -> None:
        if self.held and not self._holding():
            self._arrange()

    def _holding(self) -> bool:
        return time.monotonic() - self._moved_at < HOLD_SECONDS

    # -- rows

    def _arrange(self) -> None:
        """Put the rows in order, and keep the selected peer where it is on the screen."""
        if self._graph is None:
            return
        visible_before = self._visible()
        row_before = self._index.get(self._selected or "")
        rows = self._rows.select(self._graph.remote_peers, self.query_now)
        was_held, self.held = self.held, False
        if self._holding() and self.peers:
            held = keep_order(self.peers, rows)
            self.held = any(a is not b for a, b in zip(held, rows, strict=True))
            rows = held
        count_before = len(self.peers)
        self.peers = rows
        self._index = {peer.peer_key: number for number, peer in enumerate(rows)}
        if len(rows) != count_before:
            self.virtual_size = Size(self.size.width, len(rows) + _HEADER_ROWS)
        self._follow_selection(row_before)
        if self._visible() != visible_before or was_held is not self.held:
            self.refresh()

    def _visible(self) -> list[int]:
        """Name what is in view; peers that are the same objects look the same."""
        top = self.scroll_offset.y
        return [id(peer) for peer in self.peers[top : top + self.size.height]]

    def _follow_selection(self, row_before: int | None) -> None:
        row = self._index.get(self._selected or "")
        if row is None:
            if self.peers:
                near = min(row_before or 0, len(self.peers) - 1)
                self._select(self.peers[near])
            elif self._selected is not None:
                self._select(None)
        elif row_before is not None and row != row_before:
            self.scroll_to(y=self.scroll_offset.y + row - row_before, animate=False)

    # -- selection

    @property
    def selected(self) -> Peer | None:
        """The selected peer, as it is now."""
        row = self._index.get(self._selected or "")
        return None if row is None else self.peers[row]

    def select(self, peer_key: str) -> None:
        """Select a peer by its key, and bring it into view."""
        row = self._index.get(peer_key)
        if row is not None:
            self._select(self.peers[row])
            self._show_row(row)

    def _select(self, peer: Peer | None) -> None:
        key = peer.peer_key if peer is not None else None
        if key == self._selected:
            return
        self._selected = key
        self.refresh()
        self.post_message(self.Selected(peer))

    def action_move(self, rows: int) -> None:
        """Select a peer some rows away."""
        self._moved_at = time.monotonic()
        if not self.peers:
            return
        row = self._index.get(self._selected or "", 0)
        row = max(0, min(len(self.peers) - 1, row + rows))
        self._select(self.peers[row])
        self._show_row(row)

    def action_page(self, pages: int) -> None:
        """Select a peer one screenful away."""
        self.action_move(pages * max(1, self.size.height - _HEADER_ROWS - 1))

    def action_to_end(self, direction: int) -> None:
        """Select the first or the last peer."""
        self.action_move(direction * len(self.peers))

    def _show_row(self, row: int) -> None:
        rows_in_view = max(1, self.size.height - _HEADER_ROWS)
        top = self.scroll_offset.y
        if row < top:
            self.scroll_to(y=row, animate=False)
        elif row >= top + rows_in_view:
            self.scroll_to(y=row - rows_in_view + 1, animate=False)

    def on_click(self, event: events.Click) -> None:
        """Select the peer that was clicked; a click on a title sorts by its column."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        self._moved_at = time.monotonic()
        if offset.y < _HEADER_ROWS:
            self._sort_at(offset.x)
            return
        row = self.scroll_offset.y + offset.y - _HEADER_ROWS
        if row < len(self.peers):
            self._select(self.peers[row])

    def _sort_at(self, x: int) -> None:
        at = 1
        for column, width in self._columns:
            if at <= x < at + width and column.key in SORTS:
                self.set_query(self.query_now.sorted_by(column.key))
                return
            at += width + 1

    def on_mouse_scroll_down(self) -> None:
        """Hold the order while the person looks through the rows."""
        self._moved_at = time.monotonic()

    def on_mouse_scroll_up(self) -> None:
        """Hold the order while the person looks through the rows."""
        self._moved_at = time.monotonic()

    # -- drawing

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns for the new width; keep the selected peer in view."""
        width = self.scrollable_content_region.width
        if width != self._layout_width:
            self._layout_width = width
            self._columns = columns_for(width)
        self.virtual_size = Size(event.size.width, len(self.peers) + _HEADER_ROWS)
        row = self._index.get(self._selected or "")
        if row is not None:
            self._show_row(row)

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()

    def on_focus(self) -> None:
        """Draw the cursor of a table that has the keyboard."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor of a table that has not."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one row on the screen."""
        if y < _HEADER_ROWS:
            return self._header()
        row = self.scroll_offset.y + y - _HEADER_ROWS
        if row >= len(self.peers) or self._graph is None:
            text = self._empty_words() if row == 1 and not self.peers else ""
            strip = Strip([Segment(text, self._style("dim"))])
            return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)
        return self._row(self.peers[row])

    def _empty_words(self) -> str:
        if self._graph is None or not self._graph.remote_peers:
            return "  nobody else has been seen in this mesh yet"
        return "  no peer fits the search or the filter; esc clears them"

    def _header(self) -> Strip:
        segments = [Segment(" ", self.rich_style)]
        for column, width in self._columns:
            title = column.title
            if column.key == self.query_now.sort:
                title += "▲" if self.query_now.reverse else "▼"
            text = _fit(title, width, right=column.right)
            segments.append(Segment(text + " ", self._style("header")))
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def _row(self, peer: Peer) -> Strip:
        assert self._graph is not None
        context = CellContext(
            own_key=self._graph.local_peer.peer_key,
            blind=is_blind(self._graph),
            now=self._now(),
            names=self._name_of,
        )
        spans = [cell(peer, column.key, self._rows, context) for column, _ in self._columns]
        chosen = peer.peer_key == self._selected
        key = (
            peer,
            context.blind,
            chosen and self.has_focus,
            chosen,
            self._layout_width,
            spans[-2:],
        )
        cached = self._strips.get(_hashable(key))
        if cached is not None:
            return cached
        strip = self._draw(peer, spans, chosen=chosen)
        self._strips[_hashable(key)] = strip
        return strip

    def _draw(self, peer: Peer, spans: list[Span], *, chosen: bool) -> Strip:
        under = self.rich_style
        if chosen:
            under += self._style("cursor" if self.has_focus else "cursor-blurred")
        elif peer.presence.hops is None:
            under += self._style("gone")
        segments = [Segment("▌" if chosen else " ", self._style("heading"))]
        for (column, width), span in zip(self._columns, spans, strict=True):
            text = _fit(span.text, width, right=column.right)
            segments.append(Segment(text + " ", self._style(str(span.tone))))
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(under)

    def _name_of(self, peer_key: str) -> str:
        row = self._index.get(peer_key)
        if row is not None:
            return safe_text(self.peers[row].device_name, limit=24) or self.peers[row].short_id
        return peer_key[:10] + "…"

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            full = self.get_component_rich_style(f"table--{name}")
            if name.startswith("cursor"):
                style = Style(bgcolor=full.bgcolor, bold=full.bold)
            else:  # without its background: that of the row lies under it
                style = Style(color=full.color, bold=full.bold, dim=full.dim, reverse=full.reverse)
            self._styles[name] = style
        return style


def _hashable(key: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(tuple(part) if isinstance(part, list) else part for part in key)


def _fit(text: str, width: int, *, right: bool = False) -> str:
    """Return text that is exactly so many cells wide, with an ellipsis where it was cut."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    padding = " " * (width - size)
    return padding + text if right else text + padding
