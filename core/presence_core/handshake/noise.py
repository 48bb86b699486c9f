"""The Noise XX handshake with an optional pre-shared key: X25519, ChaCha20-Poly1305, SHA-256.

One suite, no negotiation. Pure: keys come from the caller, bytes go in and out. Section numbers
are those of the Noise specification, revision 34.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from presence_core.handshake import primitives
from presence_core.handshake.cipher import CipherState, NoiseError, hkdf

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

__all__ = ["CipherState", "NoiseError", "NoiseHandshake"]

_PATTERNS = {
    "XX": (("e",), ("e", "ee", "s", "es"), ("s", "se")),
    "XXpsk0": (("psk", "e"), ("e", "ee", "s", "es"), ("s", "se")),
    "XXpsk3": (("e",), ("e", "ee", "s", "es"), ("s", "se", "psk")),
}
_KEY_BYTES = 32
_TAG_BYTES = 16

Payload = bytes | Callable[[bytes], bytes]


class NoiseHandshake:
    """The three messages of a handshake, from one side (5.2, 5.3).

    ``psk`` goes with the psk patterns, and only with them. ``ephemeral`` is for test vectors:
    left out, a fresh one is made when it is needed.
    """

    def __init__(
        self,
        pattern: str,
        *,
        initiator: bool,
        prologue: bytes,
        psk: bytes | None,
        static: X25519PrivateKey,
        ephemeral: X25519PrivateKey | None = None,
    ) -> None:
        if len(psk or b"") != (_KEY_BYTES if "psk" in pattern else 0):
            raise ValueError(f"a pre-shared key of the wrong size for {pattern}")
        name = f"Noise_{pattern}_25519_ChaChaPoly_SHA256".encode()
        self._h = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self._ck = self._h
        self._cipher = CipherState()
        self._initiator = self._my_turn = initiator
        self._psk = psk
        self._messages = list(_PATTERNS[pattern])
        self._mine = {"s": static} | ({"e": ephemeral} if ephemeral else {})
        self._theirs: dict[str, X25519PublicKey] = {}
        self._mix_hash(prologue)

    @property
    def finished(self) -> bool:
        """Whether all three messages have passed."""
        return not self._messages

    @property
    def handshake_hash(self) -> bytes:
        """The hash of the transcript so far; after the last message it names the session."""
        return self._h

    def write_message(self, payload: Payload = b"") -> bytes:
        """Return the next message. A callable payload is given the transcript hash before it.

        Raises NoiseError if the other end's key cannot be used.
        """
        out = b""
        for step in self._take_turn(mine=True):
            if step in ("e", "s"):
                if step not in self._mine:
                    self._mine[step] = primitives.generate()
                public = self._mine[step].public_key().public_bytes_raw()
                out += self._mix_ephemeral(public) if step == "e" else self._seal(public)
            else:
                self._mix_secret(step)
        return out + self._seal(payload(self._h) if callable(payload) else payload)

    def read_message(self, message: bytes) -> tuple[bytes, bytes]:
        """Return the other's payload and the transcript hash before it. Raises NoiseError."""
        for step in self._take_turn(mine=False):
            if step in ("e", "s"):
                size = _KEY_BYTES + (_TAG_BYTES if step == "s" else 0)
                head, message = message[:size], message[size:]
                if len(head) < size:
                    raise NoiseError("a message is too short")
                public = self._mix_ephemeral(head) if step == "e" else self._unseal(head)
                self._theirs[step] = primitives.public_key(public)
            else:
                self._mix_secret(step)
        before = self._h
        return self._unseal(message), before

    def ciphers(self) -> tuple[CipherState, CipherState]:
        """Return the states for sending and receiving; once, so that no nonce is used twice."""
        if self._messages or not self._ck:
            raise NoiseError("the handshake is not finished, or its keys were handed out")
        first, second = (CipherState(key) for key in hkdf(self._ck, b"", 2))
        self._ck = b""
        return (first, second) if self._initiator else (second, first)

    def _take_turn(self, *, mine: bool) -> tuple[str, ...]:
        if self._my_turn is not mine or not self._messages:
            raise NoiseError("a message out of turn")
        self._my_turn = not mine
        return self._messages.pop(0)

    def _mix_hash(self, data: bytes) -> None:
        self._h = hashlib.sha256(self._h + data).digest()

    def _mix_key(self, material: bytes) -> None:
        self._ck, key = hkdf(self._ck, material, 2)
        self._cipher = CipherState(key)

    def _mix_ephemeral(self, public: bytes) -> bytes:
        self._mix_hash(public)
        if self._psk is not None:  # 9.2: so that a psk never encrypts twice with one nonce
            self._mix_key(public)
        return public

    def _mix_secret(self, step: str) -> None:
        if self._psk is not None and step == "psk":
            self._ck, extra, key = hkdf(self._ck, self._psk, 3)
            self._mix_hash(extra)
            self._cipher = CipherState(key)
            return
        # "es" is the initiator's e with the responder's s, whoever computes it.
        mine, theirs = (step[0], step[1]) if self._initiator else (step[1], step[0])
        try:
            self._mix_key(self._mine[mine].exchange(self._theirs[theirs]))
        except ValueError:
            raise NoiseError("the other end's key is of small order") from None

    def _seal(self, plaintext: bytes) -> bytes:
        ciphertext = self._cipher.encrypt(self._h, plaintext)
        self._mix_hash(ciphertext)
        return ciphertext

    def _unseal(self, ciphertext: bytes) -> bytes:
        plaintext = self._cipher.decrypt(self._h, ciphertext)
        self._mix_hash(ciphertext)
        return plaintext
