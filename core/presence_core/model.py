"""The presence graph: frozen values, and what they mean.

Everything that leaves the engine is one of these. They hold no behaviour beyond small derived
facts, compare by identity (an unchanged peer is *the same object* in the next graph, so that a
screen of 10,000 peers can find what changed by ``is``), and are safe to share between threads.

Texts that a peer chose (``device_name``, ``os``, ``version``, metadata) are carried as they were
signed; whoever shows them passes them through :func:`presence_core.codec.text.safe_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from presence_core.value_object import public_value

if TYPE_CHECKING:
    from datetime import datetime

JsonObject: TypeAlias = Mapping[str, Any]

EMPTY: JsonObject = MappingProxyType({})


class PresenceState(StrEnum):
    """Whether a peer is here.

    ``online``: reachable from the local peer over confirmed links, now.
    ``left``: it said goodbye. ``lost``: it went without a word, or the way to it broke.
    """

    ONLINE = "online"
    LEFT = "left"
    LOST = "lost"


class IdentityStatus(StrEnum):
    """What became of checking a peer's identity token; the first that applies, in this order."""

    MISSING = "missing"
    PENDING = "pending"
    OVERSIZE = "oversize"
    MALFORMED = "malformed"
    UNSUPPORTED_ALG = "unsupported_alg"
    UNKNOWN_ISSUER = "unknown_issuer"
    BAD_SIGNATURE = "bad_signature"
    KEY_MISMATCH = "key_mismatch"
    REVOKED = "revoked"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    VERIFIED = "verified"


class Trust(StrEnum):
    """What the person at this device has decided, or seen, about a peer key."""

    UNKNOWN = "unknown"
    SEEN = "seen"
    VERIFIED = "verified"
    BLOCKED = "blocked"


class MetadataState(StrEnum):
    """Where a peer's metadata stands.

    ``none``: it publishes none. ``pending``: announced, not here yet; the value shown is the
    last one that arrived. ``present``: here, and checked against the peer's signature.
    ``refused``: what arrived was not valid metadata.
    """

    NONE = "none"
    PENDING = "pending"
    PRESENT = "present"
    REFUSED = "refused"


class ViewState(StrEnum):
    """How good this device's own view of the mesh is.

    ``filling``: the first exchange is not done. ``current``: neighbours confirm it.
    ``stale``: no neighbour has confirmed it for a while. ``blind``: no link at all; remote
    peers are then *last known*, never online.
    """

    FILLING = "filling"
    CURRENT = "current"
    STALE = "stale"
    BLIND = "blind"


class ConditionState(StrEnum):
    """State of one source of conditions: fine, switched off, degraded, or not working."""

    OK = "ok"
    OFF = "off"
    WARNING = "warning"
    FAILED = "failed"


class ChangeKind(StrEnum):
    """What happened; the ``kind`` of a change line."""

    PEER_JOINED = "peer_joined"
    PEER_RETURNED = "peer_returned"
    PEER_LEFT = "peer_left"
    PEER_LOST = "peer_lost"
    LINK_UP = "link_up"
    LINK_DOWN = "link_down"
    METADATA_CHANGED = "metadata_changed"
    IDENTITY_CHANGED = "identity_changed"
    TRUST_CHANGED = "trust_changed"
    KEY_WARNING = "key_warning"
    CONDITION_CHANGED = "condition_changed"
    VIEW_CHANGED = "view_changed"


_TRANSPORT_NAMES: Mapping[int, str] = MappingProxyType(
    {1: "LAN", 2: "Bluetooth", 3: "WebSocket", 4: "Server"}
)


def transport_name(number: int) -> str:
    """Return the ``type`` of a connection for a transport number of a record (protocol §4).

    A number that this version does not know is shown as such, never an error.
    """
    return _TRANSPORT_NAMES.get(number, f"Unknown-{number}")


@public_value(eq=False)
class Connection:
    """A link between two peers, seen once however many ends list it.

    ``peer1 < peer2`` (by text). ``confirmed`` is true when both ends stand by it: each lists it
    in its signed record, or it is a live authenticated session of our own. Otherwise ``said_by`` is
    the end that alone lists it; None also where an earlier version did not tell. Measurements exist
    only for our own links: ``rtt_ms`` in milliseconds, ``rssi`` in dBm, bytes on the wire.
    """

    id: str
    type: str
    peer1: str
    peer2: str
    confirmed: bool
    since: datetime | None = None
    rtt_ms: float | None = None
    rssi: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    said_by: str | None = None


@public_value(eq=False)
class Identity:
    """The outcome of checking a peer's identity token, with the reason in words.

    ``issuer``, ``key_id`` (hex, of the issuer's key) and ``subject`` are claims until the status
    says that the signature was found good.
    """

    status: IdentityStatus = IdentityStatus.MISSING
    reason: str = "this peer publishes no identity token"
    issuer: str | None = None
    key_id: str | None = None
    subject: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None


