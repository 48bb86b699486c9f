"""The policy of dials: whom to dial, and when (protocol §6.11, §7).

Pure; time is passed in. A part of :mod:`presence_core.engine.peering`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.discovery.hint import DialHint
from presence_core.engine.addresses import host_and_port
from presence_core.handshake.events import ByeCode
from presence_core.transports import BLUETOOTH

if TYPE_CHECKING:
    import random
    from collections.abc import Container, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from presence_core.engine.nearby import Nearby
    from presence_core.engine.node import Node
    from presence_core.engine.targets import Target, Targets
    from presence_core.engine.ties import Tie
    from presence_core.gossip.messages import Peers
    from presence_core.gossip.neighbours import Slots

SEEK_SECONDS = (0.1, 0.5)
"""Between two dials to peers that no way leads to, for who has links enough: the graph may show a
way to them any moment, and one link is enough to join two halves."""

TOP_UP_SECONDS = (0.05, 0.4)
"""Between two dials that are only to have more links: many may want the same at once."""

EXPECTED_SECONDS, EXPECTED_SHARE = 0.5, 0.005
"""How long after its record came a newcomer that names a link is not dialled: a way to it may show
any moment. So long for each peer in reach, up to that: in a large mesh many would dial it."""

REFUSED_SECONDS = 30.0
"""How long somebody who has refused us is left alone."""

LONELY_SECONDS = 1.0
"""The same for who has no link at all: at the second time it is let in."""

_REFUSALS = (ByeCode.FULL, ByeCode.DENIED, ByeCode.BLOCKED, ByeCode.LIMIT)


class Dials:
    """Decides whom one node dials.

    ``admitted`` is a live view of its links, ``blocked`` of the keys that are never dialled. Over
    Bluetooth, once it is up, ``nearby`` decides whom; what fails is noted there too.
    """

    def __init__(
        self,
        node: Node,
        targets: Targets,
        rng: random.Random,
        slots: Slots,
        admitted: Mapping[int, Tie],
        *,
        blocked: AbstractSet[bytes] = frozenset(),
    ) -> None:
        self.nearby: Nearby | None = None
        self._node = node
        self._targets = targets
        self._rng = rng
        self._slots = slots
        self._admitted = admitted
        self._blocked = blocked
        self._top_up_at = float("-inf")
        self._seek_at = float("-inf")

    def failed(
        self, target: Target, now: float, *, code: int | None = None, key: bytes | None = None
    ) -> None:
        """Note that a dial has not led to a neighbour: no answer, or a goodbye with this code."""
        if key == self._node.key:
            self._targets.bind(target.name, key)
        refused = code in _REFUSALS
        patience = REFUSED_SECONDS if self._admitted or code != ByeCode.FULL else LONELY_SECONDS
        seconds = patience * self._rng.uniform(0.5, 1.0) if refused else None
        book = self.nearby if self.nearby and target.source == "ble" else self._targets
        book.failed(target, now, seconds=seconds, missed_by=self._seekers())

    def tick(self, now: float) -> None:
        """Follow who has got out of reach, and who has come back."""
        self._name_adverts()
        rerouted, self._node.rerouted = self._node.rerouted, set()
        for key in rerouted:
            if self._node.topology.reachable(key):
                self._targets.found(key)
            else:
                entry = self._node.table.get(key)
                missed = entry is not None and not entry.record.leaving
                self._targets.out_of_reach(key, now, self._seekers() if missed else 0)

    def _name_adverts(self) -> None:
        """Tell of known peers under which names they announce themselves.

        Only when there is an advert of which nobody knows whose it is: the names are some work, and
        most peers of a large mesh are out of earshot.
        """
        if self._targets.nameless():
            learned, self._node.epochs_learned = self._node.epochs_learned, {}
            for key, epoch in learned.items():
                self._targets.bind(self._node.mesh.instance_name(key, epoch), key)

    def due(self, now: float, knocking: Container[str] = ()) -> list[Target]:
        """Return whom to dial now, marked as dialling.

        Whoever cannot be reached comes first; then links are made up to the number that is wanted.
        From a host of ``knocking`` somebody is shaking hands with us already: it is left alone for
        a moment, as it is probably the same peer.
        """
        self._name_adverts()
        seeking, more = self._wishes(now)
        chosen: list[Target] = []
        if not seeking and not more:
            return chosen
        for target in self._due_of(self._sought(), now) if seeking else ():
            if len(chosen) >= seeking:
                break
            if self._targets.give_way(target, knocking, now):
                continue
            chosen.append(self._targets.dial(target))
            self._seek_at = now + self._rng.uniform(*SEEK_SECONDS)
        if not chosen and more:
            for target in self._due_of(self._with_room(), now):
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
        if seeking:
            soonest = min(map(self._dial_at, self._sought()), default=soonest)
            if not self._needy():
                soonest = max(soonest, self._seek_at)
        if more:
            first = min(map(self._dial_at, self._with_room()), default=float("inf"))
            soonest = min(soonest, max(first, self._top_up_at))
        return soonest

    def untried(self) -> bool:
        """Whether somebody who may be out there has not been dialled even once."""
        return self._targets.untried(self._undialled())

    def _wishes(self, now: float, *, ahead: bool = False) -> tuple[int, int]:
        """How many dials may begin: to those out of reach, and to others."""
        running = self._targets.dialling()
        links = len(self._ties())
        wanted = min(self._slots.dial - self._dialled(), self._slots.accept - links) - running
        if self._needy():
            seeking = max(1, self._slots.dial - links) - running
        else:
            seeking = min(1, self._slots.accept + self._slots.spare - links) - running
            if now < self._seek_at and not ahead:
                seeking = 0
        if now < self._top_up_at and not ahead:
            wanted = 0
        return max(0, seeking), max(0, wanted)

    def _dialled(self) -> int:
        return sum(tie.dialled is not None for tie in self._ties())

    def _needy(self) -> bool:
        """Whether there are fewer links than one dials, so that there is no time to lose."""
        return len(self._ties()) < self._slots.dial

    def _ties(self) -> list[Tie]:
        """Return the links but those over Bluetooth, which have slots of their own."""
        return [tie for tie in self._admitted.values() if tie.transport != BLUETOOTH]

    def _undialled(self) -> set[bytes]:
        """Return whom there is no reason to dial: the neighbours, ourselves, who is blocked."""
        return {self._node.key, *(tie.key for tie in self._ties()), *self._blocked}

    def _sought(self) -> Iterable[Target]:
        """Return who is out of reach, or unknown, or an address that a person has asked for."""
        return self._targets.missing(self._undialled(), sought=True)

    def _with_room(self) -> Iterable[Target]:
        """Return who may be dialled only to have more links; whoever is full would say no."""
        others = self._targets.missing(self._undialled(), sought=False)
        return (target for target in others if target.free_slots != 0)

    def _due_of(self, targets: Iterable[Target], now: float) -> list[Target]:
        """Return those that may be dialled now: what a person has asked for, then who has room."""
        due = [target for target in targets if self._dial_at(target) <= now]
        self._rng.shuffle(due)
        due.sort(key=lambda target: (target.source != "static", target.free_slots == 0))
        return due

    def _dial_at(self, target: Target) -> float:
        return max(target.next_dial, self._cool_until(target), self._expected_until(target))

    def _expected_until(self, target: Target) -> float:
        """Until when a newcomer is left alone, as the word that leads to it may be on its way.

        Its record says that it has a link to somebody in reach; that one has yet to say so too.
        """
        key, topology = target.peer_key, self._node.topology
        entry = None if key is None else self._node.table.get(key)
        if (
            entry is None
            or target.failures
            or target.reached
            or topology.reachable(entry.record.key)
        ):
            return float("-inf")
        linked = any(topology.reachable(edge.key) for edge in entry.record.edges)
        patience = min(EXPECTED_SECONDS, EXPECTED_SHARE * topology.reach())
        return entry.received_at + patience if linked else float("-inf")

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
            if addresses and key not in self._undialled():
                name = f"hint:{key.hex()}"
                self._targets.bind(name, key)
                self.hinted(DialHint("peers", name, addresses), now)
