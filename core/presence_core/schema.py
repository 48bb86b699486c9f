"""The one JSON form of the presence graph: for snapshots, streams, programs and the journal.

``presence-graph/1`` and ``presence-change/1``: what is added later stands beside what is here.
This module loads nothing but the model, so that showing the schema stays quick.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from presence_core.model import (
    Change,
    Condition,
    ConditionState,
    Connection,
    Identity,
    IdentityStatus,
    Mesh,
    MetadataState,
    Peer,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    Trust,
    View,
    ViewState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

GRAPH_SCHEMA = "presence-graph/1"
CHANGE_SCHEMA = "presence-change/1"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of graphs and changes."""
    text = resources.files("presence_core").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def dumps(value: Any, *, compact: bool = True) -> str:
    """Write a JSON value as ASCII: what a peer chose cannot reach a terminal as control bytes."""
    if compact:
        return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2)


# -- to JSON


def graph_to_json(graph: PresenceGraph) -> dict[str, Any]:
    """Return the JSON form of a graph."""
    counts = graph.counts
    return {
        "schema": GRAPH_SCHEMA,
        "generatedAt": time_to_json(graph.generated_at),
        "sequence": graph.sequence,
        "view": view_to_json(graph.view),
        "mesh": {"name": graph.mesh.name, "open": graph.mesh.open},
        "counts": {
            "peers": counts.peers,
            "direct": counts.direct,
            "online": counts.online,
            "verified": counts.verified,
            "connections": counts.connections,
        },
        "localPeer": peer_to_json(graph.local_peer),
        "remotePeers": [peer_to_json(peer) for peer in graph.remote_peers],
        "connections": {
            connection.id: connection_to_json(connection)
            for connection in graph.connections.values()
        },
        "conditions": [condition_to_json(condition) for condition in graph.conditions],
    }


def peer_to_json(peer: Peer) -> dict[str, Any]:
    """Return the JSON form of a peer."""
    value: dict[str, Any] = {
        "peerKey": peer.peer_key,
        "shortId": peer.short_id,
        "deviceName": peer.device_name,
        "os": peer.os,
        "version": peer.version,
        "isCompatible": peer.is_compatible,
        "isConnectedToServer": peer.is_connected_to_server,
        "peerMetadata": dict(peer.peer_metadata),
        "peerMetadataState": str(peer.peer_metadata_state),
        "identityServiceMetadata": dict(peer.identity_service_metadata),
        "identity": identity_to_json(peer.identity),
        "trust": str(peer.trust),
        "presence": {
            "state": str(peer.presence.state),
            "direct": peer.presence.direct,
            "hops": peer.presence.hops,
            "via": list(peer.presence.via),
            "firstSeen": time_to_json(peer.presence.first_seen),
            "lastSeen": time_to_json(peer.presence.last_seen),
        },
        "connections": [connection_to_json(connection) for connection in peer.connections],
    }
    if peer.expired_identity_service_metadata is not None:
        value["expiredIdentityServiceMetadata"] = dict(peer.expired_identity_service_metadata)
    return value


def connection_to_json(connection: Connection) -> dict[str, Any]:
    """Return the JSON form of a connection."""
    return {
        "id": connection.id,
        "type": connection.type,
        "peer1": connection.peer1,
        "peer2": connection.peer2,
        "confirmed": connection.confirmed,
        "since": time_to_json(connection.since),
        "rttMs": connection.rtt_ms,
        "rssi": connection.rssi,
        "bytesIn": connection.bytes_in,
        "bytesOut": connection.bytes_out,
    }


def identity_to_json(identity: Identity) -> dict[str, Any]:
    """Return the JSON form of the outcome of an identity check."""
    return {
        "status": str(identity.status),
        "reason": identity.reason,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "notBefore": time_to_json(identity.not_before),
        "expiresAt": time_to_json(identity.expires_at),
    }


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """Return the JSON form of a condition."""
    return {
        "source": condition.source,
        "state": str(condition.state),
        "since": time_to_json(condition.since),
        "message": condition.message,
        "hint": condition.hint,
    }


