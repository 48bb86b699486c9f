"""The trust file of a home: read whole, replaced whole, never by two at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.identity.home_file import Stamp, locked, stamp_of
from presence_core.identity.keyfile import HomeError, atomic_write
from presence_core.identity.trust import TrustBook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRUST_FILE = "trust"
MAX_BYTES = 64 * 1024 * 1024
"""Far more than 20,000 acquaintances with the longest names take."""


class TrustFile:
    """What an engine and the commands beside it know of peer keys, in the home.

    Everybody who changes it holds its lock meanwhile. All of this waits for the disk: not for an
    event loop.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / TRUST_FILE
        self._book = TrustBook()
        self._seen: Stamp | None = None

    def load(self) -> TrustBook:
        """Read the file; an empty book when there is none. Raises HomeError."""
        seen = stamp_of(self.path)
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
        with locked(self.path):
            known = self.load()
            book = known.copy()
            change(book)
            text = book.text()
            if text != known.text():
                try:
                    atomic_write(self.path, text.encode("utf-8", "surrogateescape"))
                except OSError as error:
                    raise HomeError(f"cannot write {self.path}: {error.strerror}") from error
                self._book, self._seen = book, stamp_of(self.path)
            return self._book

    def changed(self) -> bool:
        """Whether somebody else has replaced the file since it was last read or written here."""
        return stamp_of(self.path) != self._seen

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
