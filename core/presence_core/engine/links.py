"""The links of an engine: from a stream to an admitted neighbour, and to its end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from presence_core.engine import admission
from presence_core.engine.addresses import addresses_of
from presence_core.engine.admission import Applicant, ConnectionRequestHandler
from presence_core.engine.checks import Checks
from presence_core.engine.connections import LinkMeasure
from presence_core.engine.gate import HandshakeGate, is_loopback
from presence_core.engine.link import Link
from presence_core.engine.ties import Refusal
from presence_core.gossip.exchange import Message
from presence_core.gossip.messages import Hello, MessageError, Peers
from presence_core.handshake import primitives
from presence_core.handshake.events import ByeCode, Closed, CloseReason, MessageType
from presence_core.handshake.session import BLUETOOTH as BLUETOOTH_TIMES
from presence_core.handshake.session import LAN, Session
from presence_core.model import Allow
from presence_core.transports import BLUETOOTH
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.engine.node import Node
    from presence_core.engine.output import Output
    from presence_core.engine.peering import Peering
    from presence_core.engine.reports import Reports
    from presence_core.engine.targets import Target
    from presence_core.identity.keys import Identity
    from presence_core.identity.mesh import MeshKey
    from presence_core.transports.stream import Stream

log = logging.getLogger(__name__)

RELAXED_LINKS = 3
"""With so many links each is asked less often whether it lives: a loss still shows in time, and
needs all of them to be missed."""

_TIMES = {BLUETOOTH: BLUETOOTH_TIMES}
"""Patience with other transports than TCP."""

CLOSE_SECONDS = 0.5
"""How long the end of an engine waits for its last words to be sent."""


@value_object
class Clock:
    """The two clocks of an engine: monotonic seconds, and wall time in milliseconds."""

    now: Callable[[], float]
    wall_ms: Callable[[], int]


class Links:
    """Holds every link, carries out what is decided on them, and messages from and to the node.

    ``happened`` is called after each event, so that the engine carries out what the node wants.
    ``missed`` is called when a neighbour was lost without a goodbye. ``signal`` tells how strongly
    the other end of a link is heard, in dBm.
    """

    def __init__(
        self,
        identity: Identity,
        mesh: MeshKey,
        node: Node,
        peering: Peering,
        *,
        reports: Reports,
        clock: Clock,
        happened: Callable[[], None],
        missed: Callable[[], None],
        signal: Callable[[Link], int | None] = lambda _: None,
    ) -> None:
        self.handler: ConnectionRequestHandler | None = None
        self.admitted: dict[int, Link] = {}
        self._identity = identity
        self._mesh = mesh
        self._node = node
        self._peering = peering
        self._reports = reports
        self._clock = clock
        self._happened = happened
        self._missed = missed
        self._signal = signal
        self._checks = Checks(node, clock=clock.now, happened=happened)
        self._static = primitives.generate()
        self._gate = HandshakeGate()
        self._at_gate: set[int] = set()
        """Links that others opened and that are not authenticated yet."""
        self._half_open: dict[int, Link] = {}
        self._applicants: dict[int, Applicant] = {}
        self._dialled: dict[int, Target] = {}
        self._ending: set[asyncio.Future[None]] = set()
        self._next_id = 1
        self._loop = asyncio.get_running_loop()

    # -- streams come in

    def accept(self, stream: Stream) -> None:
        """Take a connection that somebody opened, within the limits before authentication."""
        if not self._gate.enter(stream.host, self._clock.now()):
            stream.abort()
            return
        self._open(stream, None)

    def dialled(self, stream: Stream, target: Target) -> None:
        """Take a connection that we opened."""
        self._open(stream, target)

    def _open(self, stream: Stream, target: Target | None) -> None:
        link_id, self._next_id = self._next_id, self._next_id + 1
        session = Session(
            initiator=target is not None,
            identity=self._identity,
            meshes=[self._mesh],
            now=self._clock.now(),
            times=_TIMES.get(stream.transport, LAN),
            static=self._static,
            wall_ms=self._clock.wall_ms,
        )
        if target is not None:
            self._dialled[link_id] = target
        else:
            self._at_gate.add(link_id)
        link = Link(
            link_id,
            stream,
            session,
            self,
            clock=self._clock.now,
            dialled=target.name if target else None,
        )
        self._ending.add(link.gone)
        link.gone.add_done_callback(self._ending.discard)
        if link.closed is None and link_id not in self._applicants and link_id not in self.admitted:
            self._half_open[link_id] = link

    def _leave_gate(self, link: Link, *, failed: bool) -> bool:
        """Give back the place of a half-open handshake, once; False if it had none."""
        if link.id not in self._at_gate:
            return False
        self._at_gate.discard(link.id)
        self._gate.leave(link.stream.host, self._clock.now(), failed=failed)
        return True

    # -- what links tell (LinkUser)

    def link_authenticated(self, link: Link) -> None:
        """Check a peer that has proven its key; whoever dialled says Hello first."""
        self._half_open.pop(link.id, None)
        self._leave_gate(link, failed=False)
        self._reports.met(link.session.peer_key or b"", link.stream.host)
        refusal = self._peering.authenticated(
            link.id,
            link.session.peer_key or b"",
            transport=link.stream.transport,
            dialled=link.dialled,
            now=self._clock.now(),
            session_id=link.handshake_hash,
        )
        if refusal is not None:
            self._refuse(link, refusal)
            return
        applicant = self._applicants[link.id] = Applicant(link)
        patience = admission.HELLO_SECONDS
        if link.dialled is not None:
            link.send(MessageType.HELLO, self._node.hello(link.stream.transport))
            patience += admission.HANDLER_SECONDS  # the other end may have to ask its program
        applicant.timer = self._loop.call_later(patience, self._no_hello, link)

    def link_message(self, link: Link, kind: int, body: bytes) -> None:
        """Pass on a message of a neighbour, or take a step of its admission."""
        if link.id in self.admitted:
            self._checks.message(link, kind, body)
            return
        applicant = self._applicants.get(link.id)
        if applicant is None:
            return
        if kind == MessageType.PEERS:
            if link.dialled is not None:  # nobody else has been asked where to try
                self._take_hints(applicant, body)
            return
        if kind == MessageType.HELLO and applicant.hello is None:
            try:
                applicant.hello = Hello.decode(body)
            except MessageError as error:
                now = self._clock.now()
                self._refuse(link, self._peering.malformed(link.id, str(error), now))
                return
            self._consider(applicant, applicant.hello)
        elif not applicant.keep(kind, body):
            link.hang_up(ByeCode.LIMIT, "too much was sent before it was let in")

    def link_closed(self, link: Link, closed: Closed) -> None:
        """Clear up after a link, and decide whether and when its target is dialled again."""
        now = self._clock.now()
        log.debug("link %d (%s) closed: %s %s", link.id, link.stream.remote, closed.reason, closed)
        key = link.session.peer_key
        self._checks.finish(link)
        self._half_open.pop(link.id, None)
        applicant = self._applicants.pop(link.id, None)
        if applicant is not None:
            applicant.drop()
        if self._leave_gate(link, failed=True) and closed.reason is CloseReason.WRONG_MESH:
            self._reports.stranger(link.stream.host)
        if key is not None:
            self._reports.closed(key, closed, now, alone=not self.admitted)
        was_admitted = self.admitted.pop(link.id, None) is not None
        bye = closed.reason is CloseReason.BYE
        lost = not bye and closed.reason is not CloseReason.LOCAL
        gone = self._peering.closed(link.id, code=closed.code if bye else None, lost=lost, now=now)
        self._settle_target(link, closed, was_admitted=was_admitted)
        self._share_attention()
        if gone is not None and lost:
            self._missed()
        self._happened()

    # -- admission

    def _consider(self, applicant: Applicant, hello: Hello) -> None:
        link = applicant.link
        if applicant.timer is not None:
            applicant.timer.cancel()
        if self.handler is None:
            self._let_in(applicant, hello)
            return
        applicant.asking = self._loop.create_task(
            self._ask(self.handler, applicant, hello), name=f"presence-admission-{link.id}"
        )

    async def _ask(
        self, handler: ConnectionRequestHandler, applicant: Applicant, hello: Hello
    ) -> None:
        link = applicant.link
        answer = await admission.ask(handler, admission.request_of(link, hello, self._node))
        applicant.asking = None
        if link.closed is not None:
            return
        if isinstance(answer, Allow):
            self._let_in(applicant, hello)
        else:
            self._reports.denied(link.session.peer_key or b"", answer.reason)
            link.hang_up(ByeCode.DENIED, answer.reason)

    def _let_in(self, applicant: Applicant, hello: Hello) -> None:
        link = applicant.link
        key = link.session.peer_key or b""
        now = self._clock.now()
        # Before the other end is in the table: the root in it is to be that of what we had.
        answer = None if link.dialled is not None else self._node.hello(link.stream.transport)
        decision = self._peering.admit(link.id, hello, now)
        if isinstance(decision, Refusal):
            self._refuse(link, decision)
            return
        del self._applicants[link.id]
        self.admitted[link.id] = link
        if answer is not None:
            link.send(MessageType.HELLO, answer)
        for other, code, why in decision.drop:
            self.end(other, code, why)
        self._share_attention()
        self._reports.admitted(key)
        target = self._dialled.get(link.id)
        if target is not None and target.source == "static":
            self._reports.static_works(target.name)
        self._peering.located(link.id, addresses_of(hello, link.stream.host))
        for kind, body in applicant.early:
            self._node.message(link.id, kind, body, now)
        link.flush()
        self._happened()

    def _refuse(self, link: Link, refusal: Refusal) -> None:
        """Close a link that is not let in; for whom there is no room gets hints where to try."""
        if refusal.code == ByeCode.FULL:
            peers = self._peering.hints(link.session.peer_key or b"")
            if peers.hints:
                link.send(MessageType.PEERS, peers.encode())
        link.hang_up(refusal.code, refusal.why)

    def _take_hints(self, applicant: Applicant, body: bytes) -> None:
        """Take where else we may dial from whom we dialled, once: not to thousands of places."""
        link = applicant.link
        if link.dialled is None or applicant.hinted:
            return
        applicant.hinted = True
        try:
            peers = Peers.decode(body)
        except MessageError as error:
            link.hang_up(ByeCode.PROTOCOL, str(error))
            return
        self._peering.dials.directed(peers, self._clock.now(), local=is_loopback(link.stream.host))

    def _share_attention(self) -> None:
        relaxed = len(self.admitted) >= RELAXED_LINKS
        for link in tuple(self.admitted.values()):
            if link.session.relaxed is not relaxed:
                link.session.relaxed = relaxed
                link.flush()

    def end(self, link_id: int, code: ByeCode, why: str) -> None:
        """Say goodbye on a link, wherever it stands."""
        applicant = self._applicants.get(link_id)
        link = self.admitted.get(link_id) or (applicant and applicant.link)
        if link:
            link.hang_up(code, why)

    def part_with(self, key: bytes) -> None:
        """Close all links with a peer that is blocked from now on."""
        waiting = (applicant.link for applicant in self._applicants.values())
        for link in [*self.admitted.values(), *waiting]:
            if link.session.peer_key == key:
                link.hang_up(ByeCode.BLOCKED, "this device blocks it")

    def _no_hello(self, link: Link) -> None:
        if link.id in self._applicants:
            link.hang_up(ByeCode.PROTOCOL, "no Hello came")

    # -- ends

    def _settle_target(self, link: Link, closed: Closed, *, was_admitted: bool) -> None:
        target = self._dialled.pop(link.id, None)
        if target is None or was_admitted:
            return
        key = link.session.peer_key
        self._peering.dials.failed(target, self._clock.now(), code=closed.code, key=key)
        if target.source == "static" and closed.code != ByeCode.DUPLICATE:
            self._reports.static_failed(
                target.name, _why_closed(closed, authenticated=key is not None)
            )

    # -- what the engine asks

    def carry_out(self, output: list[Output]) -> None:
        """Do what the node wants, then flush the links that were written to."""
        touched: dict[int, Link] = {}
        for item in output:
            link = self.admitted.get(item.link)
            if link is None:
                continue
            if isinstance(item, Message):
                link.send(item.type, item.body)
                touched[link.id] = link
            else:
                link.hang_up(item.code, item.why)
                touched.pop(link.id, None)
        for link in touched.values():
            link.flush()

    def busy(self) -> bool:
        """Whether a handshake or an admission is under way."""
        return bool(self._half_open or self._applicants)

    def knocking(self) -> set[str]:
        """Return the hosts that have opened a connection to us and are not let in yet."""
        waiting = (applicant.link for applicant in self._applicants.values())
        return {
            link.stream.host
            for link in (*self._half_open.values(), *waiting)
            if link.dialled is None
        }

    def heard_at(self) -> float:
        """Return when any neighbour was last heard (monotonic), for one who is used to LAN links.

        Silence on a link that is pinged less often says as little for so much longer.
        """
        return max(
            (
                link.session.last_received + _TIMES.get(link.stream.transport, LAN).dead - LAN.dead
                for link in self.admitted.values()
            ),
            default=float("-inf"),
        )

    def measures(self) -> dict[int, LinkMeasure]:
        """Return what is measured on each admitted link."""
        now, wall_ms = self._clock.now(), self._clock.wall_ms()
        return {
            link_id: LinkMeasure(
                rtt_ms=None if link.rtt.seconds is None else round(link.rtt.seconds * 1000, 2),
                bytes_in=link.session.bytes_in,
                bytes_out=link.session.bytes_out,
                heard_ms=wall_ms - int((now - link.session.last_received) * 1000),
                rssi=self._signal(link),
            )
            for link_id, link in self.admitted.items()
        }

    async def close(self) -> None:
        """End all links, and wait a little until what was said last is on its way."""
        for applicant in self._applicants.values():
            if applicant.link.dialled is not None:  # it has had our Hello: there we may be online
                applicant.link.send(MessageType.RECORDS, self._node.exchange.farewell())
        links = [
            *self._half_open.values(),
            *(applicant.link for applicant in self._applicants.values()),
            *self.admitted.values(),
        ]
        for link in links:
            link.hang_up(ByeCode.LEAVING, "this engine stops")
        if self._ending:
            await asyncio.wait(self._ending, timeout=CLOSE_SECONDS)


def _why_closed(closed: Closed, *, authenticated: bool) -> str:
    if not authenticated and closed.reason is CloseReason.EOF:
        return "closed the connection in the handshake; it is probably in another mesh"
    return closed.detail or str(closed.reason)
