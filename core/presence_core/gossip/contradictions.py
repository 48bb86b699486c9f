"""Which records are over although nothing newer is here (protocol §6.4). Pure; time is passed in.

Who died says nothing any more. Its last record goes on listing its links, and a neighbour that lies
may go on listing it too: a confirmed edge with the dead. But that record lists its other neighbours
as well, and they say that the link is over. From a peer that lives something newer would have
come: it notices that a session has ended, and while somebody denies a link that lives it publishes
anew every ``INSIST_SECONDS``, so that nobody can pass the living off as dead by not listing them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presence_core.gossip.table import Table
    from presence_core.gossip.topology import EdgeKey, Settled, Topology

INSIST_SECONDS = 30.0
"""How soon after its last version a peer says again what a neighbour denies."""

OVER_SECONDS = 90.0
"""How long a record is contradicted before it is over: three times what the living let pass, as
their newer word has to travel."""


class Contradictions:
    """Follows edges that one end lists and the other does not, and finds whose record is over.

    A record is over when it is the newest that is here for ``OVER_SECONDS``, lists a peer that does
    not list its own, all that time, and a way leads to both of them, all that time. With
    whom we have a link ourselves, we know better.
    """

    def __init__(self, own: bytes, topology: Topology, table: Table) -> None:
        self._own = own
        self._topology = topology
        self._table = table
        self._since: dict[EdgeKey, float] = {}
        """One-sided edges, those first that are so for longest."""

    def follow(self, settled: Settled, now: float) -> None:
        """Take what the topology has worked out."""
        for edge in settled.edges:
            self._since.pop(edge, None)
            state = self._topology.edge(edge)
            if state is not None and state.silent is not None:
                self._since[edge] = now
        for key in settled.lost:
            for edge in self._topology.edges_of(key):
                if edge in self._since:
                    self._again(edge, now)

    def judge(self, now: float, *, sure: bool) -> None:
        """Let what a record lists count no more that is over; a newer version starts anew.

        Not ``sure``: many records are on their way here, newer ones may be among them.
        """
        while now >= self.next_time():
            edge = next(iter(self._since))
            self._again(edge, now)
            state = self._topology.edge(edge)
            if sure and state is not None and state.silent is not None:
                key = edge[1] if state.silent == edge[0] else edge[0]
                if self._is_over(key, state.silent, now):
                    self._topology.claim(key, ())

    def next_time(self) -> float:
        """When :meth:`judge` has something to look at; infinity for never."""
        return next(iter(self._since.values()), float("inf")) + OVER_SECONDS

    def _again(self, edge: EdgeKey, now: float) -> None:
        del self._since[edge]
        self._since[edge] = now

    def _is_over(self, key: bytes, silent: bytes, now: float) -> bool:
        topology, entry = self._topology, self._table.get(key)
        return (
            entry is not None
            and now >= entry.received_at + OVER_SECONDS
            and topology.reachable(key)
            and topology.reachable(silent)
            and not topology.lists(silent, key)  # it may list it over another transport
            and not topology.lists(self._own, key)
        )
