"""Two ends of a session without a network, and a clock that stands until it is moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from presence_core.handshake.events import Authenticated, Closed, Event
from presence_core.handshake.session import LAN, Session, SessionTimes
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

ANNA = Identity.from_private_bytes(b"a" * 32)
BERT = Identity.from_private_bytes(b"b" * 32)
MESH = MeshKey(b"m" * 32, "field")
OTHER_MESH = MeshKey(b"o" * 32, "other")
START = 1_000.0
WALL_MS = 1_700_000_000_000

Cut = Callable[[bytes], Iterator[bytes]]


def session(
    *,
    initiator: bool,
    identity: Identity | None = None,
    meshes: tuple[MeshKey, ...] = (MESH,),
    times: SessionTimes = LAN,
    expected_key: bytes | None = None,
) -> Session:
    """Start one end: Anna dials, Bert answers, unless said otherwise."""
    return Session(
        initiator=initiator,
        identity=identity or (ANNA if initiator else BERT),
        meshes=meshes,
        now=START,
        times=times,
        static=X25519PrivateKey.generate(),
        expected_key=expected_key,
        wall_ms=lambda: WALL_MS,
    )


def whole(data: bytes) -> Iterator[bytes]:
    """Deliver bytes as they were sent."""
    yield data


@dataclass
class Ends:
    """An initiator and a responder, and everything that each was told."""

    initiator: Session
    responder: Session
    now: float = START
    cut: Cut = whole
    told_initiator: list[Event] = field(default_factory=list)
    told_responder: list[Event] = field(default_factory=list)

    def pump(self) -> None:
        """Carry bytes to and fro until neither end has anything to send."""
        while True:
            there = self.initiator.data_to_send()
            for part in self.cut(there):
                self.told_responder += self.responder.receive(part, self.now)
            back = self.responder.data_to_send()
            for part in self.cut(back):
                self.told_initiator += self.initiator.receive(part, self.now)
            if not there and not back:
                return

    def wait(self, seconds: float) -> None:
        """Let time pass for both ends, as an event loop would, with what they say delivered."""
        until = self.now + seconds
        while True:
            timers = (self.initiator.next_timeout(), self.responder.next_timeout())
            due = min((timer for timer in timers if timer is not None), default=until)
            if due > until:
                break
            self.now = max(self.now, due)
            self.told_initiator += self.initiator.handle_timeout(self.now)
            self.told_responder += self.responder.handle_timeout(self.now)
            self.pump()
            if due == until:
                break
        self.now = until


def connected(times: SessionTimes = LAN, cut: Cut = whole) -> Ends:
    """Return two ends that have authenticated each other; what they were told is forgotten."""
    ends = Ends(
        session(initiator=True, times=times), session(initiator=False, times=times), cut=cut
    )
    ends.pump()
    assert [type(event) for event in ends.told_initiator] == [Authenticated]
    assert [type(event) for event in ends.told_responder] == [Authenticated]
    ends.told_initiator.clear()
    ends.told_responder.clear()
    return ends


def frames(data: bytes) -> list[bytes]:
    """Take a stream apart into its frames, each with its length before it."""
    result = []
    while data:
        size = 2 + int.from_bytes(data[:2], "big")
        assert len(data) >= size
        result.append(data[:size])
        data = data[size:]
    return result


def framed(message: bytes) -> bytes:
    """Put the length before a Noise message."""
    return len(message).to_bytes(2, "big") + message


def closed(events: list[Event]) -> Closed:
    """Return the end of a session, which comes last and once."""
    *before, last = events
    assert isinstance(last, Closed)
    assert not any(isinstance(event, Closed) for event in before)
    return last
