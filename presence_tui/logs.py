"""Where trouble that is no answer to the person goes: a small log file in the home.

Nothing of it reaches stderr, which belongs to one-line messages and, in the dashboard, to the
screen itself.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io

LOG_FILE = "presence-tui.log"
LOG_BYTES = 1_000_000
"""One older file of this size is kept beside it."""

log = logging.getLogger(__name__)


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """Made at the first record, with its folder; readable by its owner only."""

    def _open(self) -> io.TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open(
            path,
            "a",
            encoding="utf-8",
            errors="backslashreplace",
            opener=lambda name, flags: os.open(name, flags, 0o600),
        )


def keep_logs(home: Path) -> None:
    """Send warnings and worse, of this program and its libraries, to the home's log file."""
    root = logging.getLogger()
    if any(isinstance(handler, _PrivateFile) for handler in root.handlers):
        return
    handler = _PrivateFile(home / LOG_FILE, maxBytes=LOG_BYTES, backupCount=1, delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    logging.raiseExceptions = False  # a log that cannot be written is no reason to disturb
    logging.captureWarnings(capture=True)
    threading.excepthook = lambda args: log.error("a thread ended", exc_info=args.exc_value)
    sys.unraisablehook = lambda args: log.error("ignored", exc_info=args.exc_value)


def keep_crash(home: Path, error: BaseException) -> bool:
    """Write the traceback of what ended the program to the log; return whether it is there."""
    keep_logs(home)
    log.critical("the program ended", exc_info=error)
    return (home / LOG_FILE).exists()
