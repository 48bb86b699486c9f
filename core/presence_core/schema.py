"""The one JSON form of the presence graph: for snapshots, streams, programs and the journal.

``presence-graph/1`` and ``presence-change/1``, and the small ones of single commands: what is
added later stands beside what is here. This module loads nothing but the model, so that showing
the schema stays quick.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from presence_core.model import (
    Change,
    ChangeKind,
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
    from collections.abc import Callable, Iterable, Iterator, Mapping

_T = TypeVar("_T")

GRAPH_SCHEMA = "presence-graph/1"
CHANGE_SCHEMA = "presence-change/1"
PEERS_SCHEMA = "presence-peers/1"
KEY_SCHEMA = "presence-key/1"
MESH_SCHEMA = "presence-mesh/1"
IDENTITY_SCHEMA = "presence-identity/1"
TRUST_SCHEMA = "presence-trust/1"
ISSUERS_SCHEMA = "presence-issuers/1"
DOCTOR_SCHEMA = "presence-doctor/1"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of everything that is printed as JSON."""
    from importlib import resources  # only the schema itself needs it

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
    return {
        **_head(graph),
        "localPeer": peer_to_json(graph.local_peer),
        "remotePeers": [peer_to_json(peer) for peer in graph.remote_peers],
        "connections": {
            connection.id: connection_to_json(connection)
            for connection in graph.connections.values()
        },
        "conditions": [condition_to_json(condition) for condition in graph.conditions],
    }


def _head(graph: PresenceGraph) -> dict[str, Any]:
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
    }


class GraphWriter:
    """Writes the graphs of one engine, each on one line, at the price of what has changed.

    The text is that of ``dumps(graph_to_json(graph))``. Peers and connections that are the same
    objects as in the graph before are not written anew.
    """

    def __init__(self) -> None:
        self._peers: dict[Peer, str] = {}
        self._connections: dict[Connection, str] = {}

    def line(self, graph: PresenceGraph) -> str:
        """Return the compact JSON text of a graph."""
        self._peers = {
            peer: self._peers.get(peer) or dumps(peer_to_json(peer))
            for peer in (graph.local_peer, *graph.remote_peers)
        }
        self._connections = {
            link: self._connections.get(link)
            or f"{dumps(link.id)}:{dumps(connection_to_json(link))}"
            for link in graph.connections.values()
        }
        local, *remotes = self._peers.values()
        conditions = [condition_to_json(condition) for condition in graph.conditions]
        return (
            f'{dumps(_head(graph))[:-1]},"localPeer":{local},"remotePeers":[{",".join(remotes)}],'
            f'"connections":{{{",".join(self._connections.values())}}},'
            f'"conditions":{dumps(conditions)}}}'
        )


def peers_to_json(graph: PresenceGraph, peers: Iterable[Peer]) -> dict[str, Any]:
    """Return the JSON form of some peers of a graph, in the order given."""
    return {
        "schema": PEERS_SCHEMA,
        "generatedAt": time_to_json(graph.generated_at),
        "view": view_to_json(graph.view),
        "mesh": {"name": graph.mesh.name, "open": graph.mesh.open},
        "peers": [peer_to_json(peer) for peer in peers],
    }


