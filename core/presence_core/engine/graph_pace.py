"""How often graphs are made: at once after a quiet time, and never so often that little else is."""

from __future__ import annotations

GRAPH_SECONDS = 0.05
"""Graphs are made at most this often, however much happens."""

FILLING_SECONDS = 0.1
"""The same while the view fills: there is much else to do then."""

SLICE = 300
"""Connections or peers that are brought up to date in one go: some ten milliseconds."""

SHARE = 5
"""One part in so many of the time may go into graphs. While a large mesh comes to be known, each of
them is as much work as all that was new since the one before, and most of that is not yet all."""

LATE_SECONDS = 1.0
"""No graph is put off for longer, but while the view fills: then people are told that it does. Nor
is one longer in the making, however much comes meanwhile."""


class GraphPace:
    """Says from when on the next graph may be made. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.next_at = float("-inf")
        self._spent = 0.0
        self._begun_at: float | None = None

    def worked(self, began: float, ended: float) -> None:
        """Note how long it was worked on the next one."""
        self._spent += ended - began
        if self._begun_at is None:
            self._begun_at = began

    def late(self, now: float) -> bool:
        """Whether the next one has been in the making for so long that it is to be made at once."""
        return self._begun_at is not None and now - self._begun_at >= LATE_SECONDS

    def made(self, now: float, *, filling: bool) -> None:
        """Note that it is made."""
        pause, self._spent, self._begun_at = SHARE * self._spent, 0.0, None
        if filling:
            self.next_at = now + max(FILLING_SECONDS, pause)
        else:
            self.next_at = now + max(GRAPH_SECONDS, min(LATE_SECONDS, pause))
