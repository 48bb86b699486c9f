"""Who each peer is: the verdict on its token, kept true as tokens, issuers and the time change.

Pure; wall time is asked of whoever has a clock. A verdict costs a signature, so that only so many
are made at once; the others wait for the next tick.
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING

from presence_core.identity.verdict import MAX_TOKEN, MISSING, oversize, pending
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from presence_core.engine.peer_bodies import PeerBody
    from presence_core.gossip.record import Record
    from presence_core.identity.issuers import Issuers
    from presence_core.identity.verdict import Verdict

CHECKS_AT_ONCE = 16
"""Verdicts that are made between two ticks: two milliseconds, when each needs its signature."""

SET_BACK_SECONDS = 1.0
"""A clock that has gone back by so much was set: what is over may be so no more."""

_SPARE_ALARMS = 1_024
"""Outdated alarms that are kept, besides one for each peer, before all are made anew."""


@entity
class _Judged:
    """What is thought of a peer, and of which of its tokens; none: its record alone says it."""

    verdict: Verdict
    token: PeerBody | None = None


class Identities:
    """Judges the token of every peer, our own among them.

    ``newest`` gives the newest record of a peer, ``token`` its newest token that arrived, ``wall``
    the Unix time in seconds. ``changed`` is told the key of a peer of which another thing is
    thought. While a newer token is on its way, the one that arrived before is judged.
    """

    def __init__(
        self,
        issuers: Issuers,
        *,
        own_key: bytes,
        newest: Callable[[bytes], Record | None],
        token: Callable[[bytes], PeerBody | None],
        wall: Callable[[], float],
        changed: Callable[[bytes], None],
    ) -> None:
        self.issuers = issuers
        self._own_key = own_key
        self._newest = newest
        self._token = token
        self._wall = wall
        self._changed = changed
        self._judged: dict[bytes, _Judged] = {}
        self._waiting: dict[bytes, None] = {}
        """Whose tokens are here and are to be judged."""
        self._alarms: list[tuple[float, bytes]] = []
        """When time alone changes a verdict: a heap, in which some are outdated."""
        self._left = CHECKS_AT_ONCE
        self._version = issuers.version
        self._last_wall = wall()

    def of(self, key: bytes) -> Verdict:
        """Return what is thought of a peer."""
        judged = self._judged.get(key)
        return MISSING if judged is None else judged.verdict

    def judge(self, record: Record, token: bytes | None) -> Verdict:
        """Return what is to be thought of a record and the token that came with it, if any did."""
        if record.token is None:
            return MISSING
        if record.token.size > MAX_TOKEN:
            return oversize(record.token.size)
        return pending() if token is None else self.issuers.check(token, record.key, self._wall())

    def waits(self, key: bytes) -> bool:
        """Whether a peer's token is here and not judged yet."""
        return key in self._waiting

    # -- what changes a verdict

    def look(self, key: bytes) -> None:
        """Think again of a peer whose record or token is another, or that is gone."""
        record, token = self._newest(key), self._token(key)
        named = None if record is None else record.token
        if named is None:
            self._settle(key, None)
        elif named.size > MAX_TOKEN:
            self._settle(key, _Judged(oversize(named.size)))
        elif token is None:
            self._settle(key, _Judged(pending()))
        elif key not in self._judged or self._judged[key].token is not token:
            self._waiting[key] = None
            if key not in self._judged:
                self._judged[key] = _Judged(pending())
                self._changed(key)
            if self._left > 0:
                self._check([key])

    def _settle(self, key: bytes, judged: _Judged | None) -> None:
        """Think of a peer what its record alone says; None: it has no token."""
        self._waiting.pop(key, None)
        before = self.of(key)
        if judged is None:
            self._judged.pop(key, None)
        else:
            self._judged[key] = judged
        if not _same(before, self.of(key)):
            self._changed(key)

    def _check(self, keys: Iterable[bytes]) -> None:
        """Judge the tokens of some peers that wait for it."""
        tokens: list[tuple[bytes, PeerBody]] = []
        for key in keys:
            del self._waiting[key]
            token = self._token(key)
            if token is not None:  # else it went while it waited, and somebody has looked at that
                tokens.append((key, token))
        self._left -= len(tokens)
        verdicts = self.issuers.check_all([(t.value, key) for key, t in tokens], self._wall())
        for (key, token), verdict in zip(tokens, verdicts, strict=True):
            before = self.of(key)
            self._judged[key] = _Judged(verdict, token)
            if verdict.until != float("inf"):
                self._set_alarm(verdict.until, key)
            if not _same(before, verdict):
                self._changed(key)

    def _set_alarm(self, at: float, key: bytes) -> None:
        if len(self._alarms) > 2 * len(self._judged) + _SPARE_ALARMS:
            self._alarms = [
                (judged.verdict.until, known)
                for known, judged in self._judged.items()
                if judged.verdict.until != float("inf")
            ]
            heapq.heapify(self._alarms)
        heapq.heappush(self._alarms, (at, key))

    # -- time

    def tick(self) -> None:
        """Judge what is due, as much of it as is done at once."""
        wall = self._wall()
        if self.issuers.version != self._version or wall < self._last_wall - SET_BACK_SECONDS:
            self._version = self.issuers.version
            self._wait_all()
        self._last_wall = wall
        while self._alarms and self._alarms[0][0] <= wall:
            at, key = heapq.heappop(self._alarms)
            judged = self._judged.get(key)
            if judged is not None and judged.verdict.until == at:
                self._waiting[key] = None
        self._left = CHECKS_AT_ONCE
        if self._waiting:
            self._check(tuple(islice(self._waiting, self._left)))

    def _wait_all(self) -> None:
        """Have all tokens judged anew, our own first."""
        have = {key: None for key, judged in self._judged.items() if judged.token is not None}
        first = {self._own_key: None} if self._own_key in have else {}
        self._waiting = first | self._waiting | have

    def wait(self) -> float:
        """Return in how many seconds :meth:`tick` has something to do; infinity for never."""
        wall = self._wall()
        if (
            self._waiting
            or self.issuers.version != self._version
            or wall < self._last_wall - SET_BACK_SECONDS
        ):
            return 0.0
        return max(0.0, self._alarms[0][0] - wall) if self._alarms else float("inf")


def _same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts look the same to a person."""
    return one is other or (_facts(one) == _facts(other))


def _facts(verdict: Verdict) -> tuple[object, ...]:
    identity = verdict.identity
    return (
        identity.status,
        identity.reason,
        identity.issuer,
        identity.key_id,
        identity.subject,
        identity.not_before,
        identity.expires_at,
        verdict.metadata,
    )
