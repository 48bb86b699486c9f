"""Goldens: what we print, byte by byte. ``GOLDENS=write`` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

GOLDENS = Path(__file__).parent.parent / "goldens"
_WRITE = os.environ.get("GOLDENS") == "write"


def check_golden(name: str, text: str) -> None:
    """Compare a text with its golden, to the byte."""
    path = GOLDENS / name
    data = text.encode("ascii")
    if _WRITE:
        path.write_bytes(data)
    assert path.read_bytes() == data, f"{name} differs; if that is meant: GOLDENS=write pytest"
