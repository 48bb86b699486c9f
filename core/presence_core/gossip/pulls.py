"""Records that neighbours have and we lack: each is asked of one neighbour at a time (§6.6, §6.7).

Pure; time is passed in.
"""

from __future__ import annotations

from dataclasses import field

from presence_core.value_object import entity

ANSWER_SECONDS = 1.0
"""How long a neighbour may take to send what it was asked for; then the next one is asked."""
MAX_ASKED = 64
"""Records that are awaited of one neighbour at once: some 32 KiB."""
MAX_LATE = 1_024
MAX_OFFERED = 20_000
"""Records that one neighbour may offer and that wait to be asked for: a full table."""


@entity
class _Wanted:
    """A record that is wanted: who has offered it, as which version, and who was asked."""

    offers: dict[int, bytes] = field(default_factory=dict)
    asked: int | None = None
    passed: set[int] = field(default_factory=set)
    """Who was asked and did not help. However often it offers the same, others are asked first."""


@entity
class _Source:
    """A neighbour: what it may be asked for, in order, and since when it is awaited."""

    queue: dict[bytes, None] = field(default_factory=dict)
    asked: dict[bytes, float] = field(default_factory=dict)
    late: dict[bytes, None] = field(default_factory=dict)
    """What it did not send in time: if it comes after all, it has been asked for."""


class Pulls:
    """What is wanted, by the prefix of the peer's key."""

    def __init__(self) -> None:
        self._wanted: dict[bytes, _Wanted] = {}
        self._sources: dict[int, _Source] = {}

    def __len__(self) -> int:
        return len(self._wanted)

    def add_link(self, link: int) -> None:
        """Begin to ask a neighbour."""
        self._sources[link] = _Source()

    def drop_link(self, link: int) -> None:
        """Ask this neighbour for nothing more; others that offered the same are asked instead."""
        source = self._sources.pop(link, None)
        if source is not None:
            for prefix in [*source.queue, *source.asked]:
                self._forget_offer(link, prefix)

    def offered(self, link: int, prefix: bytes, mark: bytes) -> None:
        """A neighbour offers a version that we do not have."""
        source = self._sources[link]
        wanted = self._wanted.get(prefix)
        if wanted is None:
            wanted = self._wanted[prefix] = _Wanted()
        new = link not in wanted.offers
        wanted.offers[link] = mark
        if new and len(source.queue) < MAX_OFFERED:
            source.queue[prefix] = None
        elif new:
            self._forget_offer(link, prefix)

    def waits(self, link: int, prefix: bytes) -> bool:
        """Whether an offer of this neighbour waits already."""
        wanted = self._wanted.get(prefix)
        return wanted is not None and link in wanted.offers

    def came(self, link: int, prefix: bytes, mark: bytes) -> bool:
        """A record has come; True if this neighbour had been asked for it.

        Whoever offered the same version need not be asked any more.
        """
        source = self._sources.get(link)
        solicited = source is not None and (
            source.asked.pop(prefix, None) is not None or source.late.pop(prefix, 0) is None
        )
        wanted = self._wanted.get(prefix)
        if wanted is not None:
            if wanted.asked == link:
                wanted.asked = None
                wanted.passed.add(link)
            done = [who for who, what in wanted.offers.items() if who == link or what == mark]
            for who in done:
                self._forget_offer(who, prefix)
        return solicited

    def _forget_offer(self, link: int, prefix: bytes) -> None:
        source = self._sources.get(link)
        if source is not None:
            source.queue.pop(prefix, None)
        wanted = self._wanted.get(prefix)
        if wanted is None:
            return
        wanted.offers.pop(link, None)
        if wanted.asked == link:
            wanted.asked = None
        if not wanted.offers:
            del self._wanted[prefix]

    def idle(self, link: int) -> bool:
        """Whether this neighbour has sent all that it offered and we lacked."""
        source = self._sources.get(link)
        return source is None or not (source.queue or source.asked)

    def due(self, now: float) -> list[tuple[int, list[bytes]]]:
        """Return what to ask for now, by link."""
        asks: list[tuple[int, list[bytes]]] = []
        if not self._wanted:
            return asks
        for link, source in self._sources.items():
            if source.asked and now >= next(iter(source.asked.values())) + ANSWER_SECONDS:
                self._pass_over_silent(link, source, now)
        for link, source in self._sources.items():
            if not source.queue or len(source.asked) >= MAX_ASKED:
                continue
            prefixes = self._next_of(link, source, now)
            if prefixes:
                asks.append((link, prefixes))
        return asks

    def _pass_over_silent(self, link: int, source: _Source, now: float) -> None:
        late = [p for p, at in source.asked.items() if now >= at + ANSWER_SECONDS]
        for prefix in late:
            del source.asked[prefix]
            if len(source.late) >= MAX_LATE:
                del source.late[next(iter(source.late))]
            source.late[prefix] = None
            wanted = self._wanted.get(prefix)
            if wanted is not None:
                wanted.passed.add(link)
            self._forget_offer(link, prefix)

    def _next_of(self, link: int, source: _Source, now: float) -> list[bytes]:
        prefixes: list[bytes] = []
        for prefix in source.queue:
            wanted = self._wanted[prefix]
            others_first = link in wanted.passed and not wanted.offers.keys() <= wanted.passed
            if wanted.asked is None and not others_first:
                wanted.asked = link
                prefixes.append(prefix)
                if len(source.asked) + len(prefixes) >= MAX_ASKED:
                    break
        for prefix in prefixes:
            del source.queue[prefix]
            source.asked[prefix] = now
        return prefixes

    def next_time(self) -> float:
        """When a neighbour has been silent for too long; infinity when none is awaited."""
        return min(
            (
                next(iter(source.asked.values())) + ANSWER_SECONDS
                for source in self._sources.values()
                if source.asked
            ),
            default=float("inf"),
        )
