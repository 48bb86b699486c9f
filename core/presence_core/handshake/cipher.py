"""What encrypts under a handshake and after it: ChaCha20-Poly1305 with counted nonces.

Section numbers are those of the Noise specification, revision 34.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag

from presence_core.handshake.primitives import ChaCha20Poly1305

_MAX_NONCE = 2**64 - 1


class NoiseError(Exception):
    """A message that is not authentic, or comes at the wrong time; the channel is then dead."""


def hkdf(chaining_key: bytes, material: bytes, outputs: int) -> list[bytes]:
    """Return two or three keys of 32 bytes (4.3; RFC 5869 with the chaining key as salt)."""
    secret = hmac.digest(chaining_key, material, "sha256")
    keys = [b""]
    for number in range(1, outputs + 1):
        keys.append(hmac.digest(secret, keys[-1] + bytes((number,)), "sha256"))
    return keys[1:]


class CipherState:
    """One direction of an encrypted channel (5.1). Nonces are counted, never sent."""

    def __init__(self, key: bytes | None = None) -> None:
        self._aead = ChaCha20Poly1305(key) if key is not None else None
        self._nonce = 0

    def encrypt(self, ad: bytes, plaintext: bytes) -> bytes:
        """Encrypt, or return the plaintext while there is no key."""
        return plaintext if self._aead is None else self._aead.encrypt(self._next(), plaintext, ad)

    def decrypt(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Decrypt, or return the ciphertext while there is no key. Raises NoiseError."""
        if self._aead is None:
            return ciphertext
        try:
            return self._aead.decrypt(self._next(), ciphertext, ad)
        except (InvalidTag, ValueError):
            raise NoiseError("a message is not authentic") from None

    def rekey(self) -> None:
        """Change to the next key (4.2, REKEY); the nonce goes on."""
        if self._aead is not None:
            key = self._aead.encrypt(_encode(_MAX_NONCE), bytes(32), b"")[:32]
            self._aead = ChaCha20Poly1305(key)

    def _next(self) -> bytes:
        if self._nonce >= _MAX_NONCE:
            raise NoiseError("no nonce is left")
        self._nonce += 1
        return _encode(self._nonce - 1)


def _encode(nonce: int) -> bytes:
    return bytes(4) + nonce.to_bytes(8, "little")
