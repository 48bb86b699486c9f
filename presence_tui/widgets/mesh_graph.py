"""The pane of the mesh graph: who is linked with whom, and the way to the selected peer."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from presence_tui.viewmodel.graph_canvas import Ink, Piece
from presence_tui.viewmodel.graph_drawing import Drawing, draw, room_for
from presence_tui.viewmodel.graph_layout import Layout, lay_out
from presence_tui.viewmodel.mesh_graph import MeshGraph, mesh_graph_slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.timer import Timer

    from presence_core.model import Peer, PresenceGraph

_MANY = 500
"""From so many peers on, to count who is behind whom takes longer than a key may wait for it."""

_PAUSE_SECONDS = 0.01
"""How long it does nothing between two steps: a key is answered in less."""

_CHANGES_SECONDS, _MOVES_SECONDS = 1.0, 0.15
"""How long changes of so many, and moves of the selection elsewhere, wait for others to come."""


class MeshGraphView(Widget, can_focus=True):
    """Draws the mesh around this device. Feed it with :meth:`show`; it selects nothing itself.

    ``ascii_only`` keeps to ASCII characters; it may be set at any time.
    """

    @dataclass
    class Chosen(Message):
        """The person picked a remote peer in the picture."""

        peer_key: str

    @dataclass
    class Opened(Message):
        """The person wants to know more about the peer in focus."""

    ALLOW_MAXIMIZE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Details", key_display="enter", id="graph.open"),
        Binding("d", "direct_only", "Direct only", id="graph.direct-only"),
        Binding("left", "toward(-1,0)", "Left", show=False, id="graph.left"),
        Binding("right", "toward(1,0)", "Right", show=False, id="graph.right"),
        Binding("up", "toward(0,-1)", "Up", show=False, id="graph.up"),
        Binding("down", "toward(0,1)", "Down", show=False, id="graph.down"),
    ]
    HELP = """
## Graph

