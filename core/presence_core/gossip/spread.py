"""What is still to be told to which neighbour (protocol §6.6). Pure; time is passed in.

A record that is news goes to every neighbour but the one it came from, each after a random moment.
What a neighbour turns out to have meanwhile is not told to it: in a mesh where everybody has six
neighbours that saves half of all messages.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from presence_core.gossip.quota import VERSION_BURST, VERSION_RATE, Rates
from presence_core.value_object import entity

if TYPE_CHECKING:
    import random

WINDOW = 0.03
"""Seconds within which news is passed on."""


@entity
class _Queue:
    keys: dict[bytes, None] = field(default_factory=dict)
    flush_at: float = float("inf")
    rates: Rates[bytes] = field(default_factory=lambda: Rates(VERSION_RATE, VERSION_BURST))


class Spread:
    """The news that waits, by link. It holds keys: what is told is the newest record by then."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._queues: dict[int, _Queue] = {}
        self._soonest = float("inf")
        """No queue is to be told before."""

    def __len__(self) -> int:
        return sum(len(queue.keys) for queue in self._queues.values())

    def add_link(self, link: int) -> None:
        """Begin to tell a neighbour."""
        self._queues[link] = _Queue()

    def drop_link(self, link: int) -> None:
        """Stop telling a neighbour."""
        self._queues.pop(link, None)
        self._look()

    def news(self, key: bytes, source: int | None, now: float, *, urgent: bool = False) -> None:
        """Tell every neighbour but the source of this peer's newest record; soon, or at once."""
        for link, queue in self._queues.items():
            if link == source:
                queue.keys.pop(key, None)
            else:
                self._add(queue, key, now, urgent=urgent)

    def tell(self, link: int, key: bytes, now: float, *, urgent: bool = False) -> None:
        """Tell one neighbour of this peer's newest record."""
        queue = self._queues.get(link)
        if queue is not None:
            self._add(queue, key, now, urgent=urgent)

    def _add(self, queue: _Queue, key: bytes, now: float, *, urgent: bool) -> None:
        queue.keys[key] = None
        if urgent:
            queue.flush_at = min(queue.flush_at, now)
        elif queue.flush_at > now + WINDOW:  # what waits for its turn keeps nobody waiting
            queue.flush_at = now + self._rng.uniform(0.0, WINDOW)
        self._soonest = min(self._soonest, queue.flush_at)

    def known(self, link: int, key: bytes) -> None:
        """Note that this neighbour has the newest record of a peer: it need not be told."""
        queue = self._queues.get(link)
        if queue is not None:
            queue.keys.pop(key, None)

    def next_time(self) -> float:
        """When :meth:`due` has something; infinity for never."""
        return self._soonest

    def due(self, now: float) -> list[tuple[int, list[bytes]]]:
        """Return what is to be told now, by link. A peer that changes too often waits its turn."""
        told: list[tuple[int, list[bytes]]] = []
        if now < self._soonest:
            return told
        for link, queue in self._queues.items():
            if queue.flush_at > now:
                continue
            queue.flush_at = float("inf")
            waiting: dict[bytes, None] = {}
            keys: list[bytes] = []
            for key in queue.keys:
                if queue.rates.take(key, now):
                    keys.append(key)
                else:
                    waiting[key] = None
                    queue.flush_at = min(queue.flush_at, queue.rates.ready_at(key, now))
            queue.keys = waiting
            if keys:
                told.append((link, keys))
        self._look()
        return told

    def _look(self) -> None:
        self._soonest = min((q.flush_at for q in self._queues.values()), default=float("inf"))
