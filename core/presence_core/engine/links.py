"""The links of an engine: from a stream to an admitted neighbour, and to its end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from presence_core.engine import admission
from presence_core.engine.admission import Applicant, ConnectionRequestHandler
from presence_core.engine.edges import LinkMeasure
from presence_core.engine.gate import HandshakeGate
from presence_core.engine.link import Link
from presence_core.engine.node import Node, Output, Send
from presence_core.engine.targets import REFUSED_SECONDS, Target, Targets
from presence_core.gossip.messages import Hello, MessageError
from presence_core.handshake.events import ByeCode, Closed, CloseReason, MessageType
from presence_core.handshake.session import LAN, Session
from presence_core.model import Allow

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.engine.reports import Reports
    from presence_core.identity.keys import Identity
    from presence_core.identity.mesh import MeshKey
    from presence_core.transports.stream import Stream

log = logging.getLogger(__name__)

CLOSE_SECONDS = 0.5
"""How long the end of an engine waits for its last words to be sent."""

_REFUSALS = (ByeCode.FULL, ByeCode.DENIED, ByeCode.BLOCKED, ByeCode.LIMIT)


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks of an engine: monotonic seconds, and wall time in milliseconds."""

    now: Callable[[], float]
    wall_ms: Callable[[], int]


class Links:
    """Holds every link, decides who is let in, and carries messages between links and node.

    ``happened`` is called after each event, so that the engine carries out what the node wants.
    ``missed`` is called when a neighbour was lost without a goodbye.
    """

    def __init__(
        self,
        identity: Identity,
        mesh: MeshKey,
        node: Node,
        targets: Targets,
        *,
        reports: Reports,
        clock: Clock,
        happened: Callable[[], None],
        missed: Callable[[], None],
    ) -> None:
        self.handler: ConnectionRequestHandler | None = None
        self.admitted: dict[int, Link] = {}
        self._identity = identity
        self._mesh = mesh
        self._node = node
        self._targets = targets
        self._reports = reports
        self._clock = clock
        self._happened = happened
        self._missed = missed
        self._static = X25519PrivateKey.generate()
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
            times=LAN,
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
        key = link.session.peer_key or b""
        if link.dialled is not None:
            self._targets.bind(link.dialled, key)
        rivals = self._with(key, link)
        if admission.is_duplicate(self._node.key, link, rivals):
            link.hang_up(ByeCode.DUPLICATE, "a session with this peer exists")
            return
        if not rivals and not admission.has_room(len(self.admitted) + len(self._applicants)):
            self._reports.no_room(len(self.admitted))
            link.hang_up(ByeCode.FULL, "this peer holds as many links as it can")
            return
        applicant = self._applicants[link.id] = Applicant(link)
        patience = admission.HELLO_SECONDS
        if link.dialled is not None:
            link.send(MessageType.HELLO, self._node.hello())
            patience += admission.HANDLER_SECONDS  # the other end may have to ask its program
        applicant.timer = self._loop.call_later(patience, self._no_hello, link)

    def link_message(self, link: Link, kind: int, body: bytes) -> None:
        """Pass on a message of a neighbour, or take a step of its admission."""
        if link.id in self.admitted:
            self._node.message(link.id, kind, body, self._clock.now())
            self._happened()
            return
        applicant = self._applicants.get(link.id)
        if applicant is None:
            return
        if kind == MessageType.HELLO and applicant.hello is None:
            try:
                applicant.hello = Hello.decode(body)
            except MessageError as error:
                link.hang_up(ByeCode.PROTOCOL, str(error))
                return
            self._consider(applicant, applicant.hello)
        elif not applicant.keep(kind, body):
            link.hang_up(ByeCode.LIMIT, "too much was sent before it was let in")

    def link_closed(self, link: Link, closed: Closed) -> None:
        """Clear up after a link, and decide whether and when its target is dialled again."""
        now = self._clock.now()
        log.debug("link %d (%s) closed: %s %s", link.id, link.stream.remote, closed.reason, closed)
        key = link.session.peer_key
        self._half_open.pop(link.id, None)
        applicant = self._applicants.pop(link.id, None)
        if applicant is not None:
            applicant.drop()
        if self._leave_gate(link, failed=True) and closed.reason is CloseReason.WRONG_MESH:
            self._reports.stranger(link.stream.host)
        if key is not None:
            self._reports.closed(key, closed)
        was_admitted = self.admitted.pop(link.id, None) is not None
        if was_admitted:
            self._node.link_down(link.id, now)
        self._settle_target(link, closed, was_admitted=was_admitted)
        if was_admitted and key is not None and not self._with(key, link):
            self._neighbour_gone(link, key, closed)
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
        answer = await admission.ask(handler, admission.request_of(link, hello, self._mesh))
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
        rivals = self._with(key, link)
        if admission.is_duplicate(self._node.key, link, rivals):
            link.hang_up(ByeCode.DUPLICATE, "a session with this peer exists")
            return
        del self._applicants[link.id]
        self.admitted[link.id] = link
        if link.dialled is None:
            link.send(MessageType.HELLO, self._node.hello())
        if not self._node.link_up(link.id, key, link.stream.transport, hello, now):
            self._happened()
            return
        for rival in rivals:
            rival.hang_up(ByeCode.DUPLICATE, "replaced by a newer session")
        self._reports.admitted(key)
        if link.id in self._dialled:
            target = self._dialled[link.id]
            self._targets.succeeded(target)
            if target.source == "static":
                self._reports.static_works(target.name)
        for address in hello.addresses:
            if address.startswith("mdns:"):
                self._targets.bind(address.removeprefix("mdns:"), key)
        link.addresses = tuple(
            (link.stream.host, int(port))
            for address in hello.addresses
            if (port := address.removeprefix("tcp:")) != address and port.isdecimal()
        )
        for kind, body in applicant.early:
            self._node.message(link.id, kind, body, now)
        link.flush()
        self._happened()

    def _no_hello(self, link: Link) -> None:
        if link.id in self._applicants:
            link.hang_up(ByeCode.PROTOCOL, "no Hello came")

    def _with(self, key: bytes, besides: Link) -> list[Link]:
        """Return the other links with a peer over the same transport."""
        applicants = (applicant.link for applicant in self._applicants.values())
        return [
            link
            for link in (*self.admitted.values(), *applicants)
            if link is not besides
            and link.session.peer_key == key
            and link.stream.transport == besides.stream.transport
        ]

    # -- ends

    def _settle_target(self, link: Link, closed: Closed, *, was_admitted: bool) -> None:
        target = self._dialled.pop(link.id, None)
        if target is None or was_admitted:
            return
        now = self._clock.now()
        key = link.session.peer_key
        duplicate = closed.code == ByeCode.DUPLICATE
        if key == self._node.key:
            self._targets.bind(target.name, self._node.key)
        self._targets.failed(
            target, now, seconds=REFUSED_SECONDS if closed.code in _REFUSALS else None
        )
        if target.source == "static" and not duplicate:
            self._reports.static_failed(
                target.name, _why_closed(closed, authenticated=key is not None)
            )

    def _neighbour_gone(self, link: Link, key: bytes, closed: Closed) -> None:
        if closed.reason is CloseReason.BYE and closed.code == ByeCode.LEAVING:
            self._targets.left(key)
        elif closed.reason is not CloseReason.LOCAL:
            self._targets.lost(key, link.addresses, self._clock.now())
            self._missed()

    # -- what the engine asks

    def carry_out(self, output: list[Output]) -> None:
        """Do what the node wants, then flush the links that were written to."""
        touched: dict[int, Link] = {}
        for item in output:
            link = self.admitted.get(item.link)
            if link is None:
                continue
            if isinstance(item, Send):
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
        """Return when any neighbour was last heard (monotonic)."""
        return max(
            (link.session.last_received for link in self.admitted.values()), default=float("-inf")
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
            )
            for link_id, link in self.admitted.items()
        }

    async def close(self) -> None:
        """End all links, and wait a little until what was said last is on its way."""
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
