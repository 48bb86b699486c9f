"""Values in the order of their keys, kept up change by change."""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = TypeVar("Value")

_MANY = 64
"""So many new keys are sorted in together; fewer find their places one by one."""


class Ordered(Generic[Value]):
    """A mapping from text that is read whole and in order, and changed in few places.

    To hand out all of ten thousand values costs a copy, and no loop over them in Python.
    """

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._values: list[Value] = []
        self._fresh: dict[str, Value] = {}
        self._replaced: dict[str, Value] = {}
        """What has another value since :meth:`mapping`."""
        self._gone: set[str] = set()
        """What was there at the last :meth:`mapping`, and is not now."""
        self._disordered = False
        """Whether a key came since then: a dictionary takes it in at its end only."""
        self._handed_out: dict[str, Value] = {}
        self._mapping: Mapping[str, Value] = MappingProxyType(self._handed_out)

    def put(self, key: str, value: Value) -> None:
        """Add a value, or replace the one of the same key."""
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            self._values[place] = value
            self._replaced[key] = value
        else:
            self._fresh[key] = value

    def drop(self, key: str) -> None:
        """Remove a key, if it is there."""
        if self._fresh.pop(key, None) is not None:
            return
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            del self._keys[place], self._values[place]
            self._gone.add(key)

    def values(self) -> tuple[Value, ...]:
        """Return the values, in the order of the keys."""
        self._sort_in()
        return tuple(self._values)

    def mapping(self) -> Mapping[str, Value]:
        """Return a read-only mapping, in order; the same object until something changes."""
        self._sort_in()
        if self._disordered:
            following = dict(zip(self._keys, self._values, strict=True))
        elif self._replaced or self._gone:
            following = self._handed_out | self._replaced  # a tenth of what it costs to fill one
            for key in self._gone:
                del following[key]
        else:
            return self._mapping
        self._handed_out = following
        self._mapping = MappingProxyType(following)
        self._disordered = False
        self._replaced.clear()
        self._gone.clear()
        return self._mapping

    def _sort_in(self) -> None:
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        self._disordered = True
        if len(fresh) < _MANY:
            for key, value in fresh.items():
                place = bisect_left(self._keys, key)
                self._keys.insert(place, key)
                self._values.insert(place, value)
            return
        pairs = [*zip(self._keys, self._values, strict=True), *fresh.items()]
        pairs.sort(key=itemgetter(0))
        self._keys = [key for key, _ in pairs]
        self._values = [value for _, value in pairs]
