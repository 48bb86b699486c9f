"""Who knows what, and since when: the questions that scenarios are about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable

from tests.simulation.peer import Peer
from tests.simulation.world import World

Question = Callable[[Peer], bool]


class Spreading:
    """At which moment each peer first fulfils a condition."""

    def __init__(self, world: World, peers: Iterable[Peer], question: Question) -> None:
        self._clock = world.clock
        self._began = world.clock.now
        self._question = question
        self._waiting = {id(peer): peer for peer in peers}
        self._moments: list[float] = []
        for peer in tuple(self._waiting.values()):
            self._look(peer)
        world.watchers.append(self._look)

    def _look(self, peer: Peer) -> None:
        if id(peer) in self._waiting and self._question(peer):
            del self._waiting[id(peer)]
            self._moments.append(self._clock.now)

    def complete(self) -> bool:
        """Whether all do."""
        return not self._waiting

    def share(self) -> float:
        """How many of all do."""
        return len(self._moments) / max(1, len(self._moments) + len(self._waiting))

    def seconds(self, share: float, since: float | None = None) -> float | None:
        """Return after how many seconds so many of all did; None if they did not."""
        needed = math.ceil(share * (len(self._moments) + len(self._waiting)))
        if len(self._moments) < needed:
            return None
        began = self._began if since is None else since
        return max(0.0, self._moments[needed - 1] - began)


class Agreement:
    """Since when all peers have the same table."""

    def __init__(self, world: World, peers: Iterable[Peer]) -> None:
        self._clock = world.clock
        self._roots = {id(peer): peer.node.table.root() for peer in peers}
        self._counts = Counter(self._roots.values())
        self._since = world.clock.now
        world.watchers.append(self._look)

    def _look(self, peer: Peer) -> None:
        old, new = self._roots.get(id(peer)), peer.node.table.root()
        if old is None or old == new:
            return
        self._roots[id(peer)] = new
        self._counts[new] += 1
        self._counts[old] -= 1
        if not self._counts[old]:
            del self._counts[old]
        self._since = self._clock.now

    def since(self) -> float | None:
        """Return since when all tables are equal; None when they are not."""
        return self._since if len(self._counts) == 1 else None


def reaches(peers: int) -> Question:
    """Ask whether a peer reaches all others of so many."""
    return lambda peer: peer.node.topology.reach() == peers - 1


def cannot_reach(key: bytes) -> Question:
    """Ask whether a peer knows that another is gone."""
    return lambda peer: not peer.node.topology.reachable(key)


def has_record(key: bytes, version: tuple[int, int]) -> Question:
    """Ask whether a peer has this version of a record, or a newer one."""

    def question(peer: Peer) -> bool:
        entry = peer.node.table.get(key)
        return entry is not None and entry.record.order[:2] >= version

    return question


def shows_metadata(key: bytes, value: bytes) -> Question:
    """Ask whether this metadata is there to be shown."""

    def question(peer: Peer) -> bool:
        body = peer.node.metadata.get(key)
        return body is not None and body.value == value

    return question
