"""What 10,000 peers cost a node: memory, graphs, and the first sync beside bare signature checks.

Everybody has dialled three others at random, so that a peer has six links in the middle. All
records are real and signed.

``first sync`` is what every record asks for: decode the message it comes in, check and read it,
put it into the table, take over its edges. It is measured beside nothing but the Ed25519 check of
the same records, message by message in turns; the budget is for the ratio of the two. ``whole
node`` is all that a node does when a neighbour offers it the mesh: it asks for the records, takes
them in, and works out the ways after every message. All times are CPU times.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from presence_core.codec import cose
from presence_core.codec.metadata import encode_metadata
from presence_core.engine.graph import GraphBuilder
from presence_core.engine.node import Node
from presence_core.engine.own_record import NodeProfile
from presence_core.gossip.messages import (
    BATCH_BYTES,
    MARK_BYTES,
    PREFIX_BYTES,
    Have,
    Hello,
    Records,
    Want,
)
from presence_core.gossip.record import (
    MAX_RECORD,
    Body,
    Edge,
    Record,
    external_aad,
    parse_records,
    sign_record,
)
from presence_core.gossip.table import Table
from presence_core.gossip.topology import Topology
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from presence_core.model import Mesh, PresenceGraph, View, ViewState

BUDGET = 1.5
DIALS = 3
OFFERS = BATCH_BYTES // (PREFIX_BYTES + MARK_BYTES)
LAN = 1
SINCE = 1_790_000_000
MESH = MeshKey(b"m" * 32, "bench")


@dataclass
class Member:
    """A peer of the mesh, and what its record says."""

    identity: Identity
    metadata: bytes
    edges: set[int] = field(default_factory=set)
    seq: int = 0


class BigMesh:
    """Its members; number 0 is the node that is measured."""

    def __init__(self, peers: int, rng: random.Random) -> None:
        self.members = [
            Member(
                Identity.from_private_bytes(rng.randbytes(32)),
                encode_metadata({"number": number, "role": "sensor"}),
            )
            for number in range(peers + 1)
        ]
        for number in range(peers + 1):
            for _ in range(DIALS):
                other = rng.randrange(peers)
                self.link(number, other + (other >= number))

    def key(self, number: int) -> bytes:
        return self.members[number].identity.peer_key

    def link(self, one: int, other: int) -> None:
        self.members[one].edges.add(other)
        self.members[other].edges.add(one)

    def part(self, one: int, other: int) -> None:
        self.members[one].edges.discard(other)
        self.members[other].edges.discard(one)

    def record(self, number: int) -> Record:
        """Sign the record of a member as it is now."""
        member = self.members[number]
        member.seq += 1
        return sign_record(
            member.identity,
            MESH,
            epoch=SINCE * 1_000,
            seq=member.seq,
            issued_at=SINCE,
            name=f"peer-{number:05}",
            os="Linux 6.12",
            version="1.0.0",
            metadata=Body(hashlib.sha256(member.metadata).digest(), len(member.metadata)),
            edges=[Edge(self.key(other), LAN, SINCE + other) for other in member.edges],
        )


def messages(records: list[Record]) -> Iterator[tuple[list[Record], bytes]]:
    """Pack records as the protocol does; yield what is in each message, and its body."""
    batch: list[Record] = []
    size = 0
    for record in [*records, None]:
        if batch and (record is None or size + len(record.raw) > BATCH_BYTES):
            yield batch, Records(tuple((1, one.raw) for one in batch)).encode()
            batch, size = [], 0
        if record is not None:
            batch.append(record)
            size += len(record.raw)


# -- the first sync beside the bare check


def signed_parts(record: Record, aad: bytes) -> tuple[bytes, bytes, bytes]:
    """Return who has signed a record, the signature, and what it is over."""
    parts = cose.parse_sign1(record.raw, max_size=MAX_RECORD)
    return record.key, parts.signature, parts.to_be_signed(aad)


def first_sync(own: bytes, records: list[Record]) -> tuple[float, float]:
    """Return seconds for each record: of the bare signature check, and of all of it."""
    table, topology = Table(own), Topology(own)
    aad = external_aad(MESH)
    bare = whole = 0.0
    clock = time.process_time
    for batch, body in messages(records):
        signed = [signed_parts(one, aad) for one in batch]
        began = clock()
        for key, signature, data in signed:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
        bare += clock() - began
        began = clock()
        items = Records.decode(body).items
        parsed = parse_records([raw for _, raw in items], MESH)
        for (age, _), record in zip(items, parsed, strict=True):
            assert isinstance(record, Record)
            table.accept(record, float(age), 0.0, own)
            topology.claim(record.key, record.edges)
        whole += clock() - began
    assert len(table) == len(records)
    return bare / len(records), whole / len(records)


# -- a whole node


def graph_of(builder: GraphBuilder) -> PresenceGraph:
    moment = datetime.fromtimestamp(SINCE, UTC)
    return builder.build(
        sequence=1,
        generated_at=moment,
        view=View(ViewState.CURRENT, moment),
        mesh=Mesh("bench", open=False),
        conditions=(),
        measures={},
    )


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


class Newcomer:
    """A node that has its links, and hears of the mesh over one of them."""

    def __init__(self, mesh: BigMesh) -> None:
        self.mesh = mesh
        self.now = 0.0
        self.seconds = 0.0
        self.node = Node(
            mesh.members[0].identity,
            MESH,
            NodeProfile("own", "Linux 6.12", "1.0.0"),
            epoch=1,
            now=0.0,
            wall_ms=lambda: SINCE * 1000,
            rng=random.Random(1),
        )
        for number in mesh.members[0].edges:
            record = mesh.record(number)
            hello = Hello((1,), SINCE * 1000, record.raw, bytes(8), len(mesh.members))
            self.node.link_up(number, hello, record, 0.0, transport=LAN, dialled=True)
        self.link = next(iter(self.node.links))
        self.builder = GraphBuilder(self.node)

    def hear(self, kind: MessageType, body: bytes) -> None:
        """Take in a message, and do what is due; other messages are as far apart as on a LAN."""
        self.now += 0.002
        began = time.process_time()
        self.node.message(self.link, kind, body, self.now)
        self.node.tick(self.now)
        self.seconds += time.process_time() - began

    def sync(self, records: list[Record]) -> None:
        """Be offered all these records, and be given what it asks for."""
        held = {record.key[:PREFIX_BYTES]: record for record in records}
        offers = [(prefix, record.hash[:MARK_BYTES]) for prefix, record in held.items()]
        for at in range(0, len(offers), OFFERS):
            self.hear(MessageType.HAVE, Have(tuple(offers[at : at + OFFERS])).encode())
        while wanted := [prefix for want in self._wants() for prefix in want.prefixes]:
            for _, body in messages([held[prefix] for prefix in wanted]):
                self.hear(MessageType.RECORDS, body)

    def _wants(self) -> Iterator[Want]:
        for item in self.node.take_output():
            body = getattr(item, "body", b"")
            if getattr(item, "type", None) is MessageType.WANT and item.link == self.link:
                yield Want.decode(body)

    def after(self, *numbers: int) -> tuple[float, float]:
        """Tell of new records; return seconds to take them in, and of the graph after it."""
        before = self.seconds
        for _, body in messages([self.mesh.record(number) for number in numbers]):
            self.hear(MessageType.RECORDS, body)
        return self.seconds - before, timed(lambda: graph_of(self.builder))


def other_metadata(told: Newcomer, rng: random.Random) -> tuple[float, float]:
    number = rng.randrange(1, len(told.mesh.members))
    body = encode_metadata({"number": number, "role": "moved"})
    told.mesh.members[number].metadata = body
    told.node.bodies.put(body)
    return told.after(number)


def edge_went(told: Newcomer, rng: random.Random) -> tuple[float, float]:
    """Let two peers part: both say so."""
    number = rng.randrange(1, len(told.mesh.members))
    other = rng.choice([far for far in told.mesh.members[number].edges if far])
    told.mesh.part(number, other)
    return told.after(number, other)


def edge_came(told: Newcomer, rng: random.Random) -> tuple[float, float]:
    one, other = rng.sample(range(1, len(told.mesh.members)), 2)
    told.mesh.link(one, other)
    return told.after(one, other)


CHANGES = {"other metadata": other_metadata, "an edge less": edge_went, "an edge more": edge_came}


def line(what: str, value: str, more: str = "") -> None:
    print(f"{what:36}{value:>12}  {more}".rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--short", action="store_true", help="a fifth of the peers")
    args = parser.parse_args()
    peers = args.peers // 5 if args.short else args.peers
    rng = random.Random(1)
    mesh = BigMesh(peers, rng)
    records = [mesh.record(number) for number in range(1, peers + 1)]
    rng.shuffle(records)
    edges = sum(len(record.edges) for record in records) / peers
    size = sum(len(record.raw) for record in records) / peers
    print(f"{peers:,} peers; in the middle {edges:.1f} edges and {size:.0f} bytes of record")

    gc.collect()
    gc.freeze()  # the mesh outside is not garbage for the node to look through
    bare, whole = first_sync(mesh.key(0), records)
    line("bare signature check", f"{bare * 1e6:.0f} µs", "a record")
    line("first sync", f"{whole * 1e6:.0f} µs", "a record: message, record, table, edges")
    kept = "kept" if whole <= BUDGET * bare else "NOT kept"
    line("first sync beside the bare check", f"{whole / bare:.2f}", f"budget {BUDGET}: {kept}")

    told = Newcomer(mesh)
    told.sync(records)
    assert told.node.topology.reach() == peers
    each = told.seconds / peers
    line("first sync, whole node", f"{each * 1e6:.0f} µs", f"a record: {each / bare:.2f} of it")
    gc.collect()
    line("first graph", f"{timed(lambda: graph_of(told.builder)) * 1e3:.0f} ms")
    for what, change in CHANGES.items():
        took = [change(told, rng) for _ in range(20)]
        known, built = (median(times) * 1e3 for times in zip(*took, strict=True))
        line(f"graph after {what}", f"{built:.2f} ms", f"and {known:.2f} ms to take it in")

    tracemalloc.start()
    told = Newcomer(mesh)
    told.sync(records)
    gc.collect()
    known_bytes, _ = tracemalloc.get_traced_memory()
    graph = graph_of(told.builder)
    gc.collect()
    shown_bytes, _ = tracemalloc.get_traced_memory()
    assert len(graph.remote_peers) == peers
    line(
        "memory",
        f"{shown_bytes / 1e6:.0f} MB",
        f"{shown_bytes / peers / 1e3:.1f} kB a peer; {known_bytes / 1e6:.0f} MB without the graph",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
