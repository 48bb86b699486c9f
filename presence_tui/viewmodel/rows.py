"""The remote peers as rows: which are shown, in which order, kept up at the price of what changed.

Between two graphs most peers are the same objects; only the others are looked at. Ten thousand
rows are put in order again only when something that the order depends on has changed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.model import IdentityStatus, Peer, PresenceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

SORTS = ("name", "presence", "hops", "identity", "rtt", "changed", "key")

_SEARCHED_LEAVES = 64
"""Values of a peer's metadata that a search looks at; a peer may publish 128 KiB of them."""

_SEARCHED_CHARACTERS = 128


class Show(StrEnum):
    """Which peers are in the table; ``missing`` are those that left or were lost."""

    ALL = "all"
    ONLINE = "online"
    DIRECT = "direct"
    MISSING = "missing"

    def next(self) -> Show:
        """Return the filter that follows."""
        members = list(Show)
        return members[(members.index(self) + 1) % len(members)]


@dataclass(frozen=True, slots=True)
class Query:
    """What the person wants to see.

    Each word of ``search`` must occur in what is known of a peer: its name and keys, or facts
    like ``state:lost``, ``identity:verified``, ``link:bluetooth``, ``role:medic`` (its own
    metadata); a word after ``!`` must not.
    """

    sort: str = "name"
    reverse: bool = False
    search: str = ""
    show: Show = Show.ALL

    @property
    def narrows(self) -> bool:
        """Whether it leaves peers out."""
        return bool(self.search.strip()) or self.show is not Show.ALL

    def sorted_by(self, sort: str) -> Query:
        """Return the query sorted by a column; by the same column again: the other way round."""
        if sort == self.sort:
            return replace(self, reverse=not self.reverse)
        return replace(self, sort=sort, reverse=False)


class Row:
    """A remote peer in the table: the same object as long as the peer is in the mesh.

    ``changed_at``: when something about it changed last that is not a measurement, as far as is
    known here. ``fits``: whether the query lets it through.
    """

    __slots__ = ("_facts", "alive", "changed_at", "fits", "order", "peer", "placed", "text")

    def __init__(self, peer: Peer, now: datetime) -> None:
        self.peer = peer
        self.changed_at = _known_change(peer, now)
        self.order: tuple[Any, ...] = ()
        self.fits = False
        self.alive = True
        self.placed = False
        self.text: str | None = None
        self._facts = _facts(peer)

    def take(self, peer: Peer, now: datetime) -> None:
        """Take the peer as it is now."""
        facts = _facts(peer)
        if facts != self._facts:
            self._facts = facts
            self.changed_at = now
        self.peer = peer
        self.text = None


class Rows:
    """The rows of a table. Feed it with :meth:`take` and :meth:`ask`, then :meth:`arrange`.

    ``shown``: the rows of the table, in order. ``held``: whether they are in another order than
    they would be, because somebody is reading. ``stale``: whether they are to be arranged.
    """

    def __init__(self) -> None:
        self.shown: list[Row] = []
        self.held = False
        self.query = Query()
        self._peers: Sequence[Peer] = ()
        self._by_key: dict[str, Row] = {}
        self.stale = False

    def get(self, peer_key: str | None) -> Row | None:
        """Return the row of a peer, shown or not."""
        return None if peer_key is None else self._by_key.get(peer_key)

    def position(self, row: Row) -> int | None:
        """Return where a row is shown."""
        return self.shown.index(row) if row.placed else None

    def take(self, peers: Sequence[Peer], now: datetime) -> None:
        """Take the remote peers of a newer graph, sorted by key as graphs have them."""
        before, self._peers = self._peers, peers
        if len(before) == len(peers):
            changed = [(a, b) for a, b in zip(before, peers, strict=True) if a is not b]
            if all(a.peer_key == b.peer_key for a, b in changed):
                for _, peer in changed:
                    self._change(self._by_key[peer.peer_key], peer, now)
                return
        gone = self._by_key
        self._by_key = {}
        for peer in peers:
            row = gone.pop(peer.peer_key, None)
            if row is None:
                row = Row(peer, now)
                self._place(row)
                self.stale = True
            elif row.peer is not peer:
                self._change(row, peer, now)
            self._by_key[peer.peer_key] = row
        for row in gone.values():
            row.alive = False
            self.stale = True

    def ask(self, query: Query) -> None:
        """Show other rows, or in another order."""
        if query == self.query:
            return
        self.query = query
        for row in self._by_key.values():
            self._place(row)
        self.stale = True

    def arrange(self, *, hold: bool, keep: str | None = None) -> bool:
        """Put what is shown in order; whether anything is in another place now.

        ``hold``: rows that are shown stay where they are, whatever became of them, and new ones
        come last. ``keep``: a peer that stays in the table even when the query leaves it out.
        """
        if not self.stale:
            return False
        proper = self._proper(keep)
        rows = self._in_old_order(proper) if hold else proper
        self.stale = self.held = hold and rows != proper
        moved = rows != self.shown
        for row in self.shown:
            row.placed = False
        for row in rows:
            row.placed = True
        self.shown = rows
        return moved

    def let_go(self, peer_key: str | None) -> None:
        """Take note that a peer that :meth:`arrange` was told to keep need not be kept."""
        row = self.get(peer_key)
        if row is not None and not row.fits:
            self.stale = True

    def _proper(self, keep: str | None) -> list[Row]:
        kept = self.get(keep)
        # beginning with the order there was: rows that are nearly in order are sorted fast
        rows = [row for row in self.shown if row.alive and (row.fits or row is kept)]
        rows += [
            row for row in self._by_key.values() if not row.placed and (row.fits or row is kept)
        ]
        rows.sort(key=attrgetter("order"), reverse=self.query.reverse)
        if self.query.reverse:  # what is not known comes last either way
            rows.sort(key=_unknown)
        return rows

    def _in_old_order(self, proper: list[Row]) -> list[Row]:
        rows = [row for row in self.shown if row.alive]
        return rows + [row for row in proper if not row.placed]

    def _change(self, row: Row, peer: Peer, now: datetime) -> None:
        row.take(peer, now)
        order, fits = row.order, row.fits
        self._place(row)
        if row.order != order or row.fits != fits:
            self.stale = True

    def _place(self, row: Row) -> None:
        """Work out where a row belongs."""
        value = _VALUES[self.query.sort](row)
        row.order = (value is None, value, row.peer.peer_key)
        row.fits = _shown(row.peer, self.query.show) and self._found(row)

    def _found(self, row: Row) -> bool:
        words = search_words(self.query.search)
        if not words:
            return True
        if row.text is None:
            row.text = search_text(row.peer)
        return all((word in row.text) is wanted for word, wanted in words)


