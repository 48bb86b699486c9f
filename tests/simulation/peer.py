"""One run of a peer: the counterpart of the engine and its links, around the same pure parts.

What decides is the product's own code (``Node``, ``Targets``, ``Peering``, ``ViewKeeper``,
``GraphBuilder``); what is here carries messages, asks to be called again, and pays with simulated
time for the signatures that would be verified.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING

from presence_core.codec import cbor
from presence_core.discovery.hint import DialHint
from presence_core.engine.addresses import addresses_of
from presence_core.engine.admission import HANDLER_SECONDS, HELLO_SECONDS, MAX_EARLY_BYTES
from presence_core.engine.connections import LinkMeasure
from presence_core.engine.engine import DIAL_SECONDS, HOUSEKEEPING_SECONDS
from presence_core.engine.gate import HandshakeGate
from presence_core.engine.graph import GraphBuilder
from presence_core.engine.node import Node
from presence_core.engine.output import Output
from presence_core.engine.own_record import NodeProfile
from presence_core.engine.peering import Peering
from presence_core.engine.targets import Target, Targets
from presence_core.engine.ties import Refusal
from presence_core.engine.view import Sight, ViewKeeper
from presence_core.gossip.exchange import Message
from presence_core.gossip.messages import Hello, MessageError, Peers
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.handshake.session import LAN
from presence_core.model import Mesh, PresenceGraph, View
from tests.simulation.air import PORT
from tests.simulation.meter import Meter
from tests.simulation.wire import Dial, End, Step

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

VERIFY_SECONDS = 0.0003
"""What a record costs when it is verified: the study's figure, signature and all."""

MESSAGE_SECONDS = 0.00002
SHAKE_SECONDS = 0.0004
"""What a handshake costs each end."""

TRANSPORT_LAN = 1


_UNMEASURED = LinkMeasure(None, 0, 0, 0)
"""Round trips and counters are the transport's affair, not the mesh's."""


class Ending(Enum):
    """How a connection ended: by the other end's goodbye, by ours, or without anybody's will."""

    BYE = auto()
    LOCAL = auto()
    LOST = auto()


@dataclass(slots=True)
class _Applicant:
    """A connection that is authenticated and not let in yet, with what came on it so far."""

    end: End
    early: list[tuple[int, bytes]] = field(default_factory=list)
    size: int = 0
    hinted: bool = False

    def keep(self, kind: int, body: bytes) -> bool:
        """Keep a message for when it is let in; False when there are too many."""
        self.size += len(body)
        self.early.append((kind, body))
        return self.size <= MAX_EARLY_BYTES


