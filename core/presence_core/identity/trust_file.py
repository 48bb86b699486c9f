"""The trust file of a home: read whole, replaced whole, never by two at once."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from presence_core.identity.keyfile import HomeError, atomic_write, lock_file
from presence_core.identity.trust import TrustBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRUST_FILE = "trust"
MAX_BYTES = 64 * 1024 * 1024
"""Far more than 20,000 acquaintances with the longest names take."""

LOCK_SECONDS = 5.0
_PAUSE = 0.02


class TrustFile:
    """What an engine and the commands beside it know of peer keys, in the home.

    Everybody who changes it holds its lock while reading, changing and replacing it: so nobody's
    lines are lost, and a reader without the lock sees the old file or the new one. All of this
    waits for the disk: not for an event loop.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / TRUST_FILE
        self._book = TrustBook()
        self._seen: tuple[int, int, int] | None = None

    def load(self) -> TrustBook:
        """Read the file; an empty book when there is none. Raises HomeError."""
        seen = self._stamp()
        if seen is None or seen != self._seen:
            # Of two stamps the older: what is replaced in between is read once more.
            self._book = TrustBook() if seen is None else self._read()
            self._seen = seen
        return self._book

    def update(self, change: Callable[[TrustBook], object]) -> TrustBook:
        """Change what the file holds now, durably, and return it.

        What ``change`` gets is its own; nothing is written when the text stays the same. Raises
        HomeError; the file is then as it was.
        """
        with self._locked():
            known = self.load()
            book = known.copy()
            change(book)
            text = book.text()
            if text != known.text():
                try:
                    self._sweep()
                    atomic_write(self.path, text.encode("utf-8", "surrogateescape"))
                except OSError as error:
                    raise HomeError(f"cannot write {self.path}: {error.strerror}") from error
                self._book, self._seen = book, self._stamp()
            return self._book

    def changed(self) -> bool:
        """Whether somebody else has replaced the file since it was last read or written here."""
        return self._stamp() != self._seen

    def _read(self) -> TrustBook:
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise HomeError(f"{self.path} is too large to be a trust file; move it away")
            data = self.path.read_bytes()
        except FileNotFoundError:
            return TrustBook()
        except OSError as error:
            raise HomeError(
                f"cannot read {self.path}: {error.strerror}; "
                "it says whom this device trusts and blocks: restore it, or move it away"
            ) from error
        return TrustBook.parse(data.decode("utf-8", "surrogateescape"), known=self._book)

    def _sweep(self) -> None:
        """Remove what a killed process left behind: whoever holds the lock is the only writer."""
        for left in self.path.parent.glob(f".{self.path.name}.*.new"):
            left.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file: one beside it, as the file itself is replaced."""
        path = self.path.with_name(f"{self.path.name}.lock")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise HomeError(f"cannot use {path}: {error.strerror}") from error
        with os.fdopen(descriptor, "r+b") as lock:
            end = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    lock_file(lock)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise HomeError(
                            f"{self.path} is being changed by another program for "
                            f"{LOCK_SECONDS:.0f} s; end that program and try again"
                        ) from None
                    time.sleep(_PAUSE)
                except OSError as error:
                    raise HomeError(f"cannot lock {path}: {error.strerror}") from error
            yield

    def _stamp(self) -> tuple[int, int, int] | None:
        with contextlib.suppress(OSError):
            status = self.path.stat()
            return status.st_mtime_ns, status.st_ino, status.st_size
        return None
