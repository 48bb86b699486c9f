"""Who is linked with whom: from what records claim, and our own links, to confirmed edges and ways.

Pure. Kept up change by change: one changed edge in a mesh of ten thousand peers costs what it
affects, not a look at everybody.
"""

from __future__ import annotations

from dataclasses import field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from presence_core.value_object import entity, value_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from presence_core.gossip.record import Edge

EdgeKey = tuple[bytes, bytes, int]
"""The smaller key, the greater key, the transport number."""

_Pair = tuple[bytes, bytes]
_FAR = float("inf")

FEW_PAIRS, FEW_SHARE = 64, 8
"""When more than so many pairs of peers, and more than this part of them, are linked now and were
not, or were, all ways are worked out anew: that is less work than to follow up each of them."""


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


@value_object
class Settled:
    """What was changed: edges, peers whose way or edges are others now, and those whose way is.

    ``one_sided`` are those of the edges that only one end lists now, ``lost`` those of the rerouted
    to which there is no way any more, ``gained`` those to which there was none before.
    """

    edges: set[EdgeKey] = field(default_factory=set)
    one_sided: set[EdgeKey] = field(default_factory=set)
    peers: set[bytes] = field(default_factory=set)
    rerouted: set[bytes] = field(default_factory=set)
    lost: set[bytes] = field(default_factory=set)
    gained: set[bytes] = field(default_factory=set)


def edge_key(a: bytes, b: bytes, transport: int) -> EdgeKey:
    """Name a connection the same whichever end lists it."""
    return (a, b, transport) if a < b else (b, a, transport)


@entity
class _Ends:
    """What is said of an edge, and how it was settled last. Times are Unix seconds."""

    own: int | None = None
    """Since when it is a live link of ours."""
    low: int | None = None
    """Since when the smaller key lists it, by its newest record."""
    high: int | None = None
    since: int | None = None
    """As it was settled; None: nobody stood by it."""
    silent: bytes | None = None

    def now(self, low: bytes, high: bytes) -> tuple[int | None, bytes | None]:
        """Return since when somebody stands by it, and which of its ends does not."""
        if self.own is not None:
            return self.own, None
        if self.low is None:
            return self.high, None if self.high is None else low
        if self.high is None:
            return self.low, high
        return max(self.low, self.high), None

    def confirmed(self) -> bool:
        """Whether both ends stood by it, as it was settled."""
        return self.since is not None and self.silent is None


