"""Who is linked with whom: from what records claim, and our own links, to connections and ways.

Kept up change by change: one changed record in ten thousand costs its own edges and no more.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from presence_core.model import Connection, transport_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from presence_core.gossip.record import Edge

EdgeKey = tuple[bytes, bytes, int]
"""The smaller key, the greater key, the transport number."""


@dataclass(frozen=True, slots=True)
class LinkMeasure:
    """What was measured on one of our own links."""

    rtt_ms: float | None
    bytes_in: int
    bytes_out: int
    heard_ms: int
    """Wall time of the last byte, in milliseconds."""


@dataclass(frozen=True, slots=True)
class OwnEdge:
    """One of our own links: since when (Unix seconds), and what was measured."""

    since: int
    measure: LinkMeasure | None


@dataclass(frozen=True, slots=True)
class Way:
    """The shortest confirmed way to a peer."""

    hops: int
    via: tuple[bytes, ...]


def edge_key(a: bytes, b: bytes, transport: int) -> EdgeKey:
    """Name a connection the same whichever end lists it."""
    return (a, b, transport) if a < b else (b, a, transport)


def ways_from(own: bytes, adjacency: Mapping[bytes, Iterable[bytes]]) -> dict[bytes, Way]:
    """Find the shortest ways from ``own`` over confirmed edges, breadth first.

    ``via`` are the neighbours that stand at the beginning of a shortest way.
    """
    hops = {own: 0}
    via: dict[bytes, set[bytes]] = {own: set()}
    ring = [own]
    while ring:
        following: list[bytes] = []
        for key in ring:
            for other in adjacency.get(key, ()):
                first = {other} if key == own else via[key]
                if other not in hops:
                    hops[other] = hops[key] + 1
                    via[other] = set(first)
                    following.append(other)
                elif hops[other] == hops[key] + 1:
                    via[other] |= first
        ring = following
    return {key: Way(n, tuple(sorted(via[key]))) for key, n in hops.items()}


class Edges:
    """The connections of the mesh, and the ways over those that are confirmed.

    An edge is confirmed when both ends list it. Our own link is confirmed by the live session: the
    handshake has proven the other end, and its Hello that it let us in. ``text`` gives the text
    of a peer key.
    """

    def __init__(self, own: bytes, text: Callable[[bytes], str]) -> None:
        self.ways: dict[bytes, Way] = {own: Way(0, ())}
        self._own_key = own
        self._text = text
        self._listed: dict[bytes, dict[EdgeKey, int]] = {}
        self._claims: dict[EdgeKey, dict[bytes, int]] = {}
        self._own: Mapping[EdgeKey, OwnEdge] = {}
        self._connections: dict[EdgeKey, Connection] = {}
        self._of_peer: dict[bytes, dict[EdgeKey, Connection]] = {}
        self._adjacency: dict[bytes, dict[bytes, int]] = {}
        """How many confirmed edges there are between two neighbours."""
        self._by_id: dict[str, Connection] = {}
        self._ids: list[str] = []
        self._sorted: Mapping[str, Connection] = MappingProxyType({})
        self._dirty: set[EdgeKey] = set()

    # -- what changes

    def claim(self, key: bytes, edges: Iterable[Edge]) -> None:
        """Take the edges that the newest record of a remote peer lists; none drops them."""
        new = {edge_key(key, edge.key, edge.transport): edge.since for edge in edges}
        old = self._listed.pop(key, {})
        if new:
            self._listed[key] = new
        for edge in old.keys() - new.keys():
            claims = self._claims[edge]
            del claims[key]
            if not claims:
                del self._claims[edge]
            self._dirty.add(edge)
        for edge, since in new.items():
            if old.get(edge) != since:
                self._claims.setdefault(edge, {})[key] = since
                self._dirty.add(edge)

    def own_links(self, own: Mapping[EdgeKey, OwnEdge]) -> None:
        """Take our own links as they are now."""
        before, self._own = self._own, own
        for edge in before.keys() | own.keys():
            if before.get(edge) != own.get(edge):
                self._dirty.add(edge)

    def settle(self) -> set[bytes]:
        """Work out what the changes mean; return the peers whose connections or ways changed."""
        touched: set[bytes] = set()
        rerouted = False
        for edge in self._dirty:
            touched.update(edge[:2])
            rerouted |= self._settle_edge(edge)
        if self._dirty:
            self._dirty = set()
            self._sorted = MappingProxyType({name: self._by_id[name] for name in self._ids})
        if rerouted:
            before, self.ways = self.ways, ways_from(self._own_key, self._adjacency)
            touched.update(
                key
                for key in before.keys() | self.ways.keys()
                if before.get(key) != self.ways.get(key)
            )
        return touched

    def _settle_edge(self, edge: EdgeKey) -> bool:
        """Bring one edge up to date; return whether a way may have changed by it."""
        old = self._connections.get(edge)
        own = self._own.get(edge)
        claims = self._claims.get(edge, {})
        new: Connection | None = None
        if own is not None:
            new = self._connection(edge, own.since, own.measure, confirmed=True)
        elif claims:
            confirmed = len(claims) == 2
            new = self._connection(edge, max(claims.values()), None, confirmed=confirmed)
        self._replace(edge, old, new)
        was, now = old is not None and old.confirmed, new is not None and new.confirmed
        if was is not now:
            self._count(edge, 1 if now else -1)
        return was is not now

    def _replace(self, edge: EdgeKey, old: Connection | None, new: Connection | None) -> None:
        for end in edge[:2]:
            if new is not None:
                self._of_peer.setdefault(end, {})[edge] = new
            else:
                self._of_peer.get(end, {}).pop(edge, None)
                if not self._of_peer.get(end, True):
                    del self._of_peer[end]
        if new is not None:
            self._connections[edge] = new
            self._by_id[new.id] = new
            if old is None:
                insort(self._ids, new.id)
        elif old is not None:
            del self._connections[edge], self._by_id[old.id]
            del self._ids[bisect_left(self._ids, old.id)]

    def _count(self, edge: EdgeKey, step: int) -> None:
        for near, far in ((edge[0], edge[1]), (edge[1], edge[0])):
            others = self._adjacency.setdefault(near, {})
            others[far] = others.get(far, 0) + step
            if not others[far]:
                del others[far]

    def _connection(
        self, edge: EdgeKey, since: int, measure: LinkMeasure | None, *, confirmed: bool
    ) -> Connection:
        peer1, peer2 = sorted((self._text(edge[0]), self._text(edge[1])))
        kind = transport_name(edge[2])
        return Connection(
            id=f"{peer1}<->{peer2}:{kind}",
            type=kind,
            peer1=peer1,
            peer2=peer2,
            confirmed=confirmed,
            since=moment(since * 1000),
            rtt_ms=measure.rtt_ms if measure else None,
            bytes_in=measure.bytes_in if measure else None,
            bytes_out=measure.bytes_out if measure else None,
        )

    # -- what there is

    def of(self, key: bytes) -> tuple[Connection, ...]:
        """Return the connections of a peer."""
        return tuple(self._of_peer.get(key, {}).values())

    def all(self) -> Mapping[str, Connection]:
        """Return all connections, sorted by id."""
        return self._sorted


def moment(wall_ms: int) -> datetime:
    """Turn milliseconds into a time; a peer's absurd figure is held at the ends of time."""
    return datetime.fromtimestamp(min(max(wall_ms, 0), 253_402_300_799_000) / 1000, UTC)
