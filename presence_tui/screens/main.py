"""The main screen: header, peers, and the panes about the selected one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input

from presence_tui.viewmodel.table import SORTS, Show
from presence_tui.widgets.bars import KeyHints, PaneBar
from presence_tui.widgets.conditions import ConditionsPane
from presence_tui.widgets.header_line import HeaderLine
from presence_tui.widgets.identity import IdentityPane
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.peer_key import PeerKeyPane
from presence_tui.widgets.peer_table import PeerTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from textual.app import ComposeResult

    from presence_core.model import Peer, PresenceGraph
    from presence_tui.source import PresenceSource

PANES = (
    ("peers", "Peers"),
    ("identity", "Identity"),
    ("key", "Key"),
    ("local", "This device"),
    ("conditions", "Conditions"),
)


class MainScreen(Screen[None]):
    """Who is here, over which links, who they are, and how good the view is."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-medium"), (170, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", id="table.search"),
        Binding("f", "filter", "Filter", id="table.filter"),
        Binding("s", "sort", "Sort", id="table.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="table.reverse"),
        *(
            Binding(str(number), f"pane('{pane}')", title, show=False, id=f"pane.{pane}")
            for number, (pane, title) in enumerate(PANES, 1)
        ),
        Binding("escape", "back", "Back", show=False, id="pane.back"),
    ]

    def __init__(
        self, source: PresenceSource, *, clock: Callable[[], datetime], draft: Path | None
    ) -> None:
        super().__init__()
        self._source = source
        self._clock = clock
        self._draft = draft
        self._graph = source.graph
        self._active = "peers"
        self._side = "identity"
        self._ready = False

    def compose(self) -> ComposeResult:
        """Lay the panes out; which of them are shown follows from the width."""
        yield HeaderLine(id="header")
        yield PaneBar(id="panes")
        with Horizontal(id="body"):
            with (
                Vertical(id="main-column"),
                Container(id="frame-peers", classes="pane") as frame,
            ):
                frame.border_title = "Peers"
                yield PeerTable(now=self._clock, id="peers")
            with Vertical(id="side-a", classes="side-column"):
                with Container(id="frame-identity", classes="pane") as frame:
                    frame.border_title = "Identity"
                    yield IdentityPane(clock=self._clock, id="identity")
                with Container(id="frame-conditions", classes="pane") as frame:
                    frame.border_title = "Conditions"
                    yield ConditionsPane(clock=self._clock, id="conditions")
            with Vertical(id="side-b", classes="side-column"):
                with Container(id="frame-key", classes="pane") as frame:
                    frame.border_title = "Key"
                    yield PeerKeyPane(clock=self._clock, id="key")
                with Container(id="frame-local", classes="pane") as frame:
                    frame.border_title = "This device"
                    yield LocalPeerPane(draft=self._draft, id="local")
        yield Input(placeholder="search names, keys, metadata; esc clears", id="search")
        yield KeyHints(id="keys")

    def on_mount(self) -> None:
        """Show what there is already."""
        self._ready = True
        self._arrange()
        self.show(self._graph)
        self.table.focus()

    def on_resize(self) -> None:
        """Choose the panes for the new width."""
        self.call_after_refresh(self._arrange)

    @property
    def table(self) -> PeerTable:
        """The remote peer table."""
        return self.query_one(PeerTable)

    # -- data comes down

    def show(self, graph: PresenceGraph) -> None:
        """Show a newer graph everywhere."""
        self._graph = graph
        if not self._ready:
            return  # on_mount shows it
        self.query_one(HeaderLine).show(graph)
        self.table.show(graph)
        self._show_panes()
        self._show_bar()

    def _show_panes(self) -> None:
        """Bring the panes that are in view up to date; the others when they come into view."""
        selected = self.table.selected
        for about_one in (self.query_one(IdentityPane), self.query_one(PeerKeyPane)):
            if about_one.is_on_screen:
                about_one.show(self._graph, selected)
        conditions = self.query_one(ConditionsPane)
        if conditions.is_on_screen:
            conditions.show(self._graph)
        self.query_one(LocalPeerPane).show(self._graph)

    def _show_bar(self) -> None:
        query = self.table.query_now
        notes = []
        if query.show is not Show.ALL:
            notes.append(f"only {query.show}")
        if query.search:
            notes.append(f"search: {query.search[:24]}")
        if notes:
            notes.append(f"{len(self.table.peers)} of {len(self._graph.remote_peers)}")
        if self.table.held:
            notes.append("order held")
        self.query_one(PaneBar).show_panes(PANES, self._active, " · ".join(notes))

    @on(PeerTable.Selected)
    def _selection_changed(self, event: PeerTable.Selected) -> None:
        event.stop()
        self._show_panes()

    # -- which panes are shown

    def _arrange(self) -> None:
        narrow, wide = self.has_class("-narrow"), self.has_class("-wide")
        for pane, _ in PANES:
            frame = self.query_one(f"#frame-{pane}")
            if wide:
                frame.display = True
            elif narrow:
                frame.display = pane == self._active
            else:
                frame.display = pane in ("peers", self._side)
        for column in ("#main-column", "#side-a", "#side-b"):
            container = self.query_one(column)
            container.display = any(child.display for child in container.children)
        self.call_after_refresh(self._show_panes)
        self._show_bar()

    def action_pane(self, pane: str) -> None:
        """Show a pane and give it the keyboard."""
        self._active = pane
        if pane != "peers":
            self._side = pane
        self._arrange()
        self.query_one("#metadata-text" if pane == "local" else f"#{pane}").focus()

    @on(PaneBar.Chosen)
    def _pane_clicked(self, event: PaneBar.Chosen) -> None:
        event.stop()
        self.action_pane(event.pane)

    def action_back(self) -> None:
        """Close the search, or clear it, or go back to the table."""
        search = self.query_one("#search", Input)
        if search.has_class("-open"):
            search.value = ""
            self._close_search()
        elif self._active != "peers" or self.focused is not self.table:
            self.action_pane("peers")
        elif self.table.query_now.search or self.table.query_now.show is not Show.ALL:
            search.value = ""
            self.table.set_query(replace(self.table.query_now, search="", show=Show.ALL))
            self._show_bar()

    # -- what the table shows

    def action_search(self) -> None:
        """Open the search line."""
        if self._active != "peers":
            self.action_pane("peers")
        search = self.query_one("#search", Input)
        search.add_class("-open")
        search.focus()

    def _close_search(self) -> None:
        self.query_one("#search").remove_class("-open")
        self.table.focus()

    @on(Input.Changed, "#search")
    def _search_changed(self, event: Input.Changed) -> None:
        self.table.set_query(replace(self.table.query_now, search=event.value))
        self._show_bar()

    @on(Input.Submitted, "#search")
    def _search_done(self) -> None:
        self._close_search()

    def action_filter(self) -> None:
        """Show all peers, those online, the direct ones, or the missing ones."""
        query = self.table.query_now
        self.set_show(query.show.next())

    def set_show(self, show: Show) -> None:
        """Show these peers only."""
        self.table.set_query(replace(self.table.query_now, show=show))
        self._show_bar()

    def action_sort(self) -> None:
        """Sort by the next column."""
        place = SORTS.index(self.table.query_now.sort)
        self.sort_by(SORTS[(place + 1) % len(SORTS)])

    def sort_by(self, column: str) -> None:
        """Sort by a column; by the same one again: the other way round."""
        self.table.set_query(self.table.query_now.sorted_by(column))

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self.table.query_now.sort)

    # -- commands go up

    @on(LocalPeerPane.SaveRequested)
    def _save_requested(self, event: LocalPeerPane.SaveRequested) -> None:
        event.stop()
        self._save(event.text)

    @work(exclusive=True, group="save", exit_on_error=False)
    async def _save(self, text: str) -> None:
        pane = self.query_one(LocalPeerPane)
        try:
            await self._source.set_peer_metadata_json(text)
        except Exception as error:  # noqa: BLE001  the person is told, the text stays
            pane.failed(" ".join(str(error).split()) or type(error).__name__)
        else:
            pane.saved()

    @property
    def selected(self) -> Peer | None:
        """The selected peer."""
        return self.table.selected
