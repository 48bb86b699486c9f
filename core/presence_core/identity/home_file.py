"""Files of a home that several programs read and change: whether one is another, whose turn it is.

Blocking, for the disk and for whoever else changes a file: not for an event loop.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from presence_core.identity.keyfile import HomeError, lock_file, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_SECONDS = 5.0
"""How long to wait for another program; all that it has to do is to read and replace a file."""

_PAUSE = 0.02

Stamp = tuple[int, int, int]
"""By which it is seen that somebody has replaced a file."""


def stamp(status: os.stat_result) -> Stamp:
    """Return what tells one content of a file from another: files are replaced, not changed."""
    return status.st_mtime_ns, status.st_ino, status.st_size


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file; None when there is no file."""
    with contextlib.suppress(OSError):
        return stamp(path.stat())
    return None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, to read, change and replace it, so that nobody's change is lost.

    A reader without the lock sees the old file or the new one. The folder is made when it is
    missing. Raises HomeError when the lock cannot be had, or not within ``LOCK_SECONDS``.
    """
    beside = path.with_name(f"{path.name}.lock")  # the file itself is replaced
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeError(f"cannot use {beside}: {error.strerror}") from error
    with os.fdopen(descriptor, "r+b") as lock:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                lock_file(lock)
                sweep(path)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise HomeError(
                        f"{path} is being changed by another program for "
                        f"{LOCK_SECONDS:.0f} s; end that program and try again"
                    ) from None
                time.sleep(_PAUSE)
            except OSError as error:
                raise HomeError(f"cannot lock {beside}: {error.strerror}") from error
        yield
