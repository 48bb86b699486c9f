"""The main screen: header, peers, and the panes about the selected one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input

from presence_core.model import MetadataState
from presence_tui.viewmodel.rows import SORTS, Show
from presence_tui.viewmodel.table import asked_words
from presence_tui.widgets.bars import KeyHints, PaneBar
from presence_tui.widgets.conditions import ConditionsPane
from presence_tui.widgets.header_line import HeaderLine
from presence_tui.widgets.identity import IdentityPane
from presence_tui.widgets.links import LinksPane
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.peer_key import PeerKeyPane
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.search_line import SearchLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

    from presence_core.model import PresenceGraph
    from presence_tui.source import PresenceSource

PANES = (
    ("peers", "Peers"),
    ("identity", "Identity"),
    ("key", "Key"),
    ("local", "This device"),
    ("conditions", "Conditions"),
    ("links", "Links"),
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
        Binding("z", "zoom", "Zoom", id="pane.zoom"),
        Binding("escape", "back", "Back", id="pane.back"),
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
        self._zoomed = False
        self._ready = False

    def compose(self) -> ComposeResult:
        """Lay the panes out; which of them are shown follows from the width.

        The mesh graph and the timeline of changes get frames of their own in ``main-column``,
        under the table, and a number each in :data:`PANES`.
        """
        yield HeaderLine(clock=self._clock, id="header")
        yield PaneBar(PANES, id="panes")
        with Horizontal(id="body"):
            with Vertical(id="main-column"):
                yield _frame("peers", PeerTable(now=self._clock, id="peers"))
            with Vertical(id="side-a", classes="side-column"):
                yield _frame("identity", IdentityPane(clock=self._clock, id="identity"))
                yield _frame("links", LinksPane(clock=self._clock, id="links"))
                yield _frame("conditions", ConditionsPane(clock=self._clock, id="conditions"))
            with Vertical(id="side-b", classes="side-column"):
                yield _frame("key", PeerKeyPane(clock=self._clock, id="key"))
                yield _frame("local", LocalPeerPane(draft=self._draft, id="local"))
        yield SearchLine(id="search")
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
        table = self.table
        table.show(graph)
        self.query_one(HeaderLine).show(graph, table.tally)
        self._show_panes()
        self._show_notes()

    def _show_panes(self) -> None:
        """Bring the panes that are displayed up to date; the others when they are."""
        selected = self.table.selected
        if selected is not None and selected.peer_metadata_state is MetadataState.PENDING:
            self._source.fetch_peer_metadata(selected.peer_key)  # somebody looks at it
        for pane in (
            self.query_one(IdentityPane),
            self.query_one(PeerKeyPane),
            self.query_one(ConditionsPane),
            self.query_one(LinksPane),
        ):
            if pane.parent is not None and pane.parent.display:
                pane.show(self._graph, selected)
        self.query_one(LocalPeerPane).show(self._graph)

    @on(PeerTable.Arranged)
    def _rearranged(self, event: PeerTable.Arranged) -> None:
        event.stop()
        self._show_notes()
        self.refresh_bindings()  # there may be something to go back from

    def _show_notes(self) -> None:
        table = self.table
        notes = asked_words(
            table.asked,
            count=table.count,
            of=len(self._graph.remote_peers),
            held=table.held,
        )
        self.query_one(PaneBar).show(self._active, notes)

    @on(PeerTable.Selected)
    def _selection_changed(self, event: PeerTable.Selected) -> None:
        event.stop()
        self._show_panes()

    # -- which panes are shown

    def _arrange(self) -> None:
        narrow, wide = self.has_class("-narrow"), self.has_class("-wide")
        for pane, _ in PANES:
            frame = self.query_one(f"#frame-{pane}")
            if narrow or self._zoomed:
                frame.display = pane == self._active
            elif wide:
                frame.display = True
            else:
                frame.display = pane in ("peers", self._side)
        self.set_class(self._zoomed, "-zoomed")
        for column in ("#main-column", "#side-a", "#side-b"):
            container = self.query_one(column)
            container.display = any(child.display for child in container.children)
        self._show_panes()
        self._show_notes()
        self.refresh_bindings()

    def action_pane(self, pane: str) -> None:
        """Show a pane and give it the keyboard."""
        self._activate(pane)
        self.query_one("#metadata-text" if pane == "local" else f"#{pane}").focus()

    def _activate(self, pane: str) -> None:
        self._active = pane
        if pane != "peers":
            self._side = pane
        self._arrange()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Follow the keyboard, wherever tab or the mouse has taken it."""
        for node in event.widget.ancestors_with_self:
            if node.has_class("pane") and node.id is not None:
                pane = node.id.removeprefix("frame-")
                if pane != self._active:
                    self._activate(pane)
                return

    @on(PaneBar.Chosen)
    def _pane_clicked(self, event: PaneBar.Chosen) -> None:
        event.stop()
        self.action_pane(event.pane)

    @on(PeerTable.Opened)
    def _peer_opened(self, event: PeerTable.Opened) -> None:
        event.stop()
        self.action_pane(self._side if self._side != "local" else "identity")

    def action_zoom(self) -> None:
        """Give the whole screen to the pane that has the keyboard, or share it again."""
        self._zoomed = not self._zoomed
        self._arrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions do something now."""
        if action == "back" and self._ready:
            at_home = self._active == "peers" and not self._zoomed
            return not at_home or self.table.asked.narrows or self.query_one(SearchLine).open
        return not (action == "zoom" and self.has_class("-narrow"))

    def action_back(self) -> None:
        """Go one step back: out of the search, out of the zoom, to the table, to all peers."""
        search = self.query_one(SearchLine)
        if search.open:
            search.value = ""
            self._close_search()
        elif self._zoomed:
            self.action_zoom()
        elif self._active != "peers" or self.focused is not self.table:
            self.action_pane("peers")
        elif self.table.asked.narrows:
            search.value = ""
            self.table.ask(replace(self.table.asked, search="", show=Show.ALL))

    # -- what the table shows

    def action_search(self) -> None:
        """Open the search line."""
        if self._active != "peers":
            self.action_pane("peers")
        search = self.query_one(SearchLine)
        search.add_class("-open")
        search.focus()

    def _close_search(self) -> None:
        self.query_one(SearchLine).remove_class("-open")
        self.table.focus()

    @on(Input.Changed, "#search")
    def _search_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.table.ask(replace(self.table.asked, search=event.value))

    @on(Input.Submitted, "#search")
    def _search_done(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_search()

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

    def action_sort(self) -> None:
        """Sort by the next column."""
        place = SORTS.index(self.table.asked.sort)
        self.sort_by(SORTS[(place + 1) % len(SORTS)])

    def sort_by(self, column: str) -> None:
        """Sort by a column; by the same one again: the other way round."""
        self.table.ask(self.table.asked.sorted_by(column))

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.sort_by(self.table.asked.sort)

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


def _frame(pane: str, content: Widget) -> Container:
    frame = Container(content, id=f"frame-{pane}", classes="pane")
    frame.border_title = dict(PANES)[pane]
    return frame
