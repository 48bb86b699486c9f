"""When rows may change places: not under the eyes of who reads, and not too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from presence_tui.viewmodel.rows import Rows

HOLD_SECONDS = 3.0
"""For so long after a move nothing is put into another order under the reader's eyes."""

SORT_SECONDS = 1.0
"""Rows change places at most so often: what jumps ten times a second cannot be read."""

_MANY = 2_000
"""From so many rows on, newcomers too wait for the next time that rows are put in order."""


class Calm:
    """Remembers when a person moved and when rows changed places. ``now`` may be set back."""

    def __init__(self) -> None:
        self._moved_at: datetime | None = None
        self._arranged_at: datetime | None = None

    def moved(self, now: datetime) -> None:
        """Take note that the person moves about, or is about to."""
        self._moved_at = now

    def release(self) -> None:
        """Hold nothing any more: the person has asked for another order."""
        self._moved_at = None

    def arranged(self, now: datetime) -> None:
        """Take note that rows have been put in order."""
        self._arranged_at = now

    def holds(self, now: datetime) -> bool:
        """Whether rows stay where they are."""
        # a clock that was set back must not hold the order for hours
        return _within(self._moved_at, now, HOLD_SECONDS)

    def due(self, rows: Rows, now: datetime) -> bool:
        """Whether rows are to be put in order now."""
        if rows.stale and len(rows.shown) < _MANY:
            return True
        return (rows.stale or rows.unsorted) and not _within(self._arranged_at, now, SORT_SECONDS)


def _within(since: datetime | None, now: datetime, seconds: float) -> bool:
    return since is not None and 0 <= (now - since).total_seconds() < seconds
