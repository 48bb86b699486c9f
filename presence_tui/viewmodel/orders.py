"""What rows are put in order by: a value for each column, and of what it is made."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from presence_core.model import IdentityStatus, Peer, PresenceState, Trust
from presence_tui.viewmodel.metadata import META, metadata_value, metadata_words
from presence_tui.viewmodel.names import shown_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Sortable(Protocol):
    """What an order looks at: a peer, and when something about it changed last."""

    @property
    def peer(self) -> Peer:
        """The peer."""

    @property
    def changed_at(self) -> datetime:
        """When it changed last."""


SORTS = ("name", "presence", "hops", "identity", "rtt", "changed", "key")
"""What the sort key goes through; every other column sorts when it is asked to."""

_PRESENCE = {PresenceState.ONLINE: 0, PresenceState.LOST: 1, PresenceState.LEFT: 2}
_IDENTITY = {status: -number for number, status in enumerate(IdentityStatus)}
"""The nearer to verified the earlier: what failed late in the check is better known."""

_TRUST = {Trust.VERIFIED: 0, Trust.SEEN: 1, Trust.UNKNOWN: 2, Trust.BLOCKED: 3}


def rtt_of(peer: Peer) -> float | None:
    """Return the shortest round trip of our links to a peer, in milliseconds."""
    return min((c.rtt_ms for c in peer.connections if c.rtt_ms is not None), default=None)


def _sureness(peer: Peer) -> int:
    """Return where a peer stands when sorted by identity; whoever is blocked comes last."""
    return 1 if peer.trust is Trust.BLOCKED else _IDENTITY[peer.identity.status]


_VALUES: dict[str, Callable[[Sortable], Any]] = {
    "name": lambda row: shown_name(row.peer).casefold() or None,
    "key": lambda row: row.peer.short_id,
    "presence": lambda row: _PRESENCE[row.peer.presence.state],
    "hops": lambda row: row.peer.presence.hops,
    "via": lambda row: row.peer.presence.via or None,
    "links": lambda row: sorted({c.type for c in row.peer.connections}) or None,
    "identity": lambda row: _sureness(row.peer),
    "trust": lambda row: _TRUST[row.peer.trust],
    "os": lambda row: row.peer.os,
    "version": lambda row: row.peer.version,
    "rtt": lambda row: rtt_of(row.peer),
    "changed": lambda row: -row.changed_at.timestamp(),
}

_SOURCES: dict[str, Callable[[Peer], object]] = {
    "name": attrgetter("device_name"),
    "key": attrgetter("short_id"),
    "presence": attrgetter("presence"),
    "hops": attrgetter("presence"),
    "identity": lambda peer: Trust.BLOCKED if peer.trust is Trust.BLOCKED else peer.identity,
    "trust": attrgetter("trust"),
    "rtt": attrgetter("connections"),
}
"""The part of a peer that a value comes from: the same object, the same value."""


def can_sort(key: str) -> bool:
    """Whether there is an order by a column."""
    return key in _VALUES or key.startswith(META)


def value_of(key: str) -> Callable[[Sortable], Any]:
    """Return what makes the value of a row by which it is sorted; None: not known, comes last."""
    if key.startswith(META):
        return lambda row: _comparable(metadata_value(row.peer, key))
    return _VALUES[key]


def source_of(key: str) -> Callable[[Peer], object] | None:
    """Return what gets the part of a peer that the value comes from; None: more than one."""
    if key.startswith(META):
        return attrgetter("peer_metadata")
    return _SOURCES.get(key)


def _comparable(value: object) -> tuple[int, float, str] | None:
    """Return metadata so that values of different types compare: numbers before texts."""
    match value:
        case None:
            return None
        case int() | float():
            return 0, float(value), ""
        case str():
            return 1, 0.0, value[:128].casefold()
        case _:
            return 2, 0.0, ""


GROUPS = ("presence", "hops", "identity", "trust", "os", "version")
"""Built-in columns whose values are few enough to keep rows together."""


def group_words(peer: Peer, key: str) -> str:
    """Return what a group is called in which a peer is, safe to show."""
    if key.startswith(META):
        value = metadata_words(metadata_value(peer, key))
        name = metadata_words(key.removeprefix(META))
        return f"{name} {value}" if value else f"no {name}"
    match key:
        case "presence":
            return str(peer.presence.state)
        case "hops":
            hops = peer.presence.hops
            return "out of reach" if hops is None else f"{hops} hop{'' if hops == 1 else 's'}"
        case "identity":
            blocked = peer.trust is Trust.BLOCKED
            return "identity blocked" if blocked else f"identity {peer.identity.status}"
        case "trust":
            return f"trust {peer.trust}"
        case _:
            said = metadata_words(peer.os if key == "os" else peer.version)
            return f"{key} {said}" if said else f"no {key}"


class Down:
    """A value that compares the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: Down) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Down) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)
