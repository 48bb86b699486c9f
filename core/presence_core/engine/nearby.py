"""Whom to dial over Bluetooth: adverts that were heard, who is behind them, and whose turn it is.

Pure; time is passed in. Adverts say nothing but tags: a member knows by them who somebody is if it
has his record, and both ends know by them who of two is to dial (protocol §6.11, §7).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from presence_core.discovery.ble_advert import quarters_around
from presence_core.engine.targets import Target
from presence_core.gossip.neighbours import NEARBY_SLOTS
from presence_core.value_object import entity

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from presence_core.engine.ties import Situation
    from presence_core.identity.mesh import MeshKey

FRESH_SECONDS = 15.0
"""An advert that was not heard for so long is not worth a dial."""
FORGET_SECONDS = 60.0
MAX_SIGHTINGS = 256
"""Adverts remembered at once. Anybody can copy a mesh tag; beyond this, the oldest gives way."""

WRONG_WAY_SECONDS = (15.0, 20.0)
"""How long the dial is left to the other end if it is its turn, as it may be unable to.

Longer than a dial takes: two that cross fail both."""
AFTER_LOSS_SECONDS = (1.0, 3.0)
"""Systems take their time to end a connection."""
AFTER_LEAVING_SECONDS = 3.0
WEAK_DBM = -90
"""Who has links does not dial who is heard weaker than this."""
BACKOFF_FIRST, BACKOFF_LIMIT = 2.0, 60.0

TAGS_AT_ONCE = 2_000
"""Keys whose tags are worked out in one go: two milliseconds."""


class TagIndex:
    """Who is behind which tag, for all peers whose records are here."""

    def __init__(self, mesh: MeshKey) -> None:
        self._mesh = mesh
        self._quarters: tuple[int, ...] = ()
        self._keys: set[bytes] = set()
        self._pending: deque[tuple[int, bytes]] = deque()
        self._owners: dict[bytes, bytes] = {}

    def follow(self, keys: Iterable[bytes], unix_seconds: float) -> None:
        """Take note of peers; and of the time, as tags change every quarter of an hour."""
        quarters = quarters_around(unix_seconds)
        if quarters != self._quarters:
            self._quarters = quarters
            self._keys.clear()
            self._pending.clear()
            self._owners.clear()
        new = [key for key in keys if key not in self._keys]
        self._keys.update(new)
        self._pending.extend((quarter, key) for quarter in quarters for key in new)

    def work(self, most: int = TAGS_AT_ONCE) -> None:
        """Work some more tags out."""
        for _ in range(min(most, len(self._pending))):
            quarter, key = self._pending.popleft()
            self._owners[self._mesh.nearby_peer_tag(key, quarter)] = key

    def owner(self, tag: bytes) -> bytes | None:
        """Return the key of the peer behind a tag, None when it is not known."""
        return self._owners.get(tag)


@entity
class Sighting:
    """Somebody of this mesh whose adverts are heard."""

    tag: bytes
    target: Target
    first_heard: float
    """Or when a link with him was lost: from then on the dial is left to whose turn it is."""
    last_heard: float
    rssi: int | None
    deaf_until: float = float("-inf")
    """Until when its adverts are taken for echoes of a run that is over."""
    patience: float = WRONG_WAY_SECONDS[0]
    """How many seconds of WRONG_WAY_SECONDS are waited for this one."""


class Nearby:
    """The address book of Bluetooth. ``tag`` is our own, of this quarter of an hour."""

    def __init__(
        self, index: TagIndex, reachable: Callable[[bytes], bool], rng: random.Random
    ) -> None:
        self.tag = b""
        self._index = index
        self._reachable = reachable
        self._rng = rng
        self._sightings: dict[bytes, Sighting] = {}
        self._by_name: dict[str, Sighting] = {}

    # -- what the scan says

    def heard(self, tag: bytes, address: str, rssi: int | None, now: float) -> bool:
        """Take an advert of this mesh; return whether it was known, and fresh, before."""
        if tag == self.tag:
            return True
        sighting = self._sightings.get(tag)
        fresh = sighting is not None and now - sighting.last_heard <= FRESH_SECONDS
        if sighting is None:
            if len(self._sightings) >= MAX_SIGHTINGS and not self._make_room():
                return True
            target = Target(f"ble:{tag.hex()}", "ble", ((address, 0),), now)
            patience = self._rng.uniform(*WRONG_WAY_SECONDS)
            sighting = Sighting(tag, target, now, now, rssi, patience=patience)
            self._sightings[tag] = self._by_name[target.name] = sighting
        if now < sighting.deaf_until:
            return True
        sighting.last_heard = now
        sighting.rssi = rssi
        sighting.target.addresses = ((address, 0),)
        if sighting.target.peer_key is None:
            sighting.target.peer_key = self._index.owner(tag)
        return fresh

    def _make_room(self) -> bool:
        strangers = [
            s
            for s in self._sightings.values()
            if s.target.peer_key is None and not s.target.dialling
        ]
        if not strangers:
            return False
        self._remove(min(strangers, key=lambda sighting: sighting.last_heard))
        return True

    def _remove(self, sighting: Sighting) -> None:
        del self._sightings[sighting.tag]
        del self._by_name[sighting.target.name]

    def forget(self, now: float) -> None:
        """Drop what has not been heard for long."""
        for sighting in tuple(self._sightings.values()):
            quiet_since = max(sighting.last_heard, sighting.first_heard)
            if now - quiet_since > FORGET_SECONDS and not sighting.target.dialling:
                self._remove(sighting)

    def rssi(self, key: bytes, now: float) -> int | None:
        """Return how strongly a peer's adverts were heard last, in dBm."""
        of_key = [s for s in self._of(key) if now - s.last_heard <= FORGET_SECONDS]
        return max(of_key, key=lambda sighting: sighting.last_heard).rssi if of_key else None

    # -- whom to dial

    def dialling(self) -> int:
        """Return how many dials and handshakes of ours are under way."""
        return sum(sighting.target.dialling for sighting in self._sightings.values())

    def due(self, now: float, situation: Situation) -> Target | None:
        """Return whom to dial now, marked as dialling; None for nobody."""
        if situation.dialled >= NEARBY_SLOTS.dial + NEARBY_SLOTS.spare:
            return None
        due = [s for s in self._sightings.values() if self._is_due(s, now, situation)]
        if not due:
            return None
        target = min(due, key=self._rank).target
        target.dialling = True
        return target

    def _is_due(self, sighting: Sighting, now: float, situation: Situation) -> bool:
        target = sighting.target
        key = target.peer_key
        if target.dialling or now < target.next_dial or key in situation.linked:
            return False
        if now - sighting.last_heard > FRESH_SECONDS or target.address()[0] in situation.hosts:
            return False
        sought = self._is_sought(sighting)
        if sought:
            if situation.links >= NEARBY_SLOTS.accept + NEARBY_SLOTS.spare:
                return False
        elif situation.dialled >= NEARBY_SLOTS.dial or situation.links >= NEARBY_SLOTS.accept:
            return False
        if situation.links and sighting.rssi is not None and sighting.rssi < WEAK_DBM:
            return False
        if not situation.findable or self.tag < sighting.tag:
            return True
        return sought and not situation.knocking and now >= sighting.first_heard + sighting.patience

    def _is_sought(self, sighting: Sighting) -> bool:
        key = sighting.target.peer_key
        return key is None or not self._reachable(key)

    def _rank(self, sighting: Sighting) -> tuple[bool, bool, int, int]:
        """Order: out of reach first, known before unknown, seldom failed, strongly heard."""
        rssi = sighting.rssi if sighting.rssi is not None else -128
        unknown = sighting.target.peer_key is None
        return not self._is_sought(sighting), unknown, sighting.target.failures, -rssi

    # -- what becomes of dials and links

    def bind(self, name: str, key: bytes) -> None:
        """Note who answers at a target: a session has proven it."""
        sighting = self._by_name.get(name)
        if sighting is not None:
            sighting.target.peer_key = key

    def succeeded(self, name: str) -> None:
        """Note that a dial led to an admitted session."""
        sighting = self._by_name.get(name)
        if sighting is not None:
            sighting.target.dialling = False
            sighting.target.failures = 0

    def failed(
        self,
        target: Target,
        now: float,
        *,
        seconds: float | None = None,
        missed_by: int = 1,  # noqa: ARG002  on the air nobody else tries the same way
    ) -> None:
        """Note that a dial led to nothing; it is tried again after a back-off, or ``seconds``."""
        target.dialling = False
        target.failures += 1
        pause = min(BACKOFF_LIMIT, BACKOFF_FIRST * 2.0 ** min(target.failures - 1, 16))
        pause *= self._rng.uniform(0.5, 1.0)
        target.next_dial = now + (pause if seconds is None else seconds)

    def lost(
        self,
        key: bytes,
        addresses: tuple[tuple[str, int], ...],  # noqa: ARG002  only what is heard is dialled
        now: float,
    ) -> None:
        """Note that a link was lost; its peer is dialled soon, if it is heard again."""
        for sighting in self._of(key):
            sighting.last_heard = float("-inf")
            sighting.first_heard = now
            sighting.target.failures = 0
            sighting.target.next_dial = now + self._rng.uniform(*AFTER_LOSS_SECONDS)

    def left(self, key: bytes, now: float) -> None:
        """Note that a peer said goodbye; what is heard of it for a moment yet is over."""
        for sighting in self._of(key):
            sighting.last_heard = float("-inf")
            sighting.deaf_until = sighting.first_heard = now + AFTER_LEAVING_SECONDS
            sighting.target.failures = 0
            sighting.target.next_dial = now

    def _of(self, key: bytes) -> list[Sighting]:
        return [s for s in self._sightings.values() if s.target.peer_key == key]
