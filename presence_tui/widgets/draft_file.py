"""Where edited text waits that has not been sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from presence_core.identity.keyfile import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)


class DraftFile:
    """One text in one file, replaced atomically and readable by its owner only.

    A draft is a courtesy: a disk that is full or read-only is logged and never stops an edit.
    The methods block on the disk; call them in a thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """Return the kept text, or None when there is none that can be read as text."""
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("the draft %s cannot be read: %s", self._path, error)
            return None

    def keep(self, text: str | None) -> bool:
        """Keep a text, or none any more; return whether that worked."""
        try:
            if text is None:
                self._path.unlink(missing_ok=True)
            else:
                atomic_write(self._path, text.encode("utf-8"))
        except OSError as error:
            _log.warning("the draft %s cannot be written: %s", self._path, error)
            return False
        return True
