"""Bytes as text: base64url without padding (RFC 4648 §5), one text for each value."""

from __future__ import annotations

import base64
import re

_TEXT = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class Base64Error(ValueError):
    """A text is not base64url without padding, in the form in which it is written here."""


def encode(data: bytes) -> str:
    """Return the text of some bytes, on one line."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of a text. Raises Base64Error for anything that ``encode`` never writes."""
    if not _TEXT.fullmatch(text):
        raise Base64Error("holds a character that is not of base64url")
    if len(text) % 4 == 1:
        raise Base64Error("is cut short, or has a character too many")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise Base64Error("has stray bits at its end")
    return data