This device is in the middle; on the first ring are its neighbours, on the second who is two hops
away. Thick lines are the way to the selected peer. The arrow keys and the mouse select; `d` leaves
only the neighbours.
"""
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"graph--{ink}" for ink in Ink),
        "graph--chosen",
        "graph--chosen-blurred",
    }
    DEFAULT_CSS = """
    MeshGraphView {
        height: 1fr;
        padding: 0 1;
        & .graph--blank { color: $foreground; }
        & .graph--ring { color: $foreground 30%; }
        & .graph--lan { color: $primary; }
        & .graph--bluetooth { color: $secondary; }
        & .graph--websocket { color: $accent; }
        & .graph--server { color: $success; }
        & .graph--other { color: $foreground 55%; }
        & .graph--own { color: $text-accent; text-style: bold; }
        & .graph--online { color: $text-success; }
        & .graph--last-known { color: $text-warning; }
        & .graph--lost { color: $text-error; text-style: bold; }
        & .graph--left { color: $text-muted; }
        & .graph--near { color: $foreground; }
        & .graph--far { color: $foreground 78%; }
        & .graph--good { color: $text-success; }
        & .graph--count { color: $text-secondary; }
        & .graph--note { color: $text-muted; }
        & .graph--chosen { color: $foreground; background: $primary 45%; text-style: bold; }
        & .graph--chosen-blurred { color: $foreground; background: $primary 28%; text-style: bold; }
    }
    """

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ascii_only = ascii_only
        self._graph: PresenceGraph | None = None
        self._focus: str | None = None
        self._direct_only = False
        self._mesh: MeshGraph | None = None
        self._layout: Layout | None = None
        self._drawing = Drawing()
        self._drawn: tuple[object, ...] = ()
        self._strips: list[Strip] = []
        self._wait: Timer | None = None
        self._wait_seconds = 0.0
        self._styles: dict[tuple[Ink, bool, bool], Style] = {}
        self._base: Style | None = None

    # -- what it is told

    def show(self, graph: PresenceGraph, selected: Peer | None) -> None:
        """Show a graph, with the way to the selected peer."""
        focus = selected.peer_key if selected is not None else None
        before, self._graph = self._graph, graph
        moved, self._focus = focus != self._focus, focus
        same = before is not None and (
            before.remote_peers is graph.remote_peers
            and before.local_peer is graph.local_peer
            and before.view.state is graph.view.state
        )
        if len(graph.remote_peers) < _MANY or (moved and self.has_focus):
            if moved or not same:
                self._take(at_once=True)
        elif moved:
            self._take_in(_MOVES_SECONDS)
        elif not same:
            self._take_in(_CHANGES_SECONDS)

    @property
    def drawing(self) -> Drawing:
        """What is on the screen."""
        return self._drawing

    @property
    def mesh(self) -> MeshGraph | None:
        """The graph that is drawn."""
        return self._mesh

    @property
    def ascii_only(self) -> bool:
        """Whether only ASCII characters are used."""
        return self._ascii_only

    @ascii_only.setter
    def ascii_only(self, value: bool) -> None:
        self._ascii_only = value
        self._draw()

    # -- from the graph to the picture

    def _take_in(self, seconds: float) -> None:
        """Take the graph in a moment, together with what comes until then."""
        if self._wait is not None and seconds >= self._wait_seconds:
            return
        if self._wait is not None:
            self._wait.stop()
        self._wait, self._wait_seconds = self.set_timer(seconds, self._take), seconds

    def _take(self, *, at_once: bool = False) -> None:
        """Take the graph: of many peers little by little, for a key may come meanwhile."""
        if self._wait is not None:
            self._wait.stop()
            self._wait = None
        self.workers.cancel_node(self)
        if self._graph is None or not self.size:
            return
        steps = self._steps(self._graph)
        if at_once or len(self._graph.remote_peers) < _MANY:
            deque(steps, maxlen=0)
        else:
            self._take_slowly(steps)

    @work
    async def _take_slowly(self, steps: Iterator[None]) -> None:
        for _ in steps:
            await asyncio.sleep(_PAUSE_SECONDS)

    def _steps(self, graph: PresenceGraph) -> Iterator[None]:
        """Choose the nodes, find their places, draw them: at each step there is time for others."""
        before = self._mesh
        known = {node.key for node in before.nodes} if before is not None else ()
        mesh = yield from mesh_graph_slices(
            graph,
            focus=self._focus,
            direct_only=self._direct_only,
            max_nodes=room_for(*self.size),
            before=known,
        )
        layout = self._layout
        if before is None or _frame(mesh) != _frame(before):
            yield
            layout = lay_out(mesh, layout)
        yield
        self._mesh, self._layout = mesh, layout
        self._draw()

    def _draw(self) -> None:
        mesh, layout, size = self._mesh, self._layout, self.size
        drawn = (mesh, layout, size, self._focus, self._ascii_only)
        if mesh is None or layout is None or drawn == self._drawn:
            return
        self._drawn = drawn
        self._drawing = draw(
            mesh, layout, size.width, size.height, focus=self._focus, ascii_only=self._ascii_only
        )
        self._strips = []
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size."""
        self._take()

    # -- selection

    def action_toward(self, dx: int, dy: int) -> None:
        """Choose the nearest peer in a direction."""
        nodes = self._drawing.nodes
        if self._mesh is None or not nodes:
            return
        own = self._mesh.nodes[0].key
        start = self._focus if self._focus is not None and self._focus in nodes else own
        found = self._drawing.toward(start, dx, dy)
        if found == own:
            found = self._drawing.toward(own, dx, dy)
        self._choose(found)

    def action_direct_only(self) -> None:
        """Show only neighbours, or everybody again."""
        self._direct_only = not self._direct_only
        self._take()

    def action_open(self) -> None:
        """Ask for the details of the peer in focus."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Choose the peer that was clicked; a double click asks for its details."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        found = self._drawing.at(*offset)
        self._choose(found)
        if found is not None and event.chain == 2:
            self.action_open()

    def _choose(self, key: str | None) -> None:
        if key is None or self._mesh is None or key == self._mesh.nodes[0].key:
            return
        self.post_message(self.Chosen(key))

    # -- drawing

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._base = None
        self._styles.clear()
        self._strips = []

    def on_focus(self) -> None:
        """Show that the arrow keys work here."""
        self._restyle()

    def on_blur(self) -> None:
        """Show that they work elsewhere."""
        self._restyle()

    def _restyle(self) -> None:
        self._styles.clear()
        self._strips = []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line on the screen."""
        rows = self._drawing.rows
        if not self._strips:
            self._strips = [
                Strip([Segment(piece.text, self._style(piece)) for piece in row]) for row in rows
            ]
        width = self.size.width
        base = self._base = self._base or self.rich_style  # which asks every ancestor
        if y >= len(self._strips):
            return Strip.blank(width, base)
        return self._strips[y].adjust_cell_length(width, base)

    def _style(self, piece: Piece) -> Style:
        key = (piece.ink, piece.strong, piece.chosen)
        style = self._styles.get(key)
        if style is None:
            style = self.get_component_rich_style(f"graph--{piece.ink}")
            if piece.strong:
                style += Style(bold=True)
            if piece.chosen:
                chosen = "graph--chosen" if self.has_focus else "graph--chosen-blurred"
                style += self.get_component_rich_style(chosen)
            self._styles[key] = style
        return style


def _frame(mesh: MeshGraph) -> tuple[object, ...]:
    """Return what the places of nodes depend on."""
    return (
        tuple((node.key, node.ring) for node in mesh.nodes),
        frozenset(link.pair for link in mesh.links),
    )