def other_end(edge: EdgeKey, key: bytes) -> bytes:
    """Return the end of an edge that is not this one."""
    return edge[1] if key == edge[0] else edge[0]


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
        self._edges: dict[EdgeKey, _Ends] = {}
        self._of: dict[bytes, dict[EdgeKey, None]] = {}
        self._near: dict[bytes, dict[bytes, int]] = {}
        """How many confirmed edges, over different transports, there are between two peers."""
        self._hops = {own: 0}
        self._ways = {own: Way(0, ())}
        self._dirty: dict[EdgeKey, _Ends] = {}

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
        for edge, since in new.items():
            self._say(key, edge, since)
        if not before:
            return False
        dropped = _named(key, before).keys() - new.keys()
        for edge in dropped:
            self._say(key, edge, None)
        return not self._own.keys().isdisjoint(dropped)

    def _say(self, key: bytes, edge: EdgeKey, since: int | None) -> None:
        """One end of an edge says since when it is there; None: it is not."""
        ends = self._edges.get(edge)
        if ends is None:
            ends = self._edges[edge] = _Ends()
        if edge[0] == key:
            if ends.low == since:
                return
            ends.low = since
        else:
            if ends.high == since:
                return
            ends.high = since
        self._dirty[edge] = ends

    def own_links(self, links: Mapping[EdgeKey, int]) -> None:
        """Take our own live links as they are now, each with since when (Unix seconds) it is."""
        before, self._own = self._own, dict(links)
        for edge in before.keys() | links.keys():
            if before.get(edge) != links.get(edge):
                ends = self._dirty[edge] = self._edges.setdefault(edge, _Ends())
                ends.own = links.get(edge)

    def settle(self) -> Settled:
        """Work out what the changes since the last time mean."""
        settled = Settled()
        if not self._dirty:
            return settled
        turned: set[_Pair] = set()
        for edge, ends in self._dirty.items():
            self._settle_edge(edge, ends, settled, turned)
        self._dirty.clear()
        if len(turned) > max(FEW_PAIRS, len(self._hops) // FEW_SHARE):
            self._find_ways(settled)
        elif turned:
            self._settle_ways(list(turned), settled)
        settled.peers.update(settled.rerouted)
        return settled

    def _settle_edge(
        self, edge: EdgeKey, ends: _Ends, settled: Settled, turned: set[_Pair]
    ) -> None:
        """Bring one edge up to date; note its ends if they are linked now and were not, or were."""
        low, high, _ = edge
        since, silent = ends.now(low, high)
        if since is None:
            del self._edges[edge]
        if ends.since == since and ends.silent == silent:
            return
        settled.edges.add(edge)
        settled.peers.add(low)
        settled.peers.add(high)
        if since is None:
            self._forget(low, edge)
            self._forget(high, edge)
        elif ends.since is None:
            self._of.setdefault(low, {})[edge] = None
            self._of.setdefault(high, {})[edge] = None
        was, confirmed = ends.confirmed(), since is not None and silent is None
        ends.since, ends.silent = since, silent
        if silent is not None:
            settled.one_sided.add(edge)
        if was is not confirmed and self._count(low, high, 1 if confirmed else -1):
            turned ^= {(low, high)}

    def _forget(self, key: bytes, edge: EdgeKey) -> None:
        edges = self._of[key]
        del edges[edge]
        if not edges:
            del self._of[key]

    def _count(self, low: bytes, high: bytes, step: int) -> bool:
        """Count a confirmed edge more, or less; True: it was the first of its ends, or the last."""
        number = self._near.setdefault(low, {}).get(high, 0) + step
        for near, far in ((low, high), (high, low)):
            others = self._near.setdefault(near, {})
            if number:
                others[far] = number
            else:
                del others[far]
                if not others:
                    del self._near[near]
        return number == (1 if step > 0 else 0)

    def _linked(self, pair: _Pair) -> bool:
        return pair[1] in self._near.get(pair[0], ())

    # -- ways: the breadth-first search of the whole mesh, when much has changed

    def _find_ways(self, settled: Settled) -> None:
        """Work out all ways anew; note those who have another one, or none any more."""
        before, self._ways = self._ways, {}
        hops = self._hops = {self._own_key: 0}
        edge, hop = [self._own_key], 0
        while edge:
            for key in edge:
                way = Way(hop, self._via(key, hop))
                old = before.pop(key, None)
                if old is None:
                    settled.gained.add(key)
                if way != old:
                    settled.rerouted.add(key)
                self._ways[key] = way
            hop += 1
            further = []
            for key in edge:
                for other in self._near.get(key, ()):
                    if other not in hops:
                        hops[other] = hop
                        further.append(other)
            edge = further
        settled.lost.update(before)
        settled.rerouted.update(before)

    # -- ways: the same search, but only where something has changed

    def _settle_ways(self, pairs: list[_Pair], settled: Settled) -> None:
        """Follow up links that came or went between two peers; note those with another way."""
        both = [*pairs, *((high, low) for low, high in pairs)]
        moved: dict[bytes, int | None] = dict(self._cut_off(both))
        self._reach_out(both, moved)
        for key, hops in moved.items():
            if key not in self._hops:
                del self._ways[key]
                settled.lost.add(key)
            elif hops is None:
                settled.gained.add(key)
        settled.rerouted.update(settled.lost)
        self._name_ways(self._unsure(both, moved), settled.rerouted)

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
        if hop <= 1:
            return (key,) if hop else ()
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
        both = ((edge, self._edges[edge]) for edge in self._own)
        return any(
            (ends.high if edge[0] == self._own_key else ends.low) is None for edge, ends in both
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
        ends = self._edges.get(edge)
        if ends is None or ends.since is None:
            return None
        return EdgeState(ends.since, ends.silent)

    def edges_of(self, key: bytes) -> Iterable[EdgeKey]:
        """Return the edges of a peer, also those that only the other end lists."""
        return self._of.get(key, {}).keys()


def _named(key: bytes, edges: tuple[Edge, ...]) -> dict[EdgeKey, int]:
    return {
        (key, other, transport) if key < other else (other, key, transport): since
        for other, transport, since in edges
        if other != key
    }
