"""A peer's part in the mesh: links, own record and bodies, without sockets and without a clock.

The engine feeds it what happens (a link is up, a message came, time has passed) and carries out
what it asks for (:meth:`Node.take_output`). The simulator of a whole mesh runs this same code.

Data goes one way: message -> verified record -> table -> topology. How records travel is decided in
:mod:`presence_core.gossip.exchange`; nothing here decides what a person sees:
:mod:`presence_core.engine.graph` reads the table and the topology for that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from presence_core.engine.bodies import NodeBodies
from presence_core.engine.identities import Identities
from presence_core.engine.output import Hangup, Output
from presence_core.engine.own_record import NodeProfile, OwnRecord
from presence_core.gossip import messages
from presence_core.gossip.contradictions import Contradictions
from presence_core.gossip.exchange import Checked, Exchange, Message, TooMuch
from presence_core.gossip.issuer_objects import IssuerGossip
from presence_core.gossip.messages import MessageError
from presence_core.gossip.quota import Offence
from presence_core.gossip.record import Body, Edge, Record
from presence_core.gossip.table import Table
from presence_core.gossip.topology import EdgeKey, Topology, edge_key
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.identity.issuers import Issuers
from presence_core.identity.verdict import Taken
from presence_core.value_object import entity

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping

    from presence_core.identity.keys import Identity
    from presence_core.identity.mesh import MeshKey

log = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
SLOW_TRANSPORTS = frozenset({2})
"""Bluetooth: records are offered there, not sent unasked (protocol §6.6)."""

SLOW_INLINE_BODIES = 2 * 1024
"""Bytes that come along with a Hello over a slow link: a token of the usual size, little else."""

MAX_SOURCES = 1
"""Neighbours on the way to a peer that are asked for what it shows, besides who told of it."""

MANY_PULLS, SETTLE_SECONDS = 128, 0.4
"""While so many records are on their way here, who can be reached is worked out less often: with
each of them most of what was worked out before is over."""


@entity
class NodeLink:
    """An admitted session with a neighbour."""

    id: int
    key: bytes
    transport: int
    since: int
    """Wall time when this way to the neighbour came up, in whole seconds."""
    clock_offset: float
    """How far the neighbour's clock is ahead of ours, in seconds; rough."""


@entity
class Sighting:
    """Wall times, in milliseconds, of the first and the last word of or about a peer."""

    first: int
    last: int


