"""The Bluetooth advert: who somebody is, to members of the mesh only (protocol §7).

Pure. All that every operating system can advertise is a 128-bit service UUID, so the identity is
in the UUID itself. Tags change every quarter of an hour, so that strangers cannot follow a device.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from presence_core.identity.mesh import NEARBY_TAG_BYTES, PEER_TAG_BYTES
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from uuid import UUID

    from presence_core.identity.mesh import MeshKey

MAGIC = b"pm"
VERSION = 1
QUARTER_SECONDS = 900
MAX_ADVERT = 31
"""Bytes of a legacy advertisement (Bluetooth Core 5.4, Vol 6 Part B, 2.3.1)."""

_VERSION_SHIFT = 4
_FLAGS = bytes((0x02, 0x01, 0x06))
_COMPLETE_LIST_OF_128_BIT_UUIDS = 0x07


@value_object
class Advert:
    """What an advert of this protocol says. ``version`` may be a later one."""

    version: int
    mesh_tag: bytes
    peer_tag: bytes


def quarter_of(unix_seconds: float) -> int:
    """Return which quarter of an hour this is, counted from the beginning of Unix time."""
    return max(0, int(unix_seconds // QUARTER_SECONDS))


def advert_uuid(mesh: MeshKey, peer_key: bytes, quarter: int) -> UUID:
    """Return the service UUID that a peer advertises in this quarter of an hour."""
    from uuid import UUID  # where there is no adapter it is not needed

    tags = mesh.nearby_tag(quarter) + mesh.nearby_peer_tag(peer_key, quarter)
    return UUID(bytes=MAGIC + bytes((VERSION << _VERSION_SHIFT,)) + tags)


def read_advert(uuid: UUID) -> Advert | None:
    """Read a service UUID; None when it is not one of this protocol."""
    data = uuid.bytes
    if not data.startswith(MAGIC) or data[2] >> _VERSION_SHIFT == 0:
        return None
    tags = data[3:]
    return Advert(data[2] >> _VERSION_SHIFT, tags[:NEARBY_TAG_BYTES], tags[NEARBY_TAG_BYTES:])


def is_of(advert: Advert, mesh: MeshKey, unix_seconds: float) -> bool:
    """Whether an advert is of this mesh; clocks may differ by up to a quarter of an hour."""
    return any(
        hmac.compare_digest(advert.mesh_tag, mesh.nearby_tag(quarter))
        for quarter in quarters_around(unix_seconds)
    )


def quarters_around(unix_seconds: float) -> tuple[int, ...]:
    """Return the quarters that are taken for now, the likeliest first."""
    now = quarter_of(unix_seconds)
    return (now, now + 1) if now == 0 else (now, now - 1, now + 1)


def advertising_data(uuid: UUID) -> bytes:
    """Return the advertisement as it goes over the air, for a backend that builds it itself."""
    body = bytes((_COMPLETE_LIST_OF_128_BIT_UUIDS,)) + uuid.bytes[::-1]
    return _FLAGS + bytes((len(body),)) + body


assert len(MAGIC) + 1 + NEARBY_TAG_BYTES + PEER_TAG_BYTES == 16
