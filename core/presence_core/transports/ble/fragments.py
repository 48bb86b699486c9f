"""One GATT value: a fragment of a stream, with what it takes to put the stream together (§2.4).

``tag (2) | flags (1) | seq (2) | ack (2) | data``. A notification may reach every subscriber, so
the tag says which link it is of. Values may overtake each other (BlueZ 5.66 with more than one
ATT bearer), so each has a number.
"""

from __future__ import annotations

import struct
from enum import IntFlag

from presence_core.value_object import value_object

HEADER_BYTES = 7
DEFAULT_FRAGMENT = 244
"""Bytes of a fragment unless less fits: one LE data packet carries it."""
MAX_FRAGMENT = 508
"""Never more: BlueZ 5.66 refuses values over 510 bytes, whatever the MTU is."""
MIN_FRAGMENT = 20
"""What fits into the least MTU of 23 bytes (Bluetooth Core 5.4, Vol 3 Part F, 3.2.8)."""
SEQUENCES = 1 << 16

_HEADER = struct.Struct(">HBHH")


class Flag(IntFlag):
    """What a fragment is."""

    OPEN = 1
    """The first of a link: the other end makes one for its tag."""
    DATA = 2
    """It has a number and bytes of the stream; without, it only acknowledges."""
    CLOSE = 4
    """The link is over, or unknown here. Nothing is acknowledged any more."""


_KNOWN = Flag.OPEN | Flag.DATA | Flag.CLOSE


class FragmentError(ValueError):
    """A GATT value that is no fragment."""


@value_object
class Fragment:
    """One GATT value. ``seq`` counts fragments with data; ``ack`` is the next one awaited."""

    tag: int
    flags: Flag
    seq: int = 0
    ack: int = 0
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the value."""
        return _HEADER.pack(self.tag, self.flags, self.seq, self.ack) + self.data

    @classmethod
    def decode(cls, value: bytes) -> Fragment:
        """Read a value. Raises FragmentError; flags of later versions are ignored."""
        if not HEADER_BYTES <= len(value) <= MAX_FRAGMENT:
            raise FragmentError(f"a value of {len(value)} bytes is no fragment")
        tag, flags, seq, ack = _HEADER.unpack_from(value)
        known = Flag(flags & _KNOWN)
        data = bytes(value[HEADER_BYTES:])
        if bool(data) is not bool(known & Flag.DATA):
            raise FragmentError("a fragment has data when it says so, and only then")
        if known & Flag.OPEN and not (known & Flag.DATA and seq == 0):
            raise FragmentError("a link is opened with the first data")
        return cls(tag, known, seq, ack, data)


def fragment_size(mtu: int | None, wanted: int = DEFAULT_FRAGMENT) -> int:
    """Return how large fragments may be at this ATT MTU (None: unknown, so the least)."""
    fits = (mtu - 3) if mtu is not None else MIN_FRAGMENT
    return max(MIN_FRAGMENT, min(wanted, fits, MAX_FRAGMENT))
