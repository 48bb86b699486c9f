"""Bytes as text that survives any case: base32 in lower case, without padding (RFC 4648 §6).

That of the standard library makes a table of a thousand pairs of letters first, 44 KB.
"""

from __future__ import annotations

_LETTERS = b"abcdefghijklmnopqrstuvwxyz234567".ljust(256)


def encode(data: bytes) -> str:
    """Return the text of a few bytes; the time it takes grows with the square of their number."""
    bits = 8 * len(data)
    spare = -bits % 5
    number = int.from_bytes(data, "big") << spare
    values = bytes([number >> at & 31 for at in range(bits + spare - 5, -1, -5)])
    return values.translate(_LETTERS).decode()
