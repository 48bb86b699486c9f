"""How states are shown: always a symbol and a word; colour only helps those who see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import (
    ConditionState,
    Connection,
    Peer,
    PresenceState,
    ViewState,
)
from presence_tui.viewmodel.page import Span, Tone

if TYPE_CHECKING:
    from collections.abc import Iterable

_PRESENCE = {
    PresenceState.ONLINE: Span("● online", Tone.GOOD),
    PresenceState.LEFT: Span("○ left", Tone.DIM),
    PresenceState.LOST: Span("✗ lost", Tone.BAD),
}
LAST_KNOWN = Span("? last known", Tone.WARNING)
"""How a peer is shown that was here when the view went blind."""

_VIEW = {
    ViewState.FILLING: Span("◌ filling", Tone.WARNING),
    ViewState.CURRENT: Span("● current", Tone.GOOD),
    ViewState.STALE: Span("◐ stale", Tone.WARNING),
    ViewState.BLIND: Span("✗ blind", Tone.BAD),
}
_CONDITION = {
    ConditionState.OK: Span("✓ ok", Tone.GOOD),
    ConditionState.OFF: Span("- off", Tone.DIM),
    ConditionState.WARNING: Span("! warning", Tone.WARNING),
    ConditionState.FAILED: Span("✗ failed", Tone.BAD),
}
LINKS = {"LAN": "L─", "Bluetooth": "B┄", "WebSocket": "W═", "Server": "S≡"}
"""Types of links, the strongest first: a letter, and a line that differs without colour."""

LINKS_WIDTH = 6


def presence_words(peer: Peer, *, blind: bool) -> Span:
    """Return the presence of a peer. In a blind view nobody is online, nor lost: it may be us."""
    if blind and peer.presence.state is not PresenceState.LEFT:
        return LAST_KNOWN
    return _PRESENCE[peer.presence.state]


def view_words(state: ViewState) -> Span:
    """Return the state of the view."""
    return _VIEW[state]


def condition_words(state: ConditionState) -> Span:
    """Return the state of a condition."""
    return _CONDITION[state]


def link_words(connections: Iterable[Connection], own_key: str) -> str:
    """Return our own links to a peer by type: a letter and a line of its own for each.

    A type that is not known has its first letter and a dot. At most :data:`LINKS_WIDTH` cells:
    more than two stand close, more than three are counted.
    """
    types = {c.type for c in connections if c.confirmed and own_key in (c.peer1, c.peer2)}
    signs = [text for name, text in LINKS.items() if name in types]
    signs += sorted({f"{_initial(name)}·" for name in types - LINKS.keys()})
    if len(signs) <= 2:
        return " ".join(signs)
    return "".join(signs) if len(signs) == 3 else f"{signs[0]}{signs[1]}+{len(signs) - 2}"


def _initial(name: str) -> str:
    """Return the first letter of the name of an unknown type, one cell wide whatever it is."""
    first = safe_text(name, limit=8)[:1].upper()
    return first if first.isascii() and first.isalnum() else "?"
