"""The picture of a mesh graph in a terminal: rings, lines, nodes, names over them, a legend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import atan2, cos, pi, sin
from typing import TYPE_CHECKING

from rich.cells import cell_len

from presence_tui.viewmodel.graph_canvas import (
    DOTS_X,
    DOTS_Y,
    Canvas,
    Ink,
    Piece,
    PlainCanvas,
    Rows,
    Stroke,
)
from presence_tui.viewmodel.graph_labels import Label, Labels
from presence_tui.viewmodel.mesh_graph import MAX_NODES, Standing, type_rank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from presence_tui.viewmodel.graph_layout import Layout
    from presence_tui.viewmodel.mesh_graph import Link, MeshGraph, Node

STROKES: Mapping[str, tuple[Stroke, Ink]] = {
    "LAN": (Stroke(), Ink.LAN),
    "Bluetooth": (Stroke("#  ", plain=":"), Ink.BLUETOOTH),
    "WebSocket": (Stroke(rails=(-1, 1), plain="="), Ink.WEBSOCKET),
    "Server": (Stroke(ticks=6, plain="#"), Ink.SERVER),
}
"""How a line of each type looks; without colour the strokes alone tell them apart."""

_OTHER = (Stroke("## # ", plain="~"), Ink.OTHER)
_ONE_SIDED = "####    "

_RANK_RING, _RANK_DOUBT, _RANK_LINK, _RANK_WAY = 1, 2, 3, 9
_SIGNS = {
    Standing.OWN: ("◆", "@", Ink.OWN),
    Standing.ONLINE: ("●", "o", Ink.ONLINE),
    Standing.LAST_KNOWN: ("?", "?", Ink.LAST_KNOWN),
    Standing.LOST: ("✗", "x", Ink.LOST),
    Standing.LEFT: ("○", ".", Ink.LEFT),
}
_SQUARE = 2.8
"""Rings are a little square (a superellipse), so that they use the corners of the screen."""

_CELLS_A_NODE = 36
_LANE_DOTS = 3
_SAMPLE = 3
_LEAST = (12, 5)
_LEGEND_FROM = (24, 9)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture: ``rows`` of ``width`` cells, where the ``nodes`` are, and their ``labels``."""

    rows: Rows = ()
    nodes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)

    def at(self, x: int, y: int) -> str | None:
        """Return the key of the node at a cell, by its sign, its name, or near it."""
        for key, label in self.labels.items():
            if label.y == y and label.x <= x < label.x + label.width:
                return key
        near = [(abs(x - nx) + 2 * abs(y - ny), key) for key, (nx, ny) in self.nodes.items()]
        distance, key = min(near, default=(99, ""))
        return key if distance <= 3 else None

    def toward(self, key: str, dx: int, dy: int) -> str | None:
        """Return the key of the nearest node in a quarter (one of dx, dy is -1 or 1)."""
        x, y = self.nodes[key]
        best: tuple[int, str] | None = None
        for other, (ox, oy) in self.nodes.items():
            right, down = ox - x, 2 * (oy - y)
            along, across = (right * dx, abs(down)) if dx else (down * dy, abs(right))
            if along > 0 and across <= along:
                found = (along**2 + across**2, other)
                best = found if best is None else min(best, found)
        return best[1] if best is not None else None


