"""From the table and the links to the presence graph that people and programs see.

Unchanged peers and connections are the same objects from one graph to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from presence_core.codec.metadata import MetadataError, decode_metadata
from presence_core.identity.keys import peer_key_text, short_id
from presence_core.model import (
    EMPTY,
    Condition,
    Connection,
    JsonObject,
    Mesh,
    MetadataState,
    Peer,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    View,
    transport_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from presence_core.engine.node import Node, PeerBody
    from presence_core.gossip.record import Record

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


class GraphBuilder:
    """Builds graphs of one node, reusing what has not changed since the last one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._texts: dict[bytes, tuple[str, str]] = {}
        self._metadata: dict[bytes, tuple[PeerBody, JsonObject, bool]] = {}
        self._peers: dict[bytes, tuple[tuple[object, ...], Peer]] = {}
        self._connections: dict[EdgeKey, tuple[tuple[object, ...], Connection]] = {}

    def build(
        self,
        *,
        sequence: int,
        generated_at: datetime,
        view: View,
        mesh: Mesh,
        conditions: tuple[Condition, ...],
        measures: Mapping[int, LinkMeasure],
    ) -> PresenceGraph:
        """Make the graph of now. ``measures`` are by link id."""
        node = self._node
        edges, adjacency = self._edges()
        own_links = {
            edge_key(node.key, link.key, link.transport): measures.get(link.id)
            for link in node.links.values()
        }
        connections = self._connect(edges, own_links)
        of_peer: dict[bytes, list[Connection]] = {}
        for (a, b, _), connection in connections.items():
            of_peer.setdefault(a, []).append(connection)
            of_peer.setdefault(b, []).append(connection)
        ways = ways_from(node.key, adjacency)
        heard = {
            link.key: measure.heard_ms
            for link in node.links.values()
            if (measure := measures.get(link.id)) is not None
        }
        peers: dict[bytes, tuple[tuple[object, ...], Peer]] = {}
        for key, entry in node.table.entries().items():
            peers[key] = self._peer(
                entry.record, ways.get(key), tuple(of_peer.get(key, ())), heard.get(key)
            )
        self._peers = peers
        local = peers[node.key][1]
        remotes = sorted((p for k, (_, p) in peers.items() if k != node.key), key=_by_key)
        self._metadata = {k: v for k, v in self._metadata.items() if k in peers}
        by_id = sorted(connections.values(), key=lambda connection: connection.id)
        return PresenceGraph(
            generated_at=generated_at,
            sequence=sequence,
            view=view,
            mesh=mesh,
            local_peer=local,
            remote_peers=tuple(remotes),
            connections=MappingProxyType({connection.id: connection for connection in by_id}),
            conditions=conditions,
        )

    def text(self, key: bytes) -> str:
        """Return the text of a peer key, ``pk1…``."""
        return self._names(key)[0]

    def _names(self, key: bytes) -> tuple[str, str]:
        names = self._texts.get(key)
        if names is None:
            names = self._texts[key] = (peer_key_text(key), short_id(key))
        return names

    def _edges(self) -> tuple[dict[EdgeKey, tuple[bool, int]], dict[bytes, set[bytes]]]:
        """Collect every claimed edge, whether it is confirmed, and since when it is claimed.

        An edge is confirmed when both ends list it. Our own link is confirmed by the live session:
        the handshake has proven the other end, and its Hello that it let us in.
        """
        node = self._node
        claims: dict[EdgeKey, dict[bytes, int]] = {}
        for key, entry in node.table.entries().items():
            if key == node.key:
                continue
            for edge in entry.record.edges:
                claims.setdefault(edge_key(key, edge.key, edge.transport), {})[key] = edge.since
        for link in node.links.values():
            claims[edge_key(node.key, link.key, link.transport)] = {
                node.key: link.since,
                link.key: link.since,
            }
        edges: dict[EdgeKey, tuple[bool, int]] = {}
        adjacency: dict[bytes, set[bytes]] = {}
        for edge_id, ends in claims.items():
            confirmed = len(ends) == 2
            edges[edge_id] = (confirmed, max(ends.values()))
            if confirmed:
                adjacency.setdefault(edge_id[0], set()).add(edge_id[1])
                adjacency.setdefault(edge_id[1], set()).add(edge_id[0])
        return edges, adjacency

    def _connect(
        self,
        edges: Mapping[EdgeKey, tuple[bool, int]],
        own_links: Mapping[EdgeKey, LinkMeasure | None],
    ) -> dict[EdgeKey, Connection]:
        connections: dict[EdgeKey, tuple[tuple[object, ...], Connection]] = {}
        for edge_id, (confirmed, since) in edges.items():
            measure = own_links.get(edge_id)
            facts = (confirmed, since, measure)
            known = self._connections.get(edge_id)
            if known is None or known[0] != facts:
                known = (facts, self._connection(edge_id, since, measure, confirmed=confirmed))
            connections[edge_id] = known
        self._connections = connections
        return {edge_id: connection for edge_id, (_, connection) in connections.items()}

    def _connection(
        self, edge_id: EdgeKey, since: int, measure: LinkMeasure | None, *, confirmed: bool
    ) -> Connection:
        peer1, peer2 = sorted((self.text(edge_id[0]), self.text(edge_id[1])))
        kind = transport_name(edge_id[2])
        return Connection(
            id=f"{peer1}<->{peer2}:{kind}",
            type=kind,
            peer1=peer1,
            peer2=peer2,
            confirmed=confirmed,
            since=_moment(since * 1000),
            rtt_ms=measure.rtt_ms if measure else None,
            bytes_in=measure.bytes_in if measure else None,
            bytes_out=measure.bytes_out if measure else None,
        )

    def _peer(
        self,
        record: Record,
        way: Way | None,
        connections: tuple[Connection, ...],
        heard_ms: int | None,
    ) -> tuple[tuple[object, ...], Peer]:
        node = self._node
        key = record.key
        sighting = node.sightings.get(key)
        body = node.metadata.get(key)
        first = sighting.first if sighting else None
        last = max(sighting.last, heard_ms or 0) if sighting else heard_ms
        compatible = True if key == node.key else node.compatible.get(key)
        facts = (record, way, connections, first, last, body, compatible)
        known = self._peers.get(key)
        if known is not None and known[0] == facts:
            return known
        metadata, state = self._metadata_of(record, body)
        if way is not None:
            presence_state = PresenceState.ONLINE
        else:
            presence_state = PresenceState.LEFT if record.leaving else PresenceState.LOST
        peer_key, short = self._names(key)
        return facts, Peer(
            peer_key=peer_key,
            short_id=short,
            device_name=record.name,
            os=record.os,
            version=record.version,
            is_compatible=compatible,
            peer_metadata=metadata,
            peer_metadata_state=state,
            presence=PeerPresence(
                state=presence_state,
                direct=way is not None and way.hops == 1,
                hops=way.hops if way else None,
                via=tuple(self.text(k) for k in way.via) if way and way.hops > 1 else (),
                first_seen=_moment(first) if first is not None else None,
                last_seen=_moment(last) if last is not None else None,
            ),
            connections=connections,
        )

    def _metadata_of(
        self, record: Record, body: PeerBody | None
    ) -> tuple[JsonObject, MetadataState]:
        if record.metadata is None:
            return EMPTY, MetadataState.NONE
        if body is None:
            return EMPTY, MetadataState.PENDING
        cached = self._metadata.get(record.key)
        if cached is None or cached[0] is not body:
            try:
                cached = (body, MappingProxyType(decode_metadata(body.value)), True)
            except MetadataError:
                cached = (body, EMPTY, False)
            self._metadata[record.key] = cached
        _, value, valid = cached
        if body.sha256 != record.metadata.sha256:
            return value, MetadataState.PENDING
        return value, MetadataState.PRESENT if valid else MetadataState.REFUSED


def _by_key(peer: Peer) -> str:
    return peer.peer_key


def _moment(wall_ms: int) -> datetime:
    """Turn milliseconds into a time; a peer's absurd figure is held at the ends of time."""
    return datetime.fromtimestamp(min(max(wall_ms, 0), 253_402_300_799_000) / 1000, UTC)
