"""From the table and the links to the presence graph that people and programs see.

Unchanged peers and connections are the same objects from one graph to the next, and only what the
node says has changed is looked at.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from presence_core.codec.metadata import MetadataError, decode_metadata
from presence_core.engine.acquaintances import Acquaintances
from presence_core.engine.connections import Connections, LinkMeasure, moment
from presence_core.engine.ordered import Ordered
from presence_core.gossip.topology import Way, edge_key
from presence_core.identity.keys import peer_key_text, short_id
from presence_core.model import (
    EMPTY,
    Condition,
    IdentityStatus,
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

    from presence_core.engine.node import Node
    from presence_core.engine.peer_bodies import PeerBody
    from presence_core.gossip.record import Record
    from presence_core.gossip.topology import EdgeKey
    from presence_core.identity.verdict import Verdict


class GraphBuilder:
    """Builds graphs of one node. Takes the node's sets of what has changed at each.

    ``acquaintances`` hear of everybody who is shown; without a trust file they know nobody yet.
    """

    def __init__(self, node: Node, acquaintances: Acquaintances | None = None) -> None:
        self._node = node
        self._acquaintances = acquaintances or Acquaintances(node.key, node.own_epoch)
        self._connections = Connections(node.topology, self.text)
        self._texts: dict[bytes, tuple[str, str]] = {}
        self._metadata: dict[bytes, tuple[PeerBody, JsonObject, bool]] = {}
        self._peers: Ordered[Peer] = Ordered()
        """Remote peers by the text of their key."""
        self._local: Peer
        self._heard: dict[bytes, int] = {}
        self._edges: set[EdgeKey] = set()
        self._changed: set[bytes] = set()
        """Edges and peers that have changed and are not brought up to date yet."""

    def prepare(self, most: int) -> bool:
        """Bring up to ``most`` connections or peers up to date; False when there are more.

        What :meth:`build` would do in one go keeps everybody waiting when a large mesh comes to be
        known, or goes.
        """
        self._gather()
        if len(self._edges) + len(self._changed) <= most:
            return True
        edges = [self._edges.pop() for _ in range(min(most, len(self._edges)))]
        self._changed |= self._connections.renew(edges)
        for _ in range(min(most - len(edges), len(self._changed))):
            self._refresh(self._changed.pop())
        return False

    def _gather(self) -> None:
        node = self._node
        self._edges |= node.changed_edges
        self._changed |= node.changed
        node.changed_edges, node.changed = set(), set()

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
        self._gather()
        measured = [
            (link, measure) for link in node.links.values() if (measure := measures.get(link.id))
        ]
        self._heard = {link.key: measure.heard_ms for link, measure in measured}
        own = {edge_key(node.key, link.key, link.transport): measure for link, measure in measured}
        concerned = self._connections.renew(self._edges) | self._connections.measured(own)
        waiting = self._changed | concerned | self._restanding()
        self._edges, self._changed = set(), set()
        while waiting:
            for key in waiting:
                self._refresh(key)
            waiting = self._restanding()  # whom one met may be what another is warned of
        return PresenceGraph(
            generated_at=generated_at,
            sequence=sequence,
            view=view,
            mesh=mesh,
            local_peer=self._local,
            remote_peers=self._peers.values(),
            connections=self._connections.all(),
            conditions=conditions,
        )

    def _restanding(self) -> set[bytes]:
        """Return the peers that stand otherwise with this device than when they were shown."""
        changed, self._acquaintances.changed = self._acquaintances.changed, set()
        return {key for key in changed if self._node.table.get(key) is not None}

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
        if entry is None:
            self._metadata.pop(key, None)
            self._peers.drop(self.text(key))
            if not self._connections.of(key):
                del self._texts[key]
            return
        peer = self._peer(entry.record, self._node.topology.way(key))
        if key == self._node.key:
            self._local = peer
        else:
            self._peers.put(peer.peer_key, peer)

    def _peer(self, record: Record, way: Way | None) -> Peer:
        node = self._node
        key = record.key
        peer_key, short = self._names(key)
        metadata, state = self._metadata_of(record, node.metadata.get(key))
        verdict = node.identities.of(key)
        identity = verdict.identity
        standing = self._acquaintances.meet(key, record.name, identity, here=way is not None)
        return Peer(
            peer_key=peer_key,
            short_id=short,
            device_name=record.name,
            os=record.os,
            version=record.version,
            is_compatible=True if key == node.key else node.compatible.get(key),
            peer_metadata=metadata,
            peer_metadata_state=state,
            identity=identity,
            identity_service_metadata=_vouched(verdict, IdentityStatus.VERIFIED) or EMPTY,
            expired_identity_service_metadata=_vouched(verdict, IdentityStatus.EXPIRED),
            trust=standing.trust,
            key_warning=standing.warning,
            presence=self._presence(record, way),
            connections=self._connections.of(key),
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


def _vouched(verdict: Verdict, status: IdentityStatus) -> JsonObject | None:
    """Return what an issuer has said of a peer, if the verdict is of this kind."""
    return verdict.metadata if verdict.identity.status is status else None
