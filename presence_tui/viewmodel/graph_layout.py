"""Where the nodes of a mesh graph stand: this device in the middle, everybody else on rings.

The distance from the middle says how many hops away a peer is, so only the directions are free.
They start from a tree in which each subtree has a sector as wide as it has leaves; then springs
along the links and repulsion between nodes move them, each inside the band of its ring. A layout
that is given the one before starts from there with small steps, so that nodes do not jump.

Nothing here is random: the same graph has the same layout everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import atan2, cos, hypot, pi, sin, sqrt
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from presence_tui.viewmodel.mesh_graph import MeshGraph

Point: TypeAlias = tuple[float, float]

COLD_STEPS = 30
WARM_STEPS = 5

_COLD_STRIDE = 0.10
_WARM_STRIDE = 0.012
_BAND = 0.30
"""How far a node may be off its ring, as a part of the distance between rings."""

_RIM = 0.6
"""How far out of the last ring the rim is, in rings."""

_BEND = 0.75
"""Rings are closer to each other farther out: the inner ones are short, and carry as many names."""

_FLATTEN = 1.7
"""Names are wide and low: nodes side by side need more room than nodes on top of each other."""

_SPRING = 0.035
_PUSH = 0.22


@dataclass(frozen=True, slots=True)
class Layout:
    """Points of the nodes in the unit circle, by key, and how many rings there are, one a hop.

    ``rim``: somebody is out of reach, and outside of the rings is room for such peers.
    """

    points: Mapping[str, Point] = field(default_factory=dict)
    rings: int = 1
    rim: bool = False

    def radius(self, ring: float) -> float:
        """Return the radius of a ring, or of a place between two."""
        return float(min(1.0, max(0.0, ring / self.edge)) ** _BEND)

    def ring(self, radius: float) -> float:
        """Return the ring at a radius; a fraction when it is between two."""
        return float(self.edge * radius ** (1 / _BEND))

    @property
    def edge(self) -> float:
        """The ring, or the place for the rim, that is the unit circle."""
        return self.rings + _RIM * self.rim


def lay_out(mesh: MeshGraph, before: Layout | None = None) -> Layout:
    """Return the layout of a graph; from the one before when most of its nodes are in it."""
    rim = any(node.ring is None for node in mesh.nodes)
    layout = Layout(rings=max(1, mesh.rings), rim=rim)
    nodes = _Nodes(mesh, layout)
    known = before.points if before is not None else {}
    if before is None or 2 * sum(key in known for key in nodes.keys) <= len(nodes.keys):
        nodes.spread()
        nodes.settle(COLD_STEPS, _COLD_STRIDE)
    else:
        nodes.recall(before)
        nodes.settle(WARM_STEPS, _WARM_STRIDE)
    return Layout(nodes.points(), layout.rings, layout.rim)


class _Nodes:
    """Nodes on their way to their places; the first is this device and stays in the middle."""

    def __init__(self, mesh: MeshGraph, layout: Layout) -> None:
        self.keys = [node.key for node in mesh.nodes]
        at = {key: place for place, key in enumerate(self.keys)}
        rings: list[float] = [
            layout.edge if node.ring is None else float(node.ring) for node in mesh.nodes
        ]
        pairs = sorted({(at[link.one], at[link.other]) for link in mesh.links})
        self._layout = layout
        self._rings = rings
        self._pairs = pairs
        self._near: list[list[int]] = [[] for _ in rings]
        for one, other in pairs:
            self._near[one].append(other)
            self._near[other].append(one)
        self._x = [0.0] * len(rings)
        self._y = [0.0] * len(rings)

    def points(self) -> dict[str, Point]:
        """Return where everybody is."""
        return dict(zip(self.keys, zip(self._x, self._y, strict=True), strict=True))

    # -- where they start

    def spread(self) -> None:
        """Put everybody into the sector of its subtree; the first, to the right: there is room."""
        children = self._tree()
        leaves = [1.0] * len(children)
        for place in sorted(range(len(children)), key=self._rings.__getitem__, reverse=True):
            if children[place]:
                leaves[place] = sum(leaves[child] for child in children[place])
        first = leaves[children[0][0]] / leaves[0] if children[0] else 0.0
        sectors: list[tuple[int, float, float]] = [(0, -pi * first, 2 * pi)]
        for place, start, width in sectors:
            if place:
                self._put(place, start + width / 2)
            used = start
            for child in children[place]:
                part = width * leaves[child] / leaves[place]
                sectors.append((child, used, part))
                used += part

    def _tree(self) -> list[list[int]]:
        """Return children: of whom is nearer and has the fewest yet; this device adopts orphans."""
        children: list[list[int]] = [[] for _ in self._rings]
        for place in sorted(range(1, len(self._rings)), key=self._rings.__getitem__):
            nearer = [
                other for other in self._near[place] if self._rings[other] < self._rings[place]
            ]
            parent = min(nearer, key=lambda other: (len(children[other]), other), default=0)
            children[parent].append(place)
        return [self._in_a_row(family) for family in children]

    def _in_a_row(self, family: list[int]) -> list[int]:
        """Return siblings so that those with a link, or a neighbour farther out, are together."""
        row: list[int] = []
        left = dict.fromkeys(family)
        while left:
            following = next(iter(left))
            if row:
                last = self._near[row[-1]]
                outside = [o for o in last if self._rings[o] > self._rings[row[-1]]]
                shared = [other for out in outside for other in self._near[out]]
                following = next((o for o in (*last, *shared) if o in left), following)
            del left[following]
            row.append(following)
        return row

    def _put(self, place: int, angle: float) -> None:
        radius = self._layout.radius(self._rings[place])
        self._x[place], self._y[place] = radius * cos(angle), radius * sin(angle)

    def recall(self, before: Layout) -> None:
        """Put everybody where it was; whoever is new, near to what it is linked with."""
        new = []
        for place, key in enumerate(self.keys):
            point = before.points.get(key)
            if point is None:
                new.append(place)
            elif place:
                self._put_back(place, point, before)
        settled = set(range(len(self.keys))) - set(new)
        for place in new:
            anchors = [other for other in self._near[place] if other in settled and other]
            x = sum(self._x[other] for other in anchors)
            y = sum(self._y[other] for other in anchors)
            angle = atan2(y, x) if anchors else self._widest_gap(place, settled)
            self._put(place, angle + 0.02 * (place % 7 - 3))
            settled.add(place)

    def _put_back(self, place: int, point: Point, before: Layout) -> None:
        """Put a node where it was; into the band of its ring when that is another one now."""
        radius = hypot(*point) or 1.0
        ring = self._rings[place]
        was = min(max(before.ring(radius), ring - _BAND), ring + _BAND)
        scale = self._layout.radius(was) / radius
        self._x[place], self._y[place] = point[0] * scale, point[1] * scale

    def _widest_gap(self, place: int, settled: set[int]) -> float:
        """Return the direction in which a ring has most room."""
        ring = self._rings[place]
        taken = sorted(
            atan2(self._y[other], self._x[other])
            for other in settled
            if self._rings[other] == ring and other
        )
        if not taken:
            return -pi / 2
        gaps = [(after - angle, angle) for angle, after in pairwise(taken)]
        gaps.append((taken[0] + 2 * pi - taken[-1], taken[-1]))
        width, start = max(gaps)
        return start + width / 2

    # -- how they move

    def settle(self, steps: int, stride: float) -> None:
        """Let forces move the nodes, by ``stride`` at most and less with each step."""
        for step in range(steps):
            self._step(stride * (1 - step / steps))

    def _step(self, stride: float) -> None:
        xs, ys, count = self._x, self._y, len(self._x)
        reach = sqrt(pi / count)
        push = _PUSH * reach
        far = (2.5 * reach) ** 2
        forces_x, forces_y = [0.0] * count, [0.0] * count
        for one in range(count):
            x, y = xs[one], ys[one]
            force_x = force_y = 0.0
            for other in range(one + 1, count):
                dx, dy = x - xs[other], (y - ys[other]) * _FLATTEN
                distance = dx * dx + dy * dy
                if distance < far:
                    force = push * reach / (distance + 1e-4)
                    fx, fy = dx * force, dy * force
                    force_x += fx
                    force_y += fy
                    forces_x[other] -= fx
                    forces_y[other] -= fy
            forces_x[one] += force_x
            forces_y[one] += force_y
        for one, other in self._pairs:
            dx, dy = (xs[other] - xs[one]) * _SPRING, (ys[other] - ys[one]) * _SPRING
            forces_x[one] += dx
            forces_y[one] += dy
            forces_x[other] -= dx
            forces_y[other] -= dy
        for place in range(1, count):
            fx, fy = forces_x[place], forces_y[place]
            length = hypot(fx, fy)
            scale = min(1.0, stride / length) if length else 0.0
            self._move(place, xs[place] + fx * scale, ys[place] + fy * scale)

    def _move(self, place: int, x: float, y: float) -> None:
        """Move a node, inside the band of its ring."""
        ring = self._rings[place]
        radius = hypot(x, y) or 1e-9
        nearest = self._layout.radius(ring - _BAND)
        farthest = self._layout.radius(ring + _BAND)
        scale = min(max(radius, nearest), farthest) / radius
        self._x[place], self._y[place] = x * scale, y * scale
