"""The remote peer table without a screen: which rows, in which order, with which words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.model import Peer, PresenceGraph, PresenceState, ViewState
from presence_tui.viewmodel.identity import status_words
from presence_tui.viewmodel.moments import span_words
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.words import link_words, presence_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key (also that of sorting), its title, its width in cells.

    ``least`` is the width of the table from which the column is shown.
    """

    key: str
    title: str
    width: int
    least: int = 0
    right: bool = False


NAME = Column("name", "NAME", 14)
"""Takes the width that the others leave."""

COLUMNS = (
    NAME,
    Column("key", "KEY", 8),
    Column("presence", "PRESENCE", 12),
    Column("hops", "HOPS", 4, right=True),
    Column("links", "LINKS", 6),
    Column("identity", "IDENTITY", 16),
    Column("rtt", "RTT", 8, least=72, right=True),
    Column("changed", "CHANGED", 8, least=90, right=True),
    Column("via", "VIA", 16, least=112),
)
SORTS = ("name", "presence", "hops", "identity", "rtt", "changed", "key")


class Show(StrEnum):
    """Which peers are in the table."""

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
    """What the person wants to see."""

    sort: str = "name"
    reverse: bool = False
    search: str = ""
    show: Show = Show.ALL

    def sorted_by(self, sort: str) -> Query:
        """Return the query sorted by a column; by the same column again: the other way round."""
        if sort == self.sort:
            return replace(self, reverse=not self.reverse)
        return replace(self, sort=sort, reverse=False)


_ORDER = {PresenceState.ONLINE: 0, PresenceState.LOST: 1, PresenceState.LEFT: 2}

_KEYS: dict[str, Callable[[Peer], Any]] = {
    "name": lambda p: safe_text(p.device_name, limit=64).casefold(),
    "key": lambda p: p.short_id,
    "presence": lambda p: _ORDER[p.presence.state],
    "hops": lambda p: 1_000_000 if p.presence.hops is None else p.presence.hops,
    "identity": lambda p: str(p.identity.status),
    "rtt": lambda p: float("inf") if (rtt := rtt_of(p)) is None else rtt,
}


def rtt_of(peer: Peer) -> float | None:
    """Return the shortest round trip of our links to a peer, in milliseconds."""
    return min((c.rtt_ms for c in peer.connections if c.rtt_ms is not None), default=None)


