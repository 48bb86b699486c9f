"""Whom to dial, and when: hints, back-off with jitter, memory of known addresses (protocol §7).

Pure: time is passed in. A hint can waste a dial, nothing more; so dials are bounded in number,
and each target backs off on its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.gossip.neighbours import ACCEPT
from presence_core.value_object import entity

if TYPE_CHECKING:
    import random
    from collections.abc import Container, Iterator

    from presence_core.discovery.hint import DialHint

MAX_TARGETS = 1_000
MAX_OWNERS = 20_000
CROSSING_SECONDS = (0.15, 0.2)
"""How long, of two peers that are both alone, the one with the greater instance name leaves the
dial to the other."""
MEETING_SHARE = 0.05
"""A mesh dials somebody new so often, all its peers together; the first link makes him known."""
MEETING_LIMITS = (0.2, 10.0)
"""Within how many seconds each of them would."""
ALL_FREE = ACCEPT
"""Free slots in the advert of a peer that has no links."""

_BACKOFF_FIRST = 0.25
_BACKOFF_LIMIT = 30.0
_BACKOFF_STATIC = 5.0
_BACKOFF_MISSED = (0.6, 1.5)
"""Limits for a peer that was here and is lost: it may be back any moment. The more look for it, the
longer each may wait. With the dial's own time-out this is some two seconds (protocol §7)."""
_BACKOFF_SHARE = 0.1
_KNOWN_SECONDS = 600.0
_DIAL_SECONDS = (1.0, 1.0, 3.0)


