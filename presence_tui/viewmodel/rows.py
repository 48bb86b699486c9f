"""The remote peers as rows: which are shown, in which order, kept up at the price of what changed.

Between two graphs most peers are the same objects; only the others are looked at. Ten thousand
rows are put in order again only when something that the order depends on has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from presence_core.differing import Differing, differing
from presence_core.model import Peer, PresenceState
from presence_tui.viewmodel.names import shown_name
from presence_tui.viewmodel.orders import Down, group_words, source_of, value_of
from presence_tui.viewmodel.search import Search, search_text, understand
from presence_tui.viewmodel.tally import Tallies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


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

    ``search`` is in the language of :mod:`presence_tui.viewmodel.search`. ``then``: further columns
    to sort by, each with whether it is turned round. ``group``: the column whose values keep rows
    together, whatever else they are sorted by. ``pinned``: keys of peers that come first, always.
    """

    sort: str = "name"
    reverse: bool = False
    search: str = ""
    show: Show = Show.ALL
    then: tuple[tuple[str, bool], ...] = ()
    group: str = ""
    pinned: frozenset[str] = frozenset()

    @property
    def orders(self) -> tuple[tuple[str, bool], ...]:
        """The columns to sort by, each with whether it is turned round."""
        return ((self.sort, self.reverse), *self.then)

    @property
    def narrows(self) -> bool:
        """Whether it leaves peers out."""
        return bool(self.search.strip()) or self.show is not Show.ALL

    def sorted_by(self, sort: str) -> Query:
        """Return the query sorted by a column; by the same column again: the other way round."""
        if sort == self.sort:
            return replace(self, reverse=not self.reverse)
        return replace(self, sort=sort, reverse=False, then=())

    def also_sorted_by(self, sort: str) -> Query:
        """Return the query sorted by one more column; by one of them again: the other way round."""
        if sort == self.sort:
            return replace(self, reverse=not self.reverse)
        if sort in dict(self.then):
            then = tuple((key, down != (key == sort)) for key, down in self.then)
            return replace(self, then=then)
        return replace(self, then=(*self.then, (sort, False)))


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


@dataclass(frozen=True, slots=True)
class GroupTitle:
    """The line above rows that are kept together."""

    words: str
    count: int


