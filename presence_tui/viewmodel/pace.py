"""When a newer graph is taken: after what the person does, and not for most of the time.

To take a graph of ten thousand peers costs some hundredths of a second, more on a busy machine. A
key that comes meanwhile waits for it, so it is not begun while a key is being answered, and taking
rests in proportion to what it took. Of the graphs that wait the newest is shown.
"""

from __future__ import annotations

MANY = 1_000
"""With fewer peers a graph takes no longer than a frame, and is taken at once."""

ANSWER_SECONDS = 0.08
"""So long after a key nothing is done but what it asks for: that is painted within it."""

MOST_SECONDS = 0.4
"""No graph waits longer, though a key be held down or the machine be slow."""

_REST = 2.0
"""Taking rests so many times as long as it took."""


class Pace:
    """Says how long a graph is to wait. All times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._free_at = 0.0
        self._answered_at = 0.0
        self._waits_since: float | None = None

    def key(self, now: float) -> None:
        """Take note that a key has come."""
        self._answered_at = now + ANSWER_SECONDS

    def wait(self, peers: int, now: float) -> float:
        """Return how long a graph of so many peers has to wait; 0: it is to be taken now."""
        if self._waits_since is None:
            self._waits_since = now
        latest = self._waits_since + MOST_SECONDS
        due = min(latest, max(self._free_at, self._answered_at))
        return max(0.0, due - now) if peers >= MANY else 0.0

    def taken(self, began: float, now: float) -> None:
        """Take note that the graph that waited has been taken, beginning then, just now."""
        self._waits_since = None
        self._free_at = now + _REST * (now - began)
