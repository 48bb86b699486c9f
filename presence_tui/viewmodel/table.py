"""The columns of the remote peer table, and what their cells say; no Textual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from presence_core.codec.text import safe_text
from presence_core.model import Trust
from presence_tui.viewmodel.columns import GAP, Column
from presence_tui.viewmodel.identity import status_words
from presence_tui.viewmodel.metadata import metadata_value, metadata_words
from presence_tui.viewmodel.moments import span_words
from presence_tui.viewmodel.names import shown_name
from presence_tui.viewmodel.orders import rtt_of
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.rows import Show
from presence_tui.viewmodel.search import understand
from presence_tui.viewmodel.trust import BLOCKED, trust_words
from presence_tui.viewmodel.words import link_words, presence_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from presence_core.model import Peer, PresenceGraph, ViewState
    from presence_tui.viewmodel.rows import Query, Row


def title(column: Column, *, sort: str, reverse: bool) -> str:
    """Return the title of a column in its width and its gap, with the sign of the order."""
    arrow = ("▼" if reverse else "▲") if column.key == sort else " "
    if column.right:
        return column.title.rjust(column.width) + arrow
    return f"{column.title}{arrow}".ljust(column.width + GAP)


_IDENTITY_WORD = 14


@dataclass(frozen=True, slots=True)
class CellContext:
    """What a cell needs beside its peer. ``names``: from a peer key to a name for the screen."""

    own_key: str
    view: ViewState
    now: datetime
    names: Callable[[str], str]


def cell(row: Row, column: Column, context: CellContext) -> Span:
    """Return what a cell says."""
    says = _CELLS.get(column.key, _metadata_cell)
    return says(row, column, context)


def _key_cell(row: Row, _column: Column, _context: CellContext) -> Span:
    return Span(safe_text(row.peer.short_id, limit=16), Tone.KEY)


def _hops_cell(row: Row, _column: Column, _context: CellContext) -> Span:
    hops = row.peer.presence.hops
    return Span("-", Tone.DIM) if hops is None else Span(str(hops))


def _links_cell(row: Row, _column: Column, context: CellContext) -> Span:
    links = link_words(row.peer.connections, context.own_key)
    return Span(links) if links else Span("-", Tone.DIM)


def _identity_cell(row: Row, _column: Column, _context: CellContext) -> Span:
    if row.peer.trust is Trust.BLOCKED:
        return BLOCKED
    words = status_words(row.peer.identity.status)
    return Span(f"{words.symbol} {_short(words.word)}", words.tone)


def _rtt_cell(row: Row, _column: Column, _context: CellContext) -> Span:
    rtt = rtt_of(row.peer)
    return Span("-", Tone.DIM) if rtt is None else Span(rtt_words(rtt))


def _trust_cell(row: Row, _column: Column, _context: CellContext) -> Span:
    word, tone, _ = trust_words(row.peer.trust)
    return Span(word, tone)


def _text_cell(text: str | None) -> Span:
    return Span(safe_text(text, limit=48)) if text else Span("-", Tone.DIM)


def _metadata_cell(row: Row, column: Column, _context: CellContext) -> Span:
    return Span(metadata_words(metadata_value(row.peer, column.key)))


_CELLS: dict[str, Callable[[Row, Column, CellContext], Span]] = {
    "name": lambda row, _column, _context: name_cell(row.peer),
    "key": _key_cell,
    "presence": lambda row, _column, context: presence_words(row.peer, context.view),
    "hops": _hops_cell,
    "via": lambda row, column, context: Span(
        via_words(row.peer, context.names, column.width), Tone.DIM
    ),
    "links": _links_cell,
    "identity": _identity_cell,
    "trust": _trust_cell,
    "os": lambda row, _column, _context: _text_cell(row.peer.os),
    "version": lambda row, _column, _context: _text_cell(row.peer.version),
    "rtt": _rtt_cell,
    "changed": lambda row, _column, context: Span(
        since_words(row.changed_at, context.now), Tone.DIM
    ),
}


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


def asked_words(
    query: Query, *, count: int, of: int, held: bool, marks: tuple[int, int] = (0, 0)
) -> tuple[str, ...]:
    """Return what there is to say about which rows are shown, from long to short.

    ``marks``: how many are marked, and how many of those are not shown.
    """
    search = safe_text(" ".join(query.search.split()), limit=40)
    only = "" if query.show is Show.ALL else str(query.show)
    amount = f"{count:,}/{of:,}" if query.narrows else ""
    problem = understand(query.search).problem
    marked = f"{marks[0]:,} marked" if marks[0] else ""
    unseen = f" ({marks[1]:,} not shown)" if marks[1] else ""
    return (
        _joined(
            " · ",
            problem,
            marked + unseen,
            f"only {only}" if only else "",
            f"search: {search}" if search else "",
            f"{count:,} of {of:,}" if amount else "",
            "order held while you move" if held else "",
        ),
        *([_joined(" · ", problem, amount), problem] if problem else []),
        _joined(
            " · ",
            marked,
            only,
            f"/{search}" if search else "",
            amount,
            "order held" if held else "",
        ),
        _joined(
            " ",
            marked,
            only,
            f"/{safe_text(search, limit=6)}" if search else "",
            amount,
            "held" if held else "",
        ),
        _joined(" ", marked, amount, "held" if held else ""),
        *([marked, f"■{marks[0]:,}"] if marked else []),
        amount or ("held" if held else ""),
        f"{count:,}" if amount else "",
    )


def empty_words(graph: PresenceGraph | None) -> tuple[str, ...]:
    """Return what a table without rows says."""
    if graph is None or not graph.remote_peers:
        return (
            "nobody else has been seen in this mesh yet",
            "other devices join with the same mesh name or mesh key",
            "5 shows what keeps them out, if something does",
        )
    return ("no peer fits the search or the filter", "esc clears them")


def _joined(between: str, *words: str) -> str:
    return between.join(filter(None, words))


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return text that is exactly so many cells wide, with an ellipsis where it was cut."""
    size = cell_len(text)
    if size > width:
        return f"{set_cell_size(text, width - 1)}…"
    padding = " " * (width - size)
    return padding + text if right else text + padding
