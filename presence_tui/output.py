"""Who writes where: data to stdout, words to stderr, and nothing else anywhere."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

EXIT_DONE = 0
EXIT_NO = 1
"""The question was answered with no: not found, not met in time."""
EXIT_USAGE = 2
EXIT_CANNOT = 3


class CommandError(Exception):
    """Ends a command with one line on stderr and an exit code."""

    def __init__(self, message: str, code: int = EXIT_CANNOT) -> None:
        super().__init__(message)
        self.code = code


def data(line: str) -> None:
    """Write one line of data to stdout, at once. Raises BrokenPipeError when nobody reads."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """Write one line for a person to stderr."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"presence-tui: {' '.join(message.splitlines())}\n")
        sys.stderr.flush()


def discard_stdout() -> None:
    """Let nothing more be written to a pipe that nobody reads, not even at exit."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def when_reader_goes(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call back when the reader of our stdout closes its end, if that is a pipe.

    A stream that waits for news would otherwise notice only at the next line.
    """
    with contextlib.suppress(OSError, ValueError, NotImplementedError):
        descriptor = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            loop.add_reader(descriptor, callback)
