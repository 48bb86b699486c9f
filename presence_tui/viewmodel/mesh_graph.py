"""The mesh as a graph to draw: who stands on which ring, what is linked, and the way to one peer.

Of a big mesh the nearest peers are nodes; everybody else is counted at the node behind which it
is (``+17``), so that a picture of ten thousand peers has no more nodes than one of sixty. What
comes out is small, and equal when it would be drawn in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from heapq import nsmallest
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from presence_core.codec.text import safe_text
from presence_core.model import IdentityStatus, Peer, PresenceState, ViewState
from presence_tui.viewmodel.names import shown_name
from presence_tui.viewmodel.words import LINKS, is_last_known

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence

    from presence_core.model import Connection, PresenceGraph

MAX_NODES = 60
"""Nodes of a picture, the own one among them; what a person can still tell apart."""

MAX_LINKS = 200
"""Lines of a picture. Those of the ways are drawn first, and what is left out is counted."""

_GONE_PART = 5
"""One node of so many is kept for who is out of reach, however many are here."""

_LANES = 3
_SLICE = 4_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TYPES = tuple(LINKS)


class Standing(StrEnum):
    """What a node is. ``last-known``: it was here when the view was good last."""

    OWN = "own"
    ONLINE = "online"
    LAST_KNOWN = "last-known"
    LOST = "lost"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Node:
    """A peer in the picture.

    ``name`` is safe to show. ``ring``: hops from here, 0 for this device, None out of reach.
    ``behind``: peers that are not drawn and are reached over this one.
    """

    key: str
    name: str
    standing: Standing
    ring: int | None
    verified: bool = False
    behind: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A line of the picture; ``one < other`` are keys of nodes.

    ``lane``: its place among those of the same pair, the strongest type first.
    """

    one: str
    other: str
    type: str
    confirmed: bool
    lane: int = 0

    @property
    def pair(self) -> tuple[str, str]:
        """The keys of both ends."""
        return self.one, self.other