def room_for(width: int, height: int) -> int:
    """Return how many nodes, with their names, a picture of so many cells can hold."""
    return min(MAX_NODES, max(12, width * height // _CELLS_A_NODE))


def draw(
    mesh: MeshGraph,
    layout: Layout,
    width: int,
    height: int,
    *,
    focus: str | None = None,
    ascii_only: bool = False,
) -> Drawing:
    """Return the picture of a graph in so many cells.

    ``focus``: the key of the node that stands out. An empty drawing when there is no
    room for any.
    """
    if width < _LEAST[0] or height < _LEAST[1]:
        return Drawing()
    return _Picture(mesh, layout, width, height, focus=focus, ascii_only=ascii_only).drawn()


class _Picture:
    """Draws one picture."""

    def __init__(
        self,
        mesh: MeshGraph,
        layout: Layout,
        width: int,
        height: int,
        *,
        focus: str | None,
        ascii_only: bool,
    ) -> None:
        self._mesh = mesh
        self._layout = layout
        self._focus = focus
        self._plain = ascii_only
        self._canvas = (PlainCanvas if ascii_only else Canvas)(width, height)
        self._way = set(mesh.way)
        legend = _legend(mesh, ascii_only=ascii_only)
        roomy = width >= _LEGEND_FROM[0] and height >= _LEGEND_FROM[1]
        self._legend = _in_rows(legend, width)[: 2 if roomy else 0]
        self._height = height - len(self._legend)
        self._middle = (width // 2, self._height // 2)
        margin = max(1, min(8, width // 14))
        self._reach = (max(1, width // 2 - margin), max(1, (self._height - 1) // 2))

    def drawn(self) -> Drawing:
        places = self._places()
        labels = Labels(self._canvas, self._height)
        for link in reversed(self._mesh.links):
            self._draw_link(link, places)
        self._draw_rings()
        for node in self._mesh.nodes:
            x, y = places[node.key]
            rich, plain, ink = _SIGNS[node.standing]
            strong, chosen = node.key in self._way, node.key == self._focus
            sign = plain if self._plain else rich
            self._canvas.text(x, y, Piece(sign, ink, strong=strong, chosen=chosen))
            labels.take_sign(x, y)
        most = max(8, min(24, self._canvas.width * self._height // (3 * len(self._mesh.nodes))))
        for node in sorted(self._mesh.nodes, key=self._importance):
            labels.place(node.key, places[node.key], self._label(node), self._middle, most)
        self._name_rings(labels)
        self._draw_legend()
        return Drawing(self._canvas.rows(_RANK_WAY), places, labels.placed)

    # -- places

    def _places(self) -> dict[str, tuple[int, int]]:
        """Return the cell of each node, another one for each as long as there are any."""
        places: dict[str, tuple[int, int]] = {}
        taken: set[tuple[int, int]] = set()
        for node in self._mesh.nodes:
            place = self._cell(*self._layout.points[node.key])
            if place in taken:
                place = self._free_cell(place, taken)
            taken.add(place)
            places[node.key] = place
        return places

    def _free_cell(
        self, place: tuple[int, int], taken: Collection[tuple[int, int]]
    ) -> tuple[int, int]:
        """Return the nearest free cell; the same one when there is none around."""
        x, y = place
        around = (
            (abs(dx) + 2 * abs(dy), (x + dx, y + dy)) for dx in range(-6, 7) for dy in range(-3, 4)
        )
        free = (found for found in around if found[1] not in taken and self._inside(*found[1]))
        return min(free, default=(0, place))[1]

    def _inside(self, x: int, y: int) -> bool:
        return 0 <= x < self._canvas.width and 0 <= y < self._height

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        stretch = _stretch(x, y)
        column = self._middle[0] + round(x * stretch * self._reach[0])
        row = self._middle[1] + round(y * stretch * self._reach[1])
        return (
            min(max(column, 0), self._canvas.width - 1),
            min(max(row, 0), self._height - 1),
        )

    # -- lines

    def _draw_link(self, link: Link, places: Mapping[str, tuple[int, int]]) -> None:
        (x, y), (other_x, other_y) = places[link.one], places[link.other]
        stroke, ink = _stroke(link)
        on_way = self._mesh.on_way(link)
        rank = _RANK_WAY if on_way else _RANK_LINK if link.confirmed else _RANK_DOUBT
        if on_way and not link.lane:
            stroke = replace(stroke, rails=(-1, 0, 1))
        aside = link.lane * _LANE_DOTS
        flat = abs(other_x - x) >= 2 * abs(other_y - y)
        shift_x, shift_y = (0, aside) if flat else (aside, 0)
        self._canvas.line(
            (x * DOTS_X + shift_x, y * DOTS_Y + 1 + shift_y),
            (other_x * DOTS_X + shift_x, other_y * DOTS_Y + 1 + shift_y),
            stroke,
            ink,
            rank,
        )

    def _rings(self) -> range:
        """Return the rings to draw: of very many only some, so that they are two rows apart."""
        return range(1, self._layout.rings + 1, 1 + 2 * self._layout.rings // self._reach[1])

    def _draw_rings(self) -> None:
        for ring in self._rings():
            radius = self._layout.radius(ring)
            count = int(radius * (self._reach[0] + 2 * self._reach[1]) * 2.2)
            for step in range(count):
                angle = 2 * pi * step / count
                x, y = radius * cos(angle), radius * sin(angle)
                stretch = _stretch(x, y)
                column = (self._middle[0] + x * stretch * self._reach[0]) * DOTS_X
                row = (self._middle[1] + y * stretch * self._reach[1]) * DOTS_Y + 1
                cell = int(column) // DOTS_X, int(row) // DOTS_Y
                if self._inside(*cell) and not self._canvas.covered(*cell):
                    self._canvas.dot(int(column), int(row), Ink.RING, _RANK_RING)

    # -- words

    def _importance(self, node: Node) -> tuple[bool, bool, bool, int]:
        ring = self._layout.rings + 1 if node.ring is None else node.ring
        return (
            node.standing is not Standing.OWN,
            node.key != self._focus,
            node.key not in self._way,
            ring,
        )

    def _label(self, node: Node) -> list[Piece]:
        """Return the pieces of a label; the first is the name, which may be cut."""
        strong, chosen = node.key in self._way, node.key == self._focus
        ink = Ink.NEAR if node.ring == 1 else Ink.FAR
        if node.standing is not Standing.ONLINE:
            ink = _SIGNS[node.standing][2]
        pieces = [Piece(node.name, ink, strong, chosen)]
        if node.verified:
            pieces.append(Piece("+" if self._plain else "✓", Ink.GOOD, strong, chosen))
        if node.behind:
            pieces.append(Piece(f" +{node.behind:,}", Ink.COUNT, strong, chosen))
        return pieces

    def _name_rings(self, labels: Labels) -> None:
        layout = self._layout
        turns = (-0.5, 0.5, -0.25, -0.75, 0.25, 0.75, -0.4, -0.6, 0.4, 0.6)
        for ring in self._rings():
            self._name_ring(labels, _hops(ring), layout.radius(ring), turns)
        gone = [layout.points[node.key] for node in self._mesh.nodes if node.ring is None]
        if gone:
            middle = atan2(sum(y for _, y in gone), sum(x for x, _ in gone)) / pi
            around = sorted(turns, key=lambda turn: min(abs(turn - middle), 2 - abs(turn - middle)))
            self._name_ring(labels, "out of reach", 1.0, around)

    def _name_ring(self, labels: Labels, words: str, radius: float, turns: Iterable[float]) -> None:
        """Write the name of a ring where there is room on it; ``turns``: half circles."""
        for turn in turns:
            x, y = self._cell(radius * cos(turn * pi), radius * sin(turn * pi))
            x = min(max(x - len(words) // 2, 0), self._canvas.width - len(words))
            if labels.note(x, y, Piece(words, Ink.NOTE)):
                return

    def _draw_legend(self) -> None:
        for y, row in enumerate(self._legend, self._height):
            x = 0
            for entry in row:
                if entry.stroke is not None:
                    start = x * DOTS_X, y * DOTS_Y + 2
                    end = (x + _SAMPLE) * DOTS_X - 1, y * DOTS_Y + 2
                    self._canvas.line(start, end, entry.stroke, entry.ink, _RANK_LINK)
                    x += _SAMPLE + 1
                self._canvas.text(x, y, Piece(entry.words, Ink.NOTE))
                x += cell_len(entry.words) + 2


@dataclass(frozen=True, slots=True)
class _Entry:
    """A part of the legend: some words, and a sample of a line before them."""

    words: str
    stroke: Stroke | None = None
    ink: Ink = Ink.NOTE

    @property
    def width(self) -> int:
        return cell_len(self.words) + (0 if self.stroke is None else _SAMPLE + 1)


def _legend(mesh: MeshGraph, *, ascii_only: bool) -> list[_Entry]:
    """Return samples of the lines that are drawn, and what is not drawn in numbers."""
    entries: list[_Entry] = []
    for kind in sorted({link.type for link in mesh.links if link.confirmed}, key=type_rank):
        stroke, ink = STROKES.get(kind, _OTHER)
        words = kind if kind in STROKES else "other"
        if words not in [entry.words for entry in entries]:
            entries.append(_Entry(words, stroke, ink))
    if not all(link.confirmed for link in mesh.links):
        entries.append(_Entry("one-sided", Stroke(_ONE_SIDED, plain="-"), Ink.OTHER))
    numbers = [
        f"+{mesh.behind:,} behind" if mesh.behind else "",
        f"+{mesh.more_gone:,} lost or left" if mesh.more_gone else "",
        f"+{mesh.more_links:,} links" if mesh.more_links else "",
    ]
    if mesh.direct_only:
        entries.insert(0, _Entry("direct only"))
    between = ", " if ascii_only else " · "
    if any(numbers):
        entries.append(_Entry(between.join(filter(None, numbers))))
    return entries


def _in_rows(entries: list[_Entry], width: int) -> list[list[_Entry]]:
    rows: list[list[_Entry]] = []
    used = width
    for entry in entries:
        if entry.width > width:
            continue
        if used + 2 + entry.width > width or not rows:
            rows.append([])
            used = -2
        rows[-1].append(entry)
        used += 2 + entry.width
    return rows


def _stroke(link: Link) -> tuple[Stroke, Ink]:
    stroke, ink = STROKES.get(link.type, _OTHER)
    if link.confirmed:
        return stroke, ink
    return Stroke(_ONE_SIDED, plain=stroke.plain), ink


def _hops(ring: int) -> str:
    return f"{ring} hop{'' if ring == 1 else 's'}"


def _stretch(x: float, y: float) -> float:
    """Return by how much a point of the circle moves out to be on the superellipse."""
    if not (x or y):
        return 1.0
    radius = (x * x + y * y) ** 0.5
    across, down = abs(x) / radius, abs(y) / radius
    return float((across**_SQUARE + down**_SQUARE) ** (-1 / _SQUARE))
