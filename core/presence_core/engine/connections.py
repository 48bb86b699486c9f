"""The connections that people see: from the edges of the mesh, and what our own links measure.

Kept up change by change: one changed edge in ten thousand peers makes one new connection.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from presence_core.engine.ordered import Ordered
from presence_core.gossip.topology import other_end
from presence_core.model import Connection, transport_name
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from presence_core.gossip.topology import EdgeKey, EdgeState, Topology


@value_object
class LinkMeasure:
    """What was measured on one of our own links."""

    rtt_ms: float | None
    bytes_in: int
    bytes_out: int
    heard_ms: int
    """Wall time of the last byte, in milliseconds."""
    rssi: int | None = None
    """How strongly the other end is heard, in dBm; None where there is no such thing."""


class Connections:
    """A connection for each edge of the topology. ``text`` gives the text of a peer key."""

    def __init__(self, topology: Topology, text: Callable[[bytes], str]) -> None:
        self._topology = topology
        self._text = text
        self._by_edge: dict[EdgeKey, Connection] = {}
        self._by_id: Ordered[Connection] = Ordered()
        self._measures: Mapping[EdgeKey, LinkMeasure] = {}

    def measured(self, measures: Mapping[EdgeKey, LinkMeasure]) -> set[bytes]:
        """Take what our own links measure now; return the peers that this concerns."""
        before, self._measures = self._measures, measures
        every = before.keys() | measures.keys()
        return self.renew([edge for edge in every if before.get(edge) != measures.get(edge)])

    def renew(self, edges: Collection[EdgeKey]) -> set[bytes]:
        """Follow edges that have changed; return the peers that this concerns."""
        for edge in edges:
            self._renew(edge, self._topology.edge(edge))
        return {end for edge in edges for end in edge[:2]}

    def _renew(self, edge: EdgeKey, state: EdgeState | None) -> None:
        if state is None:
            old = self._by_edge.pop(edge, None)
            if old is not None:
                self._by_id.drop(old.id)
            return
        new = self._by_edge[edge] = self._connection(edge, state)
        self._by_id.put(new.id, new)

    def _connection(self, edge: EdgeKey, state: EdgeState) -> Connection:
        peer1, peer2 = self._text(edge[0]), self._text(edge[1])
        if peer2 < peer1:  # the letters of a key's text are in another order than its bytes
            peer1, peer2 = peer2, peer1
        kind = transport_name(edge[2])
        said_by = None
        if state.silent is not None:
            said_by = self._text(other_end(edge, state.silent))
        measure = self._measures.get(edge)
        return Connection(
            id=f"{peer1}<->{peer2}:{kind}",
            type=kind,
            peer1=peer1,
            peer2=peer2,
            confirmed=state.confirmed,
            since=moment(state.since * 1000),
            rtt_ms=measure.rtt_ms if measure else None,
            rssi=measure.rssi if measure else None,
            bytes_in=measure.bytes_in if measure else None,
            bytes_out=measure.bytes_out if measure else None,
            said_by=said_by,
        )

    def of(self, key: bytes) -> tuple[Connection, ...]:
        """Return the connections of a peer."""
        return tuple(map(self._by_edge.__getitem__, self._topology.edges_of(key)))

    def all(self) -> Mapping[str, Connection]:
        """Return all connections, sorted by id."""
        return self._by_id.mapping()


def moment(wall_ms: int) -> datetime:
    """Turn milliseconds into a time; a peer's absurd figure is held at the ends of time."""
    return datetime.fromtimestamp(min(max(wall_ms, 0), 253_402_300_799_000) / 1000, UTC)