def peer_to_json(peer: Peer) -> dict[str, Any]:
    """Return the JSON form of a peer."""
    expired = peer.expired_identity_service_metadata
    return {
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
        **({} if expired is None else {"expiredIdentityServiceMetadata": dict(expired)}),
        "identity": identity_to_json(peer.identity),
        "trust": str(peer.trust),
        "keyWarning": peer.key_warning,
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


def connection_to_json(connection: Connection) -> dict[str, Any]:
    """Return the JSON form of a connection."""
    return {
        "id": connection.id,
        "type": connection.type,
        "peer1": connection.peer1,
        "peer2": connection.peer2,
        "confirmed": connection.confirmed,
        **({} if connection.said_by is None else {"saidBy": [connection.said_by]}),
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
        "keyId": identity.key_id,
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

    Raises ValueError, in one line, when it is not ``presence-graph/1``. What a later version added
    is ignored.
    """
    with _reading(value, GRAPH_SCHEMA):
        connections = {
            _text(key): _connection(link) for key, link in _object(value["connections"]).items()
        }
        return PresenceGraph(
            generated_at=_moment(value["generatedAt"]),
            sequence=_integer(value["sequence"]),
            view=_view(value["view"]),
            mesh=Mesh(_text(value["mesh"]["name"]), _boolean(value["mesh"]["open"])),
            local_peer=_peer(value["localPeer"], connections),
            remote_peers=tuple(_peer(peer, connections) for peer in _list(value["remotePeers"])),
            connections=MappingProxyType(connections),
            conditions=tuple(_condition(c) for c in _list(value["conditions"])),
        )


def change_from_json(value: Mapping[str, Any]) -> Change:
    """Read the JSON form of a change.

    Raises ValueError, in one line, when it is not ``presence-change/1``, or is of a kind that this
    version does not know.
    """
    with _reading(value, CHANGE_SCHEMA):
        return Change(
            sequence=_integer(value["sequence"]),
            at=_moment(value["at"]),
            kind=ChangeKind(value["kind"]),
            peer_key=_maybe(_text, value["peerKey"]),
            before=value["before"],
            after=value["after"],
        )


@contextmanager
def _reading(value: Mapping[str, Any], schema: str) -> Iterator[None]:
    found = value.get("schema")
    if found != schema:
        raise ValueError(f"not a {schema} object: its schema is {found!r:.60}")
    try:
        yield
    except KeyError as error:
        raise ValueError(f"not a complete {schema} object: {error} is missing") from None
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a {schema} object: {str(error)!r:.120}") from None


def _expect(value: Any, kind: type[_T]) -> _T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r:.60} where a {kind.__name__} belongs")
    return value


def _text(value: Any) -> str:
    return _expect(value, str)


def _boolean(value: Any) -> bool:
    return _expect(value, bool)


def _integer(value: Any) -> int:
    return _expect(value, int)


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else _expect(value, float)


def _list(value: Any) -> list[Any]:
    return _expect(value, list)


def _object(value: Any) -> dict[str, Any]:
    return _expect(value, dict)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r:.60} has no time zone")
    return moment


def _maybe(read: Callable[[Any], _T], value: Any) -> _T | None:
    return None if value is None else read(value)


def _view(value: Mapping[str, Any]) -> View:
    return View(ViewState(value["state"]), _moment(value["since"]), _maybe(_text, value["reason"]))


def _condition(value: Mapping[str, Any]) -> Condition:
    return Condition(
        _text(value["source"]),
        ConditionState(value["state"]),
        _moment(value["since"]),
        _maybe(_text, value["message"]),
        _maybe(_text, value["hint"]),
    )


def _connection(value: Mapping[str, Any]) -> Connection:
    return Connection(
        id=_text(value["id"]),
        type=_text(value["type"]),
        peer1=_text(value["peer1"]),
        peer2=_text(value["peer2"]),
        confirmed=_boolean(value["confirmed"]),
        since=_maybe(_moment, value["since"]),
        rtt_ms=_maybe(_number, value["rttMs"]),
        rssi=_maybe(_integer, value["rssi"]),
        bytes_in=_maybe(_integer, value["bytesIn"]),
        bytes_out=_maybe(_integer, value["bytesOut"]),
        said_by=next(map(_text, _list(value.get("saidBy", []))), None),
    )


def _identity(value: Mapping[str, Any]) -> Identity:
    return Identity(
        IdentityStatus(value["status"]),
        _text(value["reason"]),
        _maybe(_text, value["issuer"]),
        _maybe(_text, value.get("keyId")),
        _maybe(_text, value["subject"]),
        _maybe(_moment, value["notBefore"]),
        _maybe(_moment, value["expiresAt"]),
    )


def _presence(value: Mapping[str, Any]) -> PeerPresence:
    return PeerPresence(
        PresenceState(value["state"]),
        _boolean(value["direct"]),
        _maybe(_integer, value["hops"]),
        tuple(_text(key) for key in _list(value["via"])),
        _maybe(_moment, value["firstSeen"]),
        _maybe(_moment, value["lastSeen"]),
    )


def _peer(value: Mapping[str, Any], connections: Mapping[str, Connection]) -> Peer:
    return Peer(
        peer_key=_text(value["peerKey"]),
        short_id=_text(value["shortId"]),
        device_name=_text(value["deviceName"]),
        os=_maybe(_text, value["os"]),
        version=_maybe(_text, value["version"]),
        is_compatible=_maybe(_boolean, value["isCompatible"]),
        is_connected_to_server=_boolean(value["isConnectedToServer"]),
        peer_metadata=MappingProxyType(_object(value["peerMetadata"])),
        peer_metadata_state=MetadataState(value["peerMetadataState"]),
        identity_service_metadata=MappingProxyType(_object(value["identityServiceMetadata"])),
        expired_identity_service_metadata=_maybe(
            _object, value.get("expiredIdentityServiceMetadata")
        ),
        identity=_identity(value["identity"]),
        trust=Trust(value["trust"]),
        key_warning=_maybe(_text, value.get("keyWarning")),
        presence=_presence(value["presence"]),
        connections=tuple(
            connections.get(link["id"]) or _connection(link) for link in _list(value["connections"])
        ),
    )
