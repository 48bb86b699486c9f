"""Mesh keys: the secret that makes a device a member (protocol §1, §2, §7)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from presence_core.codec import base32, bech32m
from presence_core.identity.keys import KeyFormatError

PROTO = b"presence-mesh"
MESH_KEY_BYTES = 32
ADVERT_TAG_BYTES = 8
NEARBY_TAG_BYTES = 5
PEER_TAG_BYTES = 8
INSTANCE_BYTES = 10
_HOUR = 3_600


@dataclass(frozen=True)
class MeshKey:
    """The key of a mesh, and the name people know it by.

    ``open``: derived from the name, so that whoever knows the name can join. The secret is not in
    its ``repr``, and two of them are equal when their secrets are.
    """

    secret: bytes = field(repr=False)
    name: str = field(compare=False)
    open: bool = field(default=False, compare=False)

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make the key of a new mesh."""
        return cls(secrets.token_bytes(MESH_KEY_BYTES), name)

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Return the key of the open mesh with this name."""
        return cls(_hkdf(name.encode(), b"open-mesh/1", MESH_KEY_BYTES), name, open=True)

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Read ``mk1…``. Raises KeyFormatError, which does not repeat the text: it is a secret."""
        try:
            secret = bech32m.decode("mk", text.strip())
        except bech32m.Bech32Error as error:
            raise KeyFormatError(f"not a mesh key: it {error}") from None
        if len(secret) != MESH_KEY_BYTES:
            raise KeyFormatError(f"a mesh key has {MESH_KEY_BYTES} bytes, not {len(secret)}")
        return cls(secret, name)

    def text(self) -> str:
        """Return the secret as text, ``mk1…``: for a key file or a person, nowhere else."""
        return bech32m.encode("mk", self.secret)

    @cached_property
    def mesh_id(self) -> bytes:
        """16 bytes that name the mesh in handshakes and records, and reveal nothing of the key."""
        return _hkdf(self.secret, b"mesh-id/1", 16)

    @cached_property
    def psk(self) -> bytes:
        """The pre-shared key of the Noise handshake."""
        return _hkdf(self.secret, b"noise-psk/1", 32)

    @property
    def prologue(self) -> bytes:
        """The prologue of the Noise handshake: protocol version and mesh."""
        return PROTO + b"/1" + self.mesh_id

    def advert_tag(self, hour: int) -> bytes:
        """Return the 8 bytes by which members recognise an advert in this hour of Unix time."""
        message = b"adv" + hour.to_bytes(8, "big")
        return hmac.digest(self.secret, message, "sha256")[:ADVERT_TAG_BYTES]

    def nearby_tag(self, quarter: int) -> bytes:
        """Return the 5 bytes by which members know a Bluetooth advert in this quarter of an hour.

        ``quarter`` counts them from the beginning of Unix time.
        """
        message = b"ble-mesh" + quarter.to_bytes(8, "big")
        return hmac.digest(self.secret, message, "sha256")[:NEARBY_TAG_BYTES]

    def nearby_peer_tag(self, peer_key: bytes, quarter: int) -> bytes:
        """Return the 8 bytes that a peer's Bluetooth advert has in this quarter of an hour."""
        message = b"ble-peer" + peer_key + quarter.to_bytes(8, "big")
        return hmac.digest(self.secret, message, "sha256")[:PEER_TAG_BYTES]

    def instance_name(self, peer_key: bytes, epoch: int) -> str:
        """Return the name under which a peer announces itself in a run (protocol §7).

        Members know by it whose advert they see, from the record of that peer; to others it is
        random, and another one in each run.
        """
        message = b"instance" + peer_key + epoch.to_bytes(8, "big")
        name = hmac.digest(self.secret, message, "sha256")[:INSTANCE_BYTES]
        return base32.encode(name)

    def matches_advert(self, tag: bytes, unix_seconds: float) -> bool:
        """Whether an advert is of this mesh; clocks may be wrong by up to an hour."""
        hour = int(unix_seconds // _HOUR)
        return any(
            hmac.compare_digest(tag, self.advert_tag(max(0, hour + offset)))
            for offset in (0, -1, 1)
        )


def _hkdf(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=PROTO + b"/" + purpose).derive(
        secret
    )
