"""The columns of the remote peer table, and what their cells say; no Textual."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from presence_core.codec.text import safe_text
from presence_core.model import Trust, ViewState
from presence_tui.viewmodel.identity import status_words
from presence_tui.viewmodel.moments import span_words
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.rows import Show, rtt_of, shown_name
from presence_tui.viewmodel.search import understand
from presence_tui.viewmodel.trust import BLOCKED
from presence_tui.viewmodel.words import LINKS_WIDTH, UNSURE, link_words, presence_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from presence_core.model import Peer
    from presence_tui.viewmodel.rows import Query, Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key (also that of sorting), its title, its width in cells."""

    key: str
    title: str
    width: int
    right: bool = False


_NAME = Column("name", "NAME", 14)
_PRESENCE = Column("presence", "PRESENCE", 8)
_LAST_KNOWN_WIDTH = 12
_RTT = Column("rtt", "RTT", 7, right=True)
_VIA = Column("via", "VIA", 8)
_ALWAYS = (
    _NAME,
    Column("key", "KEY", 8),
    _PRESENCE,
    Column("hops", "HOPS", 4, right=True),
    Column("links", "LINKS", LINKS_WIDTH),
    Column("identity", "IDENTITY", 16),
)
_WITH_ROOM = (_VIA, _RTT, Column("changed", "CHANGED", 7, right=True))
"""In the order in which they are added as the table gets wider."""

_A_NAME = 13
_GROWING = (("via", _A_NAME), ("name", 16), ("via", 17), ("name", 36), ("via", 48))
"""Who takes the cells that are left over, one after the other, and up to which width."""

_USELESS = {ViewState.STALE: (_RTT,), ViewState.BLIND: (_RTT, _VIA)}
_VIA_PLACE = 4
_MARK = 1
_GAP = 1
_IDENTITY_WORD = 14


def columns_for(width: int, view: ViewState = ViewState.CURRENT) -> list[Column]:
    """Return the columns for so many cells: before them one for the mark, after each a gap.

    A table of 62 cells has the six that are always there. A view in which nobody can be said to
    be online needs longer words and has no round trips; a blind one knows no ways.
    """
    columns = list(_ALWAYS)
    useless = _USELESS.get(view, ())
    if view in UNSURE:
        columns[2] = replace(_PRESENCE, width=_LAST_KNOWN_WIDTH)
    left = width - _MARK - sum(column.width + _GAP for column in columns)
    kept = 0  # for VIA, before there are others
    for column in _WITH_ROOM:
        if column in useless:
            continue
        if left - kept < column.width + _GAP:
            break
        columns.insert(_VIA_PLACE if column is _VIA else len(columns), column)
        left -= column.width + _GAP
        kept = kept or (column is _VIA) * (_A_NAME - _VIA.width)
    return _grown(columns, left)


def _grown(columns: list[Column], left: int) -> list[Column]:
    widths = {column.key: column.width for column in columns}
    for key, most in _GROWING:
        if key in widths:
            more = max(0, min(left, most - widths[key]))
            widths[key] += more
            left -= more
    return [replace(column, width=widths[column.key]) for column in columns]


def title(column: Column, *, sort: str, reverse: bool) -> str:
    """Return the title of a column in its width and its gap, with the sign of the order."""
    arrow = ("▼" if reverse else "▲") if column.key == sort else " "
    if column.right:
        return column.title.rjust(column.width) + arrow
    return f"{column.title}{arrow}".ljust(column.width + _GAP)


@dataclass(frozen=True, slots=True)
class CellContext:
    """What a cell needs beside its peer. ``names``: from a peer key to a name for the screen."""

    own_key: str
    view: ViewState
    now: datetime
    names: Callable[[str], str]


def cell(row: Row, column: Column, context: CellContext) -> Span:
    """Return what a cell says."""
    peer = row.peer
    match column.key:
        case "name":
            return name_cell(peer)
        case "key":
            return Span(safe_text(peer.short_id, limit=16), Tone.KEY)
        case "presence":
            return presence_words(peer, context.view)
        case "hops":
            hops = peer.presence.hops
            return Span("-", Tone.DIM) if hops is None else Span(str(hops))
        case "via":
            return Span(via_words(peer, context.names, column.width), Tone.DIM)
        case "links":
            links = link_words(peer.connections, context.own_key)
            return Span(links) if links else Span("-", Tone.DIM)
        case "identity" if peer.trust is Trust.BLOCKED:
            return BLOCKED
        case "identity":
            words = status_words(peer.identity.status)
            return Span(f"{words.symbol} {_short(words.word)}", words.tone)
        case "rtt":
            rtt = rtt_of(peer)
            return Span("-", Tone.DIM) if rtt is None else Span(rtt_words(rtt))
        case _:
            return Span(since_words(row.changed_at, context.now), Tone.DIM)


def name_cell(peer: Peer) -> Span:
    """Return the name of a peer, with a mark before it when there is a key warning."""
    name = shown_name(peer)
    if peer.key_warning is not None:
        return Span(f"! {name or '(no name)'}", Tone.WARNING)
    return Span(name, Tone.STRONG) if name else Span("(no name)", Tone.DIM)


def via_words(peer: Peer, names: Callable[[str], str], width: int) -> str:
    """Return over whom a distant peer is reached: one neighbour, and how many others could."""
    via = peer.presence.via
    if not via:
        return "direct" if peer.presence.direct else ""
    more = f" +{len(via) - 1}" if len(via) > 1 else ""
    return fit(names(via[0]), width - len(more)).rstrip() + more


def _short(word: str) -> str:
    return word if len(word) <= _IDENTITY_WORD else word.split(maxsplit=1)[0]


def rtt_words(rtt: float) -> str:
    """Return a round trip of so many milliseconds in at most seven characters."""
    if rtt < 100:
        return f"{rtt:.1f} ms"
    return f"{rtt:.0f} ms" if rtt < 1_000 else f"{rtt / 1_000:.1f} s"


def since_words(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in one unit: moving seconds would never stand still."""
    seconds = max(0.0, (now - moment).total_seconds())
    if seconds < 5:
        return "now"
    if seconds < 60:
        return f"{seconds // 5 * 5:.0f} s"
    return " ".join(span_words(seconds).split()[:2])


def asked_words(query: Query, *, count: int, of: int, held: bool) -> tuple[str, ...]:
    """Return what there is to say about which rows are shown, from long to short."""
    search = safe_text(" ".join(query.search.split()), limit=40)
    only = "" if query.show is Show.ALL else str(query.show)
    amount = f"{count:,}/{of:,}" if query.narrows else ""
    problem = understand(query.search).problem
    return (
        _joined(
            " · ",
            problem,
            f"only {only}" if only else "",
            f"search: {search}" if search else "",
            f"{count:,} of {of:,}" if amount else "",
            "order held while you move" if held else "",
        ),
        *([_joined(" · ", problem, amount), problem] if problem else []),
        _joined(" · ", only, f"/{search}" if search else "", amount, "order held" if held else ""),
        _joined(
            " ",
            only,
            f"/{safe_text(search, limit=6)}" if search else "",
            amount,
            "held" if held else "",
        ),
        _joined(" ", amount, "held" if held else ""),
        amount or ("held" if held else ""),
        f"{count:,}" if amount else "",
    )


def _joined(between: str, *words: str) -> str:
    return between.join(filter(None, words))


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return text that is exactly so many cells wide, with an ellipsis where it was cut."""
    size = cell_len(text)
    if size > width:
        return f"{set_cell_size(text, width - 1)}…"
    padding = " " * (width - size)
    return padding + text if right else text + padding