@entity
class Target:
    """One thing that can be dialled: an advert, a static address, a remembered peer."""

    name: str
    source: str
    addresses: tuple[tuple[str, int], ...]
    next_dial: float
    free_slots: int | None = None
    """How many more links it says it would accept."""
    peer_key: bytes | None = None
    failures: int = 0
    turn: int = 0
    dialling: bool = False
    reached: bool = False
    """Whether the peer behind it was in reach once."""
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
        """Who is behind an advert: known from a record or a session, maybe before the advert."""
        self._of: dict[bytes, set[str]] = {}
        """The names under which a peer can be dialled."""
        self._in_reach: set[bytes] = set()
        self._sought: dict[str, Target] = {}
        """Those behind which is nobody who is in reach, as far as is known, and configured ones."""
        self._nameless: set[str] = set()
        """Those of which nobody knows who is behind them."""
        self._dialling = 0

    # -- what discovery says

    def hint(self, hint: DialHint, now: float, *, reach: int) -> None:
        """Add or refresh a target from discovery. ``reach``: how many peers we reach already."""
        if not hint.addresses:
            return
        target = self._targets.get(hint.name)
        if target is None:
            if len(self._targets) >= MAX_TARGETS and not self._make_room():
                return
            wait = self._first_wait(hint, reach)
            target = Target(hint.name, hint.source, hint.addresses, now + wait, hint.free_slots)
            self._targets[hint.name] = target
            self._own(target, self._owners.get(hint.name))
            return
        target.gone = False
        target.free_slots = hint.free_slots
        if target.addresses != hint.addresses:
            target.addresses = hint.addresses
            target.turn = 0
            if target.failures:
                target.next_dial = now

    def _first_wait(self, hint: DialHint, reach: int) -> float:
        """Return how long a new advert is left alone, so that not all dial one and not two both."""
        if hint.source != "mdns":
            return 0.0
        if reach:
            low, high = MEETING_LIMITS
            return self._rng.uniform(0.0, min(high, max(low, MEETING_SHARE * reach)))
        they_are_alone = hint.free_slots is None or hint.free_slots >= ALL_FREE
        if they_are_alone and self.instance > hint.name:
            return self._rng.uniform(*CROSSING_SECONDS)
        return 0.0

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

    # -- who is behind a target

    def bind(self, name: str, key: bytes) -> None:
        """Note who answers at a target: a session has proven it, a Hello or a record said so."""
        if name not in self._owners and len(self._owners) >= MAX_OWNERS:
            del self._owners[next(iter(self._owners))]
        self._owners[name] = key
        target = self._targets.get(name)
        if target is not None:
            self._own(target, key)

    def nameless(self) -> bool:
        """Whether there is a target of which nobody knows who is behind it."""
        return bool(self._nameless)

    def _own(self, target: Target, key: bytes | None) -> None:
        if target.peer_key is not None:
            self._of[target.peer_key].discard(target.name)
            if not self._of[target.peer_key]:
                del self._of[target.peer_key]
        target.peer_key = key
        if key is None:
            self._nameless.add(target.name)
        else:
            self._nameless.discard(target.name)
            self._of.setdefault(key, set()).add(target.name)
        self._sort(target)

    def _sort(self, target: Target) -> None:
        """Note whether somebody is to be sought at a target."""
        if target.source == "static" or target.peer_key not in self._in_reach:
            self._sought[target.name] = target
        else:
            self._sought.pop(target.name, None)
            target.reached = True

    def _remove(self, target: Target) -> None:
        self._own(target, None)
        self._nameless.discard(target.name)
        del self._targets[target.name], self._sought[target.name]

    def _targets_of(self, key: bytes) -> list[Target]:
        return [self._targets[name] for name in self._of.get(key, ())]

    # -- dialling

    def missing(self, connected: Container[bytes], *, sought: bool) -> Iterator[Target]:
        """Return the targets that may be dialled, due or not: nobody is there who is connected.

        ``sought``: those of whom no way leads to anybody, as far as is known, or that a person has
        configured; otherwise the others.
        """
        targets = self._sought if sought else self._targets
        return (
            target
            for target in targets.values()
            if not target.dialling
            and (sought or target.name not in self._sought)
            and self._is_there(target, connected)
        )

    def untried(self, connected: Container[bytes]) -> bool:
        """Whether somebody who is sought has not been dialled even once, or is just now."""
        return any(
            not target.failures and self._is_there(target, connected)
            for target in self._targets.values()
            if target.dialling or target.name in self._sought
        )

    def _is_there(self, target: Target, connected: Container[bytes]) -> bool:
        known = target.peer_key is not None and target.peer_key in connected
        return not known and (not target.gone or target.lost_at is not None)

    def dialling(self) -> int:
        """Return how many dials and handshakes of ours are under way."""
        return self._dialling

    def dial(self, target: Target) -> Target:
        """Mark a target as being dialled."""
        target.dialling = True
        self._dialling += 1
        return target

    def give_way(self, target: Target, knocking: Container[str], now: float) -> bool:
        """Put a first dial off when somebody from there is shaking hands with us already."""
        if target.failures or not any(host in knocking for host, _ in target.addresses):
            return False
        target.next_dial = now + CROSSING_SECONDS[0]
        return True

    def _dialled(self, target: Target) -> None:
        if target.dialling:
            target.dialling = False
            self._dialling -= 1

    def succeeded(self, name: str) -> None:
        """Note that a dial led to an admitted session."""
        target = self._targets.get(name)
        if target is not None:
            self._dialled(target)
            target.failures = 0
            target.lost_at = None

    def failed(
        self, target: Target, now: float, *, seconds: float | None = None, missed_by: int = 1
    ) -> None:
        """Note that a dial led to nothing; it is tried again after a back-off, or ``seconds``.

        ``missed_by``: so many look for the peer behind it, if it is lost.
        """
        self._dialled(target)
        target.failures += 1
        target.turn += 1
        missed = target.lost_at is not None and now - target.lost_at < _KNOWN_SECONDS
        if target.gone and not missed:
            if self._targets.get(target.name) is target:
                self._remove(target)
            return
        if missed:
            low, high = _BACKOFF_MISSED
            limit = min(high, max(low, _BACKOFF_SHARE * missed_by))
        else:
            limit = _BACKOFF_STATIC if target.source == "static" else _BACKOFF_LIMIT
        pause = min(limit, _BACKOFF_FIRST * 2.0 ** min(target.failures - 1, 16))
        if len(target.addresses) > 1 and target.failures < len(target.addresses):
            pause = 0.0
        target.next_dial = now + (
            pause * self._rng.uniform(0.5, 1.0) if seconds is None else seconds
        )

    # -- who was here

    def lost(self, key: bytes, addresses: tuple[tuple[str, int], ...], now: float) -> None:
        """Remember where a neighbour was that went without a goodbye, and dial it soon."""
        known = self._targets_of(key)
        for target in known:
            self._miss(target, now, 0.2)
        if not known and addresses and (len(self._targets) < MAX_TARGETS or self._make_room()):
            name = f"memory:{key.hex()}"
            at = now + self._rng.uniform(0.0, 0.2)
            target = Target(name, "memory", addresses, at, lost_at=now, gone=True)
            self._targets[name] = target
            self._own(target, key)

    def out_of_reach(self, key: bytes, now: float, missed_by: int) -> None:
        """Note that no way leads to a peer, or none any more.

        Who was in reach and is ``missed_by`` so many is dialled soon, the sooner the fewer they
        are; 0 for who has said goodbye. Who never was keeps its turn.
        """
        self._in_reach.discard(key)
        for target in self._targets_of(key):
            self._sort(target)
            if missed_by and target.lost_at is None:
                if target.reached:
                    self._miss(target, now, min(2.0, max(0.2, _BACKOFF_SHARE * missed_by)))
                else:
                    target.lost_at = now

    def _miss(self, target: Target, now: float, within: float) -> None:
        target.lost_at = now
        target.failures = 0
        target.next_dial = now + self._rng.uniform(0.0, within)

    def found(self, key: bytes) -> None:
        """Note that a peer is in reach."""
        self._in_reach.add(key)
        for target in self._targets_of(key):
            self._sort(target)
            target.lost_at = None
            if target.gone and not target.dialling:
                self._remove(target)

    def again(self, key: bytes, now: float) -> None:
        """Dial a peer soon, however often that was refused: the reason is gone."""
        for target in self._targets_of(key):
            target.failures = 0
            target.next_dial = now

    def left(self, key: bytes) -> None:
        """Stop looking for a peer that said goodbye; it will announce itself when it is back."""
        for target in self._targets_of(key):
            target.lost_at = None
            if target.gone or target.source == "mdns":
                self._dialled(target)
                self._remove(target)

    def _make_room(self) -> bool:
        """Drop one that is gone or failed most often, of those nobody configured or misses."""
        idle = [
            target
            for target in self._targets.values()
            if (target.failures or target.gone)
            and not target.dialling
            and target.source in ("mdns", "peers")
            and target.lost_at is None
        ]
        if not idle:
            return False
        self._remove(max(idle, key=lambda target: (target.gone, target.failures)))
        return True
