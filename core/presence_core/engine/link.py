"""A session on a stream: bytes to messages, with the timers that the session asks for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from presence_core.handshake.events import (
    Authenticated,
    Closed,
    CloseReason,
    Event,
    MessageReceived,
    RttMeasured,
)
from presence_core.handshake.session import Session, State
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.transports.stream import Stream

LATE_SECONDS = 0.5
"""A timer that fires so late tells of us, not of the other end."""


class LinkUser(Protocol):
    """Who is told what happens on a link."""

    def link_authenticated(self, link: Link) -> None:
        """The other end has proven its key (``link.session.peer_key``)."""

    def link_message(self, link: Link, kind: int, body: bytes) -> None:
        """A message has come."""

    def link_closed(self, link: Link, closed: Closed) -> None:
        """The link has ended; nothing more will come of it."""


@entity
class Rtt:
    """The round trip of a link, smoothed: one slow answer is not news."""

    seconds: float | None = None

    def measured(self, seconds: float) -> None:
        """Take a measurement in (RFC 6298's smoothing, without its variance)."""
        old = self.seconds
        self.seconds = seconds if old is None else old + (seconds - old) / 8


class Link:
    """One connection, from its first byte to its last. ``id`` is unique in an engine."""

    def __init__(
        self,
        link_id: int,
        stream: Stream,
        session: Session,
        user: LinkUser,
        *,
        clock: Callable[[], float],
        dialled: str | None,
    ) -> None:
        self.id = link_id
        self.stream = stream
        self.session = session
        self.dialled = dialled
        """Name of the target that we dialled; None when the other end did."""
        self.handshake_hash = b""
        self.rtt = Rtt()
        self.closed: Closed | None = None
        self._user = user
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self.gone = self._loop.create_future()
        """Done when the stream has ended, with all that was queued on it sent or dropped."""
        self._timer: asyncio.TimerHandle | None = None
        self._excused = False
        stream.attach(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the stream."""
        self._handle(self.session.receive(data, self._clock()))

    def stream_closed(self, error: Exception | None) -> None:
        """Learn that the stream has ended."""
        if not self.gone.done():
            self.gone.set_result(None)
        events = self.session.eof(self._clock())
        detail = f"connection reset: {error}" if error else None
        self._handle(
            [
                Closed(event.reason, detail, event.code)
                if isinstance(event, Closed) and detail
                else event
                for event in events
            ]
        )
        self._finish(Closed(CloseReason.EOF, detail or "the other end closed the connection", None))

    def send(self, kind: int, body: bytes) -> None:
        """Queue a message; the caller flushes. Ignored when the session is over."""
        if self.closed is None and self.session.state is State.OPEN:
            self.session.send(kind, body, self._clock())

    def hang_up(self, code: int, why: str) -> None:
        """Say goodbye and close."""
        if self.closed is not None:
            return
        self.session.bye(code, self._clock())
        self.flush()
        self._finish(Closed(CloseReason.LOCAL, why, code))

    def flush(self) -> None:
        """Give the stream what the session has to send, and set its timer."""
        data = self.session.data_to_send()
        if data:
            self.stream.write(data)
        if self.closed is not None:
            return
        timeout = self.session.next_timeout()
        if timeout is None:
            return
        if self._timer is None or self._timer.when() > timeout:
            # An earlier timer is left to fire and look again: cheaper than moving it each byte.
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(timeout, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        now = self._clock()
        timeout = self.session.next_timeout()
        if timeout is None or timeout > now:
            self.flush()
        elif now - timeout > LATE_SECONDS and not self._excused:
            # This process was asleep, or starved: what the other end has sent meanwhile waits in
            # the socket. Read it before calling anybody dead.
            self._excused = True
            self._timer = self._loop.call_later(LATE_SECONDS, self._timed_out)
        else:
            self._excused = False
            self._handle(self.session.handle_timeout(now))

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if self.closed is not None:
                return
            match event:
                case Authenticated():
                    self.handshake_hash = event.handshake_hash
                    self._user.link_authenticated(self)
                case MessageReceived():
                    self._user.link_message(self, event.type, event.body)
                case RttMeasured():
                    self.rtt.measured(event.seconds)
                case Closed():
                    self.flush()
                    self._finish(event)
        self.flush()

    def _finish(self, closed: Closed) -> None:
        if self.closed is not None:
            return
        self.closed = closed
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if closed.reason in (CloseReason.DEAD, CloseReason.TIMEOUT_HANDSHAKE):
            self.stream.abort()
        else:
            self.stream.close()
        self._user.link_closed(self, closed)