@public_value
class Issuer:
    """An issuer of identity tokens that is trusted here.

    ``number`` is that of its newest key set, ``key_ids`` are its keys (hex);
    ``revocation_number`` is that of its newest revocation list, None if there is none.
    """

    name: str
    number: int
    key_ids: tuple[str, ...]
    revocation_number: int | None = None


@public_value(eq=False)
class PeerPresence:
    """Where a peer is, seen from here.

    ``direct``: we hold a session with it. ``hops``: links on the shortest confirmed way (1 is a
    neighbour, 0 the local peer, None: no way). ``via``: the neighbours on shortest ways.
    ``last_seen``: when we last heard of it, first hand or by an accepted record.
    """

    state: PresenceState
    direct: bool = False
    hops: int | None = None
    via: tuple[str, ...] = ()
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@public_value(eq=False)
class Peer:
    """A device in the mesh, as it describes itself and as we found it.

    ``key_warning`` says in words when its name or its token's subject was met before under another
    key, None when there is nothing to warn of.
    """

    peer_key: str
    short_id: str
    device_name: str
    presence: PeerPresence
    os: str | None = None
    version: str | None = None
    is_compatible: bool | None = None
    is_connected_to_server: bool = False
    peer_metadata: JsonObject = field(default_factory=lambda: EMPTY)
    peer_metadata_state: MetadataState = MetadataState.NONE
    identity_service_metadata: JsonObject = field(default_factory=lambda: EMPTY)
    expired_identity_service_metadata: JsonObject | None = None
    identity: Identity = field(default_factory=Identity)
    trust: Trust = Trust.UNKNOWN
    key_warning: str | None = None
    connections: tuple[Connection, ...] = ()


@public_value
class View:
    """How good the view is, since when, and why if it is not ``current``."""

    state: ViewState
    since: datetime
    reason: str | None = None


@public_value
class Mesh:
    """Which mesh this is. ``open``: whoever knows the name can join."""

    name: str
    open: bool


@public_value
class Counts:
    """Remote peers of a graph by kind, and its connections (our own links and others')."""

    peers: int
    direct: int
    online: int
    verified: int
    connections: int


@public_value
class Condition:
    """State of one part of the engine, with what to do when it is not fine."""

    source: str
    state: ConditionState
    since: datetime
    message: str | None = None
    hint: str | None = None


@public_value(eq=False)
class PresenceGraph:
    """The mesh from this device's point of view, at one moment.

    ``remote_peers`` is sorted by peer key and ``connections`` by id. ``sequence`` grows by one
    with every published graph of an engine.
    """

    generated_at: datetime
    sequence: int
    view: View
    mesh: Mesh
    local_peer: Peer
    remote_peers: tuple[Peer, ...] = ()
    connections: Mapping[str, Connection] = field(default_factory=lambda: MappingProxyType({}))
    conditions: tuple[Condition, ...] = ()

    @property
    def counts(self) -> Counts:
        """Remote peers and connections counted by kind."""
        online = [p for p in self.remote_peers if p.presence.state is PresenceState.ONLINE]
        return Counts(
            peers=len(self.remote_peers),
            direct=sum(p.presence.direct for p in online),
            online=len(online),
            verified=sum(
                p.identity.status is IdentityStatus.VERIFIED and p.trust is not Trust.BLOCKED
                for p in online
            ),
            connections=len(self.connections),
        )

    def peer(self, peer_key: str) -> Peer | None:
        """Return the local or remote peer with this key, or None."""
        if self.local_peer.peer_key == peer_key:
            return self.local_peer
        return next((p for p in self.remote_peers if p.peer_key == peer_key), None)


@public_value
class Change:
    """One thing that happened.

    ``before`` and ``after`` are JSON values whose form depends on ``kind``; the schema gives it.
    ``sequence`` is that of the graph in which the change is first visible.
    """

    sequence: int
    at: datetime
    kind: ChangeKind
    peer_key: str | None = None
    before: Any = None
    after: Any = None


@public_value(eq=False)
class GraphChange:
    """A graph, and what changed since the one before it."""

    graph: PresenceGraph
    changes: tuple[Change, ...]


@public_value
class ConnectionRequest:
    """An authenticated peer asks for a link (either end may have dialled)."""

    peer_key: str
    type: str
    peer_metadata: JsonObject = field(default_factory=lambda: EMPTY)
    identity_service_metadata: JsonObject = field(default_factory=lambda: EMPTY)
    identity: Identity = field(default_factory=Identity)


@public_value
class Allow:
    """Answer to a connection request: let it in."""


@public_value
class Deny:
    """Answer to a connection request: refuse it; the reason stays on this device's screen."""

    reason: str = "refused by the connection request handler"
