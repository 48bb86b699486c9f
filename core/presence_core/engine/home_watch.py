"""What others change in the home: looked for in all files at once, and away from the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Followed(Protocol):
    """Something in the home that a person or another program may change while an engine runs."""

    def changed(self) -> bool:
        """Whether somebody else has changed it. Waits for the disk: not for an event loop."""

    def due(self, now: float) -> bool:
        """Whether something is to be written."""

    async def follow(self, now: float) -> None:
        """Read what has changed, and write what is due."""


class HomeWatch:
    """Follows what is in a home. ``look`` is called again and again.

    To look at a file takes some microseconds, but a home may be on a network disk that does not
    answer, and a loop that waits for it answers no ping. So a thread looks: one hop for all files,
    as each wakes a processor that could sleep. Nobody waits for it; while one look is under way
    there is no other.
    """

    def __init__(self, now: Callable[[], float], *followed: Followed) -> None:
        self._now = now
        self._followed = followed
        self._looking: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Begin to look, unless that is being done."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="presence-home")

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        changed = await asyncio.to_thread(self._changed)
        now = self._now()
        for each in self._followed:
            try:
                if each in changed or each.due(now):
                    await each.follow(now)
            except Exception:
                log.exception("following the home failed; it goes on")

    def _changed(self) -> list[Followed]:
        changed = []
        for each in self._followed:
            try:
                if each.changed():
                    changed.append(each)
            except Exception:
                log.exception("looking at the home failed; it goes on")
        return changed
