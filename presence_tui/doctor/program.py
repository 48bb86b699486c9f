"""The program itself: its version, the Python that runs it, the system below."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from presence_core._version import __version__
from presence_core.engine.host import os_name
from presence_tui.doctor.finding import Finding, ok, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_tui.doctor.examination import Case


def look(_case: Case) -> Sequence[Finding]:
    """Say what runs on what."""
    python = f"Python {platform.python_version()}"
    said = f"presence-tui {__version__}, {python}, {os_name()} {platform.release()}"
    if os_name() == "Linux":
        return [ok("version", said)]
    return [
        warning(
            "version",
            f"{said}: it has been tested on Linux only",
            "nothing in it is meant for Linux alone: please report what does not work",
        )
    ]
