"""A session: from a byte stream to authenticated messages and back (protocol §2, §5).

Sans-IO: bytes in, events and bytes out, with the time passed in. It frames, shakes hands, encrypts,
answers pings, notices silence and changes keys. Nothing that the other end sends raises: it ends
the session, and a stranger's first message is never answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from presence_core.codec import cbor
from presence_core.codec.cbor import CborError
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
from presence_core.handshake.noise import CipherState, NoiseError, NoiseHandshake
from presence_core.identity.keys import KEY_BYTES, Identity, KeyFormatError, check_peer_key, verify
from presence_core.identity.mesh import PROTO, MeshKey

MAX_HANDSHAKE_FRAME = 512
MAX_FRAME = 65_535
MAX_BODY = 65_000
MAX_PENDING = 4 * 1024 * 1024
"""Bytes that may wait to be taken by :meth:`Session.data_to_send`: a peer that makes us answer
and does not read is cut off."""

_PATTERN = "XXpsk0"
_ID_CONTEXT = PROTO + b"/noise-id/1"
_SIGNATURE_BYTES = 64


class LocalProtocolError(Exception):
    """The program used a session wrongly."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """Patience, in seconds. ``ping_idle`` and ``dead`` count from the last byte received."""

    handshake: float = 5.0
    ping_idle: float = 15.0
    dead: float = 45.0
    rekey_messages: int = 65_536
    rekey_seconds: float = 600.0


LAN = SessionTimes(ping_idle=1.0, dead=3.5)
"""On a LAN a silent death is noticed within four seconds."""


class State(Enum):
    """Where a session is."""

    HANDSHAKE = auto()
    OPEN = auto()
    CLOSED = auto()


class Session:
    """One end of a session. A responder may be in several meshes; an initiator names one."""

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
        self._noise: NoiseHandshake | None = None
        self._mesh: MeshKey | None = None
        self._send_cipher = CipherState()
        self._receive_cipher = CipherState()
        self._sent_since_rekey = 0
        self._rekey_at = float("inf")
        self._pings: dict[int, float] = {}
        self._ping_number = 0
        self._pinged_at = float("-inf")
        if initiator:
            (mesh,) = self._meshes
            self._noise = self._handshake(mesh)
            self._mesh = mesh
            self._queue(self._noise.write_message())

    def _handshake(self, mesh: MeshKey) -> NoiseHandshake:
        return NoiseHandshake(
            _PATTERN,
            initiator=self._initiator,
            prologue=mesh.prologue,
            psk=mesh.psk,
            static=self._static,
        )

    # -- bytes in

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes from the stream; return what they mean."""
        if self.state is State.CLOSED:
            return []
        self.bytes_in += len(data)
        self._inbound += data
        events: list[Event] = []
        at = 0
        while self.state is not State.CLOSED and len(self._inbound) - at >= 2:
            size = int.from_bytes(self._inbound[at : at + 2], "big")
            if self.state is State.HANDSHAKE and not 0 < size <= MAX_HANDSHAKE_FRAME:
                events.append(self._close(CloseReason.HANDSHAKE_FAILED, "not a handshake"))
                break
            if len(self._inbound) - at - 2 < size:
                break
            frame = bytes(self._inbound[at + 2 : at + 2 + size])
            at += 2 + size
            events += self._frame(frame, now)
        del self._inbound[:at]
        if len(self._outbound) > MAX_PENDING and self.state is not State.CLOSED:
            events.append(self._close(CloseReason.PROTOCOL, "it asks much and reads nothing"))
        return events

    def eof(self, now: float) -> list[Event]:
        """Learn that the stream has ended."""
        if self.state is State.CLOSED:
            return []
        self.last_received = max(self.last_received, now)
        return [self._close(CloseReason.EOF, "the other end closed the connection")]

    def _frame(self, frame: bytes, now: float) -> list[Event]:
        if self.state is State.HANDSHAKE:
            return self._handshake_frame(frame, now)
        try:
            plaintext = self._receive_cipher.decrypt(b"", frame)
        except NoiseError as error:
            return [self._close(CloseReason.PROTOCOL, str(error))]
        self.last_received = now
        if not plaintext:
            return [self._close(CloseReason.PROTOCOL, "an empty message")]
        return self._message(plaintext[0], plaintext[1:], now)

    # -- handshake

    def _handshake_frame(self, frame: bytes, now: float) -> list[Event]:
        try:
            if self._noise is None:
                return self._answer_first(frame)
            payload, before = self._noise.read_message(frame)
            key = self._check_identity(payload, before)
            if self._initiator:
                self._queue(self._noise.write_message(self._sign_identity))
        except (NoiseError, KeyFormatError) as error:
            return [self._close(CloseReason.HANDSHAKE_FAILED, str(error))]
        return self._authenticated(key, now)

    def _answer_first(self, frame: bytes) -> list[Event]:
        """Find the mesh that the stranger knows the key of; without one, say nothing at all."""
        for mesh in self._meshes:
            noise = self._handshake(mesh)
            try:
                noise.read_message(frame)
            except NoiseError:
                continue
            self._noise, self._mesh = noise, mesh
            self._queue(noise.write_message(self._sign_identity))
            return []
        return [self._close(CloseReason.WRONG_MESH, "it does not know the mesh key")]

    def _sign_identity(self, transcript: bytes) -> bytes:
        signature = self._identity.sign(_id_message(transcript, initiator=self._initiator))
        return self._identity.peer_key + signature

    def _check_identity(self, payload: bytes, transcript: bytes) -> bytes:
        if len(payload) != KEY_BYTES + _SIGNATURE_BYTES:
            raise NoiseError("the identity has the wrong length")
        key = check_peer_key(payload[:KEY_BYTES])
        message = _id_message(transcript, initiator=not self._initiator)
        if not verify(key, payload[KEY_BYTES:], message):
            raise NoiseError("the identity is not proven")
        if key == self._identity.peer_key:
            self.peer_key = key
            raise NoiseError("this is the device itself, or a copy of its key")
        if self._expected_key not in (None, key):
            raise NoiseError("another peer than the expected one answers")
        return key

    def _authenticated(self, key: bytes, now: float) -> list[Event]:
        assert self._noise is not None and self._mesh is not None  # noqa: S101, PT018
        self._send_cipher, self._receive_cipher = self._noise.ciphers()
        self.state = State.OPEN
        self.peer_key = key
        self.last_received = now
        self._rekey_at = now + self._times.rekey_seconds
        return [Authenticated(key, self._mesh, self._noise.handshake_hash)]

    # -- messages

    def _message(self, kind: int, body: bytes, now: float) -> list[Event]:
        try:
            match kind:
                case MessageType.PING:
                    number = _ping_number(body)
                    self._send(MessageType.PONG, cbor.encode([number, self._wall_ms()]), now)
                case MessageType.PONG:
                    sent_at = self._pings.pop(_ping_number(body), None)
                    return [] if sent_at is None else [RttMeasured(now - sent_at)]
                case MessageType.REKEY:
                    self._receive_cipher.rekey()
                case MessageType.BYE:
                    code = _bye_code(body)
                    return [self._close(CloseReason.BYE, _say_bye(code), code)]
                case _:
                    return [MessageReceived(kind, body)]
        except CborError as error:
            return [self._close(CloseReason.PROTOCOL, f"message type {kind}: {error}")]
        return []

    def send(self, kind: int, body: bytes, now: float) -> None:
        """Queue a message. Raises LocalProtocolError unless the session is open."""
        if self.state is not State.OPEN:
            raise LocalProtocolError("the session is not open")
        if len(body) > MAX_BODY:
            raise LocalProtocolError(f"a message body of {len(body)} bytes is too large")
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

    def _queue(self, frame: bytes) -> None:
        self._outbound += len(frame).to_bytes(2, "big") + frame

    def _close(self, reason: CloseReason, detail: str, code: int | None = None) -> Closed:
        self.state = State.CLOSED
        self._outbound.clear()
        self._inbound.clear()
        return Closed(reason, detail, code)

    # -- time

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` is to be called; None when never."""
        if self.state is State.HANDSHAKE:
            return self._deadline
        if self.state is State.CLOSED:
            return None
        ping_at = max(self.last_received, self._pinged_at) + self._times.ping_idle
        return min(ping_at, self.last_received + self._times.dead, self._rekey_at)

    def handle_timeout(self, now: float) -> list[Event]:
        """Do what time demands: ping, change keys, or give up."""
        if self.state is State.HANDSHAKE and now >= self._deadline:
            return [self._close(CloseReason.TIMEOUT_HANDSHAKE, "the handshake took too long")]
        if self.state is not State.OPEN:
            return []
        silent = now - self.last_received
        if silent >= self._times.dead:
            detail = f"nothing was heard for {silent:.1f} s"
            return [self._close(CloseReason.DEAD, detail)]
        if now - max(self.last_received, self._pinged_at) >= self._times.ping_idle:
            self._ping(now)
        if now >= self._rekey_at:
            self._rekey(now)
        return []

    def _ping(self, now: float) -> None:
        self._ping_number += 1
        self._pinged_at = now
        if len(self._pings) >= 8:  # unanswered ones of a peer that is alive otherwise
            del self._pings[next(iter(self._pings))]
        self._pings[self._ping_number] = now
        self._send(MessageType.PING, cbor.encode([self._ping_number, self._wall_ms()]), now)


def _id_message(transcript: bytes, *, initiator: bool) -> bytes:
    return _ID_CONTEXT + (b"i" if initiator else b"r") + transcript


def _ping_number(body: bytes) -> int:
    value = cbor.decode(body, max_size=32, max_depth=1, max_items=3)
    match value:
        case [int() as number, int()] if number >= 0:
            return number
    raise CborError("not [number, now]")


def _bye_code(body: bytes) -> int:
    value = cbor.decode(body, max_size=16, max_depth=1, max_items=2)
    match value:
        case [int() as code] if code >= 0:
            return code
    raise CborError("not [code]")


def _say_bye(code: int) -> str:
    words = {
        ByeCode.LEAVING: "it leaves the mesh",
        ByeCode.DUPLICATE: "it keeps another session with this device",
        ByeCode.FULL: "it has no room for another link",
        ByeCode.PROTOCOL: "it says that this device broke the protocol",
        ByeCode.LIMIT: "it says that this device exceeded a limit",
        ByeCode.DENIED: "it refused this device",
        ByeCode.BLOCKED: "it has blocked this device",
    }
    return next((text for known, text in words.items() if known == code), f"it said {code}")
