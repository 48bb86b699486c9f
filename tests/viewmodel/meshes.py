"""Mesh graphs of every kind, to draw: trees with more links, some out of reach, awkward names."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from presence_tui.viewmodel.mesh_graph import Link, MeshGraph, Node, Standing

NAMES = (
    "triage-tent",
    "救援隊・北の橋",
    "a",
    "command-post-of-the-northern-sector",
    "équipe",
    "Z̵̶o",
)
TYPES = ("LAN", "Bluetooth", "WebSocket", "Server", "Unknown-77")


def mesh(count: int, seed: int, *, gone: int = 0, more: int = 0) -> MeshGraph:
    """Return a mesh of so many nodes besides the own one; the same one for the same seed."""
    rng = random.Random(seed)
    rings: list[int | None] = [0]
    links: dict[tuple[str, str], Link] = {}

    def connect(one: int, other: int, *, confirmed: bool) -> None:
        pair = tuple(sorted((key(one), key(other))))
        links.setdefault(
            (pair[0], pair[1]), Link(pair[0], pair[1], rng.choice(TYPES), confirmed=confirmed)
        )

    for number in range(1, count + 1):
        if number > count - gone:
            rings.append(None)
            if rng.random() < 0.5:
                connect(number, rng.randrange(1, number) if number > 1 else 0, confirmed=False)
            continue
        near = [n for n in range(number) if (rings[n] or 0) < 5]
        parent = rng.choice(near)
        rings.append((rings[parent] or 0) + 1)
        connect(number, parent, confirmed=True)
    for _ in range(more):
        one, other = rng.sample(range(count + 1), 2) if count else (0, 0)
        apart = rings[one], rings[other]
        if one != other and None not in apart and abs((apart[0] or 0) - (apart[1] or 0)) <= 1:
            connect(one, other, confirmed=rng.random() < 0.7)
    nodes = [
        Node(
            key(number),
            f"{rng.choice(NAMES)}-{number}",
            Standing.OWN if not number else Standing.LOST if ring is None else Standing.ONLINE,
            ring,
            verified=rng.random() < 0.3,
            behind=rng.choice((0, 0, 0, 17)),
        )
        for number, ring in enumerate(rings)
    ]
    nodes.sort(key=lambda node: (node.ring is None, node.ring or 0, node.key))
    return MeshGraph(tuple(nodes), tuple(links.values()))


def key(number: int) -> str:
    return f"pk1{number:04}"


@st.composite
def meshes(draw: st.DrawFn) -> MeshGraph:
    count = draw(st.integers(0, 60))
    return mesh(
        count,
        draw(st.integers(0, 10_000)),
        gone=draw(st.integers(0, count)),
        more=draw(st.integers(0, 40)),
    )
