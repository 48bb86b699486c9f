"""What stops an engine from running, said in one line."""

from __future__ import annotations


class EngineError(Exception):
    """The engine cannot run: the message says what, where, and what to do, in one line."""