class Peer:
    """A process on a device, from its start to its end."""

    def __init__(self, world: World, device: Device, epoch: int) -> None:
        self.world = world
        self.device = device
        self.host = device.host
        self.key = device.identity.peer_key
        self.instance = world.mesh.instance_name(self.key, epoch)
        self.running = True
        self.meter: Meter = device.meter
        self.admitted: dict[int, End] = {}
        self.graph: PresenceGraph | None = None
        self._clock = world.clock
        self._rng = random.Random(world.rng.getrandbits(64))
        self.node = Node(
            device.identity,
            world.mesh,
            NodeProfile(device.name, "Linux", "0"),
            epoch=epoch,
            now=self._clock.now,
            wall_ms=device.wall_ms,
            rng=self._rng,
            metadata=device.metadata,
            token=device.token,
            issuers=device.kept.issuers(),
            addresses=self._addresses,
        )
        self.targets = Targets(self._rng, self.instance)
        self.peering = Peering(self.node, self.targets, self._rng, world.slots)
        self.view = ViewKeeper(self._utc)
        self.view.start(self._clock.now, networked=True)
        self._builder = GraphBuilder(self.node) if world.graphs_of(device) else None
        self._sequence = 0
        self._gate = HandshakeGate()
        self._at_gate: set[int] = set()
        self._half_open: dict[int, End] = {}
        self._applicants: dict[int, _Applicant] = {}
        self._next_link = 1
        self._inbox: deque[tuple[End, int, bytes]] = deque()
        self._draining = False
        self._busy_until = self._clock.now
        self._wake_at = float("inf")
        self._dial_at = float("inf")
        self._free_slots = -1

    def start(self) -> None:
        """Look for others."""
        self._pump()
        self._clock.after(self._rng.uniform(0.0, HOUSEKEEPING_SECONDS), self._keep_house)

    def leave(self) -> None:
        """Say goodbye and end."""
        self.node.leave(self._clock.now)
        self._carry_out(self.node.take_output())
        self.world.air.vanish(self, goodbye=True)
        self._end()

    def kill(self) -> None:
        """End without a word; the system closes the connections, as far as frames get through."""
        self.world.air.vanish(self, goodbye=False)
        self._end()

    def _end(self) -> None:
        self.running = False
        ends = [*self._half_open.values(), *self.admitted.values()]
        ends += [applicant.end for applicant in self._applicants.values()]
        for end in ends:
            end.close(self._moment())

    def next_link_id(self) -> int:
        """Return a number for a new end of a connection."""
        self._next_link += 1
        return self._next_link

    def free_slots(self) -> int:
        """How many more links the advert says would be taken."""
        return self.peering.free()

    def _addresses(self) -> tuple[str, ...]:
        return (f"mdns:{self.instance}", f"tcp:{PORT}")

    def _utc(self) -> datetime:
        """The device's own idea of the time."""
        return datetime.fromtimestamp(self.device.wall_ms() / 1000, UTC)

    def waiting(self) -> int:
        """How many messages have come and wait for the processor."""
        return len(self._inbox)

    # -- what discovery tells

    def hinted(self, hint: DialHint) -> None:
        """Take a hint of whom to dial."""
        self.peering.dials.hinted(hint, self._clock.now)
        self._dial_by(self._clock.now + DIAL_SECONDS)

    def withdrawn(self, instance: str) -> None:
        """An advert was withdrawn."""
        self.targets.withdrawn(instance)

    # -- dialling

    def _dial_by(self, moment: float) -> None:
        if moment < self._dial_at:
            self._dial_at = moment
            self._clock.at(moment, self._dial, moment)

    def _dial(self, moment: float) -> None:
        if moment != self._dial_at or not self.running:
            return
        self._dial_at = float("inf")
        now = self._clock.now
        for target in self.peering.dials.due(now, self._knocking()):
            Dial(self.world.network, self, target, self.world.listener)
        self._dial_by(max(self.peering.dials.next_time(now), now + DIAL_SECONDS))

    def _knocking(self) -> set[str]:
        waiting = [applicant.end for applicant in self._applicants.values()]
        ends = [*self._half_open.values(), *waiting]
        return {end.host for end in ends if end.dialled is None}

    def dial_failed(self, target: Target) -> None:
        """Nobody answers at a target."""
        if self.running:
            self.peering.dials.failed(target, self._clock.now)
            self._pump()

    def connected(self, end: End) -> None:
        """A dial has come through: shake hands."""
        if not self.running:
            end.close(self._clock.now)
            return
        self._half_open[end.id] = end
        self._clock.after(LAN.handshake, self._handshake_late, end)
        end.transmit(Step.FIRST, b"", self._moment())

    def accepts(self, host: str) -> bool:
        """Whether a connection from this host is taken, within the limits before authentication."""
        return self.running and self._gate.enter(host, self._clock.now)

    def accepted(self, end: End) -> None:
        """Somebody has connected to us."""
        self._half_open[end.id] = end
        self._at_gate.add(end.id)
        self._clock.after(LAN.handshake, self._handshake_late, end)

    def _handshake_late(self, end: End) -> None:
        if end.id in self._half_open:
            self._closed(end, code=None, ending=Ending.LOST)
            self._pump()

    # -- what comes in

    def arrived(self, end: End, kind: int, body: bytes) -> None:
        """Take a message; it is looked at when those before it are dealt with."""
        if self._draining or self._busy_until > self._clock.now:
            self._inbox.append((end, kind, body))
            if not self._draining:
                self._draining = True
                self._clock.at(self._busy_until, self._drain)
        else:
            self._work(end, kind, body)

    def _drain(self) -> None:
        self._draining = False
        while self._inbox and self.running:
            if self._busy_until > self._clock.now:
                self._draining = True
                self._clock.at(self._busy_until, self._drain)
                return
            self._work(*self._inbox.popleft())

    def _work(self, end: End, kind: int, body: bytes) -> None:
        if not self.running or end.closed:
            return
        world = self.world
        if world.trace is not None:
            world.trace.note(self._clock.now, f"{self.device.name} {end.id} {kind}", body)
        before = world.parsing.verified
        shaking = Step.THIRD <= kind <= Step.FIRST
        self._busy_until = self._clock.now + (SHAKE_SECONDS if shaking else MESSAGE_SECONDS)
        self._handle(end, kind, body)
        self._busy_until += VERIFY_SECONDS * (world.parsing.verified - before)
        self._pump()

    def _moment(self) -> float:
        """When what is decided now goes out: after the work on it."""
        return max(self._clock.now, self._busy_until)

    def _handle(self, end: End, kind: int, body: bytes) -> None:
        if end.id in self.admitted and kind >= 0 and kind != MessageType.BYE:
            self.node.message(end.id, kind, body, self._clock.now)
        elif kind == Step.END:
            self._closed(end, code=None, ending=Ending.LOST)
        elif kind == Step.FIRST:
            end.transmit(Step.SECOND, b"", self._moment())
        elif kind == Step.SECOND:
            end.transmit(Step.THIRD, b"", self._moment())
            self._authenticated(end)
        elif kind == Step.THIRD:
            self._authenticated(end)
        elif kind == MessageType.BYE:
            self._said_bye(end, body)
        else:
            self._before_admission(end, kind, body)

    def _said_bye(self, end: End, body: bytes) -> None:
        try:
            value = cbor.decode(body, max_size=16)
        except cbor.CborError:
            value = None
        code = value[0] if isinstance(value, list) and value else None
        self._closed(end, code=code, ending=Ending.BYE)

    def _authenticated(self, end: End) -> None:
        self._half_open.pop(end.id, None)
        self._leave_gate(end, failed=False)
        end.authenticated = True
        if end.key == self.key:
            self._closed(end, code=None, ending=Ending.LOCAL)
            return
        refusal = self.peering.authenticated(
            end.id,
            end.key,
            transport=TRANSPORT_LAN,
            dialled=end.dialled.name if end.dialled else None,
            now=self._clock.now,
            session_id=end.session_id,
        )
        if refusal is not None:
            self._refuse(end, refusal)
            return
        self._applicants[end.id] = _Applicant(end)
        patience = HELLO_SECONDS
        if end.dialled is not None:
            end.transmit(MessageType.HELLO, self.node.hello(), self._moment())
            patience += HANDLER_SECONDS
        self._clock.after(patience, self._no_hello, end)

    def _no_hello(self, end: End) -> None:
        if end.id in self._applicants:
            self._hang_up(end, ByeCode.PROTOCOL)
            self._pump()

    def _before_admission(self, end: End, kind: int, body: bytes) -> None:
        applicant = self._applicants.get(end.id)
        if applicant is None:
            return
        if kind == MessageType.PEERS:
            self._take_hints(applicant, body)
        elif kind == MessageType.HELLO:
            try:
                hello = Hello.decode(body)
            except MessageError as error:
                now = self._clock.now
                self._refuse(end, self.peering.malformed(end.id, str(error), now))
            else:
                self._let_in(applicant, hello)
        elif not applicant.keep(kind, body):
            self._hang_up(end, ByeCode.LIMIT)

    def _take_hints(self, applicant: _Applicant, body: bytes) -> None:
        if applicant.end.dialled is None or applicant.hinted:
            return
        applicant.hinted = True
        try:
            peers = Peers.decode(body)
        except MessageError:
            self._hang_up(applicant.end, ByeCode.PROTOCOL)
        else:
            self.peering.dials.directed(peers, self._clock.now, local=False)

    def _let_in(self, applicant: _Applicant, hello: Hello) -> None:
        end = applicant.end
        own_hello = self.node.hello()
        decision = self.peering.admit(end.id, hello, self._clock.now)
        if isinstance(decision, Refusal):
            self._refuse(end, decision)
            return
        del self._applicants[end.id]
        self.admitted[end.id] = end
        if end.dialled is None:
            end.transmit(MessageType.HELLO, own_hello, self._moment())
        for link, code, _ in decision.drop:
            self._end_link(link, code)
        self.peering.located(end.id, addresses_of(hello, end.host))
        for kind, body in applicant.early:
            self.node.message(end.id, kind, body, self._clock.now)

    def _end_link(self, link: int, code: ByeCode) -> None:
        waiting = self._applicants.get(link)
        self._hang_up(waiting.end if waiting else self.admitted[link], code)

    def _refuse(self, end: End, refusal: Refusal) -> None:
        if refusal.code == ByeCode.FULL:
            peers = self.peering.hints(end.key)
            if peers.hints:
                end.transmit(MessageType.PEERS, peers.encode(), self._moment())
        self._hang_up(end, refusal.code)

    # -- ends

    def fell_silent(self, end: End) -> None:
        """Nothing was heard for as long as a session lives without a word."""
        if self.running:
            self._closed(end, code=None, ending=Ending.LOST)
            self._pump()

    def _hang_up(self, end: End, code: ByeCode) -> None:
        end.transmit(MessageType.BYE, cbor.encode([int(code)]), self._moment())
        self._closed(end, code=code, ending=Ending.LOCAL)

    def _closed(self, end: End, *, code: int | None, ending: Ending) -> None:
        if end.closed:
            return
        end.close(self._moment())
        now = self._clock.now
        was_admitted = self.admitted.pop(end.id, None) is not None
        self._half_open.pop(end.id, None)
        self._applicants.pop(end.id, None)
        self._leave_gate(end, failed=True)
        lost = ending is Ending.LOST
        said = code if ending is Ending.BYE else None
        gone = self.peering.closed(end.id, code=said, lost=lost, now=now)
        if end.dialled is not None and not was_admitted:
            key = end.key if end.authenticated else None
            self.peering.dials.failed(end.dialled, now, code=code, key=key)
        if gone is not None and lost:
            self._look_again()

    def _leave_gate(self, end: End, *, failed: bool) -> None:
        if end.id in self._at_gate:
            self._at_gate.discard(end.id)
            self._gate.leave(end.host, self._clock.now, failed=failed)

    def _look_again(self) -> None:
        """Ask and announce anew: a neighbour was lost."""
        self.targets.nudge(self._clock.now)
        self.world.air.refresh(self)

    # -- the way of the data

    def set_metadata(self, data: bytes | None) -> None:
        """Publish other metadata, as a program does."""
        self.device.metadata = data
        self.device.said(data)
        self.node.set_metadata(data, self._clock.now)
        self._pump()

    def set_token(self, data: bytes | None) -> None:
        """Publish another identity token, as a login does."""
        self.device.token = data
        self.node.set_token(data, self._clock.now)
        self._pump()

    def told(self, raw: bytes) -> None:
        """Take a signed object of the issuer from a file."""
        self.node.issuers.take(raw)
        self.device.kept.keep(self.node.issuers)
        self.node.tell_issuer(self.world.office.authority.name)
        self._pump()

    def _pump(self) -> None:
        now = self._clock.now
        self.node.tick(now)
        self.peering.dials.tick(now)
        if self.node.learned:
            self.node.learned.clear()
            self.device.kept.keep(self.node.issuers)
        self._carry_out(self.node.take_output())
        self._wake_by(max(self.node.next_time(), now + 0.001))
        self._dial_by(now + DIAL_SECONDS)
        self.world.happened(self)

    def _wake_by(self, moment: float) -> None:
        if moment < self._wake_at:
            self._wake_at = moment
            self._clock.at(moment, self._wake, moment)

    def _wake(self, moment: float) -> None:
        if moment == self._wake_at and self.running:
            self._wake_at = float("inf")
            self._pump()

    def _carry_out(self, output: list[Output]) -> None:
        moment = self._moment()
        hung_up = False
        for item in output:
            end = self.admitted.get(item.link)
            if end is None:
                continue
            if isinstance(item, Message):
                end.transmit(item.type, item.body, moment)
            else:
                self._hang_up(end, item.code)
                hung_up = True
        if hung_up and self.running:
            self._pump()

    # -- what a person would see

    def _keep_house(self) -> None:
        if not self.running:
            return
        self._clock.after(HOUSEKEEPING_SECONDS, self._keep_house)
        now = self._clock.now
        self.node.exchange.strikes.forget(now)
        surplus = self.peering.surplus(now)
        if surplus is not None:
            self._end_link(surplus, ByeCode.SURPLUS)
            self._pump()
        slots = self.free_slots()
        if slots != self._free_slots:
            self._free_slots = slots
            self.world.air.announce(self)
        if self._builder is not None:
            before = self.view.view
            if self.assess() is not before or self.node.changed:
                self.look()

    def assess(self) -> View:
        """Judge the view."""
        heard = [end.into.silent_since() for end in self.admitted.values()]
        sight = Sight.of(
            self.node,
            self.peering.dials,
            links=len(self.admitted),
            heard_at=max(heard, default=float("-inf")),
            joining=bool(self._half_open or self._applicants),
            settled=self.view.settled,
        )
        self.view.assess(sight, self._clock.now)
        return self.view.view

    def look(self) -> PresenceGraph:
        """Build the graph of now."""
        if self._builder is None:
            self._builder = GraphBuilder(self.node)
        self._sequence += 1
        self.graph = self._builder.build(
            sequence=self._sequence,
            generated_at=self._utc(),
            view=self.assess(),
            mesh=Mesh(self.world.mesh.name, self.world.mesh.open),
            conditions=(),
            measures=dict.fromkeys(self.admitted, _UNMEASURED),
        )
        return self.graph