class Rows:
    """The rows of a table, kept up from graph to graph.

    What is computed of a peer is kept as long as the peer is the same object.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Peer, tuple[object, ...], datetime]] = {}
        self._keys: dict[str, tuple[Peer, str, Any]] = {}
        self._texts: dict[str, tuple[Peer, str]] = {}
        self._first = True

    def note(self, graph: PresenceGraph, now: datetime) -> None:
        """Take notice of a graph: remembers when something about a peer changed that matters."""
        seen = self._seen
        fresh: dict[str, tuple[Peer, tuple[object, ...], datetime]] = {}
        for peer in graph.remote_peers:
            known = seen.get(peer.peer_key)
            if known is not None and known[0] is peer:
                fresh[peer.peer_key] = known
                continue
            facts = _facts(peer)
            if known is not None and known[1] == facts:
                fresh[peer.peer_key] = (peer, facts, known[2])
            else:
                began = peer.presence.first_seen if self._first else None
                fresh[peer.peer_key] = (peer, facts, began or now)
        self._seen = fresh
        self._first = False

    def changed_at(self, peer: Peer) -> datetime:
        """Return when something about a peer changed last, as far as this table has seen."""
        known = self._seen.get(peer.peer_key)
        return known[2] if known is not None else _NEVER

    def select(self, peers: Sequence[Peer], query: Query) -> list[Peer]:
        """Return the peers that the query lets through, in its order."""
        chosen = [peer for peer in peers if _shown(peer, query.show)]
        if query.search:
            words = query.search.casefold().split()
            chosen = [p for p in chosen if all(word in self._text(p) for word in words)]
        chosen.sort(key=lambda peer: self._key(peer, query.sort), reverse=query.reverse)
        return chosen

    def _key(self, peer: Peer, sort: str) -> tuple[Any, str]:
        if sort == "changed":
            return -self.changed_at(peer).timestamp(), peer.peer_key
        known = self._keys.get(peer.peer_key)
        if known is None or known[0] is not peer or known[1] != sort:
            known = self._keys[peer.peer_key] = (peer, sort, _KEYS[sort](peer))
        return known[2], peer.peer_key

    def _text(self, peer: Peer) -> str:
        """Return what a search looks in: name, keys, states, and what the peer says of itself."""
        known = self._texts.get(peer.peer_key)
        if known is None or known[0] is not peer:
            parts = [
                safe_text(peer.device_name),
                peer.peer_key,
                peer.short_id,
                str(peer.presence.state),
                str(peer.identity.status),
                *(c.type for c in peer.connections),
                *(f"{key}={value}" for key, value in list(peer.peer_metadata.items())[:50]),
            ]
            text = " ".join(parts).casefold()[:4_096]
            known = self._texts[peer.peer_key] = (peer, text)
        return known[1]


def _shown(peer: Peer, show: Show) -> bool:
    match show:
        case Show.ONLINE:
            return peer.presence.state is PresenceState.ONLINE
        case Show.DIRECT:
            return peer.presence.direct
        case Show.MISSING:
            return peer.presence.state is not PresenceState.ONLINE
    return True


def _facts(peer: Peer) -> tuple[object, ...]:
    """What counts as a change of a peer: not a measurement."""
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


def keep_order(old: Sequence[Peer], new: Sequence[Peer]) -> list[Peer]:
    """Return the new rows in the old order, with newcomers at the end: nothing jumps."""
    by_key = {peer.peer_key: peer for peer in new}
    kept = [by_key.pop(peer.peer_key) for peer in old if peer.peer_key in by_key]
    return kept + list(by_key.values())


def columns_for(width: int) -> list[tuple[Column, int]]:
    """Return the columns that a table of this width shows, with their widths."""
    shown = [column for column in COLUMNS if width >= column.least]
    fixed = sum(column.width + 1 for column in shown if column is not NAME)
    name = max(NAME.width, min(40, width - fixed - 2))
    return [(column, name if column is NAME else column.width) for column in shown]


@dataclass(frozen=True, slots=True)
class CellContext:
    """What a cell needs beside its peer."""

    own_key: str
    blind: bool
    now: datetime
    names: Callable[[str], str]
    """From a peer key to a name for the screen."""


def cell(peer: Peer, column: str, rows: Rows, context: CellContext) -> Span:
    """Return what a cell says."""
    match column:
        case "name":
            name = safe_text(peer.device_name, limit=64)
            return Span(name, Tone.STRONG) if name else Span("(no name)", Tone.DIM)
        case "key":
            return Span(peer.short_id, Tone.KEY)
        case "presence":
            return presence_words(peer, blind=context.blind)
        case "hops":
            hops = peer.presence.hops
            return Span("-", Tone.DIM) if hops is None else Span(str(hops))
        case "via":
            return Span(", ".join(context.names(key) for key in peer.presence.via), Tone.DIM)
        case "links":
            return Span(link_words(peer.connections, context.own_key) or "-")
        case "identity":
            words = status_words(peer.identity.status)
            return Span(f"{words.symbol} {words.word}", words.tone)
        case "rtt":
            rtt = rtt_of(peer)
            return Span("-", Tone.DIM) if rtt is None else Span(_milliseconds(rtt))
        case _:
            seconds = max(0.0, (context.now - rows.changed_at(peer)).total_seconds())
            return Span(_short_span(seconds), Tone.DIM)


def _milliseconds(rtt: float) -> str:
    return f"{rtt:.1f} ms" if rtt < 100 else f"{rtt:.0f} ms"


def _short_span(seconds: float) -> str:
    """Return a span in one unit: a table of moving seconds would never stand still."""
    if seconds < 5:
        return "now"
    if seconds < 60:
        return f"{seconds // 5 * 5:.0f} s"
    return " ".join(span_words(seconds).split()[:2])


def is_blind(graph: PresenceGraph) -> bool:
    """Whether the graph shows the last known, and not what is."""
    return graph.view.state is ViewState.BLIND
