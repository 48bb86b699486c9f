"""What service and client say to each other: limits, bytes as text, and strict JSON.

The HTTP API is in docs/identity-service.md.
"""

from __future__ import annotations

from typing import Any

from presence_core.codec import base64url
from presence_core.codec.base64url import Base64Error
from presence_core.codec.metadata import MetadataError, parse_metadata_json
from presence_core.identity.mesh import PROTO

MAX_BODY = 64 * 1024
"""Bytes of a request, and of what a webhook answers."""

MAX_ANSWER = 128 * 1024
"""Bytes of what a service answers: a key set is 65,000 at most, and a third more as text."""

CHALLENGE_SECONDS = 60

RENEWAL = "renewal"
"""The provider whose credential is the token that is to be renewed."""


class WireError(ValueError):
    """Something that is not of the form agreed on: what is wrong with it, in one line."""


def to_bytes(text: object, what: str, *, limit: int = MAX_BODY) -> bytes:
    """Read base64url without padding, of at most ``limit`` bytes. Raises WireError."""
    if not isinstance(text, str) or len(text) > limit * 4 // 3 + 3:
        raise WireError(f"{what} must be base64url of at most {limit:,} bytes")
    try:
        return base64url.decode(text)
    except Base64Error as error:
        raise WireError(f"{what} is not base64url: it {error}") from None


def json_object(data: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object that somebody sent. Raises WireError, which names ``what``.

    As strict as metadata: each key once, at most 16 levels deep, integers of 64 bits, finite
    numbers. The caller bounds its size.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError(f"{what} is not valid UTF-8") from None
    if not text.lstrip(" \t\r\n").startswith("{"):
        raise WireError(f"{what} is not a JSON object")
    try:
        return parse_metadata_json(text)
    except MetadataError as error:
        raise WireError(f"{what} cannot be taken: {error}") from None


def text_field(value: dict[str, Any], name: str, what: str, *, limit: int = MAX_BODY) -> str:
    """Return a text that must be there, of 1 to ``limit`` bytes. Raises WireError."""
    text = value.get(name)
    if not isinstance(text, str) or not 1 <= len(text.encode()) <= limit:
        raise WireError(f"{what} must have a text {name!r} of 1 to {limit:,} bytes")
    return text


def proof(challenge: bytes, audience: str) -> bytes:
    """Return what a peer key signs to prove that it is held: for this issuer, this once."""
    return PROTO + b"/identity-proof/1" + challenge + audience.encode()
