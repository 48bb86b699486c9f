"""The policy of links: whom to dial, whom to let in, whom to let go (protocol §6.11).

Pure; time is passed in. :mod:`presence_core.engine.links` carries it out on sockets, the simulator
of a whole mesh on links of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.discovery.hint import DialHint
from presence_core.engine.addresses import address_text, host_and_port
from presence_core.engine.nearby import NEARBY_SLOTS, Situation
from presence_core.engine.ties import Admission, Refusal, Tie
from presence_core.gossip.messages import MAX_HINTS, Peers
from presence_core.gossip.neighbours import Slots, keep_new, most_redundant
from presence_core.gossip.quota import Offence, Rates
from presence_core.gossip.record import Record, RecordError, parse_record
from presence_core.handshake.events import ByeCode
from presence_core.transports.ble.stream import BLUETOOTH
from presence_core.transports.tcp import LAN

if TYPE_CHECKING:
    import random
    from collections.abc import Container, Sequence

    from presence_core.engine.nearby import Nearby
    from presence_core.engine.node import Node
    from presence_core.engine.targets import Target, Targets
    from presence_core.gossip.messages import Hello

MAX_APPLICANTS = 16
"""Authenticated links that may wait to be let in."""

SEEK_SECONDS = (0.1, 0.5)
"""Between two dials to peers that no way leads to, for who has links enough: the graph may show a
way to them any moment, and one link is enough to join two halves."""

TOP_UP_SECONDS = (0.05, 0.4)
"""Between two dials that are only to have more links: many may want the same at once."""

SURPLUS_SECONDS = (5.0, 10.0)
"""How often it is looked whether there are more links than are wanted."""

DISPLACE_RATE, DISPLACE_BURST = 0.5, 4.0
"""How often a link is let go for somebody who has none."""

REFUSED_SECONDS = 30.0
"""How long somebody who has refused us is left alone."""

LONELY_SECONDS = 1.0
"""The same for who has no link at all: at the second time it is let in."""

TURNED_AWAY_SECONDS = 60.0
MAX_TURNED_AWAY = 256

_REFUSALS = (ByeCode.FULL, ByeCode.DENIED, ByeCode.BLOCKED, ByeCode.LIMIT)


class Peering:
    """Decides on the links of one node, and tells it of those that are up."""

    def __init__(
        self,
        node: Node,
        targets: Targets,
        rng: random.Random,
        slots: Slots | None = None,
        nearby: Nearby | None = None,
    ) -> None:
        self.slots = slots or Slots()
        self._node = node
        self._targets = targets
        self._nearby = nearby
        self._rng = rng
        self._applicants: dict[int, Tie] = {}
        self._admitted: dict[int, Tie] = {}
        self._displaced: Rates[None] = Rates(DISPLACE_RATE, DISPLACE_BURST)
        self._turned_away: dict[bytes, float] = {}
        """Peers without a link for whom there was no room, and when."""
        self._top_up_at = float("-inf")
        self._seek_at = float("-inf")
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
            if self._nearby is not None:
                self._nearby.left(tie.key, now)
        elif lost:
            self._book(tie.transport).lost(tie.key, tie.addresses, now)
        return tie.key

    def dial_failed(
        self, target: Target, now: float, *, code: int | None = None, key: bytes | None = None
    ) -> None:
        """Note that a dial has not led to a neighbour: no answer, or a goodbye with this code."""
        if key == self._node.key:
            self._targets.bind(target.name, key)
        refused = code in _REFUSALS
        patience = REFUSED_SECONDS if self._admitted or code != ByeCode.FULL else LONELY_SECONDS
        seconds = patience * self._rng.uniform(0.5, 1.0) if refused else None
        book = self._nearby if self._nearby and target.source == "ble" else self._targets
        book.failed(target, now, seconds=seconds, missed_by=self._seekers())

    # -- whom to dial

    def links(self) -> int:
        """Return how many links are held."""
        return len(self._admitted)

    def _book(self, transport: int) -> Nearby | Targets:
        """Return where it is kept whom to dial over a transport."""
        return self._nearby if self._nearby and transport == BLUETOOTH else self._targets

    def _ties(self, transport: int = LAN) -> list[Tie]:
        """Return the links that share their slots with this transport: Bluetooth has its own."""
        near = transport == BLUETOOTH
        return [tie for tie in self._admitted.values() if (tie.transport == BLUETOOTH) is near]

    def free(self) -> int:
        """Return how many more links would be accepted."""
        return max(0, self.slots.accept - len(self._ties()))

    def connected(self, transport: int = LAN) -> set[bytes]:
        """Return the neighbours over a transport, and ourselves."""
        return {self._node.key, *(tie.key for tie in self._ties(transport))}

    def nearby(self, *, findable: bool, opened: Sequence[str], hosts: set[str]) -> Situation:
        """Return what decides on dials over Bluetooth.

        ``opened``: the addresses of who has dialled us; ``hosts``: of who we have dialled.
        """
        ties = self._ties(BLUETOOTH)
        dialled = sum(tie.dialled is not None for tie in ties)
        knocking = len(opened) > len(ties) - dialled
        linked = self.connected(BLUETOOTH)
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

    def tick(self, now: float) -> None:
        """Follow who has got out of reach, and who has come back."""
        adverts, self._node.adverts = self._node.adverts, {}
        for name, key in adverts.items():
            self._targets.bind(name, key)
        rerouted, self._node.rerouted = self._node.rerouted, set()
        for key in rerouted:
            if self._node.topology.reachable(key):
                self._targets.found(key)
            else:
                entry = self._node.table.get(key)
                if entry is not None and not entry.record.leaving:
                    self._targets.missed(key, now, self._seekers())

    def due(self, now: float, knocking: Container[str] = ()) -> list[Target]:
        """Return whom to dial now, marked as dialling.

        Whoever cannot be reached comes first; then links are made up to the number that is wanted.
        From a host of ``knocking`` somebody is shaking hands with us already: it is left alone for
        a moment, as it is probably the same peer.
        """
        seeking, more = self._wishes(now)
        chosen: list[Target] = []
        if not seeking and not more:
            return chosen
        sought, reached = self._candidates()
        for target in self._due_of(sought, now) if seeking else ():
            if len(chosen) >= seeking:
                break
            if self._targets.give_way(target, knocking, now):
                continue
            chosen.append(self._targets.dial(target))
            self._seek_at = now + self._rng.uniform(*SEEK_SECONDS)
        if not chosen and more:
            for target in self._due_of(reached, now):
                chosen.append(self._targets.dial(target))
                if self._admitted:
                    self._top_up_at = now + self._rng.uniform(*TOP_UP_SECONDS)
                    break
                if len(chosen) >= more:
                    break
        return chosen

    def next_time(self, now: float) -> float:
        """When :meth:`due` may have somebody; infinity for never."""
        seeking, more = self._wishes(now, ahead=True)
        soonest = float("inf")
        if not seeking and not more:
            return soonest
        sought, reached = self._candidates()
        if seeking:
            soonest = min(map(self._dial_at, sought), default=soonest)
            if not self._needy():
                soonest = max(soonest, self._seek_at)
        if more and reached:
            soonest = min(soonest, max(min(map(self._dial_at, reached)), self._top_up_at))
        return soonest

    def untried(self) -> bool:
        """Whether somebody who may be out there has not been dialled even once."""
        return any(
            not target.failures and (target.dialling or self._is_sought(target))
            for target in self._targets.missing(self.connected(), dialling=True)
        )

    def _wishes(self, now: float, *, ahead: bool = False) -> tuple[int, int]:
        """How many dials may begin: to those out of reach, and to others."""
        running = self._targets.dialling()
        links = len(self._ties())
        wanted = min(self.slots.dial - self._dialled(), self.slots.accept - links) - running
        if self._needy():
            seeking = max(1, self.slots.dial - links) - running
        else:
            seeking = min(1, self.slots.accept + self.slots.spare - links) - running
            if now < self._seek_at and not ahead:
                seeking = 0
        if now < self._top_up_at and not ahead:
            wanted = 0
        return max(0, seeking), max(0, wanted)

    def _dialled(self) -> int:
        return sum(tie.dialled is not None for tie in self._ties())

    def _needy(self) -> bool:
        """Whether there are fewer links than one dials, so that there is no time to lose."""
        return len(self._ties()) < self.slots.dial

    def _candidates(self) -> tuple[list[Target], list[Target]]:
        """Return who may be dialled, sooner or later: those who are sought, and the others."""
        sought: list[Target] = []
        reached: list[Target] = []
        for target in self._targets.missing(self.connected()):
            (sought if self._is_sought(target) else reached).append(target)
        return sought, reached

    def _is_sought(self, target: Target) -> bool:
        """Whether this is somebody out of reach, or an address that a person has asked for."""
        key = target.peer_key
        return target.source == "static" or key is None or not self._node.topology.reachable(key)

    def _due_of(self, targets: list[Target], now: float) -> list[Target]:
        """Return those that may be dialled now: what a person has asked for, then who has room."""
        due = [target for target in targets if self._dial_at(target) <= now]
        self._rng.shuffle(due)
        due.sort(key=lambda target: (target.source != "static", target.free_slots == 0))
        return due

    def _dial_at(self, target: Target) -> float:
        return max(target.next_dial, self._cool_until(target))

    def _cool_until(self, target: Target) -> float:
        """Until when nobody is dialled at a target, for what came from there."""
        key = target.peer_key
        return float("-inf") if key is None else self._node.exchange.strikes.cool_until(key)

    def _seekers(self) -> int:
        """How many look for somebody who is out of reach: all who are in reach, and we."""
        return self._node.topology.reach() + 1

    # -- what discovery says

    def hinted(self, hint: DialHint, now: float) -> None:
        """Take a hint of somebody who may be dialled."""
        self._targets.hint(hint, now, reach=self._node.topology.reach())

    def directed(self, peers: Peers, now: float, *, local: bool) -> None:
        """Take the hints of somebody who had no room for us; ``local``: it is on this machine."""
        for key, texts in peers.hints:
            addresses = tuple(
                a for text in texts if (a := host_and_port(text, local=local)) is not None
            )
            if addresses and key not in self.connected():
                name = f"hint:{key.hex()}"
                self._targets.bind(name, key)
                self.hinted(DialHint("peers", name, addresses), now)

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
