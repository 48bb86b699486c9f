"""Events of a timeline that are told together: which they are, and the lines that come of it.

What many peers do in a minute is one line that can be opened. What has to do with who somebody is
never hides behind another peer: such events are together only when they say the same of the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from presence_core.model import ChangeKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from presence_core.model import Change
    from presence_tui.viewmodel.timeline import Event, Timeline

FOLD_SECONDS = 60.0
"""Events are told together that begin within so many seconds of the first of them."""

_KEPT = 5_000
"""Folds that are still taking events, at most: as many as there are events."""

_Key: TypeAlias = "tuple[ChangeKind, object, object]"


_ONE_BY_ONE = frozenset(
    (
        ChangeKind.IDENTITY_CHANGED,
        ChangeKind.TRUST_CHANGED,
        ChangeKind.KEY_WARNING,
        ChangeKind.VIEW_CHANGED,
        ChangeKind.CONDITION_CHANGED,
    )
)
"""Together are only those that say the same of the same; of all others, those of a kind."""


class Folding:
    """Says of each event, as it comes, with which it belongs together; that never changes."""

    def __init__(self) -> None:
        self._open: dict[_Key, tuple[int, datetime]] = {}  # in the order in which they began
        self._last: tuple[ChangeKind, datetime, int] | None = None

    def fold(self, change: Change, number: int) -> int:
        """Return the number of the event that began the fold of this one: perhaps its own."""
        if change.kind in _ONE_BY_ONE:
            return self._fold(_key(change), change.at, number)
        last = self._last
        if last is None or last[0] is not change.kind or last[1] is not change.at:
            first = self._fold((change.kind, None, None), change.at, number)
            last = self._last = change.kind, change.at, first  # hundreds of a kind come at once
        return last[2]

    def _fold(self, key: _Key, at: datetime, number: int) -> int:
        first, began = self._open.get(key, (number, at))
        # a clock that was set back begins anew
        if not 0 <= (at - began).total_seconds() < FOLD_SECONDS:
            first, began = number, at
        if first == number:
            self._open.pop(key, None)
            self._open[key] = first, began
            self._forget(at)
        return first

    def _forget(self, now: datetime) -> None:
        while True:
            oldest = next(iter(self._open))
            began = self._open[oldest][1]
            if len(self._open) <= _KEPT and (now - began).total_seconds() < FOLD_SECONDS:
                return
            del self._open[oldest]


def _key(change: Change) -> _Key:
    match change.kind:
        case ChangeKind.IDENTITY_CHANGED:
            return change.kind, change.peer_key, change.after["status"]
        case ChangeKind.TRUST_CHANGED | ChangeKind.KEY_WARNING:
            return change.kind, change.peer_key, change.after
        case ChangeKind.VIEW_CHANGED:
            return change.kind, None, change.after["state"]
        case _:
            now, was = change.after, change.before
            return change.kind, (now or was)["source"], now and (now["state"], now["message"])


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the timeline.

    ``events``: what it tells of, the newest first. ``opened``: they follow, a line each.
    ``part``: one of those.
    """

    events: Sequence[Event]
    opened: bool = False
    part: bool = False

    @property
    def newest(self) -> Event:
        """The event that happened last."""
        return self.events[0]

    @property
    def folds(self) -> bool:
        """Whether it stands for more than one event."""
        return len(self.events) > 1

    @property
    def about(self) -> str | None:
        """The key of the peer that all of it is about; None when it is about several or none."""
        keys = {event.change.peer_key for event in self.events}
        return keys.pop() if len(keys) == 1 else None

    def at_place_of(self, other: Entry) -> bool:
        """Whether it stands where another one stood, with more events in it or fewer."""
        if self.part or other.part:
            return self.part is other.part and self.newest is other.newest
        return self.newest.fold == other.newest.fold


class Entries:
    """The lines of a timeline, and which of them are opened."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._opened: set[int] = set()
        self._lines: list[Entry] = []
        self._made_of: list[Event] | None = None

    @property
    def lines(self) -> list[Entry]:
        """The lines, the newest first; the same list until there are others."""
        shown = self._timeline.shown
        if shown is not self._made_of:
            self._made_of = shown
            self._lines = self._made(shown)
        return self._lines

    def toggle(self, entry: Entry) -> None:
        """Open an entry, or close it; from one of its events too."""
        self._opened ^= {entry.newest.fold}
        self._made_of = None

    def place(self, entry: Entry) -> int:
        """Return on which line an entry is now, or the one that stands for it, or follows it."""
        lines = self.lines
        for at, line in enumerate(lines):
            if line.at_place_of(entry):
                return at
        number = entry.newest.number
        for at, line in enumerate(lines):
            if line.newest.number <= number or line.newest.fold == entry.newest.fold:
                return at
        return max(0, len(lines) - 1)

    def _made(self, shown: list[Event]) -> list[Entry]:
        folds: dict[int, list[Event]] = {}
        for event in shown:
            folds.setdefault(event.fold, []).append(event)
        self._opened &= folds.keys()
        lines = []
        for fold, events in folds.items():
            opened = fold in self._opened and len(events) > 1
            lines.append(Entry(events, opened))
            if opened:
                lines += [Entry((event,), part=True) for event in events]
        return lines
