"""A clock that moves only from one event to the next, and what is to happen when."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from typing import Any

START = 1_000.0
PULSE_EVENTS = 2_000


class Clock:
    """Simulated monotonic seconds. Events of one moment happen in the order they were asked for."""

    def __init__(self) -> None:
        self.now = START
        self.events = 0
        self.pulse: Callable[[], None] | None = None
        """Called now and then in real time, for whoever shows how far a long simulation is."""
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._asked = 0

    def at(self, moment: float, action: Callable[..., object], *args: Any) -> None:
        """Have something happen; what lies in the past happens now."""
        self._asked += 1
        heapq.heappush(self._heap, (max(moment, self.now), self._asked, action, args))

    def after(self, seconds: float, action: Callable[..., object], *args: Any) -> None:
        """Have something happen in so many seconds."""
        self.at(self.now + seconds, action, *args)

    def run(self, until: float, *, stop: Callable[[], bool] | None = None) -> bool:
        """Let time pass to ``until``, or to the event after which ``stop`` holds; then True."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            moment, _, action, args = heapq.heappop(heap)
            self.now = moment
            self.events += 1
            action(*args)
            if self.pulse is not None and not self.events % PULSE_EVENTS:
                self.pulse()
            if stop is not None and stop():
                return True
        self.now = max(self.now, until)
        return False


class Trace:
    """A digest of everything that happened, in order: two runs of one seed have the same."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.length = 0

    def note(self, now: float, what: str, body: bytes = b"") -> None:
        """Add an event."""
        self.length += 1
        self._hash.update(f"{now:.9f} {what} {len(body)} ".encode())
        self._hash.update(body)

    def digest(self) -> str:
        """Return the digest of all until now."""
        return self._hash.hexdigest()
