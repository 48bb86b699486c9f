"""The remote peer table: thousands of rows, of which only those in view are ever drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView

from presence_core.model import ViewState
from presence_tui.viewmodel.calm import Calm
from presence_tui.viewmodel.names import Names
from presence_tui.viewmodel.orders import can_sort
from presence_tui.viewmodel.rows import GroupTitle, Row, Rows
from presence_tui.viewmodel.table import CellContext, empty_words
from presence_tui.widgets.row_painter import COMPONENTS, STYLES, RowPainter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual import events
    from textual.strip import Strip

    from presence_core.differing import Differing
    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.columns import Chosen
    from presence_tui.viewmodel.rows import Query
    from presence_tui.viewmodel.tally import Tally

_TIMES_SECONDS = 5.0
_RELEASE_SECONDS = 0.5
_HEADER_ROWS = 1


class PeerTable(ScrollView, can_focus=True):
    """One row a peer. The selection belongs to a peer key, never to a place in the list.

    Feed it with :meth:`show`, change what is shown with :meth:`ask`. ``now`` is its clock.
    """

    @dataclass
    class Selected(Message):
        """Another peer is selected; None when there is none."""

        peer: Peer | None

    @dataclass
    class Opened(Message):
        """The person wants to know more about this peer."""

        peer: Peer

    @dataclass
    class Arranged(Message):
        """There is something new to say about which rows are shown: how many, by what, held."""

    ALLOW_MAXIMIZE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Details", key_display="enter", id="table.open"),
        Binding("space", "mark", "Mark", show=False, id="table.mark"),
        Binding("a", "mark_shown", "Mark all", show=False, id="table.mark-shown"),
        Binding("A", "unmark", "Unmark", show=False, id="table.unmark"),
        Binding("p", "screen.pin", "Pin", show=False, id="table.pin"),
        Binding("b", "screen.block", "Block", show=False, id="table.block"),
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
order is held. `space` marks it, `a` marks all that are shown: `y`, `e`, `p` and `b` then are about
the marked ones.
"""
    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    DEFAULT_CSS = f"""
    PeerTable {{
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 1;
        scrollbar-gutter: stable;
        {STYLES}
    }}
    """

    def __init__(self, *, now: Callable[[], datetime], id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self._rows = Rows()
        self._graph: PresenceGraph | None = None
        self._selected: Row | None = None
        self._chosen = False  # by the person, not because something has to be selected
        self._calm = Calm()
        self._painter = RowPainter(self)
        self._columns: tuple[Chosen, ...] = ()

    # -- what it is told

    def show(self, graph: PresenceGraph, found: Differing | None = None) -> None:
        """Show a graph; only lines that are in view and have changed are drawn anew.

        ``found``: in what its peers differ from those of the graph before, if that is known.
        """
        before, self._graph = self._graph, graph
        if before is None or before.remote_peers is not graph.remote_peers:
            painted = self._painted()
            self._rows.take(graph.remote_peers, self._now(), found)
            self._arrange()
            self._repaint(painted)
        if before is None or before.view.state is not graph.view.state:
            self._choose_columns()

    def ask(self, query: Query) -> None:
        """Show other rows, or in another order, at once."""
        self._calm.release()
        self._rows.ask(query)
        self._arrange(at_once=True)
        self.refresh()
        self.post_message(self.Arranged())

    def prepare(self, most: int) -> bool:
        """Make ready for a search among at most so many peers; whether there may be more."""
        return self._rows.prepare(most)

    def show_columns(self, chosen: tuple[Chosen, ...]) -> None:
        """Show these columns; none: those that there is room for."""
        self._columns = chosen
        self._choose_columns()

    # -- what it knows

    @property
    def columns(self) -> tuple[Chosen, ...]:
        """The columns that the person wants; none: those that there is room for."""
        return self._columns

    @property
    def asked(self) -> Query:
        """What the person wants to see."""
        return self._rows.query

    @property
    def peers(self) -> list[Peer]:
        """The peers that are shown, in order."""
        return [row.peer for row in self._rows.shown]

    @property
    def count(self) -> int:
        """How many peers are shown."""
        return len(self._rows.shown)

    @property
    def tally(self) -> Tally:
        """How many peers there are, shown or not."""
        return self._rows.tallies.now

    @property
    def held(self) -> bool:
        """Whether the order is held while the person moves about."""
        return self._rows.held

    @property
    def marked(self) -> list[Peer]:
        """The peers that are marked, shown or not, in the order of the table."""
        return [row.peer for row in self._rows.marked_in_order()]

    @property
    def marks(self) -> tuple[int, int]:
        """How many peers are marked, and how many of them are not shown."""
        marked = self._rows.marked
        return len(marked), sum(not row.placed for row in marked)

    @property
    def selected(self) -> Peer | None:
        """The selected peer, as it is now."""
        return self._selected.peer if self._selected is not None else None

    # -- order and time

    def on_mount(self) -> None:
        """Let relative times move on, and an order that was held be taken up again."""
        self.set_interval(_TIMES_SECONDS, self.refresh)
        self.set_interval(_RELEASE_SECONDS, self._release)

    def _release(self) -> None:
        if not self._calm.holds(self._now()):
            painted = self._painted()
            self._arrange()
            self._repaint(painted)

    def _person_moves(self) -> None:
        self._calm.moved(self._now())
        self._chosen = True

    def _arrange(self, *, at_once: bool = False) -> None:
        """Put the rows in order, with what the person looks at in its place on the screen."""
        now = self._now()
        if not (at_once or self._calm.due(self._rows, now)):
            return
        self._calm.arranged(now)
        top = self.scroll_offset.y
        anchor, line = self._anchor(top)
        held, count = self._rows.held, len(self._rows.lines)
        kept = self._selected if self._chosen and not at_once else None
        moved = self._rows.arrange(hold=self._calm.holds(now), keep=kept)
        if count != len(self._rows.lines):
            self.virtual_size = Size(self.size.width, len(self._rows.lines) + _HEADER_ROWS)
        if moved:
            at = self._rows.position(anchor)
            if at is not None and self._chosen:
                self._scroll(at - line)
            self._select_something(top + line)
        if held is not self._rows.held or count != len(self._rows.lines):
            self.post_message(self.Arranged())

    def _anchor(self, top: int) -> tuple[Row | None, int]:
        """Return the row that the person looks at, and its line: selected, or first in view."""
        at = self._rows.position(self._selected)
        if at is not None and top <= at < top + self._lines:
            return self._selected, at - top
        return (self._rows.row_near(top), 0) if top < len(self._rows.lines) else (None, 0)

    def _select_something(self, near: int) -> None:
        """See to it that a peer is selected when there is one."""
        at = self._rows.position(self._selected)
        if at is not None and not self._chosen:
            top = self.scroll_offset.y
            if not top <= at < top + self._lines:
                at, near = None, top  # nobody asked for it: rather one that is in view
        if at is None:
            self._select(self._rows.row_near(near))

    # -- selection

    def select(self, peer_key: str) -> None:
        """Select a peer by its key, and bring it into view."""
        row = self._rows.get(peer_key)
        at = self._rows.position(row)
        if at is not None:
            self._person_moves()
            self._select(row)
            self._show_line(at)

    def _select(self, row: Row | None) -> None:
        before, self._selected = self._selected, row
        if row is before:
            return
        if before is not None:
            self._rows.let_go(before)
        self._refresh_row(before)
        self._refresh_row(row)
        self.post_message(self.Selected(self.selected))

    def action_move(self, rows: int) -> None:
        """Select a peer some rows away."""
        self._person_moves()
        at = (self._rows.position(self._selected) or 0) + rows
        row = self._rows.row_near(at, 1 if rows > 0 else -1)
        line = self._rows.position(row)
        if line is not None:
            self._select(row)
            self._show_line(0 if row is self._rows.shown[0] else line)

    def action_page(self, pages: int) -> None:
        """Select a peer one screenful away."""
        self.action_move(pages * max(1, self._lines - 1))

    def action_to_end(self, direction: int) -> None:
        """Select the first or the last peer."""
        self.action_move(direction * len(self._rows.lines))

    def action_open(self) -> None:
        """Ask for the details of the selected peer."""
        if self.selected is not None:
            self.post_message(self.Opened(self.selected))

    def on_click(self, event: events.Click) -> None:
        """Select the peer that was clicked; a click on a title sorts by its column."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        self._person_moves()
        if offset.y < _HEADER_ROWS:
            self._sort_at(offset.x, also=event.shift)
            return
        at = self.scroll_offset.y + offset.y - _HEADER_ROWS
        row = self._rows.lines[at] if at < len(self._rows.lines) else None
        if isinstance(row, Row):
            self._select(row)
            if event.ctrl:
                self.action_mark()
            elif event.chain == 2:
                self.action_open()

    def _sort_at(self, x: int, *, also: bool) -> None:
        key = self._painter.column_at(x)
        if can_sort(key):
            asked = self.asked
            self.ask(asked.also_sorted_by(key) if also else asked.sorted_by(key))

    def action_mark(self) -> None:
        """Mark the selected peer, or no longer."""
        if self._selected is not None:
            self._person_moves()
            self._rows.marked ^= {self._selected}
            self._remarked()

    def action_mark_shown(self) -> None:
        """Mark every peer that is shown."""
        self._rows.marked.update(self._rows.shown)
        self._remarked()

    def action_unmark(self) -> None:
        """Mark nobody any more."""
        self._rows.marked.clear()
        self._remarked()

    def _remarked(self) -> None:
        self.refresh()
        self.post_message(self.Arranged())

    def pin(self) -> None:
        """Keep the marked peers (or the selected one) on top; when they all are: no longer."""
        meant = {peer.peer_key for peer in self.marked or filter(None, [self.selected])}
        pinned = self.asked.pinned
        self.ask(replace(self.asked, pinned=pinned - meant if meant <= pinned else pinned | meant))

    def on_mouse_move(self) -> None:
        """Hold the order: somebody is about to click."""
        self._calm.moved(self._now())

    def on_mouse_scroll_down(self) -> None:
        """Hold the order while the person looks through the rows."""
        self._person_moves()

    def on_mouse_scroll_up(self) -> None:
        """Hold the order while the person looks through the rows."""
        self._person_moves()

    # -- which lines are in view

    @property
    def _lines(self) -> int:
        """Lines for rows."""
        return max(1, self.size.height - _HEADER_ROWS)

    def _scroll(self, y: int) -> None:
        self.scroll_to(y=max(0, y), animate=False, force=True)

    def _show_line(self, at: int) -> None:
        top = self.scroll_offset.y
        if at < top:
            self._scroll(at)
        elif at >= top + self._lines:
            self._scroll(at - self._lines + 1)

    def on_resize(self, event: events.Resize) -> None:
        """Choose the columns for the new width; keep the selected peer in view."""
        self._choose_columns()
        self.virtual_size = Size(event.size.width, len(self._rows.lines) + _HEADER_ROWS)
        at = self._rows.position(self._selected)
        if at is not None:
            self._show_line(at)

    def _choose_columns(self) -> None:
        width = self.scrollable_content_region.width
        view = self._graph.view.state if self._graph is not None else ViewState.FILLING
        self._painter.lay_out(width, view, self._columns)
        self.refresh()

    def _painted(self) -> tuple[int, list[Peer | GroupTitle]]:
        """Return what is in view; peers that are the same objects look the same."""
        top = self.scroll_offset.y
        lines = self._rows.lines[top : top + self._lines]
        return top, [line.peer if isinstance(line, Row) else line for line in lines]

    def _repaint(self, before: tuple[int, list[Peer | GroupTitle]]) -> None:
        """Draw the lines anew that are not what they were."""
        after = self._painted()
        if before[0] != after[0]:
            return  # scrolled: everything is drawn anew in any case
        for line, (old, new) in enumerate(zip_longest(before[1], after[1]), start=_HEADER_ROWS):
            if old != new:
                self._refresh_line(line)

    def _refresh_row(self, row: Row | None) -> None:
        at = self._rows.position(row)
        if at is not None:
            self._refresh_line(at - self.scroll_offset.y + _HEADER_ROWS)

    def _refresh_line(self, line: int) -> None:
        if _HEADER_ROWS <= line < self.size.height:
            self.refresh(Region(0, line, self.size.width, 1))

    # -- drawing

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._painter.forget_styles()

    def on_focus(self) -> None:
        """Draw the cursor of a table that has the keyboard."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor of a table that has not."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line on the screen."""
        if y < _HEADER_ROWS:
            return self._painter.titles(self.asked)
        at = self.scroll_offset.y + y - _HEADER_ROWS
        shown = self._rows.lines
        if at < len(shown) and self._graph is not None:
            line = shown[at]
            if isinstance(line, GroupTitle):
                return self._painter.group(line)
            return self._painter.row(
                line,
                CellContext(
                    own_key=self._graph.local_peer.peer_key,
                    view=self._graph.view.state,
                    now=self._now(),
                    names=Names(self._graph).name,
                ),
                chosen=line is self._selected,
                marked=line in self._rows.marked,
                pinned=line.peer.peer_key in self.asked.pinned,
            )
        words = () if shown else empty_words(self._graph)
        return self._painter.words(words[at - 1] if 0 < at <= len(words) else "")
