"""When to publish the own record (protocol §6.5): at once, then ever more slowly while it changes.

Pure; time is passed in.
"""

from __future__ import annotations

DELAYS = (0.0, 0.25, 1.0, 2.0, 5.0)
QUIET_SECONDS = 10.0
"""Without a change for so long, the next one is published at once again."""


class PublishPacer:
    """Paces one record."""

    def __init__(self) -> None:
        self._step = 0
        self._last = float("-inf")
        self._due: float | None = None

    def request(self, now: float) -> None:
        """Say that the record has changed. Several changes before it is due are one."""
        if self._due is not None:
            return
        if now - self._last >= QUIET_SECONDS:
            self._step = 0
        self._due = max(now, self._last + DELAYS[self._step])

    def due(self, now: float) -> bool:
        """Whether it is to be published now."""
        return self._due is not None and now >= self._due

    def next_time(self) -> float | None:
        """When it will be due; None when nothing has changed."""
        return self._due

    def published(self, now: float) -> None:
        """Note that it has been published, with all changes until now."""
        if now - self._last >= QUIET_SECONDS:
            self._step = 0
        self._last = now
        self._due = None
        self._step = min(self._step + 1, len(DELAYS) - 1)