class Node:
    """One peer of one mesh.

    ``epoch`` must be greater than any that this key has used (protocol §6.2). ``wall_ms`` gives
    wall time; it decides of the validity of tokens alone, else it is only told to others and shown.
    ``issuers`` are those whose tokens are believed.
    """

    def __init__(
        self,
        identity: Identity,
        mesh: MeshKey,
        profile: NodeProfile,
        *,
        epoch: int,
        now: float,
        wall_ms: Callable[[], int],
        rng: random.Random,
        metadata: bytes | None = None,
        token: bytes | None = None,
        issuers: Issuers | None = None,
        addresses: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.key = identity.peer_key
        self.mesh = mesh
        self.profile = profile
        self.links: dict[int, NodeLink] = {}
        self.topology = Topology(self.key)
        self.table = Table(self.key, self.topology.reachable)
        self.exchange = Exchange(self.table, self.key, mesh, rng, self)
        self._contradictions = Contradictions(self.key, self.topology, self.table)
        self.sightings: dict[bytes, Sighting] = {}
        self._bodies = NodeBodies(
            self._newest,
            metadata_changed=self._note,
            token_changed=lambda key: self.identities.look(key),  # noqa: PLW0108  they come below
            slow=self._is_slow,
            now=now,
        )
        self.bodies = self._bodies.store
        self.metadata = self._bodies.metadata
        self.tokens = self._bodies.tokens
        self.issuers = Issuers() if issuers is None else issuers
        self.identities = Identities(
            self.issuers,
            own_key=self.key,
            newest=self._newest,
            token=self.tokens.get,
            wall=lambda: wall_ms() / 1000,
            changed=self._note,
        )
        self.learned: set[str] = set()
        """Issuers of which a neighbour had news since a reader last took this."""
        self.compatible: dict[bytes, bool] = {}
        self.changed: set[bytes] = set()
        """Peers of which something changed since a reader last took this."""
        self.changed_edges: set[EdgeKey] = set()
        """The same of edges."""
        self.rerouted: set[bytes] = set()
        """Peers to which there is another way, or none any more, since a reader took this."""
        self.epochs_learned: dict[bytes, int] = {}
        """The epochs of peers, on which their adverts depend, since a reader took this."""
        self._newcomers: set[bytes] = set()
        """Peers of which it is yet to be worked out whether they can be reached."""
        self._wall_ms = wall_ms
        self._addresses = addresses
        self._own = OwnRecord(
            identity,
            mesh,
            profile,
            epoch=epoch,
            wall_ms=wall_ms,
            rng=rng,
            denied=self.topology.denied,
        )
        self._issuer_gossip = IssuerGossip(self.issuers)
        self._settled_at = float("-inf")
        self._ticked_at = now
        self._output: list[Output] = []
        self._bodies.set_metadata(metadata)
        self._bodies.set_token(token)
        self._publish(now)

    # -- what the engine tells

    def hello(self, transport: int = 1) -> bytes:
        """Encode the Hello that opens a link over a transport."""
        own = self.table.get(self.key)
        assert own is not None
        slow = transport in SLOW_TRANSPORTS
        most = SLOW_INLINE_BODIES if slow else messages.MAX_INLINE_BODIES
        return messages.Hello(
            versions=(PROTOCOL_VERSION,),
            now_ms=self._wall_ms(),
            record=own.record.raw,
            root=self.table.root(),
            count=len(self.table),
            max_body=Body.MAX_SIZE,
            addresses=self._addresses(),
            bodies=self._bodies.inline(own.record, most),
        ).encode()

    def link_up(
        self,
        link: int,
        hello: messages.Hello,
        record: Record,
        now: float,
        *,
        transport: int,
        dialled: bool,
    ) -> None:
        """Add an admitted session, with its Hello and the record that came in it, verified."""
        key = record.key
        wall_ms = self._wall_ms()
        since = min(
            (other.since for other in self._links_to(key, transport)), default=wall_ms // 1000
        )
        offset = (hello.now_ms - wall_ms) / 1000
        self.links[link] = NodeLink(link, key, transport, since, offset)
        self.compatible[key] = PROTOCOL_VERSION in hello.versions
        self._bodies.take_inline(hello, record)
        self._link_edges()
        slow = transport in SLOW_TRANSPORTS
        if slow:
            self.bodies.go_easy(link)
        self.exchange.open(link, key, record, hello.root, now, leads=dialled, slow=slow)
        self._bodies.follow(self._newest(key) or record, (link,))
        self._issuer_gossip.open(link, now)
        self.changed.add(key)
        self._own.gain(now)

    def link_down(self, link: int, now: float) -> None:
        """Remove a session that has ended, whatever the reason."""
        gone = self.links.pop(link, None)
        if gone is None:
            return
        self._link_edges()
        if self.table.get(gone.key) is not None:
            self._see(gone.key)
        elif not any(link.key == gone.key for link in self.links.values()):
            self._drop(gone.key)  # the table had no room for it, or has it no more
        self._bodies.drop_link(link)
        self._issuer_gossip.close(link)
        self.exchange.close(link)
        self.changed.add(gone.key)
        self._own.lose(now)

    def message(self, link: int, kind: int, body: bytes, now: float) -> None:
        """Handle a message of an admitted neighbour. Never raises on what it contains."""
        handlers: dict[int, Callable[[int, bytes, float], None]] = {
            MessageType.RECORDS: self.exchange.records,
            MessageType.SUMMARY: self.exchange.summary,
            MessageType.HAVE: self.exchange.have,
            MessageType.WANT: self.exchange.want,
            MessageType.BODY_WANT: self._on_body_want,
            MessageType.BODY_CHUNK: self._on_body_chunk,
            MessageType.ISSUER_OBJECT: self._on_issuer_object,
        }
        handler = handlers.get(kind)
        if handler is None or link not in self.links or self.exchange.over(link):
            return  # a type of a later version, or a message that crossed our goodbye
        try:
            handler(link, body, now)
        except MessageError as error:
            if not self.exchange.offence(link, Offence.MALFORMED, str(error), now):
                self._hang_up(link, ByeCode.PROTOCOL, str(error))

    def take_records(
        self, link: int, records: messages.Records, checked: Mapping[bytes, Checked], now: float
    ) -> None:
        """Handle a message of records of which some have been checked by who calls."""
        if link in self.links and not self.exchange.over(link):
            self.exchange.take(link, records, now, checked)

    def set_metadata(self, data: bytes | None, now: float) -> None:
        """Publish other metadata, in its CBOR form; None publishes that there is none."""
        if self._bodies.set_metadata(data):
            self._own.change(now)
            self.tick(now)

    def set_token(self, data: bytes | None, now: float) -> None:
        """Publish another identity token, good or not; None publishes that there is none."""
        if self._bodies.set_token(data):
            self._own.change(now)
            self.tick(now)

    def ask_metadata(self, key: bytes) -> bool:
        """Fetch a peer's metadata even if it is large and far; False: it is done so already."""
        return self._bodies.ask_metadata(key, self.links)

    def _is_slow(self, link: int) -> bool:
        known = self.links.get(link)
        return known is not None and known.transport in SLOW_TRANSPORTS

    def tell_issuer(self, name: str) -> None:
        """Tell the neighbours what there is of an issuer that is trusted or has news."""
        self._issuer_gossip.tell(name)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._own.due(now):
            self._publish(now)
        for key in self.table.expire(now):
            self._drop(key)
        many = len(self.exchange.pulls) >= MANY_PULLS
        self._contradictions.judge(now, sure=not many)
        if not many or now >= self._settled_at + SETTLE_SECONDS:
            self._settled_at = now
            self._settle(now)
        self.exchange.tick(now)
        self._bodies.ask_again(now, self.topology.reachable, self.links)
        self.identities.tick()
        self._ticked_at = now
        self._collect(now)

    def _settle(self, now: float) -> None:
        """Work out who can be reached now; what they have to show is fetched then."""
        for key in self.table.take_evicted():
            self._drop(key)
        settled = self.topology.settle()
        self.changed |= self._newcomers
        self._newcomers.clear()
        if not settled.edges:
            return
        self._contradictions.follow(settled, now)
        self.changed |= settled.peers
        self.changed_edges |= settled.edges
        self.rerouted |= settled.peers
        near: dict[bytes | None, int] = {link.key: link.id for link in self.links.values()}
        for key in settled.rerouted:
            entry, way = self.table.get(key), self.topology.way(key)
            if entry is not None and way is not None:
                sources = {entry.source, *way.via[:MAX_SOURCES]} & near.keys()
                self._bodies.follow(entry.record, [near[source] for source in sources])

    def _collect(self, now: float) -> None:
        for item in self.exchange.take_output():
            if isinstance(item, TooMuch):
                self._hang_up(item.link, ByeCode.LIMIT, item.why)
            else:
                self._output.append(item)
        for link, raw in self._issuer_gossip.due(now):
            self._output.append(Message(link, MessageType.ISSUER_OBJECT, raw))
        self._output += (Message(*message) for message in self._bodies.messages(now))

    def next_time(self) -> float:
        """When :meth:`tick` has something to do; infinity for never."""
        return min(
            self._own.next_time(),
            self.table.next_expiry(),
            self._contradictions.next_time(),
            self.exchange.next_time(),
            self._bodies.next_time(),
            self._issuer_gossip.next_time(self._ticked_at),
            self._ticked_at + self.identities.wait(),
        )

    def leave(self, now: float) -> None:
        """Say goodbye to all neighbours: a leaving record, then Bye on every link."""
        self._own.leaving = True
        self._publish(now)
        self.exchange.tick(now)
        self._collect(now)
        for link in tuple(self.links):
            self._hang_up(link, ByeCode.LEAVING, "this peer leaves the mesh")

    def take_output(self) -> list[Output]:
        """Return what is to be done since the last call, in order."""
        output, self._output = self._output, []
        return output

    # -- what readers ask

    @property
    def own_epoch(self) -> int:
        """The epoch of the records that are published now."""
        return self._own.epoch

    def _links_to(self, key: bytes, transport: int) -> Iterable[NodeLink]:
        return (
            link for link in self.links.values() if link.key == key and link.transport == transport
        )

    def _link_edges(self) -> None:
        self.topology.own_links(
            {
                edge_key(self.key, link.key, link.transport): link.since
                for link in self.links.values()
            }
        )

    # -- records

    def _publish(self, now: float) -> None:
        since = {(link.key, link.transport): link.since for link in self.links.values()}
        self._own.metadata, self._own.token = self._bodies.own_metadata, self._bodies.own_token
        record = self._own.sign((Edge(*end, at) for end, at in since.items()), now)
        self.exchange.publish(record, now)
        self._bodies.follow(record, ())
        self.identities.look(self.key)
        self._see(self.key)
        self.changed.add(self.key)

    # -- what the exchange tells (RecordTaker)

    def record_taken(self, record: Record, link: int, now: float) -> None:
        """Follow up a record that is news."""
        self._see(record.key)
        known = self.topology.reachable(record.key)
        (self.changed if known else self._newcomers).add(record.key)
        if self.topology.claim(record.key, record.edges):
            self._own.contradict(now)
        self.epochs_learned[record.key] = record.epoch
        self.identities.look(record.key)
        self.record_held(record, link, now)

    def record_held(self, record: Record, link: int, now: float) -> None:  # noqa: ARG002
        """Ask the neighbour that has a record for what it names, of peers that can be reached."""
        if self.topology.reachable(record.key) or record.key == self.links[link].key:
            self._bodies.follow(record, (link,))

    def own_record_heard(self, record: Record, now: float) -> None:
        """Publish above a record of our own key that is newer than ours."""
        self._own.outdo(record, now)

    def _drop(self, key: bytes) -> None:
        self._bodies.drop(key)
        self.identities.look(key)
        self.sightings.pop(key, None)
        self.compatible.pop(key, None)
        self.epochs_learned.pop(key, None)
        self._newcomers.discard(key)
        self.topology.claim(key, ())
        self.changed.add(key)

    def _note(self, key: bytes) -> None:
        self.changed.add(key)

    def _see(self, key: bytes) -> None:
        wall_ms = self._wall_ms()
        known = self.sightings.get(key)
        if known is None:
            self.sightings[key] = Sighting(wall_ms, wall_ms)
        else:
            known.last = max(known.last, wall_ms)

    # -- bodies and identities

    def _newest(self, key: bytes) -> Record | None:
        entry = self.table.get(key)
        return None if entry is None else entry.record

    def _on_body_want(self, link: int, body: bytes, _now: float) -> None:
        self._bodies.asked(link, body)

    def _on_body_chunk(self, link: int, body: bytes, _now: float) -> None:
        self._bodies.came(link, body)

    def _on_issuer_object(self, link: int, body: bytes, now: float) -> None:
        if not self._issuer_gossip.allows(link, now):
            self.exchange.offence(link, Offence.FLOOD, "more issuer objects than allowed", now)
            return
        taken, why, issuer = self._issuer_gossip.came(link, body, now)
        if taken is Taken.NEWS:
            self.learned.add(issuer)
        elif taken is Taken.REFUSED:
            self.exchange.offence(link, Offence.BAD_ISSUER_OBJECT, why, now)

    def _hang_up(self, link: int, code: ByeCode, why: str) -> None:
        self._output.append(Hangup(link, code, why))
