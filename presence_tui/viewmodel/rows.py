"""The remote peers as rows: which are shown, in which order, kept up at the price of what changed.

Between two graphs most peers are the same objects; only the others are looked at. Ten thousand
rows are put in order again only when something that the order depends on has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import compress
from operator import attrgetter, is_not
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.model import IdentityStatus, Peer, PresenceState, Trust
from presence_tui.viewmodel.search import Search, search_text, understand
from presence_tui.viewmodel.tally import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

SORTS = ("name", "presence", "hops", "identity", "rtt", "changed", "key")


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

    ``search`` is in the language of :mod:`presence_tui.viewmodel.search`.
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

    __slots__ = ("alive", "changed_at", "fits", "known", "order", "peer", "placed", "text")

    def __init__(self, peer: Peer, now: datetime) -> None:
        self.peer = peer
        self.changed_at = _known_change(peer, now)
        self.order: tuple[Any, ...] = ()
        self.known = True
        self.fits = False
        self.alive = True
        self.placed = False
        self.text: str | None = None


class Rows:
    """The rows of a table. Feed it with :meth:`take` and :meth:`ask`, then :meth:`arrange`.

    ``shown``: the rows of the table, in order. ``held``: whether they are in another order than
    they would be, because somebody is reading. ``stale``: whether other rows are to be shown.
    ``tallies``: all peers, counted.
    """

    def __init__(self) -> None:
        self.shown: list[Row] = []
        self.held = False
        self.query = Query()
        self.tallies = Tallies()
        self._value = _VALUES[self.query.sort]
        self._source = _SOURCES.get(self.query.sort)
        self._search = Search()
        self._narrows = False
        self._by_key: dict[str, Row] = {}
        self._peers: Sequence[Peer] = ()
        self._rows: list[Row] = []  # of the peers, in their order
        self._unplaced: list[Row] = []  # whose place has to be worked out anew
        self._late = False  # held back while somebody was reading
        self.stale = False

    @property
    def unsorted(self) -> bool:
        """Whether rows may be in another order than they would be."""
        return self._late or bool(self._unplaced)

    def get(self, peer_key: str) -> Row | None:
        """Return the row of a peer, shown or not."""
        return self._by_key.get(peer_key)

    def position(self, row: Row | None) -> int | None:
        """Return where a row is shown."""
        return self.shown.index(row) if row is not None and row.placed else None

    def take(self, peers: Sequence[Peer], now: datetime) -> None:
        """Take the remote peers of a newer graph, sorted by key as graphs have them."""
        before, self._peers = self._peers, peers
        if len(before) == len(peers) and self._take_changed(before, peers, now):
            return
        gone = self._by_key
        self._by_key = {}
        for peer in peers:
            known = gone.pop(peer.peer_key, None)
            if known is None:
                known = Row(peer, now)
                self.tallies.add(peer)
                self._place(known)
                self.stale = True
            elif known.peer is not peer:
                self._change(known, peer, now)
            self._by_key[peer.peer_key] = known
        self._rows = list(self._by_key.values())
        for row in gone.values():
            row.alive = False
            self.tallies.remove(row.peer)
            self.stale = True

    def _take_changed(self, before: Sequence[Peer], peers: Sequence[Peer], now: datetime) -> bool:
        """Take the peers that are other objects; False when one is another peer altogether."""
        rows = self._rows
        for at in compress(range(len(peers)), map(is_not, before, peers)):
            row, peer = rows[at], peers[at]
            if row.peer.peer_key != peer.peer_key:
                return False
            self._change(row, peer, now)
        return True

    def ask(self, query: Query) -> None:
        """Show other rows, or in another order."""
        if query == self.query:
            return
        self.query = query
        self._value = _VALUES[query.sort]
        self._source = _SOURCES.get(query.sort)
        self._search = understand(query.search)
        self._narrows = query.narrows
        for row in self._by_key.values():
            self._place(row)
        self.stale = True

    def arrange(self, *, hold: bool, keep: Row | None = None) -> bool:
        """Put what is shown in order; whether anything is in another place now.

        ``hold``: rows that are shown stay where they are, whatever became of them, and new ones
        come last. ``keep``: a row that stays in the table even when the query leaves it out.
        """
        if not (self.stale or self.unsorted):
            return False
        self._place_all()
        proper = self._sorted(self._chosen(keep) if self.stale else self.shown)
        rows = proper
        if hold:
            rows = [row for row in self.shown if row.alive]
            rows += [row for row in proper if not row.placed]
        self._late = self.held = hold and rows != proper
        if self.stale:
            for row in self.shown:
                row.placed = False
            for row in rows:
                row.placed = True
            self.stale = self._late
        moved = rows != self.shown
        self.shown = rows
        return moved

    def let_go(self, row: Row) -> None:
        """Take note that a row that :meth:`arrange` was told to keep need not be kept."""
        if not row.fits:
            self.stale = True

    def _place_all(self) -> None:
        for row in self._unplaced:
            if row.alive:
                self._place(row)
        self._unplaced.clear()

    def _chosen(self, keep: Row | None) -> list[Row]:
        """Return the rows that are to be shown, those that are shown already in their order."""
        rows = [row for row in self.shown if row.alive and (row.fits or row is keep)]
        return rows + [row for row in self._rows if not row.placed and (row.fits or row is keep)]

    def _sorted(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows in order (those that are in order nearly, fast); the unknown come last."""
        order = attrgetter("order")
        known = sorted([row for row in rows if row.known], key=order, reverse=self.query.reverse)
        if len(known) == len(rows):
            return known
        return known + sorted([row for row in rows if not row.known], key=order)

    def _change(self, row: Row, peer: Peer, now: datetime) -> None:
        # this runs a thousand times for a graph of ten thousand: no object is touched without need
        old, row.peer, row.text = row.peer, peer, None
        self.tallies.change(old, peer)
        if _differs(old, peer):
            row.changed_at = now
        if row.order and (self._source is None or self._source(old) is not self._source(peer)):
            row.order = ()
            self._unplaced.append(row)
        if self._narrows:
            fits = self._lets_through(row)
            if fits is not row.fits:
                row.fits = fits
                self.stale = True

    def _place(self, row: Row) -> None:
        """Work out where a row belongs."""
        value = self._value(row)
        row.known = value is not None
        row.order = (value, row.peer.peer_key)
        row.fits = not self._narrows or self._lets_through(row)

    def _lets_through(self, row: Row) -> bool:
        if not (_shown(row.peer, self.query.show) and self._search.reaches(row.peer)):
            return False
        return not self._search.words or self._search.finds(self._text(row))

    def _text(self, row: Row) -> str:
        if row.text is None:
            row.text = search_text(row.peer, shown_name(row.peer))
        return row.text


