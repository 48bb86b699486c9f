"""A peer's part in the mesh: links, records and bodies, without sockets and without a clock.

The engine feeds it what happens (a link is up, a message came, time has passed) and carries out
what it asks for (:meth:`Node.take_output`). The simulator of a whole mesh runs this same code.

Data goes one way: message -> verified record -> table. Nothing here decides what a person sees;
:mod:`presence_core.engine.graph` reads the table and the links for that.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presence_core.engine.metadata import PeerMetadata
from presence_core.gossip import messages
from presence_core.gossip.bodies import BodyStore
from presence_core.gossip.messages import MessageError
from presence_core.gossip.pacing import PublishPacer
from presence_core.gossip.record import (
    Body,
    Edge,
    Record,
    RecordError,
    parse_record,
    sign_record,
    truncate_name,
)
from presence_core.gossip.table import Accepted, Table
from presence_core.handshake.events import ByeCode, MessageType

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from presence_core.identity.keys import Identity
    from presence_core.identity.mesh import MeshKey

log = logging.getLogger(__name__)

PROTOCOL_VERSION = 1
LIFETIME = 3_600
MAX_EPOCH = (1 << 64) - 1
REFRESH_SECONDS = (1_200.0, 1_500.0)
LINK_UP_PATIENCE = 0.2
"""Links come up in swarms, and both their ends know of them; the others are told of all at once."""

INLINE_BODIES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the engine to send a message on a link."""

    link: int
    type: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """Ask the engine to say goodbye on a link and close it."""

    link: int
    code: ByeCode
    why: str


Output = Send | Hangup


@dataclass(slots=True)
class NodeLink:
    """An admitted session with a neighbour."""

    id: int
    key: bytes
    transport: int
    since: int
    """Wall time when this way to the neighbour came up, in whole seconds."""
    clock_offset: float
    """How far the neighbour's clock is ahead of ours, in seconds; rough."""


@dataclass(slots=True)
class Sighting:
    """Wall times, in milliseconds, of the first and the last word of or about a peer."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """What the local peer says of itself in every record."""

    name: str
    os: str | None
    version: str | None


@dataclass(slots=True)
class _Own:
    """The local peer's side of its record."""

    epoch: int
    seq: int = 0
    metadata: Body | None = None
    leaving: bool = False
    refresh_at: float = float("inf")


