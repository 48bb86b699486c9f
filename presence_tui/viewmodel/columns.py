"""Which columns the table has, in which order, and how wide: by itself, or as a person chose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import ViewState
from presence_tui.viewmodel.metadata import META
from presence_tui.viewmodel.words import LINKS_WIDTH, UNSURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NARROWEST, WIDEST = 3, 60
"""Cells that a column can be given."""


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
GAP = 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column that a person wants; ``width`` None: as wide as it is by itself."""

    key: str
    width: int | None = None


_MORE = (
    Column("trust", "TRUST", 8),
    Column("os", "OS", 10),
    Column("version", "VERSION", 8),
)
_CHOSEN_GROWING = ((META, 16), ("name", 24), ("via", 17), ("name", 36), (META, 30))
_BY_KEY = {c.key: c for c in (*_ALWAYS, _VIA, *_WITH_ROOM[1:], *_MORE)}
BUILT_IN = (
    "name",
    "key",
    "presence",
    "hops",
    "via",
    "links",
    "identity",
    *(c.key for c in _MORE),
    "rtt",
    "changed",
)
"""Every column but those of metadata, in the order in which they are offered."""


def column_of(key: str) -> Column | None:
    """Return the column with a key, as wide as it is by itself; None when there is none."""
    if not key.startswith(META):
        return _BY_KEY.get(key)
    name = safe_text(key.removeprefix(META), limit=24)
    title = name.rpartition(".")[2].upper()
    return Column(key, title, min(max(8, len(title)), 16)) if title else None


def automatic(width: int) -> tuple[Chosen, ...]:
    """Return what a table of that width shows by itself, to begin a choice with."""
    return tuple(Chosen(column.key) for column in columns_for(width))


def _chosen(width: int, view: ViewState, chosen: Iterable[Chosen]) -> list[Column]:
    columns: list[Column] = []
    left = width - _MARK
    growing = set()
    for one in chosen:
        column = column_of(one.key)
        if column is None:
            continue
        if one.width is not None:
            column = replace(column, width=one.width)
        elif column.key == "presence" and view in UNSURE:
            column = replace(column, width=_LAST_KNOWN_WIDTH)
        else:
            growing.add(column.key)
        if columns and left < column.width + GAP:
            break
        columns.append(column)
        left -= column.width + GAP
    for grows, most in _CHOSEN_GROWING:
        for at, column in enumerate(columns):
            if column.key in growing and column.key.startswith(grows):
                more = max(0, min(left, most - column.width))
                columns[at] = replace(column, width=column.width + more)
                left -= more
    return columns


def columns_for(
    width: int, view: ViewState = ViewState.CURRENT, chosen: Sequence[Chosen] = ()
) -> list[Column]:
    """Return the columns for so many cells: before them one for the mark, after each a gap.

    A table of 62 cells has the six that are always there. A view in which nobody can be said to
    be online needs longer words and has no round trips; a blind one knows no ways. ``chosen``: what
    the person wants to see instead, as many as there is room for, from the left.
    """
    if chosen:
        return _chosen(width, view, chosen)
    columns = list(_ALWAYS)
    useless = _USELESS.get(view, ())
    if view in UNSURE:
        columns[2] = replace(_PRESENCE, width=_LAST_KNOWN_WIDTH)
    left = width - _MARK - sum(column.width + GAP for column in columns)
    kept = 0  # for VIA, before there are others
    for column in _WITH_ROOM:
        if column in useless:
            continue
        if left - kept < column.width + GAP:
            break
        columns.insert(_VIA_PLACE if column is _VIA else len(columns), column)
        left -= column.width + GAP
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
