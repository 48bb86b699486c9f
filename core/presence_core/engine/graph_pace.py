"""How often graphs are made: at once after a quiet time, and never so often that little else is."""

from __future__ import annotations

GRAPH_SECONDS = 0.05
"""Graphs are made at most this often, however much happens."""

FILLING_SECONDS = 0.1
"""The same while the view fills: there is much else to do then."""

SHARE = 5
"""One part in so many of the time may go into graphs. While a large mesh comes to be known, each of
them is as much work as all that was new since the one before, and most of that is not yet all."""

LATE_SECONDS = 1.0
"""No graph is put off for longer, but while the view fills: then people are told that it does."""


class GraphPace:
    """Says from when on the next graph may be made. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.next_at = float("-inf")

    def made(self, began: float, ended: float, *, filling: bool) -> None:
        """Note that one was made, and how long it took."""
        pause = SHARE * (ended - began)
        if filling:
            self.next_at = began + max(FILLING_SECONDS, pause)
        else:
            self.next_at = began + max(GRAPH_SECONDS, min(LATE_SECONDS, pause))
