"""The policy of links: whom to dial, whom to let in, whom to let go (protocol §6.11).

Pure; time is passed in. :mod:`presence_core.engine.links` carries it out on sockets, the simulator
of a whole mesh on links of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.engine.addresses import address_text
from presence_core.engine.dials import Dials
from presence_core.engine.ties import Admission, Refusal, Situation, Tie
from presence_core.gossip.messages import MAX_HINTS, Peers
from presence_core.gossip.neighbours import NEARBY_SLOTS, Slots, keep_new, most_redundant
from presence_core.gossip.quota import Offence, Rates
from presence_core.gossip.record import Record, RecordError, parse_record
from presence_core.handshake.events import ByeCode
from presence_core.transports import BLUETOOTH, LAN

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from presence_core.engine.nearby import Nearby
    from presence_core.engine.node import Node
    from presence_core.engine.targets import Targets
    from presence_core.gossip.messages import Hello

MAX_APPLICANTS = 16
"""Authenticated links that may wait to be let in."""

SURPLUS_SECONDS = (5.0, 10.0)
"""How often it is looked whether there are more links than are wanted."""

DISPLACE_RATE, DISPLACE_BURST = 0.5, 4.0
"""How often a link is let go for somebody who has none."""

TURNED_AWAY_SECONDS = 60.0
MAX_TURNED_AWAY = 256


class Peering:
    """Decides on the links of one node, and tells it of those that are up."""

    def __init__(
        self,
        node: Node,
        targets: Targets,
        rng: random.Random,
        slots: Slots | None = None,
        *,
        blocked: AbstractSet[bytes] = frozenset(),
    ) -> None:
        self.slots = slots or Slots()
        self._blocked = blocked
        self._node = node
        self._targets = targets
        self._rng = rng
        self._applicants: dict[int, Tie] = {}
        self._admitted: dict[int, Tie] = {}
        self.dials = Dials(node, targets, rng, self.slots, self._admitted, blocked=blocked)
        self._displaced: Rates[None] = Rates(DISPLACE_RATE, DISPLACE_BURST)
        self._turned_away: dict[bytes, float] = {}
        """Peers without a link for whom there was no room, and when."""
        self._surplus_at = float("-inf")

    # -- whom to let in

    def authenticated(
        self,
        link: int,
        key: bytes,
        *,
        transport: int,
        dialled: str | None,
        now: float,
        session_id: bytes,
    ) -> Refusal | None:
        """Judge a peer that has proven its key; None: it may say Hello."""
        tie = Tie(link, key, transport, dialled, now, session_id)
        if dialled is not None:
            self._book(transport).bind(dialled, key)
        if key in self._blocked:
            return Refusal(ByeCode.BLOCKED, "this device blocks it")
        if self._node.exchange.strikes.refuse(key, now):
            return Refusal(ByeCode.LIMIT, "it has sent too much that does not hold")
        if self._is_duplicate(tie):
            return Refusal(ByeCode.DUPLICATE, "a session with this peer exists")
        if len(self._applicants) >= MAX_APPLICANTS and not self._rivals(tie):
            return Refusal(ByeCode.FULL, "too many others wait to be let in")
        self._applicants[link] = tie
        return None

    def admit(self, link: int, hello: Hello, now: float) -> Refusal | Admission:
        """Judge a peer that has said Hello; if it is let in, the node has the link then."""
        tie = self._applicants.get(link)
        if tie is None:
            return Refusal(ByeCode.PROTOCOL, "a Hello that nobody waits for")
        try:
            record = parse_record(hello.record, self._node.mesh)
        except RecordError as error:
            return self._blame(tie, Offence.INVALID, f"Hello with a bad record: {error}", now)
        if record.key != tie.key:
            return self._blame(tie, Offence.INVALID, "Hello with a record of somebody else", now)
        if self._is_duplicate(tie):
            return Refusal(ByeCode.DUPLICATE, "a session with this peer exists")
        rivals = self._rivals(tie)
        drop = [(rival, ByeCode.DUPLICATE, "replaced by a newer session") for rival in rivals]
        succeeds = any(rival in self._admitted for rival in rivals)
        if not succeeds and not self._has_room(tie, record):
            displaced = self._displace(tie.transport, record, now)
            if displaced is None:
                return Refusal(ByeCode.FULL, "this peer holds as many links as it can")
            drop.append((displaced, ByeCode.FULL, "its place is needed by a peer that has none"))
        del self._applicants[link]
        self._admitted[link] = tie
        if tie.dialled is not None:
            self._book(tie.transport).succeeded(tie.dialled)
        dialled = tie.dialled is not None
        self._node.link_up(link, hello, record, now, transport=tie.transport, dialled=dialled)
        return Admission(tuple(drop))

    def located(self, link: int, addresses: tuple[tuple[str, int], ...]) -> None:
        """Note where the other end of an admitted link can be dialled again."""
        self._admitted[link].addresses = addresses

    def malformed(self, link: int, why: str, now: float) -> Refusal:
        """Judge an applicant whose Hello is none."""
        return self._blame(self._applicants[link], Offence.MALFORMED, why, now)

    def _blame(self, tie: Tie, offence: Offence, why: str, now: float) -> Refusal:
        over = self._node.exchange.strikes.strike(tie.key, offence, why, now)
        return Refusal(ByeCode.LIMIT if over else ByeCode.PROTOCOL, why)

    def _rivals(self, tie: Tie) -> list[int]:
        """Return the other sessions with the same peer over the same transport."""
        return [
            other.link
            for other in (*self._admitted.values(), *self._applicants.values())
            if other is not tie and (other.key, other.transport) == (tie.key, tie.transport)
        ]

    def _is_duplicate(self, tie: Tie) -> bool:
        """Whether a session must give way to one that exists with the same peer."""
        ties = self._admitted | self._applicants
        return any(
            not keep_new(self._node.key, tie.key, ties[rival].claim(), tie.claim())
            for rival in self._rivals(tie)
        )

    def _has_room(self, tie: Tie, record: Record) -> bool:
        """Whether one more link may be held; the spare ones are for those who come from elsewhere.

        Of two meshes that meet everybody may hold as many links as it accepts: if nobody made an
        exception they would never become one.
        """
        elsewhere = bool(record.edges) and not self._node.topology.reachable(tie.key)
        slots = NEARBY_SLOTS if tie.transport == BLUETOOTH else self.slots
        spare = slots.spare if tie.dialled is not None or elsewhere else 0
        return len(self._ties(tie.transport)) < slots.accept + spare

    def _displace(self, transport: int, record: Record, now: float) -> int | None:
        """Find a link to let go for a newcomer that has none; None when it is to try elsewhere.

        In most meshes somebody has room, and it gets hints where. Who comes again has found nobody.
        """
        if record.edges:
            return None
        turned_away = self._turned_away.pop(record.key, float("-inf"))
        if now - turned_away > TURNED_AWAY_SECONDS:
            if len(self._turned_away) >= MAX_TURNED_AWAY:
                del self._turned_away[next(iter(self._turned_away))]
            self._turned_away[record.key] = now
            return None
        if not self._displaced.take(None, now):
            self._turned_away[record.key] = now
            return None
        # Links that we chose ourselves are kept if possible: who makes up newcomers, of which each
        # takes the place of an honest neighbour, could cut us off otherwise.
        ties = self._ties(transport)
        chosen = [(tie.link, tie.key) for tie in ties if tie.dialled is not None]
        others = [(tie.link, tie.key) for tie in ties if tie.dialled is None]
        degree = self._node.topology.degree
        least = most_redundant(others, degree)
        return most_redundant(chosen, degree) if least is None else least

    # -- ends

    def closed(self, link: int, *, code: int | None, lost: bool, now: float) -> bytes | None:
        """Clear up after a link; return its peer if that was the last one over this transport.

        ``code`` of the goodbye, if there was one; ``lost``: it ended without anybody's will.
        """
        self._applicants.pop(link, None)
        tie = self._admitted.pop(link, None)
        if tie is None:
            return None
        self._node.link_down(link, now)
        if any(other.key == tie.key for other in self._ties(tie.transport)):
            return None
        if code == ByeCode.LEAVING:
            self._targets.left(tie.key)
            if self.dials.nearby is not None:
                self.dials.nearby.left(tie.key, now)
        elif lost:
            self._book(tie.transport).lost(tie.key, tie.addresses, now)
        return tie.key

    # -- how many

    def free(self) -> int:
        """Return how many more links would be accepted."""
        return max(0, self.slots.accept - len(self._ties()))

    def _book(self, transport: int) -> Nearby | Targets:
        """Return where it is kept whom to dial over a transport."""
        nearby = self.dials.nearby
        return nearby if nearby and transport == BLUETOOTH else self._targets

    def _ties(self, transport: int = LAN) -> list[Tie]:
        """Return the links that share their slots with this transport: Bluetooth has its own."""
        near = transport == BLUETOOTH
        return [tie for tie in self._admitted.values() if (tie.transport == BLUETOOTH) is near]

    def nearby(self, *, findable: bool, opened: Sequence[str], hosts: set[str]) -> Situation:
        """Return what decides on dials over Bluetooth.

        ``opened``: the addresses of who has dialled us; ``hosts``: of who we have dialled.
        """
        ties = self._ties(BLUETOOTH)
        dialled = sum(tie.dialled is not None for tie in ties)
        knocking = len(opened) > len(ties) - dialled
        linked = {self._node.key, *(tie.key for tie in ties), *self._blocked}
        return Situation(linked, len(ties), dialled, findable, knocking, hosts.union(opened))

    def surplus(self, now: float) -> int | None:
        """Return a link to give up, now and then: one more dialled than is wanted in the long run.

        Where many start at once everybody dials more, as nobody can be reached yet. Only a link is
        given up whose end is near over somebody else too and has links enough, so never the one
        that holds two halves together.
        """
        if now < self._surplus_at:
            return None
        self._surplus_at = now + self._rng.uniform(*SURPLUS_SECONDS)
        dialled = [tie for tie in self._ties() if tie.dialled is not None]
        if len(dialled) <= self.slots.dial or self._node.exchange.sync.awaited():
            return None
        topology = self._node.topology
        spare = [
            (topology.degree(tie.key), tie.link)
            for tie in dialled
            if topology.degree(tie.key) > self.slots.dial
            and topology.share_neighbour(self._node.key, tie.key)
        ]
        return max(spare)[1] if spare else None

    # -- hints for others, and from others

    def hints(self, besides: bytes) -> Peers:
        """Return where somebody for whom there is no room may try instead: at those with least."""
        ties = [tie for tie in self._admitted.values() if tie.addresses and tie.key != besides]
        ties.sort(key=lambda tie: self._node.topology.degree(tie.key))
        return Peers(
            tuple(
                (tie.key, tuple(address_text(host, port) for host, port in tie.addresses))
                for tie in ties[: MAX_HINTS // 2]
            )
        )
