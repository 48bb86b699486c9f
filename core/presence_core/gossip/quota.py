"""How much of a neighbour is taken, and what becomes of one that sends what does not hold.

Pure; time is passed in (protocol §6.10).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import field
from enum import StrEnum
from typing import Generic, TypeVar

from presence_core.value_object import entity

K = TypeVar("K", bound=Hashable)

VERSION_RATE, VERSION_BURST = 1.0, 5.0
"""Versions of one peer that are passed on over one link: so many a second, and at once."""

TAKEN_RATE, TAKEN_BURST = 2.0, 10.0
"""Versions of one peer that are taken from one link. Twice what is passed on, so that whoever keeps
to the rule is never blamed for delays on the way."""

NEW_RATE, NEW_BURST = 20.0, 1_000.0
"""Records of peers never heard of that are taken from one link unasked."""

UNASKED_RATE, UNASKED_BURST = 10.0, 500.0
"""Records that are sent over one link unasked; others are offered. Half of what is taken: what is
news here may be old or unknown there, and whoever keeps to the rule is never blamed for that."""

LIMIT_POINTS = 3.0
POINTS_PER_SECOND = LIMIT_POINTS / 60
COOL_DOWN = 30.0
MAX_COOL_DOWN = 3_600.0
MAX_OFFENDERS = 1_024
FORGET_SECONDS = 600.0
"""How long after its last offence, and the end of its cool-down, a peer is remembered and named:
long enough for a person to see it."""

_ONE = 1.0 - 1e-6
"""One token: it may seem to be a little too small at the moment at which it is said to be there."""

_KEEP = 4_096
"""Buckets above which those that are full again are looked for and forgotten."""


class Rates(Generic[K]):
    """Token buckets by key. A key that was quiet for long enough is not remembered."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[K, tuple[float, float]] = {}
        self._prune_at = _KEEP

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: K, now: float) -> bool:
        """Take one token, if there is one."""
        bucket = self._buckets.get(key)
        tokens = self._burst if bucket is None else self._left(bucket, now)
        if tokens < _ONE:
            return False
        if len(self._buckets) >= self._prune_at:
            self._prune(now)
        self._buckets[key] = (tokens - 1.0, now)
        return True

    def ready_at(self, key: K, now: float) -> float:
        """When there will be a token."""
        bucket = self._buckets.get(key)
        tokens = self._burst if bucket is None else self._left(bucket, now)
        return now + max(0.0, 1.0 - tokens) / self._rate

    def _left(self, bucket: tuple[float, float], now: float) -> float:
        tokens = bucket[0] + (now - bucket[1]) * self._rate
        return min(self._burst, tokens)

    def _prune(self, now: float) -> None:
        self._buckets = {
            key: bucket for key, bucket in self._buckets.items()
            if self._left(bucket, now) < self._burst
        }  # fmt: skip
        self._prune_at = max(_KEEP, 2 * len(self._buckets))


class Offence(StrEnum):
    """What a neighbour may send that an honest one does not."""

    INVALID = "records that do not hold"
    REPLAYED = "records that were replaced long ago"
    FLOOD = "more than the protocol allows"
    MALFORMED = "messages that break the protocol"
    CONTRADICTED = "records that contradict each other"
    BAD_ISSUER_OBJECT = "key sets or revocations of issuers that do not hold"


_POINTS = {
    Offence.INVALID: 1.0,
    Offence.REPLAYED: 0.25,
    Offence.FLOOD: 0.05,
    Offence.MALFORMED: 1.0,
    Offence.CONTRADICTED: 1.0,
    Offence.BAD_ISSUER_OBJECT: 1.0,
}


@entity
class Offender:
    """What a neighbour has done."""

    counts: dict[Offence, int] = field(default_factory=dict)
    detail: str = ""
    """What was wrong the last time, in words."""
    closed: int = 0
    """How often its link was closed for it."""
    refused: int = 0
    """How often it came back too early."""
    points: float = 0.0
    at: float = 0.0
    """When it did so the last time."""
    seen_at: float = 0.0
    """When it did so, or was refused, the last time."""
    cool_until: float = float("-inf")


class Strikes:
    """Counts what each neighbour did, by peer key: links come and go."""

    def __init__(self) -> None:
        self.offenders: dict[bytes, Offender] = {}
        self.changed = False
        """Whether something happened since a reader last cleared this."""

    def strike(self, key: bytes, offence: Offence, detail: str, now: float) -> bool:
        """Count an offence. True when the link is to be closed; then the peer cools down."""
        offender = self.offenders.get(key)
        if offender is None:
            if len(self.offenders) >= MAX_OFFENDERS:
                # Whoever makes up so many keys does not push those out that cool down longest.
                del self.offenders[min(self.offenders, key=self.cool_until)]
            offender = self.offenders[key] = Offender(at=now)
        offender.points = max(0.0, offender.points - (now - offender.at) * POINTS_PER_SECOND)
        offender.points += _POINTS[offence]
        offender.at = offender.seen_at = now
        offender.counts[offence] = offender.counts.get(offence, 0) + 1
        offender.detail = detail
        self.changed = True
        if offender.points < LIMIT_POINTS:
            return False
        offender.points = 0.0
        offender.cool_until = now + min(MAX_COOL_DOWN, COOL_DOWN * 2.0 ** min(offender.closed, 16))
        offender.closed += 1
        return True

    def refuse(self, key: bytes, now: float) -> bool:
        """Whether a peer that has come back is to be refused, as it cools down; it is counted."""
        offender = self.offenders.get(key)
        if offender is None or now >= offender.cool_until:
            return False
        offender.refused += 1
        offender.seen_at = now
        self.changed = True
        return True

    def forget(self, now: float) -> None:
        """Forget those that gave no reason for a long time."""
        quiet = [
            key
            for key, offender in self.offenders.items()
            if now - max(offender.at, offender.cool_until) >= FORGET_SECONDS
        ]
        for key in quiet:
            del self.offenders[key]
            self.changed = True

    def cool_until(self, key: bytes) -> float:
        """Until when this peer is to be left alone; -inf if it never gave a reason."""
        offender = self.offenders.get(key)
        return float("-inf") if offender is None else offender.cool_until

    def cooling(self, key: bytes, now: float) -> bool:
        """Whether this peer is to be left alone for now."""
        return now < self.cool_until(key)
