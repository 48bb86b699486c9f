"""Bytes that are nearly right."""

from __future__ import annotations

from hypothesis import strategies as st


def mangled(raw: bytes, data: st.DataObject) -> bytes:
    """Return bytes with one of them replaced, inserted or missing, or without their end."""
    bent = bytearray(raw)
    place = data.draw(st.integers(0, len(bent) - 1))
    match data.draw(st.sampled_from(["replace", "replace", "insert", "delete", "cut"])):
        case "replace":
            near = [bent[place] ^ bit for bit in (1, 2, 32)]
            bent[place] = data.draw(st.sampled_from(near) | st.integers(0, 255))
        case "insert":
            bent.insert(place, data.draw(st.integers(0, 255)))
        case "delete":
            del bent[place]
        case "cut":
            del bent[place:]
    return bytes(bent)
