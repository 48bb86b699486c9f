"""Making two tables equal (protocol §6.7): roots, then buckets, then Have and Want.

Pure; time is passed in. On a link only whoever dialled leads, so that a lead and an answer are
never taken for each other; the other end makes it lead by saying that its table is another.

``leader``: Summary of all its buckets → ``follower``: Summary of those that differ, and Have of
what is in them → ``leader``: Have of the same. Then both ask for what they lack.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from presence_core.gossip.messages import (
    BATCH_BYTES,
    DIGEST_BYTES,
    MARK_BYTES,
    PREFIX_BYTES,
    Have,
    Summary,
)
from presence_core.gossip.quota import Rates
from presence_core.value_object import entity

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from presence_core.gossip.pulls import Pulls
    from presence_core.gossip.table import Table

COMPARE_SECONDS = 60.0
"""How often the table is compared with that of one random neighbour."""

EXCHANGE_RATE, EXCHANGE_BURST = 0.2, 3.0
"""Exchanges that one neighbour may lead: so many a second, and at once."""

_OFFERS_A_MESSAGE = BATCH_BYTES // (PREFIX_BYTES + MARK_BYTES)
_EMPTY = bytes(DIGEST_BYTES)


class _Step(Enum):
    """Where the exchange with a neighbour is."""

    REST = auto()
    LED = auto()
    """We have sent our buckets and await those that differ."""
    OFFERED = auto()
    """The other end is to offer what it has in the buckets that differ."""
    PULLING = auto()
    """We know what we lack, and it is on its way."""


@entity
class _Course:
    """The course of one link. ``confirmed_at``: when its table was last known to hold no more."""

    leads: bool
    step: _Step = _Step.REST
    confirmed_at: float | None = None


class Sync:
    """Compares the table with those of the neighbours. Returns the messages that are to be sent."""

    def __init__(self, table: Table, pulls: Pulls, rng: random.Random) -> None:
        self._table = table
        self._pulls = pulls
        self._rng = rng
        self._courses: dict[int, _Course] = {}
        self._pulling: set[int] = set()
        """Links of which the course may be at that step."""
        self._rates: Rates[int] = Rates(EXCHANGE_RATE, EXCHANGE_BURST)
        self._compare_at = float("inf")

    # -- links

    def opened(self, link: int, root: bytes, now: float, *, leads: bool) -> list[Summary]:
        """A link has come up, and its Hello has told the root of the other table."""
        course = self._courses[link] = _Course(leads)
        if self._compare_at == float("inf"):
            self._schedule(now)
        if not leads:
            return []
        if root == self._table.root():
            return [self._whole()]
        course.step = _Step.LED
        return [self._buckets()]

    def closed(self, link: int) -> None:
        """A link has ended."""
        self._courses.pop(link, None)
        if not self._courses:
            self._compare_at = float("inf")

    # -- what neighbours say

    def summary(self, link: int, said: Summary, now: float) -> list[Summary | Have]:
        """Take a Summary, and return the answer."""
        course = self._courses[link]
        if said.depth == 0 and not said.digests:
            self._confirm(course, now)
            return []
        if said.depth == 1 and course.leads:
            if course.step is not _Step.LED:
                return []
            return self._told_what_differs(course, said, now)
        if not self._rates.take(link, now):
            return []
        return (
            self._compare(course, said, now) if said.depth == 0 else self._follow(course, said, now)
        )

    def _compare(self, course: _Course, said: Summary, now: float) -> list[Summary | Have]:
        if said.digests[0][1] == self._table.root():
            self._confirm(course, now)
            return [Summary(0, ())]
        if not course.leads:
            return [self._whole()]
        course.step = _Step.LED
        return [self._buckets()]

    def _told_what_differs(
        self, course: _Course, said: Summary, now: float
    ) -> list[Summary | Have]:
        if not said.digests:
            self._confirm(course, now)
            return []
        course.step = _Step.OFFERED
        return list(self._offers(bucket for bucket, _ in said.digests))

    def _follow(self, course: _Course, said: Summary, now: float) -> list[Summary | Have]:
        differing = self._differing(said)
        if not differing:
            self._confirm(course, now)
            return [Summary(1, ())]
        course.step = _Step.OFFERED
        digests = tuple((bucket, self._table.digest(bucket)) for bucket in differing)
        return [Summary(1, digests), *self._offers(differing)]

    def offered(self, link: int) -> None:
        """A neighbour has offered what it has: what of it we lack is in the pulls now."""
        course = self._courses[link]
        if course.step is _Step.OFFERED:
            course.step = _Step.PULLING
            self._pulling.add(link)

    # -- time

    def tick(self, now: float) -> list[tuple[int, Summary]]:
        """Note what has come to its end, and compare with somebody when it is time."""
        for link in [link for link in self._pulling if self._pulls.idle(link)]:
            self._pulling.discard(link)
            course = self._courses.get(link)
            if course is not None and course.step is _Step.PULLING:
                self._confirm(course, now)
        if now < self._compare_at:
            return []
        self._schedule(now)
        link = self._rng.choice(list(self._courses))
        return [(link, self._whole())]

    def next_time(self) -> float:
        """When :meth:`tick` has something to do; infinity for never."""
        return self._compare_at

    def _schedule(self, now: float) -> None:
        self._compare_at = now + COMPARE_SECONDS * self._rng.uniform(0.8, 1.2)

    # -- what readers ask

    def confirmed_at(self) -> float:
        """When a neighbour that is still linked last had nothing that we lack; -inf for never."""
        return max(
            (c.confirmed_at for c in self._courses.values() if c.confirmed_at is not None),
            default=float("-inf"),
        )

    def awaited(self) -> bool:
        """Whether the first exchange with some neighbour is still under way."""
        return any(course.confirmed_at is None for course in self._courses.values())

    # -- digests

    def _confirm(self, course: _Course, now: float) -> None:
        course.step = _Step.REST
        course.confirmed_at = now

    def _whole(self) -> Summary:
        return Summary(0, ((0, self._table.root()),))

    def _buckets(self) -> Summary:
        return Summary(1, tuple(self._table.digests()))

    def _differing(self, said: Summary) -> list[int]:
        theirs, ours = dict(said.digests), dict(self._table.digests())
        return [
            bucket
            for bucket in sorted(theirs.keys() | ours.keys())
            if theirs.get(bucket, _EMPTY) != ours.get(bucket, _EMPTY)
        ]

    def _offers(self, buckets: Iterable[int]) -> Iterable[Have]:
        """Offer all records in some buckets; at least one message, also when there are none."""
        offers = [offer for bucket in buckets for offer in self._table.offers(bucket)]
        return haves(offers) or [Have(())]


def haves(offers: list[tuple[bytes, bytes]]) -> list[Have]:
    """Put offers into messages, of which none is too large."""
    return [
        Have(tuple(offers[at : at + _OFFERS_A_MESSAGE]))
        for at in range(0, len(offers), _OFFERS_A_MESSAGE)
    ]
