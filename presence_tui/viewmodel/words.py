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
    from collections.abc import Set as AbstractSet

_PRESENCE = {
    PresenceState.ONLINE: Span("● online", Tone.GOOD),
    PresenceState.LEFT: Span("○ left", Tone.DIM),
    PresenceState.LOST: Span("✗ lost", Tone.BAD),
}
LAST_KNOWN = Span("? last known", Tone.WARNING)
"""How a peer is shown that was here when the view was good last."""

UNSURE = (ViewState.STALE, ViewState.BLIND)
"""Views in which nobody is said to be online: no neighbour stands behind it."""

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

LINKS_WIDTH = 5


def presence_words(peer: Peer, view: ViewState) -> Span:
    """Return the presence of a peer.

    In a stale or blind view nobody is online. In a blind one nobody is lost either: it may be us.
    """
    if is_last_known(peer.presence.state, view):
        return LAST_KNOWN
    return _PRESENCE[peer.presence.state]


def is_last_known(state: PresenceState, view: ViewState) -> bool:
    """Whether a peer in that state is one of whom only the last is known in that view."""
    if view is ViewState.BLIND:
        return state is not PresenceState.LEFT
    return view is ViewState.STALE and state is PresenceState.ONLINE


def view_words(state: ViewState) -> Span:
    """Return the state of the view."""
    return _VIEW[state]


def condition_words(state: ConditionState) -> Span:
    """Return the state of a condition."""
    return _CONDITION[state]


def link_words(connections: Iterable[Connection], own_key: str) -> str:
    """Return our own links to a peer by type: a letter and a line of its own for each.

    A type that is not known has its first letter and a dot. At most :data:`LINKS_WIDTH` cells:
    of more than two the strongest is shown, the others are counted.
    """
    types = {c.type for c in connections if c.confirmed and own_key in (c.peer1, c.peer2)}
    signs = type_signs(types)
    return " ".join(signs) if len(signs) <= 2 else f"{signs[0]} +{len(signs) - 1}"


def type_signs(types: AbstractSet[str]) -> list[str]:
    """Return the signs of types of links, the strongest first."""
    known = [sign for name, sign in LINKS.items() if name in types]
    return known + sorted({f"{_initial(name)}·" for name in types - LINKS.keys()})


def _initial(name: str) -> str:
    """Return the first letter of the name of an unknown type, one cell wide whatever it is."""
    first = safe_text(name, limit=8)[:1].upper()
    return first if first.isascii() and first.isalnum() else "?"
