"""How key sets and revocation lists of issuers get from peer to peer (protocol §8.3).

Pure; time is passed in. Only what a trusted issuer has signed is handed on: nobody can judge the
others. Of each issuer and kind it is the newest, so that however much an issuer publishes, no more
than one object of each waits for a link.
"""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum
from typing import TYPE_CHECKING

from presence_core.gossip.quota import Rates
from presence_core.identity.verdict import Taken
from presence_core.value_object import entity

if TYPE_CHECKING:
    from presence_core.identity.issuer import SignedObject
    from presence_core.identity.issuers import Issuers

SENT_RATE, SENT_BURST = 1.0, 128.0
"""Objects that are sent over one link: so many a second, and at once. A new link gets two of each
of 64 issuers."""

TAKEN_RATE, TAKEN_BURST = 2.0, 256.0
"""Objects that are taken from one link: twice what is sent, so that whoever keeps to the rule is
never blamed for delays on the way."""

FIRST_SECONDS = 3.0
"""After so long both ends of a link have said what they have. Who says a key set then that is no
news has just begun to trust the issuer, and did not keep what it was told of it before."""

ANSWER_SECONDS = 60.0
"""How often one neighbour is told again what there is of one issuer."""


class Kind(IntEnum):
    """What an issuer signs; key sets go first, as lists may be signed by a new key."""

    KEY_SET = 1
    REVOCATIONS = 2


@entity
class _Line:
    """A link: what waits for it, and when its other end was told again of which issuers."""

    since: float
    waiting: set[tuple[str, Kind]] = field(default_factory=set)
    answered: dict[str, float] = field(default_factory=dict)


class IssuerGossip:
    """Takes signed objects from neighbours, and hands on those that are news."""

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers
        self._lines: dict[int, _Line] = {}
        self._sent: Rates[int] = Rates(SENT_RATE, SENT_BURST)
        self._taken: Rates[int] = Rates(TAKEN_RATE, TAKEN_BURST)

    def open(self, link: int, now: float) -> None:
        """Add a neighbour, who is told all there is."""
        self._lines[link] = line = _Line(now)
        for issuer in self._issuers.names():
            line.waiting |= self._objects(issuer)

    def close(self, link: int) -> None:
        """Remove a neighbour."""
        self._lines.pop(link, None)

    def tell(self, issuer: str) -> None:
        """Tell all neighbours of an issuer of which we have learned elsewhere than from them."""
        for line in self._lines.values():
            line.waiting |= self._objects(issuer)

    def allows(self, link: int, now: float) -> bool:
        """Count an object from a neighbour; False when it sends more of them than it may."""
        return self._taken.take(link, now)

    def came(self, link: int, raw: bytes, now: float) -> tuple[Taken, str, str]:
        """Take an object from a neighbour; return what became of it, why, and whose it is."""
        name = self._find(raw)
        if name is not None:
            taken, why = Taken.KNOWN, ""
        else:
            taken, why, signed = self._issuers.consider(raw)
            if signed is None:
                return taken, why, ""
            name = _name(signed)
        if taken in (Taken.NEWS, Taken.KNOWN, Taken.OLDER):
            self._follow(self._lines[link], name, taken, now)
        return taken, why, name[0]

    def _follow(self, line: _Line, name: tuple[str, Kind], taken: Taken, now: float) -> None:
        """Have said what others may lack, after an object of a trusted issuer."""
        issuer, kind = name
        if taken is Taken.NEWS:
            for other in self._lines.values():
                other.waiting.add(name)
        elif (
            (taken is Taken.OLDER or kind is Kind.KEY_SET)
            and now - line.since > FIRST_SECONDS
            and now - line.answered.get(issuer, float("-inf")) > ANSWER_SECONDS
        ):
            line.answered[issuer] = now
            line.waiting |= self._objects(issuer)
        if taken is not Taken.OLDER:
            line.waiting.discard(name)

    def _find(self, raw: bytes) -> tuple[str, Kind] | None:
        """Look up an object that is here: most of what neighbours send is that."""
        for issuer in self._issuers.names():
            for kind in Kind:
                if self._raw(issuer, kind) == raw:
                    return issuer, kind
        return None

    def due(self, now: float) -> list[tuple[int, bytes]]:
        """Return what is to be sent now, and over which link."""
        found: list[tuple[int, bytes]] = []
        for link, line in self._lines.items():
            for name in sorted(line.waiting):
                raw = self._raw(*name)
                if raw is not None:
                    if not self._sent.take(link, now):
                        break
                    found.append((link, raw))
                line.waiting.discard(name)
        return found

    def next_time(self, now: float) -> float:
        """When :meth:`due` has something; infinity for never."""
        return min(
            (self._sent.ready_at(link, now) for link, line in self._lines.items() if line.waiting),
            default=float("inf"),
        )

    def _objects(self, issuer: str) -> set[tuple[str, Kind]]:
        return {(issuer, kind) for kind in Kind if self._raw(issuer, kind) is not None}

    def _raw(self, issuer: str, kind: Kind) -> bytes | None:
        if kind is Kind.KEY_SET:
            keys = self._issuers.key_set(issuer)
            return None if keys is None else keys.raw
        revocations = self._issuers.revocations(issuer)
        return None if revocations is None else revocations.raw


def _name(signed: SignedObject) -> tuple[str, Kind]:
    """Return of whom an object is, and what."""
    return signed.issuer, Kind.KEY_SET if signed.is_key_set else Kind.REVOCATIONS
