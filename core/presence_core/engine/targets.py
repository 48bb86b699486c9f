"""Whom to dial, and when: hints, back-off with jitter, memory of known addresses (protocol §7).

Pure: time is passed in. A hint can waste a dial, nothing more; so dials are bounded in number,
and each target backs off on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Container, Iterable

    from presence_core.discovery.hint import DialHint

MAX_TARGETS = 1_000
MAX_DIALS = 16
CROSSING_DELAY = 0.15
"""How long the end with the greater instance name leaves the dial to the other."""
CROSSING_STEP = 0.05
"""What each other target that waits for its first dial adds to that."""

_BACKOFF_FIRST = 0.25
_BACKOFF_LIMIT = 30.0
_BACKOFF_STATIC = 5.0
_BACKOFF_KNOWN = 0.6
"""Limit for a peer that was here and is lost: it may be back any moment. With the dial's own
time-out this stays under the two seconds of the protocol."""
_KNOWN_SECONDS = 600.0
_DIAL_SECONDS = (1.0, 1.0, 3.0)
REFUSED_SECONDS = 30.0


@dataclass(slots=True)
class Target:
    """One thing that can be dialled: an advert, a static address, a remembered peer."""

    name: str
    source: str
    addresses: tuple[tuple[str, int], ...]
    next_dial: float
    peer_key: bytes | None = None
    failures: int = 0
    turn: int = 0
    dialling: bool = False
    lost_at: float | None = None
    """When the peer behind it was lost without a goodbye; None while it is not missed."""
    gone: bool = False
    """Its advert was withdrawn; kept only for as long as the peer is missed."""

    def address(self) -> tuple[str, int]:
        """Return the address whose turn it is."""
        return self.addresses[self.turn % len(self.addresses)]

    def dial_seconds(self) -> float:
        """Return how long the next dial may take: short first, then patient."""
        return _DIAL_SECONDS[self.failures % len(_DIAL_SECONDS)]


class Targets:
    """The address book of an engine. ``instance`` is our own mDNS instance name."""

    def __init__(self, rng: random.Random, instance: str = "") -> None:
        self.instance = instance
        self._rng = rng
        self._targets: dict[str, Target] = {}
        self._owners: dict[str, bytes] = {}
        """Who is behind an advert, by the word of a session; it may be known before the advert."""

    def hint(self, hint: DialHint, now: float) -> None:
        """Add or refresh a target from discovery."""
        if not hint.addresses:
            return
        target = self._targets.get(hint.name)
        if target is None:
            if len(self._targets) >= MAX_TARGETS and not self._make_room():
                return
            # Both ends hear of each other at about the same time; the greater name waits a
            # little, so that one dial serves both.
            wait = hint.source == "mdns" and self.instance > hint.name
            delay = self._crossing_delay() if wait else 0.0
            self._targets[hint.name] = Target(
                hint.name,
                hint.source,
                hint.addresses,
                now + delay,
                peer_key=self._owners.get(hint.name),
            )
            return
        target.gone = False
        if target.addresses != hint.addresses:
            target.addresses = hint.addresses
            target.turn = 0
            if target.failures:
                target.next_dial = now

    def _crossing_delay(self) -> float:
        """Leave the other end the longer, the more there is to dial: then both are busy."""
        untried = sum(
            not target.failures and not target.peer_key for target in self._targets.values()
        )
        return (CROSSING_DELAY + CROSSING_STEP * untried) * self._rng.uniform(1.0, 1.3)

    def withdrawn(self, name: str) -> None:
        """Forget an advert, unless its peer is linked or missed: then it is worth dialling."""
        target = self._targets.get(name)
        if target is not None:
            target.gone = True

    def nudge(self, now: float) -> None:
        """Dial everything that is missing soon: an interface changed, or links were lost."""
        for target in self._targets.values():
            if target.failures:
                target.failures = min(target.failures, 1)
                target.next_dial = min(target.next_dial, now + self._rng.uniform(0.0, 0.1))

    def bind(self, name: str, key: bytes) -> None:
        """Note who answers at a target: a session has proven it, or a neighbour's Hello said so."""
        if len(self._owners) >= MAX_TARGETS:
            del self._owners[next(iter(self._owners))]
        self._owners[name] = key
        target = self._targets.get(name)
        if target is not None:
            target.peer_key = key

    def due(self, now: float, connected: set[bytes], knocking: Container[str] = ()) -> list[Target]:
        """Return the targets to dial now, marked as dialling, within the bound on dials.

        From a host of ``knocking`` somebody is shaking hands with us already: it is left alone for
        a moment, as it is probably the same peer.
        """
        running = sum(target.dialling for target in self._targets.values())
        due: list[Target] = []
        for target in self._missing(connected):
            if running + len(due) >= MAX_DIALS:
                break
            if target.next_dial > now:
                continue
            if not target.failures and any(host in knocking for host, _ in target.addresses):
                target.next_dial = now + CROSSING_DELAY
                continue
            target.dialling = True
            due.append(target)
        return due

    def next_time(self, connected: set[bytes]) -> float:
        """When the next target is due; infinity for never."""
        return min((target.next_dial for target in self._missing(connected)), default=float("inf"))

    def untried(self, connected: set[bytes]) -> bool:
        """Whether some target has not been tried even once: the first look is not over."""
        return any(
            target.failures == 0 and not (target.peer_key and target.peer_key in connected)
            for target in self._targets.values()
            if not target.gone
        )

    def _missing(self, connected: set[bytes]) -> Iterable[Target]:
        return (
            target
            for target in self._targets.values()
            if not target.dialling
            and (target.peer_key is None or target.peer_key not in connected)
            and (not target.gone or target.lost_at is not None)
        )

    def succeeded(self, target: Target) -> None:
        """Note that a dial led to an admitted session."""
        target.dialling = False
        target.failures = 0
        target.lost_at = None

    def failed(self, target: Target, now: float, *, seconds: float | None = None) -> None:
        """Note that a dial led to nothing; it is tried again after a back-off, or ``seconds``."""
        target.dialling = False
        target.failures += 1
        target.turn += 1
        missed = target.lost_at is not None and now - target.lost_at < _KNOWN_SECONDS
        if target.gone and not missed:
            self._targets.pop(target.name, None)
            return
        if missed:
            limit = _BACKOFF_KNOWN
        else:
            limit = _BACKOFF_STATIC if target.source == "static" else _BACKOFF_LIMIT
        pause = min(limit, _BACKOFF_FIRST * 2.0 ** min(target.failures - 1, 16))
        if len(target.addresses) > 1 and target.failures < len(target.addresses):
            pause = 0.0
        target.next_dial = now + (
            pause * self._rng.uniform(0.5, 1.0) if seconds is None else seconds
        )

    def lost(self, key: bytes, addresses: tuple[tuple[str, int], ...], now: float) -> None:
        """Remember where a peer was that went without a goodbye, and dial it soon."""
        known = False
        for target in self._targets.values():
            if target.peer_key == key:
                known = True
                target.lost_at = now
                target.failures = 0
                target.next_dial = now + self._rng.uniform(0.0, 0.2)
        if not known and addresses:
            name = f"memory:{key.hex()}"
            if len(self._targets) < MAX_TARGETS or self._make_room():
                self._targets[name] = Target(
                    name,
                    "memory",
                    addresses,
                    now + self._rng.uniform(0.0, 0.2),
                    peer_key=key,
                    lost_at=now,
                    gone=True,
                )

    def left(self, key: bytes) -> None:
        """Stop looking for a peer that said goodbye; it will announce itself when it is back."""
        for name, target in tuple(self._targets.items()):
            if target.peer_key == key:
                target.lost_at = None
                if target.gone or target.source == "mdns":
                    del self._targets[name]

    def _make_room(self) -> bool:
        """Drop the target that failed most often, of those nobody configured or misses."""
        idle = [
            target
            for target in self._targets.values()
            if target.failures
            and not target.dialling
            and target.source == "mdns"
            and target.lost_at is None
        ]
        if not idle:
            return False
        del self._targets[max(idle, key=lambda target: target.failures).name]
        return True
