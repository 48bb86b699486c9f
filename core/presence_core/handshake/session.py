"""A session: from a byte stream to authenticated messages and back (protocol §2, §5).

Sans-IO: bytes in, events and bytes out, with the time passed in. It frames, shakes hands, encrypts,
answers pings, notices silence and changes keys. Nothing that the other end sends raises: it ends
the session, and a stranger's first message is never answered.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from presence_core.codec import cbor
from presence_core.codec.cbor import CborError
from presence_core.handshake.cipher import CipherState, NoiseError
from presence_core.handshake.events import (
    Authenticated,
    ByeCode,
    Closed,
    CloseReason,
    Event,
    MessageReceived,
    MessageType,
    RttMeasured,
)
from presence_core.handshake.noise import NoiseHandshake
from presence_core.identity.keys import KEY_BYTES, Identity, KeyFormatError, check_peer_key, verify
from presence_core.identity.mesh import PROTO, MeshKey
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

MAX_HANDSHAKE_FRAME = 512
MAX_BODY = 65_000
"""Bytes of a message body; with type and tag it fits into one Noise message of 65,535."""
MAX_PENDING = 4 * 1024 * 1024
"""Bytes that may wait to be taken by :meth:`Session.data_to_send`: a peer that makes us answer
and does not read is cut off."""

_PATTERN = "XXpsk0"
_ID_CONTEXT = PROTO + b"/noise-id/1"
_SIGNATURE_BYTES = 64
_ANSWERER_PATIENCE = 1.25
_RELAXED = 2.25
_MEASURE_SECONDS = 30.0
"""How often an end pings that has no other reason to: it wants to know the round trip too."""
_MAX_PINGS = 8
"""Unanswered pings that are remembered; an answer to an older one measures nothing."""


class LocalProtocolError(Exception):
    """The program used a session wrongly."""


class _EndError(Exception):
    """Ends the session while bytes are being taken in."""

    def __init__(self, reason: CloseReason, detail: str, code: int | None = None) -> None:
        super().__init__(detail)
        self.closed = Closed(reason, detail, code)


@value_object
class SessionTimes:
    """Patience, in seconds. ``ping_idle`` and ``dead`` count from the last authentic message.

    Each direction changes its key after ``rekey_messages`` messages or ``rekey_seconds``.
    """

    handshake: float = 5.0
    ping_idle: float = 15.0
    dead: float = 45.0
    rekey_messages: int = 65_536
    rekey_seconds: float = 600.0


LAN = SessionTimes(ping_idle=1.0, dead=3.5)
"""On a LAN a silent death is noticed within four seconds."""

BLUETOOTH = SessionTimes(handshake=15.0, ping_idle=5.0, dead=15.0)
"""Over Bluetooth a round trip may take a second, and each ping wakes two radios."""


class State(Enum):
    """Where a session is."""

    HANDSHAKE = auto()
    OPEN = auto()
    CLOSED = auto()


class Session:
    """One end of a session. A responder may be in several meshes; an initiator names one.

    ``peer_key`` is the key that the other end has proven, None before. ``bytes_in`` and
    ``bytes_out`` count what went over the stream. ``last_received`` is when the last authentic
    message came. ``expected_key`` refuses every other peer.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        identity: Identity,
        meshes: Sequence[MeshKey],
        now: float,
        static: X25519PrivateKey,
        wall_ms: Callable[[], int],
        times: SessionTimes = LAN,
        expected_key: bytes | None = None,
    ) -> None:
        self.state = State.HANDSHAKE
        self.peer_key: bytes | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.last_received = now
        self.relaxed = False
        """Ping less often: there are other links by which a loss would be noticed."""
        self._initiator = initiator
        self._identity = identity
        self._meshes = tuple(meshes)
        self._static = static
        self._wall_ms = wall_ms
        self._times = times
        self._expected_key = expected_key
        self._deadline = now + times.handshake
        self._inbound = bytearray()
        self._outbound = bytearray()
        self._handshake: tuple[MeshKey, NoiseHandshake] | None = None
        self._send_cipher = CipherState()
        self._receive_cipher = CipherState()
        self._sent_since_rekey = 0
        self._rekey_at = float("inf")
        self._pings: dict[int, float] = {}
        self._ping_number = 0
        self._pinged_at = now
        self._measure_at = float("inf")
        if initiator:
            (mesh,) = self._meshes
            noise = self._noise(mesh)
            self._handshake = mesh, noise
            self._queue(noise.write_message())

    def _noise(self, mesh: MeshKey) -> NoiseHandshake:
        return NoiseHandshake(
            _PATTERN,
            initiator=self._initiator,
            prologue=mesh.prologue,
            psk=mesh.psk,
            static=self._static,
        )

    # -- bytes in

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes from the stream; return what they mean. Never raises on what they are."""
        if self.state is State.CLOSED:
            return []
        self.bytes_in += len(data)
        self._inbound += data
        events: list[Event] = []
        try:
            while (frame := self._next_frame()) is not None:
                events += self._take(frame, now)
        except _EndError as end:
            events.append(self._close(end.closed))
        return events

    def eof(self, _now: float) -> list[Event]:
        """Learn that the stream has ended."""
        if self.state is State.CLOSED:
            return []
        return [self._close(Closed(CloseReason.EOF, "the other end closed the connection"))]

    def _next_frame(self) -> bytes | None:
        if len(self._inbound) < 2:
            return None
        size = int.from_bytes(self._inbound[:2], "big")
        if self.state is State.HANDSHAKE and not 0 < size <= MAX_HANDSHAKE_FRAME:
            raise _EndError(CloseReason.HANDSHAKE_FAILED, "it does not speak this protocol")
        if len(self._inbound) < 2 + size:
            return None
        frame = bytes(self._inbound[2 : 2 + size])
        del self._inbound[: 2 + size]
        return frame

    def _take(self, frame: bytes, now: float) -> list[Event]:
        if self.state is State.HANDSHAKE:
            return self._shake(frame, now)
        try:
            plaintext = self._receive_cipher.decrypt(b"", frame)
        except NoiseError as error:
            raise _EndError(CloseReason.PROTOCOL, str(error)) from None
        if not plaintext:
            raise _EndError(CloseReason.PROTOCOL, "a message without a type")
        self.last_received = now
        kind, body = plaintext[0], plaintext[1:]
        try:
            return self._message(kind, body, now)
        except CborError as error:
            raise _EndError(CloseReason.PROTOCOL, f"message type {kind}: {error}") from None

    # -- handshake

    def _shake(self, frame: bytes, now: float) -> list[Event]:
        try:
            if self._handshake is None:
                self._answer_first(frame)
                return []
            mesh, noise = self._handshake
            payload, transcript = noise.read_message(frame)
            self._check_identity(payload, transcript)
            if self._initiator:
                self._queue(noise.write_message(self._sign_identity))
        except (NoiseError, KeyFormatError) as error:
            raise _EndError(CloseReason.HANDSHAKE_FAILED, str(error)) from None
        self._handshake = None
        self._send_cipher, self._receive_cipher = noise.ciphers()
        self.state = State.OPEN
        self.peer_key = payload[:KEY_BYTES]
        self.last_received = self._pinged_at = now
        self._measure_at = now + self._times.ping_idle
        self._rekey_at = now + self._times.rekey_seconds
        return [Authenticated(self.peer_key, mesh, noise.handshake_hash)]

    def _answer_first(self, frame: bytes) -> None:
        """Find the mesh that the stranger knows the key of; without one, say nothing at all."""
        for mesh in self._meshes:
            noise = self._noise(mesh)
            try:
                noise.read_message(frame)
            except NoiseError:
                continue
            self._handshake = mesh, noise
            self._queue(noise.write_message(self._sign_identity))
            return
        raise _EndError(CloseReason.WRONG_MESH, "it does not know the mesh key")

    def _sign_identity(self, transcript: bytes) -> bytes:
        signature = self._identity.sign(_id_message(transcript, initiator=self._initiator))
        return self._identity.peer_key + signature

    def _check_identity(self, payload: bytes, transcript: bytes) -> None:
        if len(payload) != KEY_BYTES + _SIGNATURE_BYTES:
            raise NoiseError("the identity has the wrong length")
        key = check_peer_key(payload[:KEY_BYTES])
        message = _id_message(transcript, initiator=not self._initiator)
        if not verify(key, payload[KEY_BYTES:], message):
            raise NoiseError("the identity is not proven")
        if key == self._identity.peer_key:
            self.peer_key = key
            detail = "this is my own address, or that of a device with a copy of my key"
            raise _EndError(CloseReason.PROTOCOL, detail)
        if self._expected_key not in (None, key):
            raise NoiseError("another peer than the expected one answers")

    # -- messages

    def _message(self, kind: int, body: bytes, now: float) -> list[Event]:
        match kind:
            case MessageType.PING:
                number, _ = _numbers(body, 2)
                if len(self._outbound) > MAX_PENDING:
                    raise _EndError(CloseReason.PROTOCOL, "it asks much and reads nothing")
                self._send(MessageType.PONG, cbor.encode([number, self._wall_ms()]), now)
            case MessageType.PONG:
                number, _ = _numbers(body, 2)
                sent_at = self._pings.pop(number, None)
                return [] if sent_at is None else [RttMeasured(now - sent_at)]
            case MessageType.REKEY:
                if body:
                    raise CborError("not empty")
                self._receive_cipher.rekey()
            case MessageType.BYE:
                (code,) = _numbers(body, 1)
                raise _EndError(CloseReason.BYE, _say_bye(code), code)
            case _:
                return [MessageReceived(kind, body)]
        return []

    def send(self, kind: int, body: bytes, now: float) -> None:
        """Queue a message of a type that the session does not use itself.

        Raises LocalProtocolError unless the session is open and the body at most 65,000 bytes.
        """
        if self.state is not State.OPEN:
            raise LocalProtocolError("the session is not open")
        if len(body) > MAX_BODY:
            raise LocalProtocolError(f"a message body of {len(body):,} bytes is too large")
        self._send(kind, body, now)

    def _send(self, kind: int, body: bytes, now: float) -> None:
        self._queue(self._send_cipher.encrypt(b"", bytes((kind,)) + body))
        self._sent_since_rekey += 1
        if self._sent_since_rekey >= self._times.rekey_messages:
            self._rekey(now)

    def _rekey(self, now: float) -> None:
        self._queue(self._send_cipher.encrypt(b"", bytes((MessageType.REKEY,))))
        self._send_cipher.rekey()
        self._sent_since_rekey = 0
        self._rekey_at = now + self._times.rekey_seconds

    def bye(self, code: int, now: float) -> None:
        """Say goodbye, if there is somebody to say it to, and close."""
        if self.state is State.OPEN:
            self._send(MessageType.BYE, cbor.encode([int(code)]), now)
        self.state = State.CLOSED

    def data_to_send(self) -> bytes:
        """Return the bytes that the stream is to carry; each once."""
        data = bytes(self._outbound)
        self._outbound.clear()
        self.bytes_out += len(data)
        return data

    def _queue(self, message: bytes) -> None:
        self._outbound += len(message).to_bytes(2, "big") + message

    def _close(self, closed: Closed) -> Closed:
        self.state = State.CLOSED
        self._outbound.clear()
        self._inbound.clear()
        return closed

    # -- time

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` is to be called; None when never."""
        if self.state is State.HANDSHAKE:
            return self._deadline
        if self.state is State.CLOSED:
            return None
        return min(self._ping_at(), self.last_received + self._times.dead, self._rekey_at)

    def handle_timeout(self, now: float) -> list[Event]:
        """Do what time demands: ping, change keys, or give up."""
        if self.state is State.HANDSHAKE and now >= self._deadline:
            late = Closed(CloseReason.TIMEOUT_HANDSHAKE, "the handshake took too long")
            return [self._close(late)]
        if self.state is not State.OPEN:
            return []
        if now >= self.last_received + self._times.dead:
            silent = now - self.last_received
            return [self._close(Closed(CloseReason.DEAD, f"nothing was heard for {silent:.1f} s"))]
        if now >= self._ping_at():
            self._ping(now)
        if now >= self._rekey_at:
            self._rekey(now)
        return []

    def _ping_at(self) -> float:
        idle = self._times.ping_idle * (_RELAXED if self.relaxed else 1.0)
        # Both ends would ping at the same moment, each with its own answer: who dialled is first.
        if not self._initiator:
            idle *= _ANSWERER_PATIENCE
        return min(max(self.last_received, self._pinged_at) + idle, self._measure_at)

    def _ping(self, now: float) -> None:
        self._ping_number += 1
        self._pinged_at = now
        self._measure_at = now + _MEASURE_SECONDS
        if len(self._pings) >= _MAX_PINGS:
            del self._pings[next(iter(self._pings))]
        self._pings[self._ping_number] = now
        self._send(MessageType.PING, cbor.encode([self._ping_number, self._wall_ms()]), now)


def _id_message(transcript: bytes, *, initiator: bool) -> bytes:
    return _ID_CONTEXT + (b"i" if initiator else b"r") + transcript


def _numbers(body: bytes, count: int) -> list[int]:
    """Read a body that is a list of so many unsigned integers."""
    value = cbor.decode(body, max_size=32, max_depth=1, max_items=count + 1)
    if not isinstance(value, list) or len(value) != count:
        raise CborError(f"not a list of {count}")
    if not all(type(number) is int and number >= 0 for number in value):
        raise CborError("not unsigned integers")
    return value


def _say_bye(code: int) -> str:
    words = {
        ByeCode.LEAVING: "it leaves the mesh",
        ByeCode.DUPLICATE: "it keeps another session with this device",
        ByeCode.FULL: "it has no room for another link",
        ByeCode.PROTOCOL: "it says that this device broke the protocol",
        ByeCode.LIMIT: "it says that this device exceeded a limit",
        ByeCode.DENIED: "it refused this device",
        ByeCode.BLOCKED: "it has blocked this device",
        ByeCode.SURPLUS: "it has links enough",
    }
    return next((text for known, text in words.items() if known == code), f"it said {code}")
