"""Graphs with fixed keys and times, for goldens and for everything that reads graphs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from presence_core.identity.keys import Identity as Key
from presence_core.identity.keys import peer_key_text, short_id
from presence_core.model import (
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

NOW = datetime(2026, 11, 23, 21, 41, 0, 123_000, UTC)
HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]\u202e\u200b\x9b31m\x00\U000e0041\ud7ff\uffff"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def key(number: int) -> bytes:
    return Key.from_private_bytes(bytes([number]) * 32).peer_key


def connection(one: int, other: int, **changes: Any) -> Connection:
    peer1, peer2 = sorted((peer_key_text(key(one)), peer_key_text(key(other))))
    kind = changes.pop("type", "LAN")
    fields: dict[str, Any] = {"confirmed": True, "since": ago(60)}
    return Connection(f"{peer1}<->{peer2}:{kind}", kind, peer1, peer2, **(fields | changes))


def peer(number: int, name: str, *connections: Connection, **changes: Any) -> Peer:
    fields: dict[str, Any] = {
        "presence": PeerPresence(
            PresenceState.ONLINE, direct=True, hops=1, first_seen=ago(3_600), last_seen=ago(1)
        ),
        "os": "Linux",
        "version": "0.1.0",
        "is_compatible": True,
        "connections": connections,
    }
    return Peer(peer_key_text(key(number)), short_id(key(number)), name, **(fields | changes))


def local(*connections: Connection, **changes: Any) -> Peer:
    presence = PeerPresence(PresenceState.ONLINE, hops=0, first_seen=ago(3_600), last_seen=NOW)
    return peer(1, "field-laptop", *connections, **({"presence": presence} | changes))


def graph(*remotes: Peer, **changes: Any) -> PresenceGraph:
    """Put a graph together; connections are those of the peers."""
    own = changes.pop("local_peer", None) or local()
    links = {link.id: link for one in (own, *remotes) for link in one.connections}
    fields: dict[str, Any] = {
        "generated_at": NOW,
        "sequence": 42,
        "view": View(ViewState.CURRENT, ago(30)),
        "mesh": Mesh("field", open=False),
        "remote_peers": tuple(sorted(remotes, key=lambda one: one.peer_key)),
        "connections": MappingProxyType(dict(sorted(links.items()))),
        "conditions": (Condition("lan", ConditionState.OK, ago(3_600)),),
    }
    return PresenceGraph(local_peer=own, **(fields | changes))


def empty() -> PresenceGraph:
    """Nobody there, multicast blocked."""
    return graph(
        view=View(ViewState.BLIND, ago(5), "no link to any peer; none has been found yet"),
        mesh=Mesh("default", open=True),
        conditions=(
            Condition("lan", ConditionState.OK, ago(10)),
            Condition(
                "mdns",
                ConditionState.WARNING,
                ago(7),
                "multicast is blocked on this network",
                "ask for multicast to be allowed, or give addresses with --peer",
            ),
        ),
    )


def one() -> PresenceGraph:
    """One neighbour with everything that can be known of it."""
    link = connection(1, 2, rtt_ms=1.25, rssi=-61, bytes_in=1_024, bytes_out=2_048)
    return graph(
        peer(
            2,
            "triage-tent",
            link,
            is_connected_to_server=True,
            peer_metadata=MappingProxyType(
                {"beds": 12, "load": 0.5, "open": True, "nested": {"list": [1, None, "é"]}}
            ),
            peer_metadata_state=MetadataState.PRESENT,
            identity_service_metadata=MappingProxyType({"unit": "medical"}),
            identity=Identity(
                IdentityStatus.VERIFIED,
                "signed by a trusted issuer",
                "https://id.example",
                "5e1d09c2a7b34f68",
                "mona",
                ago(86_400),
                NOW + timedelta(hours=6),
            ),
            trust=Trust.VERIFIED,
        ),
        local_peer=local(link),
    )


def many() -> PresenceGraph:
    """Every state: direct, distant, left, lost, expired, one-sided, of an unknown type.

    One peer is reached over two neighbours, one is three hops away, and two are linked with each
    other and with nobody else.
    """
    near, far = connection(1, 2, rtt_ms=0.4, bytes_in=10, bytes_out=20), connection(2, 3)
    also_near = connection(1, 6, rtt_ms=2.5, bytes_in=3_000, bytes_out=4_000_000)
    claim = connection(
        3, 5, confirmed=False, since=None, type="Unknown-77", said_by=peer_key_text(key(3))
    )
    two_ways = connection(2, 7), connection(6, 7)
    farther, island = connection(3, 8), connection(9, 10)
    relay, bridge = peer_key_text(key(2)), peer_key_text(key(6))
    away = PeerPresence(PresenceState.LOST, first_seen=ago(9_000), last_seen=ago(100))
    return graph(
        peer(2, "relay", near, far, two_ways[0]),
        peer(6, "bridge", also_near, two_ways[1]),
        peer(
            7,
            "outpost",
            *two_ways,
            presence=PeerPresence(
                PresenceState.ONLINE,
                hops=2,
                via=tuple(sorted((relay, bridge))),
                first_seen=ago(700),
                last_seen=ago(12),
            ),
        ),
        peer(
            8,
            "far-medic",
            farther,
            presence=PeerPresence(
                PresenceState.ONLINE, hops=3, via=(relay,), first_seen=ago(800), last_seen=ago(65)
            ),
        ),
        peer(9, "boat-1", island, presence=away),
        peer(10, "boat-2", island, presence=away),
        peer(
            3,
            "far-scout",
            far,
            claim,
            farther,
            presence=PeerPresence(
                PresenceState.ONLINE, hops=2, via=(relay,), first_seen=ago(50), last_seen=ago(5)
            ),
            peer_metadata_state=MetadataState.PENDING,
            is_compatible=None,
        ),
        peer(
            4,
            "driver",
            presence=replace(away, state=PresenceState.LEFT),
            identity=Identity(
                IdentityStatus.EXPIRED,
                "expired",
                "https://id.example",
                "5e1d09c2a7b34f68",
                "dan",
                ago(99),
                ago(9),
            ),
            expired_identity_service_metadata=MappingProxyType({"unit": "supply"}),
            trust=Trust.SEEN,
        ),
        peer(
            5,
            "",
            claim,
            presence=away,
            os=None,
            version=None,
            is_compatible=False,
            peer_metadata_state=MetadataState.REFUSED,
            trust=Trust.BLOCKED,
        ),
        local_peer=local(near, also_near),
        view=View(ViewState.STALE, ago(20), "no neighbour has confirmed it for 20 s"),
    )


def hostile() -> PresenceGraph:
    """A peer that puts into every text of its own what a terminal would obey."""
    link = connection(1, 2, type=HOSTILE)
    return graph(
        peer(
            2,
            HOSTILE,
            link,
            os=HOSTILE,
            version=HOSTILE,
            peer_metadata=MappingProxyType({HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}),
            peer_metadata_state=MetadataState.PRESENT,
        ),
        local_peer=local(link),
        mesh=Mesh(HOSTILE, open=True),
    )


CANNED = {"empty": empty, "one": one, "many": many, "hostile": hostile}
