"""What can be thought of a peer's identity token. Nothing of tokens is loaded for it."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

from presence_core.model import Identity, IdentityStatus
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from presence_core.model import JsonObject

MAX_TOKEN = 16 * 1_024
"""Bytes of a token."""

FOREVER = math.inf


@value_object(eq=False)
class Verdict:
    """What became of a token.

    ``metadata`` is None unless it is verified or expired. ``until`` is the Unix time at which time
    alone changes the verdict or its words, infinite if never.
    """

    identity: Identity
    metadata: JsonObject | None = None
    until: float = FOREVER


MISSING = Verdict(Identity())
"""Of a peer whose record names no token."""


def pending() -> Verdict:
    """Return the verdict while the token that a record names is not here."""
    return _PENDING


def oversize(size: int) -> Verdict:
    """Return the verdict on a token that is announced with more bytes than a token may have."""
    return refused(
        IdentityStatus.OVERSIZE,
        f"its identity token takes {size:,} bytes; the limit is {MAX_TOKEN:,}",
    )


def refused(status: IdentityStatus, reason: str) -> Verdict:
    """Return the verdict on a token of which nothing can be said but that it is of no use."""
    return Verdict(Identity(status, reason))


_PENDING = refused(
    IdentityStatus.PENDING, "its identity token is announced, and has not arrived yet"
)


class Taken(Enum):
    """What became of a signed object.

    ``NEWS``: it is in force now. ``KNOWN``, ``OLDER``: this or a newer one is here.
    ``UNKNOWN_ISSUER``, ``UNKNOWN_KEY``: nobody here vouches for the issuer, or for the key that
    signed it; nobody is to blame. ``CONFLICT``: the issuer itself has signed two different ones
    with one number; whoever passes it on is not to blame. ``REFUSED``: not what it says it is.
    """

    NEWS = "news"
    KNOWN = "known"
    OLDER = "older"
    UNKNOWN_ISSUER = "unknown_issuer"
    UNKNOWN_KEY = "unknown_key"
    CONFLICT = "conflict"
    REFUSED = "refused"
