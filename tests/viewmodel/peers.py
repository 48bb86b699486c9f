"""Peers and graphs with real keys for the tests of the panes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from presence_core.codec.metadata import metadata_size
from presence_core.identity.keys import Identity, peer_key_text, short_id
from presence_core.model import (
    Mesh,
    MetadataState,
    Peer,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    View,
    ViewState,
)

NOW = datetime(2026, 11, 23, 21, 41, tzinfo=UTC)

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]\u202eevil\u200b\x9b31m\x00"
"""What a peer may put into any text of its own."""

FORBIDDEN = frozenset("\x1b\x07\x9b\x00\u202e\u200b\u2066\r")
"""Characters of :data:`HOSTILE` that must never reach a terminal."""


def metadata_of_size(size: int) -> dict[str, str]:
    """Return metadata that takes exactly so many bytes as deterministic CBOR."""
    around = metadata_size({"a": "x" * size}) - size
    return {"a": "x" * (size - around)}


def peer(number: int, name: str = "base camp", **changes: Any) -> Peer:
    """Return a peer with the key of that number; ``changes`` are fields of Peer."""
    key = Identity.from_private_bytes(bytes([number]) * 32).peer_key
    fields: dict[str, Any] = {
        "peer_key": peer_key_text(key),
        "short_id": short_id(key),
        "device_name": name,
        "presence": PeerPresence(PresenceState.ONLINE, direct=True, hops=1),
    }
    if changes.get("peer_metadata"):
        fields["peer_metadata_state"] = MetadataState.PRESENT
    return Peer(**(fields | changes))


def graph(*remote: Peer, local: Peer | None = None, open_mesh: bool = False) -> PresenceGraph:
    """Return a graph of the local peer (number 1 unless given) and remote ones."""
    return PresenceGraph(
        generated_at=NOW,
        sequence=1,
        view=View(ViewState.CURRENT, NOW),
        mesh=Mesh("field", open_mesh),
        local_peer=local if local is not None else peer(1, "field-laptop"),
        remote_peers=remote,
    )