class Node:
    """One peer of one mesh.

    ``epoch`` must be greater than any that this key has used (protocol §6.2). ``wall_ms`` gives
    wall time; it never decides anything, it is only told to others and shown.
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
        addresses: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.key = identity.peer_key
        self.mesh = mesh
        self.profile = profile
        self.links: dict[int, NodeLink] = {}
        self.table = Table(self.key)
        self.bodies = BodyStore()
        self.sightings: dict[bytes, Sighting] = {}
        self.metadata = PeerMetadata(self.bodies, self._note)
        self.compatible: dict[bytes, bool] = {}
        self.changed: set[bytes] = set()
        """Peers of which something changed since the reader last cleared this."""
        self._identity = identity
        self._wall_ms = wall_ms
        self._rng = rng
        self._addresses = addresses
        self._own = _Own(epoch)
        self._pacer = PublishPacer()
        self._output: list[Output] = []
        self._take_metadata(metadata)
        self._publish(now)

    # -- what the engine tells

    def hello(self) -> bytes:
        """Encode the Hello that opens a link."""
        own = self.table.get(self.key)
        assert own is not None
        inline: list[bytes] = []
        metadata = self._own.metadata
        if metadata is not None and metadata.size <= INLINE_BODIES:
            body = self.bodies.get(metadata.sha256)
            inline += [body] if body is not None else []
        return messages.Hello(
            versions=(PROTOCOL_VERSION,),
            now_ms=self._wall_ms(),
            record=own.record.raw,
            root=self.table.root(),
            count=len(self.table),
            max_body=Body.MAX_SIZE,
            addresses=self._addresses(),
            bodies=tuple(inline),
        ).encode()

    def link_up(
        self, link: int, key: bytes, transport: int, hello: messages.Hello, now: float
    ) -> bool:
        """Add an admitted session, with the Hello that came on it; False if it says nonsense."""
        wall_ms = self._wall_ms()
        try:
            record = parse_record(hello.record, self.mesh)
        except RecordError as error:
            self._hang_up(link, ByeCode.PROTOCOL, f"Hello with a bad record: {error}")
            return False
        if record.key != key:
            self._hang_up(link, ByeCode.PROTOCOL, "Hello with a record of somebody else")
            return False
        since = min(
            (other.since for other in self._links_to(key, transport)), default=wall_ms // 1000
        )
        offset = (hello.now_ms - wall_ms) / 1000
        self.links[link] = NodeLink(link, key, transport, since, offset)
        self.compatible[key] = PROTOCOL_VERSION in hello.versions
        for body in hello.bodies:
            if record.metadata is not None and hashlib.sha256(body).digest() == (
                record.metadata.sha256
            ):
                self.bodies.put(body)
        self._take(record, 0.0, link, now)
        self.changed.add(key)
        self._pacer.request(now, patience=LINK_UP_PATIENCE)
        return True

    def link_down(self, link: int, now: float) -> None:
        """Remove a session that has ended, whatever the reason."""
        gone = self.links.pop(link, None)
        if gone is None:
            return
        self._see(gone.key)
        self.bodies.drop_link(link)
        self.changed.add(gone.key)
        if not self._own.leaving:
            self._pacer.request(now)

    def message(self, link: int, kind: int, body: bytes, now: float) -> None:
        """Handle a message of an admitted neighbour. Never raises on what it contains."""
        handlers: dict[int, Callable[[int, bytes, float], None]] = {
            MessageType.RECORDS: self._on_records,
            MessageType.BODY_WANT: self._on_body_want,
            MessageType.BODY_CHUNK: self._on_body_chunk,
        }
        handler = handlers.get(kind)
        if handler is None or link not in self.links:
            return  # a type of a later version, or a message that crossed our goodbye
        try:
            handler(link, body, now)
        except (MessageError, RecordError) as error:
            self._hang_up(link, ByeCode.PROTOCOL, str(error))

    def set_metadata(self, data: bytes | None, now: float) -> None:
        """Publish other metadata, in its CBOR form; None publishes that there is none."""
        if self._take_metadata(data):
            self._pacer.request(now)
            self.tick(now)

    def _take_metadata(self, data: bytes | None) -> bool:
        own = self.bodies.put_own(data) if data is not None else None
        if own == self._own.metadata:
            return False
        self._own.metadata = own
        return True

    def tick(self, now: float) -> None:
        """Do what is due."""
        if now >= self._own.refresh_at:
            self._own.refresh_at = float("inf")
            self._pacer.request(now)
        if self._pacer.due(now):
            self._publish(now)
        for key in self.table.expire(now):
            self._drop(key)
        self._send_body_wants(now)

    def next_time(self) -> float:
        """When :meth:`tick` has something to do; infinity for never."""
        times = (
            self._own.refresh_at,
            self._pacer.next_time(),
            self.table.next_expiry(),
            self.bodies.next_time(),
        )
        return min((time for time in times if time is not None), default=float("inf"))

    def leave(self, now: float) -> None:
        """Say goodbye to all neighbours: a leaving record, then Bye on every link."""
        self._own.leaving = True
        self._publish(now)
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

    def awaits_bodies(self) -> bool:
        """Whether metadata of a neighbour has been announced and is not here yet."""
        for link in self.links.values():
            entry = self.table.get(link.key)
            if entry is not None and self.metadata.pending(entry.record):
                return True
        return False

    def neighbour_keys(self) -> set[bytes]:
        """The peers to which there is an admitted session."""
        return {link.key for link in self.links.values()}

    def _links_to(self, key: bytes, transport: int) -> Iterable[NodeLink]:
        return (
            link for link in self.links.values() if link.key == key and link.transport == transport
        )

    # -- records

    def _publish(self, now: float) -> None:
        own = self._own
        own.seq += 1
        edges = {(link.key, link.transport): link.since for link in self.links.values()}
        record = sign_record(
            self._identity,
            self.mesh,
            epoch=own.epoch,
            seq=own.seq,
            issued_at=self._wall_ms() // 1000,
            lifetime=LIFETIME,
            name=truncate_name(self.profile.name),
            os=self.profile.os,
            version=self.profile.version,
            metadata=own.metadata,
            token=None,
            edges=()
            if own.leaving
            else tuple(Edge(key, transport, since) for (key, transport), since in edges.items()),
            leaving=own.leaving,
        )
        self.table.accept(record, 0.0, now, None)
        self.metadata.follow(record, 0)
        self._see(self.key)
        self.changed.add(self.key)
        self._pacer.published(now)
        own.refresh_at = now + self._rng.uniform(*REFRESH_SECONDS)
        self._forward(record, 0, None)

    def _forward(self, record: Record, age: int, source: int | None) -> None:
        """Send a record to every link but the one it came from."""
        body = messages.Records(((age, record.raw),)).encode()
        for link in self.links:
            if link != source:
                self._output.append(Send(link, MessageType.RECORDS, body))

    def _on_records(self, link: int, body: bytes, now: float) -> None:
        for age, raw in messages.Records.decode(body).items:
            record = parse_record(raw, self.mesh)
            self._take(record, float(age), link, now)

    def _take(self, record: Record, age: float, link: int, now: float) -> None:
        """Put a verified record into the table, and fetch what it announces."""
        if record.key == self.key:
            self._heard_of_myself(record, now)
            return
        verdict = self.table.accept(record, age, now, self.links[link].key)
        entry = self.table.get(record.key)
        if entry is None:
            return
        if verdict in (Accepted.NEW, Accepted.NEWER, Accepted.EQUIVOCATION):
            self._see(record.key)
            self.changed.add(record.key)
        if entry.record.hash == record.hash:
            self.metadata.follow(record, link)
            self._send_body_wants(now)

    def _heard_of_myself(self, record: Record, now: float) -> None:
        """Jump above a record of our own key that is newer than ours (protocol §6.2).

        It is one that a run with lost state published, or, if it keeps coming, that a copy of
        the key publishes.
        """
        if (record.epoch, record.seq) > (self._own.epoch, self._own.seq) and not self._own.leaving:
            self._own.epoch = min(record.epoch + 1, MAX_EPOCH)
            self._own.seq = 0
            self._pacer.request(now)

    def _drop(self, key: bytes) -> None:
        self.metadata.drop(key)
        self.sightings.pop(key, None)
        self.compatible.pop(key, None)
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

    # -- bodies

    def _on_body_want(self, link: int, body: bytes, _now: float) -> None:
        want = messages.BodyWant.decode(body)
        chunk = self.bodies.answer(want.sha256, want.offset)
        if chunk is not None:
            self._output.append(Send(link, MessageType.BODY_CHUNK, chunk.encode()))

    def _on_body_chunk(self, link: int, body: bytes, now: float) -> None:
        chunk = messages.BodyChunk.decode(body)
        whole = self.bodies.receive_chunk(link, chunk)
        if whole is not None:
            records = (entry.record for entry in self.table.entries().values())
            self.metadata.arrived(chunk.sha256, whole, records)
        self._send_body_wants(now)

    def _send_body_wants(self, now: float) -> None:
        for link, sha256, offset in self.bodies.wants(now):
            want = messages.BodyWant(sha256, offset).encode()
            self._output.append(Send(link, MessageType.BODY_WANT, want))

    def _hang_up(self, link: int, code: ByeCode, why: str) -> None:
        self._output.append(Hangup(link, code, why))
