"""Giving back what starting up has needed."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

GIVE_BACK_SECONDS = 20.0
"""How long after its start an engine does it: by then the first exchange is over."""


def give_back() -> None:
    """Return free memory to the system, where the C library can (malloc_trim of glibc).

    Loading modules and a first exchange leave nearly a megabyte behind that is not needed again;
    on a machine with many engines, or little memory, that is worth some milliseconds.
    """
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such function
            ctypes.CDLL(None).malloc_trim(0)
