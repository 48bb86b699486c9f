"""Streams on stdout, beside an event loop that must not wait for whoever reads them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import stat
import sys
import threading
from typing import TYPE_CHECKING

from presence_tui.output import CommandError, cannot_write

if TYPE_CHECKING:
    from collections.abc import Callable


class Lines:
    """Writes lines to stdout from a thread, so that the engine lives on while nobody reads.

    A pager, or a program that is busy, may stop reading for as long as it likes; the event loop
    must go on answering peers. The thread writes past ``sys.stdout``, whose lock it would
    otherwise hold when the program wants to end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        sys.stdout.flush()
        self._descriptor = sys.stdout.fileno()
        threading.Thread(target=self._run, name="presence-stdout", daemon=True).start()

    async def write(self, line: str) -> None:
        """Write a line of ASCII. Raises BrokenPipeError, or CommandError if it cannot."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((line.encode("ascii") + b"\n", done))
        try:
            await done
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(cannot_write(error)) from None

    def _run(self) -> None:
        while True:
            rest, done = self._queue.get()
            failure: OSError | None = None
            try:
                self._write_all(rest)
            except OSError as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_settle, done, failure)

    def _write_all(self, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # whoever shares this terminal has made it non-blocking
                select.select([], [self._descriptor], [])


def _settle(done: asyncio.Future[None], failure: OSError | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


def when_reader_goes(callback: Callable[[], None]) -> None:
    """Call back when the reader of our stdout closes its end, if that is a pipe.

    A stream that waits for news would otherwise notice only at the next line.
    """
    with contextlib.suppress(OSError, ValueError, NotImplementedError):
        descriptor = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            asyncio.get_running_loop().add_reader(descriptor, callback)