@dataclass(frozen=True, slots=True)
class MeshGraph:
    """What is drawn: this device first, then the nearest.

    ``way``: keys from here to the peer in focus, both included; empty when no way is known, or it
    is longer than the picture has nodes.
    ``more_gone`` and ``more_links``: how many lost and left peers, and lines between the nodes
    that are drawn, had no room.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    way: tuple[str, ...] = ()
    more_gone: int = 0
    more_links: int = 0
    direct_only: bool = False

    @property
    def rings(self) -> int:
        """How many hops it is to the farthest node."""
        return max(node.ring or 0 for node in self.nodes)

    @property
    def behind(self) -> int:
        """Peers that are counted and not drawn."""
        return sum(node.behind for node in self.nodes)

    def on_way(self, link: Link) -> bool:
        """Whether the way to the peer in focus leads over a line."""
        return link.confirmed and link.pair in {_pair(*step) for step in pairwise(self.way)}


def mesh_graph(
    graph: PresenceGraph,
    *,
    focus: str | None = None,
    direct_only: bool = False,
    max_nodes: int | None = MAX_NODES,
    max_links: int | None = MAX_LINKS,
    before: Collection[str] = (),
) -> MeshGraph:
    """Return the graph to draw.

    ``focus``: the key of a peer to which the way is shown. ``direct_only``: neighbours, and our
    links with them. ``before``: keys that were drawn before; of peers equally near those stay,
    so that a picture does not flicker. A limit of None leaves nothing out.
    """
    slices = mesh_graph_slices(
        graph,
        focus=focus,
        direct_only=direct_only,
        max_nodes=max_nodes,
        max_links=max_links,
        before=before,
    )
    while True:
        try:
            next(slices)
        except StopIteration as made:
            return cast("MeshGraph", made.value)


def mesh_graph_slices(
    graph: PresenceGraph,
    *,
    focus: str | None = None,
    direct_only: bool = False,
    max_nodes: int | None = MAX_NODES,
    max_links: int | None = MAX_LINKS,
    before: Collection[str] = (),
) -> Generator[None, None, MeshGraph]:
    """Make the graph of :func:`mesh_graph` in slices, at each of which one may do something else.

    Of ten thousand peers a slice takes a few milliseconds.
    """
    drawing = _Drawing(graph, focus, direct_only=direct_only, before=before)
    yield
    return (yield from drawing.made(max_nodes, max_links))


def type_rank(kind: str) -> int:
    """Return the place of a type of links, the strongest first; all unknown ones come last."""
    return _TYPES.index(kind) if kind in _TYPES else len(_TYPES)


class _Drawing:
    """Puts one :class:`MeshGraph` together."""

    def __init__(
        self,
        graph: PresenceGraph,
        focus: str | None,
        *,
        direct_only: bool,
        before: Collection[str],
    ) -> None:
        self._graph = graph
        self._own = graph.local_peer.peer_key
        self._direct_only = direct_only
        self._before = before
        self._peers = {self._own: graph.local_peer} | {p.peer_key: p for p in graph.remote_peers}
        self._blind = graph.view.state is ViewState.BLIND
        self._rings = self._last_known_rings() if self._blind else self._known_rings()
        self._focus = focus if focus in self._peers else None
        self._parents: dict[str, str | None] = {}

    def made(
        self, max_nodes: int | None, max_links: int | None
    ) -> Generator[None, None, MeshGraph]:
        way = self._way()
        if max_nodes is not None and len(way) > max_nodes:
            way = []
        gone = [] if self._direct_only else self._gone()
        room = len(gone)
        if max_nodes is not None:
            free = max_nodes - min(max_nodes, len(self._rings))
            room = min(room, max(free, max_nodes // _GONE_PART))  # who is looked for most
        yield
        near = self._nearest(way, None if max_nodes is None else max_nodes - room)
        drawn = [*near, *gone[:room]]
        yield
        behind = yield from self._behind(frozenset(drawn))
        links = list(self._links(drawn, way))
        kept = links if max_links is None else links[:max_links]
        return MeshGraph(
            nodes=tuple(self._node(key, behind.get(key, 0)) for key in drawn),
            links=tuple(kept),
            way=tuple(way),
            more_gone=len(gone) - room,
            more_links=len(links) - len(kept),
            direct_only=self._direct_only,
        )

    # -- who

    def _known_rings(self) -> dict[str, int]:
        rings = {self._own: 0}
        for peer in self._graph.remote_peers:
            hops = peer.presence.hops
            if hops is not None and peer.presence.state is PresenceState.ONLINE:
                rings[peer.peer_key] = hops
        return rings

    def _last_known_rings(self) -> dict[str, int]:
        """Return how far everybody was: to a blind view no way is confirmed any more."""
        rings = {self._own: 0}
        waiting = [self._own]
        for key in waiting:
            for other, _ in self._others(key):
                if other in rings or self._peers[other].presence.state is PresenceState.LEFT:
                    continue
                rings[other] = rings[key] + 1
                waiting.append(other)
        return rings

    def _nearest(self, way: Sequence[str], limit: int | None) -> list[str]:
        """Return this device, those on the way, and the nearest of the others."""
        rings, first, before = self._rings, {self._own, *way}, self._before

        def nearness(key: str) -> tuple[int, bool, int, str]:
            return rings[key], key not in before, -len(self._peers[key].connections), key

        farthest = 1 if self._direct_only else len(rings)
        others = [key for key, ring in rings.items() if key not in first and ring <= farthest]
        room = len(others) if limit is None else max(0, limit - len(first))
        chosen = nsmallest(room, others, nearness)
        return sorted((*first, *chosen), key=lambda key: (rings[key], key))

    def _gone(self) -> list[str]:
        """Return who is out of reach: the peer in focus, the lost, then those who left."""
        gone = [peer for key, peer in self._peers.items() if key not in self._rings]
        gone.sort(key=lambda peer: peer.presence.last_seen or _LONG_AGO, reverse=True)
        gone.sort(key=lambda peer: peer.presence.state is PresenceState.LEFT)
        gone.sort(key=lambda peer: peer.peer_key != self._focus)
        return [peer.peer_key for peer in gone]

    def _node(self, key: str, behind: int) -> Node:
        peer = self._peers[key]
        return Node(
            key=key,
            name=shown_name(peer) or safe_text(peer.short_id, limit=16),
            standing=self._standing(peer),
            ring=self._rings.get(key),
            verified=peer.identity.status is IdentityStatus.VERIFIED,
            behind=behind,
        )

    def _standing(self, peer: Peer) -> Standing:
        state = peer.presence.state
        if peer.peer_key == self._own:
            return Standing.OWN
        if is_last_known(state, self._graph.view.state):
            return Standing.LAST_KNOWN
        return Standing(state.value)

    # -- ways

    def _others(self, key: str) -> Iterator[tuple[str, Connection]]:
        """Return the other ends of the links of a peer, with the links."""
        for connection in self._peers[key].connections:
            other = connection.peer2 if connection.peer1 == key else connection.peer1
            if other in self._peers and other != key:
                yield other, connection

    def _parent(self, key: str) -> str | None:
        """Return the next peer on a shortest way from somebody to this device."""
        if key not in self._parents:
            nearer = self._rings[key] - 1
            self._parents[key] = min(
                (
                    (type_rank(link.type), other)
                    for other, link in self._others(key)
                    if self._rings.get(other) == nearer and (link.confirmed or self._blind)
                ),
                default=(0, None),
            )[1]
        return self._parents[key]

    def _way(self) -> list[str]:
        """Return the keys on a shortest way from this device to the peer in focus."""
        if self._focus is None or self._focus not in self._rings or self._blind:
            return []
        way: list[str] = [self._focus]
        while way[-1] != self._own:
            parent = self._parent(way[-1])
            if parent is None:  # the hops of a graph and its links may be a moment apart
                return []
            way.append(parent)
        return way[::-1]

    def _behind(self, drawn: frozenset[str]) -> Generator[None, None, dict[str, int]]:
        """Count those who are not drawn at the last node on one of their ways."""
        rings = self._rings
        at = {key: key for key in drawn}
        counts: dict[str, int] = {}
        for done, key in enumerate(sorted(rings.keys() - drawn, key=rings.__getitem__), 1):
            if done % _SLICE == 0:
                yield
            nearer, found = rings[key] - 1, self._own
            for link in self._peers[key].connections:  # of thousands: the first way will do
                other = link.peer2 if link.peer1 == key else link.peer1
                if rings.get(other) == nearer and (link.confirmed or self._blind):
                    found = at.get(other, found)
                    break
            at[key] = found
            counts[found] = counts.get(found, 0) + 1
        return counts

    # -- links

    def _links(self, drawn: Sequence[str], way: Sequence[str]) -> Iterator[Link]:
        """Return the lines between nodes, the most telling first."""
        nodes = frozenset(drawn)
        steps = {_pair(*step) for step in pairwise(way)}
        between: dict[tuple[str, str], dict[str, bool]] = {}
        for key in drawn:
            for other, link in self._others(key):
                pair = _pair(key, other)
                wanted = not self._direct_only or self._own in pair or pair in steps
                if other not in nodes or not wanted:
                    continue
                types = between.setdefault(pair, {})
                types[link.type] = types.get(link.type, False) or link.confirmed
        pairs = sorted(between, key=lambda pair: self._weight(pair, between[pair].values(), steps))
        for pair in pairs:
            kinds = sorted(
                between[pair].items(), key=lambda kind: (not kind[1], type_rank(kind[0]))
            )
            for lane, (kind, confirmed) in enumerate(kinds[:_LANES]):
                yield Link(*pair, kind, confirmed, lane)

    def _weight(
        self, pair: tuple[str, str], confirmed: Iterable[bool], steps: Collection[tuple[str, str]]
    ) -> tuple[bool, bool, bool, int, tuple[str, str]]:
        one, other = pair
        far = len(self._rings)
        on_tree = any(
            a in self._rings and self._rings[a] > 0 and self._parent(a) == b
            for a, b in (pair, pair[::-1])
        )
        ring = self._rings.get(one, far) + self._rings.get(other, far)
        return pair not in steps, not on_tree, not any(confirmed), ring, pair


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