def _unknown(row: Row) -> bool:
    return bool(row.order[0])


# -- order


def rtt_of(peer: Peer) -> float | None:
    """Return the shortest round trip of our links to a peer, in milliseconds."""
    return min((c.rtt_ms for c in peer.connections if c.rtt_ms is not None), default=None)


_PRESENCE_ORDER = {PresenceState.ONLINE: 0, PresenceState.LOST: 1, PresenceState.LEFT: 2}
_IDENTITY_ORDER = {status: -number for number, status in enumerate(IdentityStatus)}
"""The nearer to verified the earlier: what failed late in the check is better known."""

_VALUES: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: shown_name(row.peer).casefold() or None,
    "key": lambda row: row.peer.short_id,
    "presence": lambda row: _PRESENCE_ORDER[row.peer.presence.state],
    "hops": lambda row: row.peer.presence.hops,
    "identity": lambda row: _IDENTITY_ORDER[row.peer.identity.status],
    "rtt": lambda row: rtt_of(row.peer),
    "changed": lambda row: -row.changed_at.timestamp(),
}


@lru_cache(maxsize=32_768)
def _safe_name(name: str) -> str:
    return safe_text(name, limit=64)


def shown_name(peer: Peer) -> str:
    """Return the name of a peer as it may be shown; empty when it has none."""
    return _safe_name(peer.device_name)


# -- which


def _shown(peer: Peer, show: Show) -> bool:
    match show:
        case Show.ONLINE:
            return peer.presence.state is PresenceState.ONLINE
        case Show.DIRECT:
            return peer.presence.direct
        case Show.MISSING:
            return peer.presence.state is not PresenceState.ONLINE
    return True


@lru_cache(maxsize=64)
def search_words(search: str) -> tuple[tuple[str, bool], ...]:
    """Return the words of a search, and of each whether it must occur (or must not)."""
    words = unicodedata.normalize("NFC", search.casefold()).split()
    return tuple((word.lstrip("!"), not word.startswith("!")) for word in words if word.strip("!"))


def search_text(peer: Peer) -> str:
    """Return what a search looks in: a bounded part of what is known of a peer."""
    parts = [
        shown_name(peer),
        peer.peer_key,
        peer.short_id,
        f"state:{peer.presence.state}",
        "direct" if peer.presence.direct else f"hops:{peer.presence.hops}",
        f"identity:{peer.identity.status}",
        f"trust:{peer.trust}",
        f"os:{peer.os}",
        f"version:{peer.version}",
        *(f"link:{c.type}" for c in peer.connections),
        *_leaves(peer.peer_metadata),
    ]
    text = " ".join(part[: 2 * _SEARCHED_CHARACTERS] for part in parts)
    return unicodedata.normalize("NFC", text.casefold())


def _leaves(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``key:value`` of metadata, however deep, as many as are looked at."""
    waiting: list[tuple[str, Any]] = [("", metadata)]
    left = _SEARCHED_LEAVES
    while waiting and left > 0:
        label, value = waiting.pop()
        left -= 1
        if isinstance(value, Mapping):
            waiting += [(key, child) for key, child in list(value.items())[-left:]]
        elif isinstance(value, list | tuple):
            waiting += [(label, child) for child in value[-left:]]
        else:
            said = value if isinstance(value, str) else str(value).lower()
            yield f"{label[:_SEARCHED_CHARACTERS]}:{said[:_SEARCHED_CHARACTERS]}"


# -- what has changed


def _facts(peer: Peer) -> tuple[object, ...]:
    """Return what counts as a change of a peer: not a measurement, not having been heard."""
    return (
        peer.presence.state,
        peer.presence.hops,
        peer.device_name,
        peer.peer_metadata,
        peer.peer_metadata_state,
        peer.identity.status,
        peer.trust,
        frozenset(c.id for c in peer.connections if c.confirmed),
    )


def _known_change(peer: Peer, now: datetime) -> datetime:
    """Return the newest change that a peer tells of when it is met: it came, linked, or went."""
    moments = [peer.presence.first_seen, *(c.since for c in peer.connections if c.confirmed)]
    if peer.presence.state is not PresenceState.ONLINE:
        moments.append(peer.presence.last_seen)
    known = [moment for moment in moments if moment is not None and moment <= now]
    return max(known, default=now)
