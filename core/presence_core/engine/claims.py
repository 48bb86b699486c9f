"""Whose a name is that several peer keys go by. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

_T = TypeVar("_T")

Rank = tuple[bool, int]
"""How good a claim is, the smaller the better; of two alike the earlier one is."""


class Claims(Generic[_T]):
    """Who claims what, and who has the best claim to it.

    Nothing is looked through as peers come: ten thousand may go by one name.
    """

    def __init__(self) -> None:
        self._ranks: dict[_T, dict[bytes, Rank]] = {}
        self._best: dict[_T, bytes] = {}
        self._claimed: dict[bytes, _T] = {}

    def best(self, what: _T) -> bytes | None:
        """Return the key with the best claim."""
        return self._best.get(what)

    def of(self, key: bytes) -> _T | None:
        """Return what a key claims."""
        return self._claimed.get(key)

    def followers(self, key: bytes) -> set[bytes]:
        """Return all who claim the same as this key, if its claim is the best one."""
        what = self._claimed.get(key)
        return set(self._ranks[what]) if what is not None and self._best[what] == key else set()

    def note(self, key: bytes, what: _T | None, rank: Rank) -> set[bytes]:
        """Note what a key claims now, None for nothing.

        Returns the keys that claim something whose best claim is another key's now.
        """
        concerned: set[bytes] = set()
        old = self._claimed.get(key)
        if old is not None and old != what:
            concerned |= self._drop(key, old)
        if what is None:
            return concerned
        ranks = self._ranks.setdefault(what, {})
        known = ranks.get(key)
        ranks[key] = rank
        self._claimed[key] = what
        best = self._best.get(what)
        if best is None or (best != key and rank < ranks[best]):
            self._best[what] = key
            concerned.update(ranks)
        elif best == key and known is not None and rank > known:
            concerned |= self._choose(what, key)
        return concerned

    def _drop(self, key: bytes, what: _T) -> set[bytes]:
        del self._claimed[key]
        ranks = self._ranks[what]
        del ranks[key]
        if not ranks:
            del self._ranks[what], self._best[what]
            return set()
        return self._choose(what, key) if self._best[what] == key else set()

    def _choose(self, what: _T, before: bytes) -> set[bytes]:
        ranks = self._ranks[what]
        best = self._best[what] = min(ranks, key=ranks.__getitem__)
        return set(ranks) if best != before else set()
