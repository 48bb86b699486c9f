"""A peer written a second time, from the protocol's text, on another Noise library.

It shares no code with the sessions under test, so that a mistake in both is unlikely, and it can be
told to do wrong.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from noise.connection import Keypair, NoiseConnection

from presence_core.handshake.events import Authenticated
from presence_core.handshake.session import LAN, Session, SessionTimes
from tests.handshake.ends import MESH, START, framed, session

PATTERN = "Noise_XXpsk0_25519_ChaChaPoly_SHA256"


def derived(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 without salt, first block, written out."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


def connection(
    name: str,
    *,
    initiator: bool,
    prologue: bytes,
    psk: bytes | None,
    static: bytes,
    ephemeral: bytes | None = None,
) -> Any:
    """Start a handshake of the other library."""
    noise = NoiseConnection.from_name(name.encode())
    if psk is not None:
        noise.set_psks(psk)
    noise.set_prologue(prologue)
    noise.set_keypair_from_private_bytes(Keypair.STATIC, static)
    if initiator:
        noise.set_as_initiator()
    else:
        noise.set_as_responder()
    noise.start_handshake()
    if ephemeral is not None:  # set before, it would be warned of
        pair = noise.noise_protocol.dh_fn.klass.from_private_bytes(ephemeral)
        noise.noise_protocol.handshake_state.e = pair
    return noise


class ForeignPeer:
    """One end, with its identity and mesh as bare bytes.

    ``prove`` may replace the payload that goes with the identity, given the transcript hash;
    ``low_order`` names a key ("e" or "s") to show as the point of small order.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        secret: bytes = b"f" * 32,
        mesh_secret: bytes = MESH.secret,
        prologue: bytes | None = None,
        prove: Callable[[bytes], bytes] | None = None,
        low_order: str = "",
    ) -> None:
        self.identity = Ed25519PrivateKey.from_private_bytes(secret)
        self.peer_key = self.identity.public_key().public_bytes_raw()
        self.other_key = b""
        self._initiator = initiator
        self._prove = prove or self.proof
        mesh_id = derived(mesh_secret, b"presence-mesh/mesh-id/1")[:16]
        self._noise = connection(
            PATTERN,
            initiator=initiator,
            prologue=b"presence-mesh/1" + mesh_id if prologue is None else prologue,
            psk=derived(mesh_secret, b"presence-mesh/noise-psk/1"),
            static=hashlib.sha256(secret).digest(),
            ephemeral=hashlib.sha256(secret + b"e").digest(),
        )
        self._transcript = b""
        self._tap()
        if low_order:
            state = self._noise.noise_protocol.handshake_state
            getattr(state, low_order).public_bytes = bytes(32)

    def _tap(self) -> None:
        """Learn the transcript hash before each payload, which the library keeps to itself."""
        symmetric = self._noise.noise_protocol.handshake_state.symmetric_state
        encrypt, decrypt = symmetric.encrypt_and_hash, symmetric.decrypt_and_hash

        def encrypting(plaintext: bytes) -> bytes:
            if plaintext == b"<proof>":
                plaintext = self._prove(symmetric.h)
            return bytes(encrypt(plaintext))

        def decrypting(ciphertext: bytes) -> bytes:
            self._transcript = symmetric.h
            return bytes(decrypt(ciphertext))

        symmetric.encrypt_and_hash, symmetric.decrypt_and_hash = encrypting, decrypting

    def proof(self, transcript: bytes, *, role: bytes | None = None) -> bytes:
        """Return the honest identity payload, or one for another role."""
        role = role or (b"i" if self._initiator else b"r")
        return self.peer_key + self.identity.sign(b"presence-mesh/noise-id/1" + role + transcript)

    def first(self) -> bytes:
        """Message 1, framed."""
        return framed(bytes(self._noise.write_message()))

    def identify(self) -> bytes:
        """Message 2 or 3, framed."""
        return framed(bytes(self._noise.write_message(b"<proof>")))

    def read_first(self, frame: bytes) -> None:
        """Take message 1."""
        assert self._noise.read_message(frame[2:]) == b""

    def read_identity(self, frame: bytes) -> None:
        """Take message 2 or 3, and check who sent it."""
        payload = bytes(self._noise.read_message(frame[2:]))
        assert len(payload) == 96
        self.other_key = payload[:32]
        role = b"r" if self._initiator else b"i"
        other = Ed25519PublicKey.from_public_bytes(self.other_key)
        other.verify(payload[32:], b"presence-mesh/noise-id/1" + role + self._transcript)

    @property
    def handshake_hash(self) -> bytes:
        """The hash of the finished handshake."""
        return bytes(self._noise.get_handshake_hash())

    def say(self, kind: int, body: bytes = b"") -> bytes:
        """Return a message, encrypted and framed."""
        return framed(self._noise.encrypt(bytes((kind,)) + body))

    def hear(self, frame: bytes) -> tuple[int, Any]:
        """Return the type and the value of a message; ``None`` for no body."""
        plaintext = self._noise.decrypt(frame[2:])
        return plaintext[0], cbor2.loads(plaintext[1:]) if plaintext[1:] else None

    def rekey(self, *, outbound: bool) -> None:
        """Change the key of one direction."""
        if outbound:
            self._noise.rekey_outbound_cipher()
        else:
            self._noise.rekey_inbound_cipher()


def open_responder(times: SessionTimes = LAN) -> tuple[ForeignPeer, Session]:
    """Let a foreign peer dial us."""
    foreign, responder = ForeignPeer(initiator=True), session(initiator=False, times=times)
    assert responder.receive(foreign.first(), START) == []
    foreign.read_identity(responder.data_to_send())
    (event,) = responder.receive(foreign.identify(), START)
    assert event == Authenticated(foreign.peer_key, MESH, foreign.handshake_hash)
    return foreign, responder


def open_initiator(times: SessionTimes = LAN) -> tuple[ForeignPeer, Session]:
    """Dial a foreign peer."""
    foreign, initiator = ForeignPeer(initiator=False), session(initiator=True, times=times)
    foreign.read_first(initiator.data_to_send())
    (event,) = initiator.receive(foreign.identify(), START)
    foreign.read_identity(initiator.data_to_send())
    assert event == Authenticated(foreign.peer_key, MESH, foreign.handshake_hash)
    return foreign, initiator
