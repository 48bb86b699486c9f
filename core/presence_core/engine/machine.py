"""What a device says of itself when nobody has told it."""

from __future__ import annotations

import platform
import socket


def os_name() -> str:
    """Return the operating system in the words of the presence graph."""
    return {"Darwin": "macOS"}.get(platform.system(), platform.system() or "Generic")


def device_name() -> str:
    """Return the name a device goes by when nobody has given it one."""
    return socket.gethostname().partition(".")[0] or "unnamed"
