"""How often anybody may ask: token buckets, by address, by peer key and by user name."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_REMEMBERED = 20_000
"""Whom one limit remembers; the one that was seen least recently is forgotten first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, and after that ``per_second``."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service takes of one address, one peer key, one user name.

    A whole team behind one router has one address; who guesses passwords needs many tries.
    """

    requests: Rate = Rate(20.0, 1_000.0)
    """Of one address, of any kind."""
    failures: Rate = Rate(0.5, 100.0)
    """Of one address: credentials, proofs and challenges that do not hold."""
    tokens: Rate = Rate(0.1, 20.0)
    """Of one peer key, after it has proven that it is held."""
    guesses: Rate = Rate(1 / 30, 10.0)
    """Of one user name: wrong passwords, from wherever they come."""


class Limit:
    """One rate for many names. ``now`` is monotonic, in seconds."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left: OrderedDict[str | bytes, tuple[float, float]] = OrderedDict()
        """What is left, and when that was so."""

    def wait(self, name: str | bytes, now: float) -> float:
        """Return how many seconds to wait before the next is allowed: 0 if it is now."""
        return max(0.0, (1.0 - self._of(name, now)) / self._rate.per_second)

    def count(self, name: str | bytes, now: float) -> None:
        """Count one."""
        self._left[name] = (max(0.0, self._of(name, now) - 1.0), now)
        self._left.move_to_end(name)
        if len(self._left) > MAX_REMEMBERED:
            self._left.popitem(last=False)

    def forgive(self, name: str | bytes) -> None:
        """Take one back that was counted."""
        if name in self._left:
            left, since = self._left[name]
            self._left[name] = (left + 1.0, since)

    def _of(self, name: str | bytes, now: float) -> float:
        left, since = self._left.get(name, (self._rate.burst, now))
        return min(self._rate.burst, left + (now - since) * self._rate.per_second)
