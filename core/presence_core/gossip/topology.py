"""Who is linked with whom: from what records claim, and our own links, to confirmed edges and ways.

Pure. Kept up change by change: one changed edge in a mesh of ten thousand peers costs what it
affects, not a look at everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from presence_core.gossip.record import Edge

EdgeKey = tuple[bytes, bytes, int]
"""The smaller key, the greater key, the transport number."""

_Pair = tuple[bytes, bytes]
_FAR = float("inf")


class Way(NamedTuple):
    """The shortest confirmed way to a peer.

    ``via`` are the own neighbours that stand at the beginning of a shortest way, sorted; a
    neighbour is its own beginning.
    """

    hops: int
    via: tuple[bytes, ...]


class EdgeState(NamedTuple):
    """An edge that somebody stands by, since when (Unix seconds).

    ``silent`` is the end that does not list it, None when both do.
    """

    since: int
    silent: bytes | None = None

    @property
    def confirmed(self) -> bool:
        """Whether both ends stand by it."""
        return self.silent is None


@dataclass(frozen=True, slots=True)
class Settled:
    """What was changed: peers whose way or edges are others now, and edges.

    ``one_sided`` are those of the edges that only one end lists now, ``lost`` those of the peers to
    which there is no way any more, ``gained`` those to which there was none before.
    """

    peers: set[bytes]
    edges: set[EdgeKey]
    one_sided: set[EdgeKey]
    lost: set[bytes]
    gained: set[bytes]


def edge_key(a: bytes, b: bytes, transport: int) -> EdgeKey:
    """Name a connection the same whichever end lists it."""
    return (a, b, transport) if a < b else (b, a, transport)


class Topology:
    """The edges of a mesh, and the ways over those that are confirmed, seen from ``own``.

    An edge is confirmed when both ends list it. Our own link is confirmed by the live session: the
    handshake has proven the other end, and its Hello that it let us in; what our own record says
    of it is never asked. Keys that nobody has a record of list nothing, so no edge to them is
    confirmed. What is claimed counts from the next :meth:`settle` on.
    """

    def __init__(self, own: bytes) -> None:
        self._own_key = own
        self._own: dict[EdgeKey, int] = {}
        self._listed: dict[bytes, tuple[Edge, ...]] = {}
        self._low: dict[EdgeKey, int] = {}
        """Since when the smaller key lists an edge, by its newest record."""
        self._high: dict[EdgeKey, int] = {}
        self._states: dict[EdgeKey, EdgeState] = {}
        """As they were settled last."""
        self._of: dict[bytes, dict[EdgeKey, None]] = {}
        self._near: dict[bytes, dict[bytes, int]] = {}
        """How many confirmed edges, over different transports, there are between two peers."""
        self._hops = {own: 0}
        self._ways = {own: Way(0, ())}
        self._dirty: set[EdgeKey] = set()

    # -- what changes

    def claim(self, key: bytes, edges: Iterable[Edge]) -> bool:
        """Take the edges that the newest record of a remote peer lists; none drops them all.

        An edge of a peer to itself, and whatever is said under our own key, is passed over.
        Returns whether it takes back an edge that is a live link of our own.
        """
        listed = tuple(edges)
        before = self._listed.get(key, ())
        if listed == before or key == self._own_key:
            return False
        if listed:
            self._listed[key] = listed
        else:
            del self._listed[key]
        new = _named(key, listed)
        old = _named(key, before) if before else {}
        dropped = old.keys() - new.keys()
        for edge in dropped:
            del (self._low if edge[0] == key else self._high)[edge]
            self._dirty.add(edge)
        for edge, since in new.items():
            if old.get(edge) != since:
                (self._low if edge[0] == key else self._high)[edge] = since
                self._dirty.add(edge)
        return not self._own.keys().isdisjoint(dropped)

    def own_links(self, links: Mapping[EdgeKey, int]) -> None:
        """Take our own live links as they are now, each with since when (Unix seconds) it is."""
        before, self._own = self._own, dict(links)
        for edge in before.keys() | links.keys():
            if before.get(edge) != links.get(edge):
                self._dirty.add(edge)

    def settle(self) -> Settled:
        """Work out what the changes since the last time mean."""
        settled = Settled(set(), set(), set(), set(), set())
        if not self._dirty:
            return settled
        pairs: dict[_Pair, bool] = {}
        for edge in self._dirty:
            self._settle_edge(edge, settled, pairs)
        self._dirty.clear()
        changed = [pair for pair, was in pairs.items() if was is not self._linked(pair)]
        if changed:
            self._settle_ways(changed, settled)
        return settled

    def _settle_edge(self, edge: EdgeKey, settled: Settled, pairs: dict[_Pair, bool]) -> None:
        """Bring one edge up to date; note for its ends whether they were linked before."""
        old, new = self._states.get(edge), self._state(edge)
        if old == new:
            return
        low, high, _ = edge
        settled.edges.add(edge)
        settled.peers.add(low)
        settled.peers.add(high)
        if new is None:
            del self._states[edge]
            self._forget(low, edge)
            self._forget(high, edge)
        else:
            self._states[edge] = new
            if new.silent is not None:
                settled.one_sided.add(edge)
            if old is None:
                self._of.setdefault(low, {})[edge] = None
                self._of.setdefault(high, {})[edge] = None
        was, now = old is not None and old.confirmed, new is not None and new.confirmed
        if was is not now:
            pairs.setdefault((low, high), self._linked((low, high)))
            self._count(low, high, 1 if now else -1)
            self._count(high, low, 1 if now else -1)

    def _state(self, edge: EdgeKey) -> EdgeState | None:
        own = self._own.get(edge)
        if own is not None:
            return EdgeState(own)
        low, high = self._low.get(edge), self._high.get(edge)
        if low is None:
            return None if high is None else EdgeState(high, edge[0])
        return EdgeState(low, edge[1]) if high is None else EdgeState(max(low, high))

    def _forget(self, key: bytes, edge: EdgeKey) -> None:
        edges = self._of[key]
        del edges[edge]
        if not edges:
            del self._of[key]

    def _linked(self, pair: _Pair) -> bool:
        return pair[1] in self._near.get(pair[0], ())

    def _count(self, near: bytes, far: bytes, step: int) -> None:
        others = self._near.setdefault(near, {})
        others[far] = others.get(far, 0) + step
        if not others[far]:
            del others[far]
            if not others:
                del self._near[near]

    # -- ways: the breadth-first search of the whole mesh, but only where something has changed

    def _settle_ways(self, pairs: list[_Pair], settled: Settled) -> None:
        """Follow up links that came or went between two peers; add those with another way."""
        both = [*pairs, *((high, low) for low, high in pairs)]
        moved: dict[bytes, int | None] = dict(self._cut_off(both))
        self._reach_out(both, moved)
        for key, hops in moved.items():
            if key not in self._hops:
                del self._ways[key]
                settled.lost.add(key)
            elif hops is None:
                settled.gained.add(key)
        settled.peers.update(settled.lost)
        self._name_ways(self._unsure(both, moved), settled.peers)

    def _cut_off(self, pairs: list[_Pair]) -> dict[bytes, int]:
        """Take the hops from everybody who has no way of that many any more; return what they were.

        In the order of hops, so that whoever could hold somebody is judged before him.
        """
        hops = self._hops
        lost: dict[bytes, int] = {}
        queue: list[tuple[int, bytes]] = []
        for near, far in pairs:
            hop = hops.get(far)
            if hop is not None and hops.get(near) == hop - 1:
                heappush(queue, (hop, far))
        while queue:
            hop, key = heappop(queue)
            near_by = self._near.get(key, ())
            if key in lost or any(hops.get(other) == hop - 1 for other in near_by):
                continue
            lost[key] = hops.pop(key)
            for other in near_by:
                if hops.get(other) == hop + 1:
                    heappush(queue, (hop + 1, other))
        return lost

    def _reach_out(self, pairs: list[_Pair], moved: dict[bytes, int | None]) -> None:
        """Give the fewest hops there are to those who have lost them, or gained a shorter way.

        What their hops were before is added to ``moved``.
        """
        hops = self._hops
        queue: list[tuple[int, bytes]] = []
        for key in moved:
            best = min((hops.get(other, _FAR) for other in self._near.get(key, ())), default=_FAR)
            if best != _FAR:
                heappush(queue, (int(best) + 1, key))
        for near, far in pairs:
            hop = hops.get(near)
            if hop is not None and self._linked((near, far)):
                heappush(queue, (hop + 1, far))
        while queue:
            hop, key = heappop(queue)
            if hop >= hops.get(key, _FAR):
                continue
            moved.setdefault(key, hops.get(key))
            hops[key] = hop
            for other in self._near[key]:
                if hop + 1 < hops.get(other, _FAR):
                    heappush(queue, (hop + 1, other))

    def _unsure(self, pairs: list[_Pair], moved: dict[bytes, int | None]) -> set[bytes]:
        """Find those whose way may begin with others now: the moved, and who stood behind them."""
        hops = self._hops
        unsure = {far for _, far in pairs if far in hops}
        for key, old in moved.items():
            new = hops.get(key)
            if new is not None:
                unsure.add(key)
            behind = {hop + 1 for hop in (old, new) if hop is not None}
            unsure.update(other for other in self._near.get(key, ()) if hops.get(other) in behind)
        return unsure - {self._own_key}

    def _name_ways(self, unsure: set[bytes], changed: set[bytes]) -> None:
        """Work out the ways anew, in the order of hops, and of those behind while they differ."""
        hops, ways = self._hops, self._ways
        queue: list[tuple[int, bytes]] = []
        for key in unsure:
            heappush(queue, (hops[key], key))
        while queue:
            hop, key = heappop(queue)
            old, new = ways.get(key), Way(hop, self._via(key, hop))
            if new == old:
                continue
            ways[key] = new
            changed.add(key)
            if old is not None and old.via == new.via:
                continue
            for other in self._near[key]:
                if other not in unsure and hops.get(other) == hop + 1:
                    unsure.add(other)
                    heappush(queue, (hop + 1, other))

    def _via(self, key: bytes, hop: int) -> tuple[bytes, ...]:
        if hop == 1:
            return (key,)
        hops, ways = self._hops, self._ways
        found: set[tuple[bytes, ...]] = set()
        for other in self._near[key]:
            if hops.get(other) == hop - 1:
                found.add(ways[other].via)
        if len(found) == 1:
            return found.pop()
        return tuple(sorted(set().union(*found)))

    # -- what records say, as of the last claim

    def lists(self, key: bytes, other: bytes) -> bool:
        """Whether a peer stands by a link with another; of our own, whether there is a link."""
        if key == self._own_key:
            return any(other in edge for edge in self._own)
        return any(edge.key == other for edge in self._listed.get(key, ()))

    def denied(self) -> bool:
        """Whether the other end of a live link of our own does not list it."""
        return any(
            edge not in (self._high if edge[0] == self._own_key else self._low)
            for edge in self._own
        )

    # -- what there is, as of the last settle

    def way(self, key: bytes) -> Way | None:
        """Return the shortest way to a peer; None when there is none."""
        return self._ways.get(key)

    def reachable(self, key: bytes) -> bool:
        """Whether a way of confirmed edges leads to a peer."""
        return key in self._ways

    def reach(self) -> int:
        """Return how many peers can be reached, without ourselves."""
        return len(self._ways) - 1

    def share_neighbour(self, one: bytes, other: bytes) -> bool:
        """Whether somebody has a confirmed edge to both."""
        return not self._near.get(one, {}).keys().isdisjoint(self._near.get(other, {}).keys())

    def degree(self, key: bytes) -> int:
        """Return to how many different peers a peer has confirmed edges."""
        return len(self._near.get(key, ()))

    def edge(self, edge: EdgeKey) -> EdgeState | None:
        """Return how an edge stands; None when neither end lists it."""
        return self._states.get(edge)

    def edges_of(self, key: bytes) -> Iterable[EdgeKey]:
        """Return the edges of a peer, also those that only the other end lists."""
        return self._of.get(key, {}).keys()


def _named(key: bytes, edges: tuple[Edge, ...]) -> dict[EdgeKey, int]:
    return {
        (key, other, transport) if key < other else (other, key, transport): since
        for other, transport, since in edges
        if other != key
    }