class Rows:
    """The rows of a table. Feed it with :meth:`take` and :meth:`ask`, then :meth:`arrange`.

    ``shown``: the rows of the table, in order; ``lines``: the same with the titles of groups.
    ``held``: whether they are in another order than they would be, because somebody is reading.
    ``stale``: whether other rows are to be shown. ``tallies``: all peers, counted. ``marked``: rows
    that a person has marked, shown or not; a peer that is forgotten loses its mark.
    """

    def __init__(self) -> None:
        self.shown: list[Row] = []
        self.lines: Sequence[Row | GroupTitle] = self.shown
        self.held = False
        self.marked: set[Row] = set()
        self.query = Query()
        self.tallies = Tallies()
        self._follow(self.query)
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
        """Return the line on which a row is shown."""
        return self.lines.index(row) if row is not None and row.placed else None

    def row_near(self, line: int, step: int = 1) -> Row | None:
        """Return the row on a line; of a title, that after it (or before it, for a step of -1)."""
        at = max(0, min(len(self.lines) - 1, line))
        while 0 <= at < len(self.lines):
            found = self.lines[at]
            if isinstance(found, Row):
                return found
            at += step
        return self.row_near(0) if step < 0 and self.shown else None

    def take(self, peers: Sequence[Peer], now: datetime, found: Differing | None = None) -> None:
        """Take the remote peers of a newer graph, sorted by key as graphs have them.

        ``found``: in what they differ from those before, when somebody has compared them already.
        """
        before, self._peers = self._peers, peers
        found = found if found is not None else differing(before, peers)
        others = bool(found.gone)
        for old, peer in found.pairs:
            if old is not None:
                self._change(self._by_key[peer.peer_key], peer, now)
                continue
            row = self._by_key[peer.peer_key] = Row(peer, now)
            self.tallies.add(peer)
            self._place(row)
            others = True
        for peer in found.gone:
            row = self._by_key.pop(peer.peer_key)
            row.alive = False
            self.marked.discard(row)
            self.tallies.remove(peer)
        if others:
            self._rows = [self._by_key[peer.peer_key] for peer in peers]
            self.stale = True

    def ask(self, query: Query) -> None:
        """Show other rows, or in another order."""
        if query == self.query:
            return
        before, self.query = self.query, query
        self._follow(query)
        self._search = understand(query.search)
        self._narrows = query.narrows
        if query == replace(before, search=query.search, show=query.show):
            for row in self._rows:  # in the order they were in
                row.fits = not self._narrows or self._lets_through(row)
        else:
            for row in self._rows:
                self._place(row)
        self.stale = True

    def prepare(self, most: int) -> bool:
        """Make the texts for a search of at most so many peers; whether there may be more."""
        without = islice((row for row in self._rows if row.text is None), most)
        return sum(bool(self._text(row)) for row in without) == most

    def _follow(self, query: Query) -> None:
        group = ((query.group, False),) if query.group else ()
        self._orders = [(value_of(key), down) for key, down in (*group, *query.orders)]
        sources = [source_of(key) for key, _ in (*group, *query.orders)]
        self._sources = [source for source in sources if source is not None]
        self._many_sources = None in sources
        self._simple = not (query.then or query.group or query.pinned)

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
        before, self.lines = self.lines, self._grouped(rows)
        return moved or (self.lines is not rows and before != self.lines)

    def _grouped(self, rows: list[Row]) -> Sequence[Row | GroupTitle]:
        """Return rows with a title before each run that belongs together."""
        group, pinned = self.query.group, self.query.pinned
        if not group:
            return rows
        lines: list[Row | GroupTitle] = []

        def words(row: Row) -> str:
            return "pinned" if row.peer.peer_key in pinned else group_words(row.peer, group)

        for title, members in groupby(rows, words):
            run = list(members)
            lines += [GroupTitle(title, len(run)), *run]
        return lines

    def marked_in_order(self) -> list[Row]:
        """Return the marked rows in the order in which they would be shown."""
        self._place_all()
        return self._sorted(list(self.marked))

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
        turned = self.query.reverse and self._simple
        known = sorted([row for row in rows if row.known], key=order, reverse=turned)
        if len(known) == len(rows):
            return known
        return known + sorted([row for row in rows if not row.known], key=order)

    def _change(self, row: Row, peer: Peer, now: datetime) -> None:
        # this runs a thousand times for a graph of ten thousand: no object is touched without need
        old, row.peer, row.text = row.peer, peer, None
        self.tallies.change(old, peer)
        if _differs(old, peer):
            row.changed_at = now
        if row.order and (self._many_sources or self._moves(old, peer)):
            row.order = ()
            self._unplaced.append(row)
        if self._narrows:
            fits = self._lets_through(row)
            if fits is not row.fits:
                row.fits = fits
                self.stale = True

    def _moves(self, old: Peer, peer: Peer) -> bool:
        for source in self._sources:  # noqa: SIM110  any() of a generator takes twice as long
            if source(old) is not source(peer):
                return True
        return False

    def _place(self, row: Row) -> None:
        """Work out where a row belongs."""
        if self._simple:
            value = self._orders[0][0](row)
            row.known = value is not None
            row.order = (value, row.peer.peer_key)
        else:
            values = [(value(row), down) for value, down in self._orders]
            row.known = True
            row.order = (
                row.peer.peer_key not in self.query.pinned,
                *((v is None, 0 if v is None else Down(v) if down else v) for v, down in values),
                row.peer.peer_key,
            )
        row.fits = not self._narrows or self._lets_through(row)

    def _lets_through(self, row: Row) -> bool:
        if not (_shown(row.peer, self.query.show) and self._search.reaches(row.peer)):
            return False
        return not self._search.words or self._search.finds(self._text(row))

    def _text(self, row: Row) -> str:
        if row.text is None:
            row.text = search_text(row.peer, shown_name(row.peer))
        return row.text


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
