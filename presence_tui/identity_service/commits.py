"""One thread that owns the data base, and puts what waits at one moment into one commit.

A commit waits for the disk; hundreds of logins a second are possible because they share it. Nobody
gets an answer before what it says is on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from presence_tui.identity_service.database import transaction
from presence_tui.identity_service.providers import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_tui.identity_service.state import State

_T = TypeVar("_T")

log = logging.getLogger(__name__)

MAX_BATCH = 256
MAX_WAITING = 4_096


class _Job:
    """Something to do with the state, and where its outcome goes."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Callable[[State], Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, state: State) -> None:
        """Do it. What it changed before it failed is taken back, and nothing of the others.

        Raises sqlite3.Error when the data base itself fails: then nothing of the batch holds.
        """
        state.connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(state)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                raise
            self.error = error
            state.connection.execute("ROLLBACK TO job")
            state.doubt()
        state.connection.execute("RELEASE job")

    def settle(self) -> None:
        """Tell whoever asked, in the event loop."""
        if self.future.done():  # whoever asked is gone
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Commits:
    """Runs work on the state in a thread of its own. Close it in the end."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="identity-commits", daemon=True)
        self._thread.start()
        self._closed = False

    async def do(self, work: Callable[[State], _T]) -> _T:
        """Run work inside a transaction; when this returns, what it changed is on the disk.

        Raises what the work raises, and RefusedError when too much waits or nothing can be written.
        """
        if self._closed or self._queue.qsize() >= MAX_WAITING:
            raise RefusedError(
                503, "busy", "the service has too much to do; try again", retry_after=5
            )
        job = _Job(work, self._loop.create_future())
        self._queue.put(job)
        result: _T = await job.future
        return result

    async def close(self) -> None:
        """Finish what waits, and close the data base."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._queue.get()]
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            ended = None in batch
            self._commit([job for job in batch if job is not None])
        self._state.close()

    def _commit(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        try:
            with transaction(self._state.connection):
                for job in jobs:
                    job.run(self._state)
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            self._state.doubt()
            log.error("nothing can be written to the data base: %s", error)  # noqa: TRY400
            for job in jobs:
                job.error = error
        self._loop.call_soon_threadsafe(_settle, jobs)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()
