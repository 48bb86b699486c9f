"""The mesh graph as a picture of its own: SVG, in the layout of the screen, on white."""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from presence_tui.viewmodel.graph_export import (
    OTHER_COLOUR,
    STANDING_COLOURS,
    colour_of,
    link_words,
    node_words,
)
from presence_tui.viewmodel.graph_layout import Layout, lay_out
from presence_tui.viewmodel.mesh_graph import Standing, type_rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presence_tui.viewmodel.mesh_graph import Link, MeshGraph, Node

MAX_SVG_NODES = 300
"""Nodes of a picture: to lay out more takes seconds, and nobody could read them."""

_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 1_400, 900, 140, 40
_XMLNS = "http://www.w3.org/2000/svg"
_FONT = 'font-family="sans-serif" font-size="14"'
_NAME = 32
_DASHES = {"Bluetooth": "1 6", "Server": "14 4 3 4", "one-sided": "9 9"}
_MARKS = {
    Standing.OWN: "◆",
    Standing.LAST_KNOWN: "?",
    Standing.LOST: "✗",
    Standing.LEFT: "○",
}


def to_svg(mesh: MeshGraph) -> str:
    """Return an SVG document: rings, lines by type, nodes with names, a legend."""
    layout = lay_out(mesh)
    places = {key: _place(*point) for key, point in layout.points.items()}
    return "\n".join(
        [
            f'<svg xmlns="{_XMLNS}" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
            f'  <rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
            *_rings(layout),
            *(line for link in reversed(mesh.links) for line in _link(mesh, link, places)),
            *(line for node in mesh.nodes for line in _node(mesh, node, places)),
            *_legend(mesh),
            "</svg>",
        ]
    )


def _place(x: float, y: float) -> tuple[float, float]:
    middle = (_HEIGHT - _LEGEND) / 2
    return _WIDTH / 2 + x * (_WIDTH / 2 - _MARGIN), middle + y * (middle - _LEGEND)


def _rings(layout: Layout) -> Iterator[str]:
    x, y = _place(0, 0)
    for ring in range(1, layout.rings + 1):
        right, top = _place(layout.radius(ring), -layout.radius(ring))
        yield (
            f'  <ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{right - x:.0f}" ry="{y - top:.0f}"'
            ' fill="none" stroke="#d5dbe0" stroke-dasharray="2 5"/>'
        )
        hops = f"{ring} hop{'' if ring == 1 else 's'}"
        yield (
            f'  <text x="{x:.0f}" y="{top - 4:.0f}" text-anchor="middle" fill="{OTHER_COLOUR}"'
            f' font-size="12">{hops}</text>'
        )


def _link(mesh: MeshGraph, link: Link, places: dict[str, tuple[float, float]]) -> Iterator[str]:
    (x, y), (other_x, other_y) = places[link.one], places[link.other]
    length = hypot(other_x - x, other_y - y) or 1.0
    aside = 6 * link.lane / length
    dx, dy = (y - other_y) * aside, (other_x - x) * aside
    line = f'x1="{x + dx:.1f}" y1="{y + dy:.1f}" x2="{other_x + dx:.1f}" y2="{other_y + dy:.1f}"'
    title = f"<title>{escape(link_words(link))}</title>"
    yield from _line(link, line, title, on_way=mesh.on_way(link))


def _line(link: Link, line: str, title: str = "", *, on_way: bool = False) -> Iterator[str]:
    """Draw one line; a WebSocket has two rails, which is a wide line with a white one in it."""
    dashes = _DASHES.get(link.type if link.confirmed else "one-sided", "")
    dashed = f' stroke-dasharray="{dashes}" stroke-linecap="round"' if dashes else ""
    rails = link.confirmed and link.type == "WebSocket"
    width = (5.0 if rails else 2.0) + 3.0 * on_way
    yield (
        f'  <line {line} stroke="{colour_of(link)}" stroke-width="{width}"{dashed}>{title}</line>'
    )
    if rails:
        yield f'  <line {line} stroke="#ffffff" stroke-width="{width - 3.5}"/>'


def _node(mesh: MeshGraph, node: Node, places: dict[str, tuple[float, float]]) -> Iterator[str]:
    x, y = places[node.key]
    colour = STANDING_COLOURS[node.standing]
    mark = _MARKS.get(node.standing)
    if mark is None:
        yield f'  <circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
    else:
        yield (
            f'  <text x="{x:.1f}" y="{y + 7:.1f}" text-anchor="middle" font-size="20"'
            f' font-weight="bold" fill="{colour}" {_HALO}>{mark}</text>'
        )
    left = x < _WIDTH / 2 - 1
    weight = "bold" if node.key in mesh.way or node.standing is Standing.OWN else "normal"
    name = node_words(node) + (" ✓" if node.verified else "")
    shown = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    yield (
        f'  <text x="{x + (-11 if left else 11):.1f}" y="{y + 5:.1f}"'
        f' text-anchor="{"end" if left else "start"}" font-weight="{weight}" fill="#12181d"'
        f" {_HALO}>{escape(shown)}<title>{escape(node.key)}</title></text>"
    )


_HALO = 'stroke="#ffffff" stroke-width="4" paint-order="stroke" stroke-linejoin="round"'


def _legend(mesh: MeshGraph) -> Iterator[str]:
    samples: dict[str, Link] = {}
    for link in sorted(mesh.links, key=lambda one: type_rank(one.type)):
        known = type_rank(link.type) < type_rank("other")
        words = "one-sided" if not link.confirmed else link.type if known else "other"
        samples.setdefault(words, link)
    x, y = 24, _HEIGHT - 20
    for words, link in samples.items():
        yield from _line(link, f'x1="{x}" y1="{y}" x2="{x + 44}" y2="{y}"')
        yield f'  <text x="{x + 54}" y="{y + 5}" fill="#12181d">{words}</text>'
        x += 84 + 9 * len(words)
    if mesh.behind or mesh.more_gone:
        words = f"+{mesh.behind + mesh.more_gone:,} more in the mesh"
        yield f'  <text x="{x}" y="{y + 5}" fill="{OTHER_COLOUR}">{words}</text>'
