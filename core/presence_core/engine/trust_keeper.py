"""Keeps the home's trust file, what the engine knows of keys, and its links in step."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from presence_core.engine.acquaintances import Acquaintances
from presence_core.identity.keyfile import HomeError
from presence_core.identity.trust_file import TrustFile
from presence_core.model import ConditionState, Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from presence_core.engine.conditions import Conditions
    from presence_core.identity.trust import TrustBook

log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0
"""How long after the first new thing the file is written: a mesh that comes up is one write."""

AGAIN_SECONDS = 10.0
"""How long after a write the next one may be."""

_SOME = 3


class TrustKeeper:
    """Follows the trust file and writes into it what the engine meets.

    ``own`` is the engine's own key, ``run`` its epoch. ``blocking`` is told of keys that are
    blocked now or no more, ``changed`` that somebody stands otherwise.
    """

    def __init__(
        self,
        home: Path,
        own: bytes,
        run: int,
        conditions: Conditions,
        *,
        changed: Callable[[], None],
        blocking: Callable[[bytes], None],
    ) -> None:
        self.acquaintances = Acquaintances(own, run)
        self._own = own
        self._file = TrustFile(home)
        self._conditions = conditions
        self._changed = changed
        self._blocking = blocking
        self._lock = asyncio.Lock()
        self._write_at: float | None = None
        self._not_before = float("-inf")

    def open(self) -> None:
        """Read the file (not for the event loop).

        Raises HomeError: an engine that does not know whom to block is not started.
        """
        book = self._file.load()
        self._report(book)
        self.acquaintances.adopt(book)

    # -- what a person decides

    async def decide(self, key: bytes, trust: Trust, name: str | None) -> None:
        """Verify or block a key. Raises ValueError when that makes no sense, HomeError."""
        if key == self._own:
            raise ValueError("this is the key of this device itself")
        at = datetime.now(UTC)

        def change(book: TrustBook) -> None:
            notes.write(book)  # when and under which name it was met comes before what is thought
            book.decide(key, trust, at, name)

        async with self._lock:
            notes = self.acquaintances.notes()
            await self._update(change)

    async def forget(self, key: bytes) -> None:
        """Forget a key: if it is still here it is met as for the first time. Raises HomeError."""
        async with self._lock:
            self.acquaintances.forget(key)
            await self._update(lambda book: book.drop(key))

    async def _update(self, change: Callable[[TrustBook], object]) -> None:
        self._adopt(await asyncio.to_thread(self._file.update, change))
        self._changed()

    def _adopt(self, book: TrustBook) -> None:
        self._report(book)
        for key in self.acquaintances.adopt(book):
            self._blocking(key)

    # -- what time brings

    def changed(self) -> bool:
        """Whether somebody else has changed the file (not for the event loop)."""
        return self._file.changed()

    async def follow(self, now: float) -> None:
        """Take over what others have written, and write what is due."""
        async with self._lock:
            try:
                if self.due(now):
                    self._write_at, self._not_before = None, now + AGAIN_SECONDS
                    await self._update(self.acquaintances.notes().write)
                elif await asyncio.to_thread(self._file.changed):
                    self._adopt(await asyncio.to_thread(self._file.load))
            except HomeError as error:
                self._conditions.set(
                    "trust",
                    ConditionState.WARNING,
                    str(error),
                    "until then this device goes by what it knows, and forgets it when it stops",
                )
        if self.acquaintances.changed:
            self._changed()

    def due(self, now: float) -> bool:
        """Whether what was met is to be written now."""
        if not self.acquaintances.noteworthy:
            return False
        if self._write_at is None:
            self._write_at = max(now + WRITE_SECONDS, self._not_before)
        return now >= self._write_at

    async def close(self) -> None:
        """Write what is not written yet."""
        if self.acquaintances.noteworthy:
            try:
                await asyncio.to_thread(self._file.update, self.acquaintances.notes().write)
            except HomeError as error:
                log.warning("whom this device has met is not kept: %s", error)

    def _report(self, book: TrustBook) -> None:
        """Say which lines of the file cannot be read, or that all is well."""
        damage = book.damage
        if not damage:
            self._conditions.clear("trust")
            return
        more = f" and {len(damage) - _SOME} more" if len(damage) > _SOME else ""
        self._conditions.set(
            "trust",
            ConditionState.WARNING,
            f"{self._file.path}: {'; '.join(damage[:_SOME])}{more}",
            "what stands there is kept but not followed: correct it or remove it",
        )
