"""Which records are over although nothing newer is here (protocol §6.4). Pure; time is passed in.

Who died says nothing any more. Its last record goes on listing its links, and a neighbour that lies
may go on listing it too: a confirmed edge with the dead. But that record lists its other neighbours
as well, and they say that the link is over. From a peer that lives something newer would have
come: it notices that a session has ended, and while somebody denies a link that lives it publishes
anew every ``INSIST_SECONDS``, so that nobody can pass the living off as dead by not listing them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.gossip.topology import other_end
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presence_core.gossip.table import Table
    from presence_core.gossip.topology import EdgeKey, Settled, Topology

INSIST_SECONDS = 30.0
"""How soon after its last version a peer says again what a neighbour denies."""

OVER_SECONDS = 90.0
"""How long a record is contradicted before it is over: three times what the living let pass, as
their newer word has to travel."""

LOOK_SECONDS = 10.0
"""How often an edge that is one-sided is looked at."""


@entity
class _Doubt:
    """About the record of one end of an edge that the other end does not list.

    Time counts while a way leads to both: then a newer word of either would come.
    """

    began: float
    looked_at: float
    since: float | None
    """Since when it counts; None while it does not."""
    counted: float = 0.0

    def pause(self, now: float) -> None:
        self.counted, self.since = self.seconds(now), None

    def seconds(self, now: float) -> float:
        return self.counted + (0.0 if self.since is None else now - self.since)

    def restart(self, now: float) -> None:
        self.began, self.counted = now, 0.0
        self.since = None if self.since is None else now


class Contradictions:
    """Follows edges that one end lists and the other does not, and finds whose record is over.

    A record is over when it is the newest that is here for ``OVER_SECONDS``, and lists a peer all
    the time that does not list its own, while a way led to both of them. (Whoever holds the dead
    could have them come and go: time that has counted stays.) With whom we have a link ourselves,
    we know better.
    """

    def __init__(self, own: bytes, topology: Topology, table: Table) -> None:
        self._own = own
        self._topology = topology
        self._table = table
        self._doubts: dict[EdgeKey, _Doubt] = {}
        """Those first that were not looked at for longest."""

    def follow(self, settled: Settled, now: float) -> None:
        """Take what the topology has worked out."""
        for edge in settled.edges & self._doubts.keys():
            del self._doubts[edge]
        for edge in settled.one_sided:
            self._doubts[edge] = _Doubt(now, now, now if self._in_reach(edge) else None)
        if not self._doubts:
            return
        for edge in self._edges_of(settled.lost):
            self._doubts[edge].pause(now)
        for edge in self._edges_of(settled.gained):
            doubt = self._doubts[edge]
            if doubt.since is None and self._in_reach(edge):
                doubt.since = now

    def _edges_of(self, keys: set[bytes]) -> Iterator[EdgeKey]:
        return (
            edge for key in keys for edge in self._topology.edges_of(key) if edge in self._doubts
        )

    def _in_reach(self, edge: EdgeKey) -> bool:
        return self._topology.reachable(edge[0]) and self._topology.reachable(edge[1])

    def judge(self, now: float, *, sure: bool) -> None:
        """Let what a record lists count no more that is over; a newer version starts anew.

        Not ``sure``: many records are on their way here, newer ones may be among them.
        """
        while now >= self.next_time():
            edge = next(iter(self._doubts))
            doubt = self._doubts[edge] = self._doubts.pop(edge)
            doubt.looked_at = now
            state = self._topology.edge(edge)
            if state is not None and state.silent is not None:
                key = other_end(edge, state.silent)
                entry = self._table.get(key)
                if not sure or entry is None or entry.received_at > doubt.began:
                    doubt.restart(now)
                elif doubt.seconds(now) >= OVER_SECONDS and self._is_over(key, state.silent):
                    self._topology.claim(key, ())

    def next_time(self) -> float:
        """When :meth:`judge` has something to look at; infinity for never."""
        first = next(iter(self._doubts.values()), None)
        return float("inf") if first is None else first.looked_at + LOOK_SECONDS

    def _is_over(self, key: bytes, silent: bytes) -> bool:
        # The other end may list it over another transport, and we may hold a session with it.
        return not self._topology.lists(silent, key) and not self._topology.lists(self._own, key)
