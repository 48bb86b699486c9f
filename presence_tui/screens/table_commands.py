"""What a person can do with the table: search, filter, order, columns, export."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from presence_core.codec.text import safe_text
from presence_core.identity.keyfile import atomic_write
from presence_tui.screens.columns import ColumnsScreen
from presence_tui.viewmodel.export import Form, file_name, peers_text
from presence_tui.viewmodel.layout import Columns, Layout, layout_text, read_layout
from presence_tui.viewmodel.metadata import metadata_keys
from presence_tui.viewmodel.orders import SORTS
from presence_tui.widgets.draft_file import DraftFile
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.search_line import SearchLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual.timer import Timer

    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.rows import Show


MANY_PEERS = 2_000
TYPING_SECONDS = 0.15
"""To look through so many takes longer than a letter may: it waits until no other follows."""

_PREPARED, _PREPARE_SECONDS = 250, 0.01
"""Peers whose texts are made at once, in a millisecond or two, and the pause before the next."""


class TableCommands(Screen[None]):
    """The part of the main screen that acts on its table.

    ``layout_file``: where columns, order, groups and pins are kept between runs; None: nowhere.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", id="table.search"),
        Binding("f", "filter", "Filter", id="table.filter"),
        Binding("s", "sort", "Sort", id="table.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="table.reverse"),
        Binding("c", "columns", "Columns", id="table.columns"),
        Binding("e", "export('csv')", "Export", show=False, id="table.export"),
        Binding("y", "copy_peers('json')", "Copy", show=False, id="table.copy"),
    ]

    def __init__(self, *, clock: Callable[[], datetime], layout_file: Path | None) -> None:
        super().__init__()
        self._clock = clock
        self._search_soon: Timer | None = None
        self._layout_file = DraftFile(layout_file) if layout_file is not None else None

    @property
    @abstractmethod
    def graph(self) -> PresenceGraph:
        """The graph that is shown."""

    @abstractmethod
    def action_pane(self, pane: str) -> None:
        """Show a pane and give it the keyboard."""

    @property
    def table(self) -> PeerTable:
        """The remote peer table."""
        return self.query_one(PeerTable)

    # -- which rows

    def action_search(self) -> None:
        """Open the search line."""
        if self.focused is not self.table:
            self.action_pane("peers")
        search = self.query_one(SearchLine)
        search.add_class("-open")
        search.focus()
        self._prepare()

    def _prepare(self) -> None:
        """Make the table ready for the first letter, little by little: a key may come first."""
        if self.table.prepare(_PREPARED) and self.query_one(SearchLine).open:
            self.set_timer(_PREPARE_SECONDS, self._prepare)

    def close_search(self) -> None:
        """Hide the search line; what is in it stays asked."""
        self.query_one(SearchLine).remove_class("-open")
        self.table.focus()

    @on(Input.Changed, "#search")
    def _search_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._search_soon is not None:
            self._search_soon.stop()
        if len(self.graph.remote_peers) < MANY_PEERS or not event.value:
            self._search(event.value)
        else:
            self._search_soon = self.set_timer(TYPING_SECONDS, lambda: self._search(event.value))

    def _search(self, text: str) -> None:
        self.table.ask(replace(self.table.asked, search=text))

    @on(Input.Submitted, "#search")
    def _search_done(self, event: Input.Submitted) -> None:
        event.stop()
        if self._search_soon is not None:
            self._search_soon.stop()
            self._search(event.value)
        self.close_search()

    @on(SearchLine.Moved)
    def _search_moves(self, event: SearchLine.Moved) -> None:
        event.stop()
        self.table.action_move(event.rows)

    def action_filter(self) -> None:
        """Show all peers, those online, the direct ones, or the missing ones."""
        self.set_show(self.table.asked.show.next())

    def set_show(self, show: Show) -> None:
        """Show these peers only."""
        self.table.ask(replace(self.table.asked, show=show))

    # -- in which order, with which columns

    def action_sort(self) -> None:
        """Sort by the next column."""
        sort = self.table.asked.sort
        place = SORTS.index(sort) if sort in SORTS else -1
        self.sort_by(SORTS[(place + 1) % len(SORTS)])

    def sort_by(self, column: str) -> None:
        """Sort by a column; by the same one again: the other way round."""
        self.table.ask(self.table.asked.sorted_by(column))

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self.table.asked.sort)

    def action_columns(self) -> None:
        """Choose columns, their order and width, and what rows are sorted and grouped by."""
        table = self.table
        width = table.scrollable_content_region.width
        columns = Columns(
            Layout.of(table.columns, table.asked), metadata_keys(self.graph.remote_peers), width
        )
        self.app.push_screen(ColumnsScreen(columns, width, self.show_layout), self._keep_layout)

    def show_layout(self, layout: Layout) -> None:
        """Show the table like this."""
        self.table.show_columns(layout.columns)
        self.table.ask(layout.into(self.table.asked))

    @work(group="layout", exit_on_error=False)
    async def take_layout(self) -> None:
        """Show the table as it was when the program ran before."""
        if self._layout_file is not None:
            text = await asyncio.to_thread(self._layout_file.read)
            if text is not None:
                self.show_layout(read_layout(text))

    def _keep_layout(self, _: None = None) -> None:
        self._write_layout(layout_text(Layout.of(self.table.columns, self.table.asked)))

    @work(exclusive=True, group="layout", exit_on_error=False)
    async def _write_layout(self, text: str) -> None:
        if self._layout_file is not None:
            await asyncio.to_thread(self._layout_file.keep, text)

    def action_pin(self) -> None:
        """Keep the marked peers (or the selected one) on top, or no longer."""
        self.table.pin()
        self._keep_layout()

    # -- for other programs

    def action_copy_peers(self, form: str) -> None:
        """Copy the marked peers, or the selected one."""
        marked, peer = self.table.marked, self.table.selected
        if marked:
            self._copy(marked, Form(form), f"{len(marked):,} marked peers")
        elif peer is not None:
            self._copy([peer], Form(form), "the selected peer")

    def copy_shown(self, form: Form) -> None:
        """Copy the marked peers, or every one that the table shows."""
        marked, peers = self.table.marked, self.table.peers
        if marked:
            self._copy(marked, form, f"{len(marked):,} marked peers")
        else:
            self._copy(peers, form, f"{len(peers):,} peers")

    def _copy(self, peers: list[Peer], form: Form, what: str) -> None:
        self.app.copy_to_clipboard(peers_text(self.graph, peers, form))
        self.notify(f"copied {what} as {form.upper()}", markup=False)

    @work(group="export", exit_on_error=False)
    async def action_export(self, form: str) -> None:
        """Write the marked peers, or every one that is shown, into a file in this folder."""
        marked = self.table.marked
        peers, name = marked or self.table.peers, file_name(self._clock(), Form(form))
        try:
            path = await asyncio.to_thread(_write, name, self.graph, peers, Form(form))
        except OSError as error:
            words = f"{name} cannot be written here: {error.strerror or error}"
            self.notify(safe_text(words), severity="error", markup=False)
        else:
            words = f"{len(peers):,} {'marked ' if marked else ''}peers written to {path}"
            self.notify(safe_text(words), markup=False)


def _write(name: str, graph: PresenceGraph, peers: list[Peer], form: Form) -> Path:
    path = Path.cwd() / name
    atomic_write(path, f"{peers_text(graph, peers, form)}\n".encode())
    return path
