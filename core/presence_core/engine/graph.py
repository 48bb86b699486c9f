"""From the table and the links to the presence graph that people and programs see.

Unchanged peers and connections are the same objects from one graph to the next, and only what the
node says has changed is looked at.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from types import MappingProxyType
from typing import TYPE_CHECKING

from presence_core.codec.metadata import MetadataError, decode_metadata
from presence_core.engine.edges import Edges, LinkMeasure, OwnEdge, Way, edge_key, moment
from presence_core.identity.keys import peer_key_text, short_id
from presence_core.model import (
    EMPTY,
    Condition,
    JsonObject,
    Mesh,
    MetadataState,
    Peer,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from presence_core.engine.metadata import PeerBody
    from presence_core.engine.node import Node
    from presence_core.gossip.record import Record


class GraphBuilder:
    """Builds graphs of one node. Clears the node's set of changed peers at each."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._edges = Edges(node.key, self.text)
        self._texts: dict[bytes, tuple[str, str]] = {}
        self._metadata: dict[bytes, tuple[PeerBody, JsonObject, bool]] = {}
        self._peers: dict[str, Peer] = {}
        """Remote peers by the text of their key."""
        self._order: list[str] = []
        self._local: Peer
        self._heard: dict[bytes, int] = {}

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
        changed, node.changed = node.changed, set()
        for key in changed:
            entry = node.table.get(key)
            if key != node.key:
                self._edges.claim(key, entry.record.edges if entry else ())
        links = node.links.values()
        self._edges.own_links(
            {
                edge_key(node.key, link.key, link.transport): OwnEdge(
                    link.since, measures.get(link.id)
                )
                for link in links
            }
        )
        self._heard = {
            link.key: measure.heard_ms for link in links if (measure := measures.get(link.id))
        }
        for key in changed | self._edges.settle():
            self._refresh(key)
        return PresenceGraph(
            generated_at=generated_at,
            sequence=sequence,
            view=view,
            mesh=mesh,
            local_peer=self._local,
            remote_peers=tuple(self._peers[text] for text in self._order),
            connections=self._edges.all(),
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

    def _refresh(self, key: bytes) -> None:
        """Bring one peer up to date: it may be new, other, or gone."""
        entry = self._node.table.get(key)
        text = self.text(key)
        if entry is None:
            self._metadata.pop(key, None)
            if self._peers.pop(text, None) is not None:
                del self._order[bisect_left(self._order, text)]
            if not self._edges.of(key):
                del self._texts[key]
            return
        peer = self._peer(entry.record, self._edges.ways.get(key))
        if key == self._node.key:
            self._local = peer
            return
        if text not in self._peers:
            insort(self._order, text)
        self._peers[text] = peer

    def _peer(self, record: Record, way: Way | None) -> Peer:
        node = self._node
        key = record.key
        peer_key, short = self._names(key)
        metadata, state = self._metadata_of(record, node.metadata.get(key))
        return Peer(
            peer_key=peer_key,
            short_id=short,
            device_name=record.name,
            os=record.os,
            version=record.version,
            is_compatible=True if key == node.key else node.compatible.get(key),
            peer_metadata=metadata,
            peer_metadata_state=state,
            presence=self._presence(record, way),
            connections=self._edges.of(key),
        )

    def _presence(self, record: Record, way: Way | None) -> PeerPresence:
        if way is not None:
            state = PresenceState.ONLINE
        else:
            state = PresenceState.LEFT if record.leaving else PresenceState.LOST
        sighting = self._node.sightings.get(record.key)
        last = max(sighting.last if sighting else 0, self._heard.get(record.key, 0))
        return PeerPresence(
            state=state,
            direct=way is not None and way.hops == 1,
            hops=way.hops if way else None,
            via=tuple(self.text(key) for key in way.via) if way and way.hops > 1 else (),
            first_seen=moment(sighting.first) if sighting else None,
            last_seen=moment(last) if last else None,
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
