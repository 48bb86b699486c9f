"""What every transport gives to the engine: an ordered stream of bytes, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class StreamUser(Protocol):
    """Who uses a stream; called on the event loop, never after ``stream_closed``."""

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the peer."""

    def stream_closed(self, error: Exception | None) -> None:
        """Learn that the stream has ended: cleanly (None), or by an error."""


class Stream(Protocol):
    """A connection to somebody who is not yet known.

    ``transport`` is the number that records use for it (protocol §4), ``remote`` the address of
    the other end for people to read, ``host`` the part of it that limits are counted by.
    """

    transport: int
    remote: str
    host: str

    def attach(self, user: StreamUser) -> None:
        """Say who receives the bytes; what came before is handed over at once."""

    def pause(self) -> None:
        """Hand over nothing until :meth:`resume`: what the other end sends waits on its way."""

    def resume(self) -> None:
        """Hand over bytes again. Nothing happens if it was not paused."""

    def write(self, data: bytes) -> None:
        """Queue bytes; ignored when the stream is closed."""

    def close(self) -> None:
        """Send what is queued, then close."""

    def abort(self) -> None:
        """Close now and drop what is queued."""


StreamOpened = Callable[[Stream], None]
