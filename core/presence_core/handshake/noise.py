"""Noise XX with an optional pre-shared key, over Curve25519, ChaCha20-Poly1305 and SHA-256.

The Noise Protocol Framework, revision 34, as far as this project needs it. One suite, no
negotiation. Pure: keys come from the caller, bytes go in and out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_PATTERNS = {
    "XX": (("e",), ("e", "ee", "s", "es"), ("s", "se")),
    "XXpsk0": (("psk", "e"), ("e", "ee", "s", "es"), ("s", "se")),
    "XXpsk3": (("e",), ("e", "ee", "s", "es"), ("s", "se", "psk")),
}
_DH_BYTES = 32
_TAG_BYTES = 16
_MAX_NONCE = 2**64 - 1

Payload = bytes | Callable[[bytes], bytes]


class NoiseError(Exception):
    """A message that cannot be authenticated, or comes at the wrong time."""


class CipherState:
    """One direction of an encrypted channel (section 5.1). Nonces are counted, never sent."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self._aead = ChaCha20Poly1305(key) if key is not None else None
        self.nonce = 0

    def encrypt(self, ad: bytes, plaintext: bytes) -> bytes:
        """Encrypt, or return the plaintext while there is no key."""
        return plaintext if self._aead is None else self._aead.encrypt(self._next(), plaintext, ad)

    def decrypt(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Decrypt. Raises NoiseError; the channel is then to be closed."""
        if self._aead is None:
            return ciphertext
        try:
            return self._aead.decrypt(self._next(), ciphertext, ad)
        except (InvalidTag, ValueError):
            raise NoiseError("a message is not authentic") from None

    def rekey(self) -> None:
        """Change to the next key (section 4.2, REKEY); the nonce goes on."""
        if self._aead is not None:
            self._key = self._aead.encrypt(_nonce(_MAX_NONCE), bytes(32), b"")[:32]
            self._aead = ChaCha20Poly1305(self._key)

    def _next(self) -> bytes:
        if self.nonce >= _MAX_NONCE:
            raise NoiseError("no nonce is left")
        nonce, self.nonce = self.nonce, self.nonce + 1
        return _nonce(nonce)


def _nonce(number: int) -> bytes:
    return bytes(4) + number.to_bytes(8, "little")


def _hkdf(chaining_key: bytes, material: bytes, outputs: int) -> list[bytes]:
    secret = hmac.digest(chaining_key, material, "sha256")
    result, last = [], b""
    for number in range(1, outputs + 1):
        last = hmac.digest(secret, last + bytes((number,)), "sha256")
        result.append(last)
    return result


class NoiseHandshake:
    """The three messages of a handshake, from one side (sections 5.2 and 5.3).

    ``ephemeral`` is for test vectors only; left out, a fresh one is made.
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
        name = f"Noise_{pattern}_25519_ChaChaPoly_SHA256".encode()
        self._h = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self._ck = self._h
        self._cipher = CipherState()
        self._initiator = initiator
        self._psk = psk
        self._messages = list(_PATTERNS[pattern])
        self._turn = initiator
        self._keys = {"s": static, "e": ephemeral or X25519PrivateKey.generate()}
        self._remote: dict[str, X25519PublicKey] = {}
        if ("psk" in pattern) != (psk is not None):
            raise ValueError("a pre-shared key goes with the psk patterns, and only with them")
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
        """Return the next message. A callable payload is given the transcript hash before it."""
        self._take_turn(mine=True)
        out = bytearray()
        for token in self._messages.pop(0):
            if token in ("e", "s"):
                public = self._keys[token].public_key().public_bytes_raw()
                out += self._mix_public(token, public) if token == "e" else self._seal(public)
            else:
                self._mix_token(token)
        out += self._seal(payload(self._h) if callable(payload) else payload)
        return bytes(out)

    def read_message(self, message: bytes) -> tuple[bytes, bytes]:
        """Return the payload of the other's message, and the transcript hash before it.

        Raises NoiseError; the handshake is then dead.
        """
        self._take_turn(mine=False)
        at = 0
        for token in self._messages.pop(0):
            if token in ("e", "s"):
                size = _DH_BYTES + (_TAG_BYTES if token == "s" else 0)
                raw, at = message[at : at + size], at + size
                if len(raw) < size:
                    raise NoiseError("a message is too short")
                public = self._mix_public(token, raw) if token == "e" else self._unseal(raw)
                self._remote[token] = X25519PublicKey.from_public_bytes(public)
            else:
                self._mix_token(token)
        before = self._h
        return self._unseal(message[at:]), before

    def ciphers(self) -> tuple[CipherState, CipherState]:
        """Return the states for sending and receiving; once, so that no nonce is used twice."""
        if self._messages or not self._ck:
            raise NoiseError("the handshake is not finished, or its keys were handed out")
        first, second = (CipherState(key) for key in _hkdf(self._ck, b"", 2))
        self._ck = b""
        return (first, second) if self._initiator else (second, first)

    def _take_turn(self, *, mine: bool) -> None:
        if self._turn is not mine or not self._messages:
            raise NoiseError("a message out of turn")
        self._turn = not mine

    def _mix_hash(self, data: bytes) -> None:
        self._h = hashlib.sha256(self._h + data).digest()

    def _mix_key(self, material: bytes) -> None:
        self._ck, key = _hkdf(self._ck, material, 2)
        self._cipher = CipherState(key)

    def _mix_public(self, _token: str, public: bytes) -> bytes:
        self._mix_hash(public)
        if self._psk is not None:  # section 9.2: with a psk, ephemerals are mixed into the key
            self._mix_key(public)
        return public

    def _mix_token(self, token: str) -> None:
        if token == "psk":
            self._ck, extra, key = _hkdf(self._ck, self._psk or b"", 3)
            self._mix_hash(extra)
            self._cipher = CipherState(key)
            return
        mine, theirs = token if self._initiator else (token[1], token[0])
        try:
            self._mix_key(self._keys[mine].exchange(self._remote[theirs]))
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