def view_to_json(view: View) -> dict[str, Any]:
    """Return the JSON form of a view."""
    return {
        "state": str(view.state),
        "since": time_to_json(view.since),
        "reason": view.reason,
    }


def change_to_json(change: Change) -> dict[str, Any]:
    """Return the JSON form of a change: one line of a stream or of the journal."""
    return {
        "schema": CHANGE_SCHEMA,
        "sequence": change.sequence,
        "at": time_to_json(change.at),
        "kind": str(change.kind),
        "peerKey": change.peer_key,
        "before": change.before,
        "after": change.after,
    }


def time_to_json(moment: datetime | None) -> str | None:
    """Return a time in UTC to the millisecond, as RFC 3339 writes it."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


# -- from JSON


def graph_from_json(value: Mapping[str, Any]) -> PresenceGraph:
    """Read the JSON form of a graph, for replay and comparison.

    Raises ValueError when it is not ``presence-graph/1``. What a later version added is ignored.
    """
    if value.get("schema") != GRAPH_SCHEMA:
        raise ValueError(f"not a {GRAPH_SCHEMA} object: its schema is {value.get('schema')!r:.60}")
    try:
        connections = {k: _connection(v) for k, v in value["connections"].items()}
        return PresenceGraph(
            generated_at=_moment(value["generatedAt"]),
            sequence=int(value["sequence"]),
            view=_view(value["view"]),
            mesh=Mesh(value["mesh"]["name"], value["mesh"]["open"]),
            local_peer=_peer(value["localPeer"], connections),
            remote_peers=tuple(_peer(peer, connections) for peer in value["remotePeers"]),
            connections=MappingProxyType(connections),
            conditions=tuple(_condition(c) for c in value["conditions"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a complete {GRAPH_SCHEMA} object: {error!r:.80}") from None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _view(value: Mapping[str, Any]) -> View:
    return View(ViewState(value["state"]), _moment(value["since"]), value["reason"])


def _condition(value: Mapping[str, Any]) -> Condition:
    return Condition(
        value["source"],
        ConditionState(value["state"]),
        _moment(value["since"]),
        value["message"],
        value["hint"],
    )


def _connection(value: Mapping[str, Any]) -> Connection:
    return Connection(
        id=value["id"],
        type=value["type"],
        peer1=value["peer1"],
        peer2=value["peer2"],
        confirmed=value["confirmed"],
        since=_maybe(value["since"]),
        rtt_ms=value["rttMs"],
        rssi=value["rssi"],
        bytes_in=value["bytesIn"],
        bytes_out=value["bytesOut"],
    )


def _peer(value: Mapping[str, Any], connections: Mapping[str, Connection]) -> Peer:
    identity, presence = value["identity"], value["presence"]
    return Peer(
        peer_key=value["peerKey"],
        short_id=value["shortId"],
        device_name=value["deviceName"],
        os=value["os"],
        version=value["version"],
        is_compatible=value["isCompatible"],
        is_connected_to_server=value["isConnectedToServer"],
        peer_metadata=MappingProxyType(value["peerMetadata"]),
        peer_metadata_state=MetadataState(value["peerMetadataState"]),
        identity_service_metadata=MappingProxyType(value["identityServiceMetadata"]),
        expired_identity_service_metadata=value.get("expiredIdentityServiceMetadata"),
        identity=Identity(
            IdentityStatus(identity["status"]),
            identity["reason"],
            identity["issuer"],
            identity["subject"],
            _maybe(identity["notBefore"]),
            _maybe(identity["expiresAt"]),
        ),
        trust=Trust(value["trust"]),
        presence=PeerPresence(
            PresenceState(presence["state"]),
            presence["direct"],
            presence["hops"],
            tuple(presence["via"]),
            _maybe(presence["firstSeen"]),
            _maybe(presence["lastSeen"]),
        ),
        connections=tuple(connections.get(c["id"]) or _connection(c) for c in value["connections"]),
    )