# -- order


def rtt_of(peer: Peer) -> float | None:
    """Return the shortest round trip of our links to a peer, in milliseconds."""
    return min((c.rtt_ms for c in peer.connections if c.rtt_ms is not None), default=None)


_PRESENCE_ORDER = {PresenceState.ONLINE: 0, PresenceState.LOST: 1, PresenceState.LEFT: 2}
_IDENTITY_ORDER = {status: -number for number, status in enumerate(IdentityStatus)}
"""The nearer to verified the earlier: what failed late in the check is better known."""


def _sureness(peer: Peer) -> int:
    """Return where a peer stands when sorted by identity; whoever is blocked comes last."""
    return 1 if peer.trust is Trust.BLOCKED else _IDENTITY_ORDER[peer.identity.status]


_VALUES: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: shown_name(row.peer).casefold() or None,
    "key": lambda row: row.peer.short_id,
    "presence": lambda row: _PRESENCE_ORDER[row.peer.presence.state],
    "hops": lambda row: row.peer.presence.hops,
    "identity": lambda row: _sureness(row.peer),
    "rtt": lambda row: rtt_of(row.peer),
    "changed": lambda row: -row.changed_at.timestamp(),
}

_SOURCES: dict[str, Callable[[Peer], object]] = {
    "name": attrgetter("device_name"),
    "key": attrgetter("short_id"),
    "presence": attrgetter("presence"),
    "hops": attrgetter("presence"),
    "identity": lambda peer: Trust.BLOCKED if peer.trust is Trust.BLOCKED else peer.identity,
    "rtt": attrgetter("connections"),
}
"""The part of a peer that a value comes from: the same object, the same value."""


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


# -- what has changed


def _differs(old: Peer, new: Peer) -> bool:
    """Whether something about a peer has changed: not a measurement, not having been heard."""
    was, now = old.presence, new.presence
    return (
        (was is not now and (was.state is not now.state or was.hops != now.hops))
        or old.device_name != new.device_name
        or (old.peer_metadata is not new.peer_metadata and old.peer_metadata != new.peer_metadata)
        or old.peer_metadata_state is not new.peer_metadata_state
        or (old.identity is not new.identity and old.identity.status is not new.identity.status)
        or old.trust is not new.trust
        or old.key_warning != new.key_warning
        or (old.connections is not new.connections and _links(old) != _links(new))
    )


def _links(peer: Peer) -> list[str]:
    return [connection.id for connection in peer.connections if connection.confirmed]


def _known_change(peer: Peer, now: datetime) -> datetime:
    """Return the newest change that a peer tells of when it is met: it came, linked, or went."""
    moments = [peer.presence.first_seen, *(c.since for c in peer.connections if c.confirmed)]
    if peer.presence.state is not PresenceState.ONLINE:
        moments.append(peer.presence.last_seen)
    known = [moment for moment in moments if moment is not None and moment <= now]
    return max(known, default=now)
