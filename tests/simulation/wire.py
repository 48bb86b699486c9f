"""A connection between two hosts, from the dial to its end, at the level of messages.

What TCP and the Noise handshake would send is sent here too, as messages without content but of the
right size, so that they take their time, get lost, and are cut off like everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from tests.simulation.network import Network, Pipe

if TYPE_CHECKING:
    from presence_core.engine.targets import Target
    from tests.simulation.peer import Peer

SYN_BYTES = 40
FRAME_BYTES = 2 + 1 + 16
"""Length, type byte and authentication tag of every message."""


class Step(IntEnum):
    """What goes over a connection besides the messages of the protocol."""

    FIRST = -1
    SECOND = -2
    THIRD = -3
    END = -4
    """The stream has ended: closed or reset."""


STEP_BYTES = {Step.FIRST: 2 + 48, Step.SECOND: 2 + 192, Step.THIRD: 2 + 160}
"""The three messages of the handshake (protocol §2.1)."""


class End:
    """One end of a connection. ``id`` is unique in a run of a peer."""

    __slots__ = (
        "addresses",
        "authenticated",
        "closed",
        "dialled",
        "far",
        "heard",
        "host",
        "id",
        "into",
        "out",
        "peer",
        "session_id",
    )

    def __init__(
        self,
        peer: Peer,
        host: str,
        out: Pipe,
        into: Pipe,
        session_id: bytes,
        dialled: Target | None,
    ) -> None:
        self.id = peer.next_link_id()
        self.peer = peer
        self.host = host
        """The host at the other end."""
        self.out = out
        self.into = into
        self.session_id = session_id
        self.dialled = dialled
        self.far: End | None = None
        self.authenticated = False
        self.closed = False
        into.silent = self._silent

    @property
    def key(self) -> bytes:
        """The peer key at the other end, which the handshake has proven."""
        assert self.far is not None
        return self.far.peer.key

    def transmit(self, kind: int, body: bytes, moment: float) -> None:
        """Send a message, or a step of the handshake, that is ready at this moment."""
        if not self.closed:
            size = STEP_BYTES[Step(kind)] if kind < 0 else FRAME_BYTES + len(body)
            self.peer.meter.sent(kind, size)
            self.out.send(size, moment, self._deliver, kind, body)

    def close(self, moment: float) -> None:
        """End the stream; the other end hears of it when its way is whole."""
        if not self.closed:
            self.closed = True
            self.into.close()
            self.out.send(SYN_BYTES, moment, self._deliver, Step.END, b"")

    def _deliver(self, kind: int, body: bytes) -> None:
        far = self.far
        if far is not None and not far.closed:
            far.peer.arrived(far, kind, body)

    def _silent(self) -> None:
        if not self.closed and self.far is not None:
            self.peer.fell_silent(self)


class Dial:
    """Opens a connection to a target: a round trip, then the end that dialled shakes hands.

    The peer is told by ``connected``, or by ``dial_failed`` when there is no answer or a no.
    """

    def __init__(
        self, network: Network, peer: Peer, target: Target, listener: Callable[[str], Peer | None]
    ) -> None:
        self._clock = network.clock
        self._peer = peer
        self._target = target
        self._listener = listener
        self._over = False
        here, there = peer.host, target.address()[0]
        out, into = network.pipe(here, there), network.pipe(there, here)
        self._end = End(peer, there, out, into, network.rng.randbytes(32), target)
        self._clock.after(target.dial_seconds(), self._give_up)
        out.send(SYN_BYTES, self._clock.now, self._reached)

    def _reached(self) -> None:
        """The host at the other end has the request; perhaps nobody listens there."""
        end = self._end
        other = self._listener(end.host)
        if self._over or other is None or not other.accepts(self._peer.host):
            end.into.send(SYN_BYTES, self._clock.now, self._give_up)
            return
        far = End(other, self._peer.host, end.into, end.out, end.session_id, None)
        end.far, far.far = far, end
        other.accepted(far)
        end.into.send(SYN_BYTES, self._clock.now, self._connected)

    def _connected(self) -> None:
        if not self._over:
            self._over = True
            self._peer.connected(self._end)

    def _give_up(self) -> None:
        if not self._over:
            self._over = True
            self._end.close(self._clock.now)
            if self._end.far is None:
                self._end.out.close()
            self._peer.dial_failed(self._target)
