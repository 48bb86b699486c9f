"""Peer keys: Ed25519 (RFC 8032), their text, and what people compare."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from presence_core.codec import base32, bech32m

if TYPE_CHECKING:
    from collections.abc import Collection

KEY_BYTES = 32

_P = 2**255 - 19
_SMALL_ORDER_Y = (
    0,
    1,
    _P - 1,
    2707385501144840649318225287225658788936804267575313519463743609750303402022,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
)
"""The y coordinates of the eight points whose order divides 8. Under such a key the library
accepts constant signatures, so anybody could speak for such a "peer"."""


def _encodings(y: int) -> tuple[bytes, bytes]:
    """Return both keys with this y coordinate: the highest bit is the sign of x (RFC 8032)."""
    return y.to_bytes(KEY_BYTES, "little"), (y | 1 << 255).to_bytes(KEY_BYTES, "little")


_REFUSED = {
    key: "is not in canonical form" for y in range(_P, 1 << 255) for key in _encodings(y)
} | {
    key: "is of small order: anybody could sign for it"
    for y in _SMALL_ORDER_Y
    for key in _encodings(y)
}
"""All 48 keys that are refused, and why: each edge of each record is looked up here."""

_SAFETY_ROUNDS = 5_200
"""As in Signal's fingerprints: about 112 bits for each half."""


class KeyFormatError(ValueError):
    """Not a peer key: what is wrong with it."""


def check_peer_key(key: bytes) -> bytes:
    """Return the key if it can be one; KeyFormatError if non-canonical or of small order."""
    if len(key) != KEY_BYTES:
        raise KeyFormatError(f"a peer key has {KEY_BYTES} bytes, not {len(key)}")
    if key in _REFUSED:
        raise KeyFormatError(f"the peer key {_REFUSED[key]}")
    return key


def check_peer_keys(keys: Collection[bytes]) -> None:
    """Check many keys of 32 bytes at once. Raises KeyFormatError if one of them cannot be one."""
    if not _REFUSED.keys().isdisjoint(keys):
        raise KeyFormatError("a peer key is not in canonical form, or of small order")


def peer_key_text(key: bytes) -> str:
    """Return the text of a peer key: ``pk1…``, 61 characters."""
    return bech32m.encode("pk", key)


def parse_peer_key(text: str) -> bytes:
    """Read the text of a peer key, in any case. Raises KeyFormatError."""
    try:
        return check_peer_key(bech32m.decode("pk", text.strip()))
    except bech32m.Bech32Error as error:
        raise KeyFormatError(f"not a peer key: it {error}") from None


def short_id(key: bytes) -> str:
    """Return eight base32 characters of the key's hash: for eyes, never for look-up or trust."""
    return base32.encode(hashlib.sha256(key).digest()[:5])


def safety_number(one: bytes, other: bytes) -> str:
    """Return 60 digits, in groups of five, that two people compare to know whom they talk to.

    The same whoever computes it (Signal's construction over the two sorted keys).
    """
    digits = "".join(_fingerprint(key) for key in sorted((one, other)))
    return " ".join(digits[at : at + 5] for at in range(0, 60, 5))


def _fingerprint(key: bytes) -> str:
    value = b"presence-mesh/safety/1" + key
    for _ in range(_SAFETY_ROUNDS):
        value = hashlib.sha512(value + key).digest()
    return "".join(
        f"{int.from_bytes(value[at : at + 5], 'big') % 100_000:05d}" for at in range(0, 30, 5)
    )


def verify(key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the holder of a peer key has signed the data; False for keys that are refused."""
    try:
        Ed25519PublicKey.from_public_bytes(check_peer_key(key)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


class SigningKey:
    """A private key. It signs; it does not show itself."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Make a new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_private_bytes(cls, data: bytes) -> Self:
        """Take the 32 bytes of a private key. Raises ValueError for another length."""
        return cls(Ed25519PrivateKey.from_private_bytes(data))

    def private_bytes(self) -> bytes:
        """Return the 32 secret bytes, for where the key is kept only."""
        return self._private.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the signature over the data, 64 bytes."""
        return self._private.sign(data)


class Identity(SigningKey):
    """The private key of a peer."""

    __slots__ = ("peer_key",)

    def __init__(self, private: Ed25519PrivateKey) -> None:
        super().__init__(private)
        self.peer_key = self.public

    def __repr__(self) -> str:
        return f"<Identity {peer_key_text(self.peer_key)}>"
