"""A reliable, ordered stream of bytes over fragments that are lost, doubled and overtaken (§2.4).

Pure; time is passed in. Neither GATT notifications nor writes without response are known to arrive,
so fragments are numbered, kept until they are acknowledged, and sent again when they are not. What
is handed out is what was sent, in order, or the channel has failed.
"""

from __future__ import annotations

from collections import deque

from presence_core.transports.ble.fragments import HEADER_BYTES, SEQUENCES, Flag, Fragment
from presence_core.value_object import entity

WINDOW = 32
"""Fragments that may be under way, and that wait for one before them."""
ACK_EVERY = 8
ACK_SECONDS = 0.05
"""How many fragments, and how long, an acknowledgement may wait to go along with data."""
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.6, 5.0
"""When a fragment is sent again, at the soonest and at the latest; twice as long each time."""
MAX_SENDS = 4
"""Then, nine seconds after the first time where round trips are short, the other end is gone."""


@entity
class _Flying:
    """A fragment that was sent and is not acknowledged."""

    seq: int
    flags: Flag
    data: bytes
    sent_at: float
    sends: int = 1


class Channel:
    """One end. ``opens``: it is the one that dialled, and begins.

    Whoever has one passes what comes to :meth:`receive`, sends what :meth:`next_fragment` gives
    until that is None, and calls :meth:`tick` at :meth:`next_time`.
    """

    def __init__(self, *, opens: bool, tag: int, size: int) -> None:
        self.tag = tag
        self.failed: str | None = None
        """Why nothing more will come, in words; None while it works."""
        self._size = size
        self._opening = opens
        self._queue = bytearray()
        self._flying: deque[_Flying] = deque()
        self._again: deque[_Flying] = deque()
        self._next_seq = 0
        self._recover = 0
        """Fragments before this number may have been lost together with one that was sent again."""
        self._recovering = False
        self._round_trip: float | None = None
        self._spread = 0.0
        self._expected = 0
        self._early: dict[int, bytes] = {}
        self._unacknowledged = 0
        self._ack_at = float("inf")

    # -- what is sent

    def send(self, data: bytes) -> None:
        """Queue bytes."""
        if self.failed is None:
            self._queue += data

    @property
    def queued(self) -> int:
        """How many bytes have not been sent even once."""
        return len(self._queue)

    @property
    def settled(self) -> bool:
        """Whether everything that was queued has arrived."""
        return not self._queue and not self._flying

    def next_fragment(self, now: float) -> bytes | None:
        """Return the next fragment to send now, None when there is none."""
        if self.failed is not None:
            return None
        while self._again:
            flying = self._again.popleft()
            if flying in self._flying:
                flying.sent_at = now
                flying.sends += 1
                return self._encode(flying.flags, flying.seq, flying.data)
        if self._queue and len(self._flying) < WINDOW:
            data = bytes(self._queue[: self._size - HEADER_BYTES])
            del self._queue[: len(data)]
            flags = Flag.DATA | (Flag.OPEN if self._opening else Flag(0))
            self._opening = False
            flying = _Flying(self._next_seq, flags, data, now)
            self._flying.append(flying)
            self._next_seq = (self._next_seq + 1) % SEQUENCES
            return self._encode(flags, flying.seq, data)
        if now >= self._ack_at:
            return self._encode(Flag(0), 0, b"")
        return None

    def _encode(self, flags: Flag, seq: int, data: bytes) -> bytes:
        self._unacknowledged = 0
        self._ack_at = float("inf")
        return Fragment(self.tag, flags, seq, self._expected, data).encode()

    def farewell(self) -> bytes:
        """Return the fragment that tells the other end that the link is over."""
        return Fragment(self.tag, Flag.CLOSE).encode()

    # -- what comes

    def receive(self, fragment: Fragment, now: float) -> bytes:
        """Take a fragment of this link; return what of the stream is complete by it."""
        if self.failed is not None:
            return b""
        if fragment.flags & Flag.CLOSE:
            self.failed = "the other end has closed the link"
            return b""
        self._acknowledged(fragment.ack, now)
        if not fragment.flags & Flag.DATA:
            return b""
        ahead = (fragment.seq - self._expected) % SEQUENCES
        if ahead >= WINDOW or fragment.seq in self._early:
            self._ack_at = now  # it is here already: the acknowledgement may have been lost
            return b""
        self._early[fragment.seq] = fragment.data
        self._unacknowledged += 1
        if self._unacknowledged >= ACK_EVERY:
            self._ack_at = now
        else:
            self._ack_at = min(self._ack_at, now + ACK_SECONDS)
        whole = bytearray()
        while (data := self._early.pop(self._expected, None)) is not None:
            whole += data
            self._expected = (self._expected + 1) % SEQUENCES
        return bytes(whole)

    def _acknowledged(self, ack: int, now: float) -> None:
        if not self._flying:
            return
        arrived = (ack - self._flying[0].seq) % SEQUENCES
        if not 0 < arrived <= len(self._flying):
            return  # an old one, overtaken
        newest = [self._flying.popleft() for _ in range(arrived)][-1]
        if newest.sends == 1:  # of what was sent twice it is not known which one has arrived
            self._measure(now - newest.sent_at)
        if not self._recovering:
            return
        if not self._flying or self._is_after_recovery(self._flying[0].seq):
            self._recovering = False
        elif self._flying[0].sends == 1:
            self._again.append(self._flying[0])  # lost along with the one that was sent again

    def _measure(self, seconds: float) -> None:
        """Take a round trip in (RFC 6298): on a busy machine it may take seconds."""
        if self._round_trip is None:
            self._round_trip, self._spread = seconds, seconds / 2
            return
        self._spread += (abs(seconds - self._round_trip) - self._spread) / 4
        self._round_trip += (seconds - self._round_trip) / 8

    def _is_after_recovery(self, seq: int) -> bool:
        return (seq - self._recover) % SEQUENCES < SEQUENCES // 2

    # -- time

    def next_time(self) -> float:
        """When :meth:`tick` or :meth:`next_fragment` has something to do; infinity for never."""
        if self.failed is not None:
            return float("inf")
        return min(self._ack_at, self._retry_at())

    def _retry_at(self) -> float:
        if not self._flying or self._again:
            return float("inf")
        oldest = self._flying[0]
        measured = (self._round_trip or 0.0) + 4 * self._spread
        patience = min(MAX_RETRY_SECONDS, max(RETRY_SECONDS, measured))
        return oldest.sent_at + patience * 2.0 ** (oldest.sends - 1)

    def tick(self, now: float) -> None:
        """Send again what was not acknowledged in time, or give up."""
        if self.failed is not None or now < self._retry_at():
            return
        oldest = self._flying[0]
        if oldest.sends >= MAX_SENDS:
            self.failed = "the other end acknowledges nothing any more"
            return
        self._recovering = True
        self._recover = self._next_seq
        self._again.append(oldest)
