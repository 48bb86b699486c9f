"""How a person likes the table: columns, order, groups, pins; what can be changed, and as text.

The text is kept between runs. It is read as hostile input is: what does not fit is left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from presence_tui.viewmodel.columns import (
    BUILT_IN,
    NARROWEST,
    WIDEST,
    Chosen,
    automatic,
    column_of,
)
from presence_tui.viewmodel.metadata import META
from presence_tui.viewmodel.orders import GROUPS, can_sort
from presence_tui.viewmodel.page import Row, Span, Tone
from presence_tui.viewmodel.rows import Query
from presence_tui.viewmodel.table import fit

MAX_COLUMNS = 32
MAX_PINNED = 200
_KEY_CHARACTERS = 128
_BY_NAME = (("name", False),)


@dataclass(frozen=True, slots=True)
class Layout:
    """What is kept of the table: ``columns`` (none: by the width), and how rows are ordered."""

    columns: tuple[Chosen, ...] = ()
    sort: tuple[tuple[str, bool], ...] = _BY_NAME
    group: str = ""
    pinned: frozenset[str] = frozenset()

    @classmethod
    def of(cls, columns: tuple[Chosen, ...], query: Query) -> Layout:
        """Return the layout of a table."""
        return cls(columns, query.orders, query.group, query.pinned)

    def into(self, query: Query) -> Query:
        """Return a query that is ordered like this."""
        (sort, reverse), *then = self.sort
        return replace(
            query,
            sort=sort,
            reverse=reverse,
            then=tuple(then),
            group=self.group,
            pinned=self.pinned,
        )


def layout_text(layout: Layout) -> str:
    """Return a layout as JSON."""
    return json.dumps(
        {
            "columns": [[c.key, c.width] for c in layout.columns],
            "sort": [list(order) for order in layout.sort],
            "group": layout.group,
            "pinned": sorted(layout.pinned),
        },
        indent=1,
    )


def read_layout(text: str) -> Layout:
    """Return the layout that a text holds, without what does not fit; never raises."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return Layout()
    if not isinstance(data, dict):
        return Layout()
    columns: dict[str, Chosen] = {}
    for key, width in _pairs(data.get("columns"), MAX_COLUMNS):
        if column_of(key) is not None:
            columns[key] = Chosen(key, _width(width))
    sort = {key: down is True for key, down in _pairs(data.get("sort"), 8) if can_sort(key)}
    group = data.get("group")
    pinned = data.get("pinned")
    return Layout(
        tuple(columns.values()),
        tuple(sort.items()) or _BY_NAME,
        group if isinstance(group, str) and _can_group(group) else "",
        frozenset(key for key in pinned[:MAX_PINNED] if isinstance(key, str))
        if isinstance(pinned, list)
        else frozenset(),
    )


def _pairs(value: Any, most: int) -> list[tuple[str, Any]]:
    if not isinstance(value, list):
        return []
    return [
        (pair[0], pair[1])
        for pair in value[:most]
        if isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and len(pair[0]) <= _KEY_CHARACTERS
    ]


def _width(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return max(NARROWEST, min(WIDEST, value))
    return None


def _can_group(key: str) -> bool:
    return key in GROUPS or (key.startswith(META) and len(key) <= _KEY_CHARACTERS)


class Columns:
    """A layout while a person changes it: every column there is, those that are shown first.

    ``keys``: all of them in order. Each method changes :attr:`layout`.
    """

    def __init__(self, layout: Layout, metadata: list[str], width: int) -> None:
        self._metadata = metadata
        self._begin(layout, width)

    def _begin(self, layout: Layout, width: int) -> None:
        self.layout = layout
        shown = layout.columns or automatic(width)
        self._widths = {c.key: c.width for c in shown}
        self._shown = set(self._widths)
        self.keys = [c.key for c in shown]
        self.keys += [key for key in (*BUILT_IN, *self._metadata) if key not in self._shown]

    def shown(self, key: str) -> bool:
        """Whether a column is shown."""
        return key in self._shown

    def toggle(self, key: str) -> None:
        """Show a column, or leave it out; the last one stays."""
        if key not in self._shown and len(self._shown) < MAX_COLUMNS:
            self._shown.add(key)
        elif len(self._shown) > 1:
            self._shown.discard(key)
        self._changed()

    def move(self, key: str, step: int) -> None:
        """Move a column one place to the left (-1) or to the right (1)."""
        at = self.keys.index(key)
        to = max(0, min(len(self.keys) - 1, at + step))
        self.keys.insert(to, self.keys.pop(at))
        self._changed()

    def resize(self, key: str, step: int) -> None:
        """Make a column wider (1) or narrower (-1)."""
        column = column_of(key)
        if column is not None:
            width = self._widths.get(key) or column.width
            self._widths[key] = max(NARROWEST, min(WIDEST, width + step))
            self._shown.add(key)
            self._changed()

    def sort(self, key: str, *, also: bool) -> None:
        """Sort by a column, ``also``: after those that are sorted by already."""
        if can_sort(key):
            query = self.layout.into(Query())
            query = query.also_sorted_by(key) if also else query.sorted_by(key)
            self.layout = replace(self.layout, sort=query.orders)

    def group(self, key: str) -> None:
        """Keep rows together by a column, or no longer."""
        if _can_group(key):
            self.layout = replace(self.layout, group="" if self.layout.group == key else key)

    def reset(self, width: int) -> None:
        """Go back to the columns and the order that the table has by itself."""
        self._begin(Layout(pinned=self.layout.pinned), width)

    def _changed(self) -> None:
        columns = tuple(Chosen(k, self._widths.get(k)) for k in self.keys if k in self._shown)
        self.layout = replace(self.layout, columns=columns)

    def line(self, key: str) -> Row:
        """Return the line about a column: whether it is shown, its name, width, order, group."""
        column = column_of(key)
        title = column.title if column is not None else ""
        name = f"{title} (metadata)" if key.startswith(META) else title
        width = self._widths.get(key)
        orders = [one for one, _ in self.layout.sort]
        order = ""
        if key in orders:
            arrow = "▼" if dict(self.layout.sort)[key] else "▲"
            order = f"{orders.index(key) + 1}{arrow}"
        return (
            Span("[x] " if key in self._shown else "[ ] ", Tone.KEY),
            Span(fit(name, 28)),
            Span(fit("auto" if width is None else str(width), 6, right=True), Tone.DIM),
            Span(f"  {order:<4}", Tone.WARNING),
            Span("grouped" if self.layout.group == key else "", Tone.GOOD),
        )
