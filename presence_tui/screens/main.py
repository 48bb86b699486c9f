"""The main screen: header, peers, and the panes about the selected one."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Input, TextArea

from presence_core.differing import Differing, differing
from presence_core.model import MetadataState
from presence_tui.screens.panes import BELOW, PANES
from presence_tui.screens.table_commands import TableCommands
from presence_tui.screens.trust import block_all, decide
from presence_tui.source import shows_only
from presence_tui.viewmodel.alarms import Alarms
from presence_tui.viewmodel.pace import Pace
from presence_tui.viewmodel.rows import Show
from presence_tui.viewmodel.table import asked_words
from presence_tui.viewmodel.timeline import Only
from presence_tui.viewmodel.trust import Decision
from presence_tui.widgets.bars import KeyHints, PaneBar
from presence_tui.widgets.conditions import ConditionsPane
from presence_tui.widgets.header_line import HeaderLine
from presence_tui.widgets.identity import IdentityPane
from presence_tui.widgets.links import LinksPane
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.mesh_graph import MeshGraphView
from presence_tui.widgets.peer_key import PeerKeyPane
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.search_line import SearchLine
from presence_tui.widgets.timeline import TimelineView

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult
    from textual.notifications import SeverityLevel
    from textual.timer import Timer
    from textual.widget import Widget

    from presence_core.model import Peer, PresenceGraph
    from presence_tui.source import PresenceSource
    from presence_tui.viewmodel.timeline import Topic
    from presence_tui.widgets.peer_page import PeerPage

_ALARM_SECONDS = 0.5


class MainScreen(TableCommands):
    """Who is here, over which links, who they are, and how good the view is."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-medium"), (170, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"pane('{pane}')", title, show=False, id=f"pane.{pane}")
            for number, (pane, title) in enumerate(PANES, 1)
        ),
        Binding("z", "zoom", "Zoom", id="pane.zoom"),
        Binding("escape", "back", "Back", id="pane.back"),
    ]

    def __init__(
        self,
        source: PresenceSource,
        *,
        clock: Callable[[], datetime],
        draft: Path | None,
        layout_file: Path | None,
        toasts: bool = True,
    ) -> None:
        super().__init__(clock=clock, layout_file=layout_file)
        self._source = source
        self._draft = draft
        self._graph = source.graph
        self._active = "peers"
        self._side = "identity"
        self._below: str | None = None
        self._newest = self._graph
        self._pace = Pace()
        self._soon: Timer | None = None
        self._differing: Differing | None = None  # of the graph of which is still to be told
        self._alarms = Alarms()
        self._toasts = toasts
        self._zoomed = False
        self._ready = False

    def compose(self) -> ComposeResult:
        """Lay the panes out; which of them are shown follows from the width."""
        # Textual sets this class too, but later, and then works out every style once more
        width = self.app.size.width
        self.add_class(
            max(b for b in self.HORIZONTAL_BREAKPOINTS if b[0] <= width)[1], update=False
        )
        yield HeaderLine(clock=self._clock, id="header")
        yield PaneBar(PANES, id="panes")
        with Horizontal(id="body"):
            with Vertical(id="main-column"):
                yield _frame("peers", PeerTable(now=self._clock, id="peers"))
                yield _frame("graph", MeshGraphView(id="graph"))
                yield _frame("timeline", TimelineView(clock=self._clock, id="timeline"))
            with Vertical(id="side-a", classes="side-column"):
                yield _frame("identity", IdentityPane(clock=self._clock, id="identity"))
                yield _frame("links", LinksPane(clock=self._clock, id="links"))
                yield _frame("conditions", ConditionsPane(clock=self._clock, id="conditions"))
            with Vertical(id="side-b", classes="side-column"):
                yield _frame("key", PeerKeyPane(clock=self._clock, id="key"))
                yield _frame("local", self._local_pane())
        yield SearchLine(id="search")
        yield KeyHints(id="keys")

    def _local_pane(self) -> LocalPeerPane:
        only = shows_only(self._source)
        return LocalPeerPane(draft=None if only else self._draft, shows_only=only, id="local")

    def on_mount(self) -> None:
        """Show what there is already."""
        self._ready = True
        self.show_ascii(only=bool(getattr(self.app, "ascii_only", False)))
        self._arrange()
        self.table.show(self._graph)
        self._show_all()
        self._tell(Differing([], []))
        self.table.focus()
        self.take_layout()
        if self._toasts:
            self.set_interval(_ALARM_SECONDS, self._sound_alarms)

    def on_resize(self) -> None:
        """Choose the panes for the new width."""
        self.call_after_refresh(self._arrange)

    @property
    def graph(self) -> PresenceGraph:
        """The graph that is shown."""
        return self._graph

    @property
    def key_pane(self) -> PeerKeyPane:
        """The key pane, which shows the selected peer also when it is not on the screen."""
        pane = self.query_one(PeerKeyPane)
        pane.show(self._graph, self.table.selected)
        return pane

    def show_ascii(self, *, only: bool) -> None:
        """Draw what has a better form of its own for ASCII than character by character."""
        self.query_one(MeshGraphView).ascii_only = only
        self.query_one(PeerKeyPane).forget_page()

    # -- data comes down

    def show(self, graph: PresenceGraph) -> None:
        """Show a newer graph everywhere: now, or the newest of many peers when there is time."""
        self._newest = graph
        if not self._ready:
            self._graph = graph  # on_mount shows it
        elif self._soon is None:
            self._take_when_due()

    def _take_when_due(self) -> None:
        """Take what is to be taken, step by step; between steps of many peers a key may come."""
        self._soon = None
        while self._differing is not None or self._newest is not self._graph:
            wait = self._pace.wait(len(self._newest.remote_peers), time.monotonic())
            if wait:
                self._soon = self.set_timer(wait, self._take_when_due)
                return
            began = time.monotonic()
            if self._differing is None:
                self._take(self._newest)
            else:
                self._tell(self._differing)
            self._pace.taken(began, time.monotonic())

    def on_key(self) -> None:
        """Let graphs wait until the answer to a key is painted."""
        self._pace.key(time.monotonic())

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _typed(self) -> None:
        self.on_key()  # the key itself went no further

    def _take(self, graph: PresenceGraph) -> None:
        """Take who is here; what has happened is told in a step of its own."""
        before, self._graph = self._graph, graph
        self._differing = differing(before.remote_peers, graph.remote_peers)
        self.table.show(graph, self._differing)
        self._show_all()

    def _show_all(self) -> None:
        self.query_one(HeaderLine).show(self._graph, self.table.tally)
        self._show_panes()
        self._show_notes()

    def _tell(self, found: Differing) -> None:
        """Take what has happened from the graph before to the one that is shown."""
        self._differing = None
        timeline = self.query_one(TimelineView)
        events = timeline.take(self._graph, self.table.tally.online, found)
        self._alarms.hear(events, self._graph, self._clock())
        self._show_pane(timeline)

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
            self.query_one(MeshGraphView),
            self.query_one(TimelineView),
        ):
            self._show_pane(pane)
        self.query_one(LocalPeerPane).show(self._graph)

    def _show_pane(self, pane: PeerPage | ConditionsPane | MeshGraphView | TimelineView) -> None:
        if pane.parent is not None and pane.parent.display:
            pane.show(self._graph, self.table.selected)

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
            marks=table.marks,
        )
        self.query_one(PaneBar).show(self._active, notes)

    @on(PeerTable.Selected)
    def _selection_changed(self, event: PeerTable.Selected) -> None:
        event.stop()
        self._show_panes()

    @on(MeshGraphView.Chosen)
    def _chosen_in_graph(self, event: MeshGraphView.Chosen) -> None:
        event.stop()
        self._select(event.peer_key)

    @on(TimelineView.Jumped)
    def _jumped_from_timeline(self, event: TimelineView.Jumped) -> None:
        event.stop()
        self._select(event.peer_key)
        self.action_pane("peers")

    def timeline_of(self, topic: Topic | None) -> None:
        """Show what happened of a topic; None: all of it."""
        self.query_one(TimelineView).show_only(Only(topic))
        self.action_pane("timeline")

    def _select(self, peer_key: str) -> None:
        """Select a peer, whatever the table shows."""
        if peer_key not in {peer.peer_key for peer in self.table.peers}:
            self._show_everybody()
        self.table.select(peer_key)

    def _sound_alarms(self) -> None:
        for alarm in self._alarms.due(self._clock()):
            severity: SeverityLevel = "error" if alarm.severe else "warning"
            self.app.notify(alarm.words, severity=severity, markup=False)

    @on(MeshGraphView.Opened)
    def _opened_in_graph(self, event: MeshGraphView.Opened) -> None:
        event.stop()
        self.table.action_open()

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
                frame.display = pane in ("peers", self._below or self._side)
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
        if pane == "local":
            self.query_one(LocalPeerPane).editor.focus_text()
        else:
            self.query_one(f"#{pane}").focus()

    def _activate(self, pane: str) -> None:
        self._active = pane
        if pane != "peers":
            self._below = pane if pane in BELOW else None
        if pane not in ("peers", *BELOW):
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
            somewhere = not at_home or self.query_one(SearchLine).open
            return somewhere or self.table.asked.narrows or self.table.marks != (0, 0)
        return not (action == "zoom" and self.has_class("-narrow"))

    def action_back(self) -> None:
        """Go one step back: out of search and zoom, to the table, to all peers, to no marks."""
        search = self.query_one(SearchLine)
        if search.open:
            search.value = ""
            self.close_search()
        elif self._zoomed:
            self.action_zoom()
        elif self._active != "peers" or self.focused is not self.table:
            self.action_pane("peers")
        elif self.table.asked.narrows:
            self._show_everybody()
        else:
            self.table.action_unmark()

    def _show_everybody(self) -> None:
        self.query_one(SearchLine).value = ""
        self.table.ask(replace(self.table.asked, search="", show=Show.ALL))

    # -- commands go up

    def decide(self, decision: Decision, peer: Peer | None = None) -> None:
        """Ask about the key of a peer (the selected one unless given), and do as answered."""
        about = peer if peer is not None else self.table.selected
        self._decide(decision, about)

    @on(PeerKeyPane.DecisionWanted)
    def _decision_wanted(self, event: PeerKeyPane.DecisionWanted) -> None:
        event.stop()
        self._decide(event.decision, event.peer)

    @work(exclusive=True, group="trust", exit_on_error=False)
    async def action_block(self) -> None:
        """Ask whether the marked peers (or the selected one) are to be blocked, and do it."""
        marked = self.table.marked
        if marked:
            await block_all(self, self._source, marked)
        else:
            await decide(self, self._source, Decision.BLOCK, self.table.selected)

    @work(exclusive=True, group="trust", exit_on_error=False)
    async def _decide(self, decision: Decision, peer: Peer | None) -> None:
        await decide(self, self._source, decision, peer)

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
