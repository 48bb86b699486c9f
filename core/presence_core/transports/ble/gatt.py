"""The GATT service: its identifiers and what its ID characteristic says (protocol §2.4).

The layout is frozen: operating systems keep what they once saw of it. What may change is in ID.
"""

from __future__ import annotations

import struct

from presence_core.value_object import value_object

SERVICE = "70726573-656e-6365-6d65-736800000001"
"""Not advertised: the advert has a UUID of its own (protocol §7)."""
RX = "70726573-656e-6365-6d65-736800000002"
"""Written by the central, with or without response: one fragment."""
TX = "70726573-656e-6365-6d65-736800000003"
"""Notified to the central: one fragment."""
ID = "70726573-656e-6365-6d65-736800000004"
"""Read by the central, before anything else."""

VERSION = 1

_LAYOUT = struct.Struct(">BBHH")


class IdentError(ValueError):
    """The other end does not offer what this version speaks."""


@value_object
class Ident:
    """What a peripheral says of itself to whoever connects. ``mtu`` None: it cannot tell."""

    mtu: int | None
    max_fragment: int
    version: int = VERSION
    features: int = 0

    def encode(self) -> bytes:
        """Return the value of the ID characteristic."""
        return _LAYOUT.pack(self.version, self.features, self.mtu or 0, self.max_fragment)

    @classmethod
    def decode(cls, value: bytes) -> Ident:
        """Read it; what a later version adds behind is ignored. Raises IdentError."""
        if len(value) < _LAYOUT.size:
            raise IdentError(f"an ID of {len(value)} bytes is too short")
        version, features, mtu, max_fragment = _LAYOUT.unpack_from(value)
        if version != VERSION:
            raise IdentError(f"it speaks version {version} of the Bluetooth service, not {VERSION}")
        return cls(mtu or None, max_fragment, version, features)
