"""The issuer of a simulated mesh: what it has signed, and what each device goes by."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from presence_core.identity.issuer import KeySet, RevocationList
from presence_core.identity.issuers import Issuers
from tests.authority import Authority

YEARS = 30 * 365 * 86_400
"""Clocks are off by up to ten years; tokens are valid for longer than that."""


class Office:
    """Issues tokens, new keys and revocation lists, and remembers what it has vouched for."""

    def __init__(self, rng: random.Random) -> None:
        self.authority = Authority("office", rng)
        self.first = self.authority.key_set()
        self.objects: list[bytes] = [self.first.raw]
        """All that was ever signed, as somebody may keep it to say it again."""
        self.vouched: dict[bytes, list[Mapping[str, Any]]] = {}
        """What was ever said of a peer key."""
        self.tokens: list[bytes] = []
        self.revoked: set[bytes] = set()
        self._rng = rng

    def token(self, key: bytes, wall: float) -> bytes:
        """Issue a token for a peer key."""
        metadata = {"of": key.hex()[:8], "n": self._rng.randrange(1_000)}
        self.vouched.setdefault(key, []).append(metadata)
        token = self.authority.token(key, wall, begin=-YEARS, end=YEARS, metadata=metadata)
        self.tokens.append(token)
        return token

    def rotate(self) -> KeySet:
        """Take a new key into use, in a set that the oldest one signs: somebody may miss many."""
        self.authority.rotate()
        key_set = self.authority.key_set()
        self.objects.append(key_set.raw)
        return key_set

    def revoke(self, key: bytes) -> RevocationList:
        """Take back all tokens of a peer key too."""
        self.revoked.add(key)
        revocations = self.authority.revoke(*sorted(self.revoked))
        self.objects.append(revocations.raw)
        return revocations


class Kept:
    """What a device keeps of the issuer between its runs, as an engine does in its home."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.keys = office.first
        self.revoked: RevocationList | None = None

    def issuers(self) -> Issuers:
        """Begin a run with what was kept."""
        issuers = Issuers()
        issuers.trust(self._office.first)
        issuers.restore(self.keys)
        if self.revoked is not None:
            issuers.restore(self.revoked)
        return issuers

    def keep(self, issuers: Issuers) -> None:
        """Keep what a run has learned."""
        keys = issuers.key_set(self._office.authority.name)
        assert keys is not None
        self.keys, self.revoked = keys, issuers.revocations(self._office.authority.name)

    def numbers(self) -> tuple[int, int]:
        """Return the numbers of what is kept; 0 for no list."""
        return self.keys.number, 0 if self.revoked is None else self.revoked.number
