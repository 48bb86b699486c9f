"""How long a newcomer takes to know a mesh of 10,000, beside nothing but its signatures.

An engine starts, dials three members of the mesh, which run in a process of their own, and is
offered the records of all. What counts is the real time from its first link until it knows a way
to the last of them, with all that an engine does meanwhile: ask, check, work out the ways, tell
its neighbours, and make graphs. It collects garbage as the dashboard does. It is measured beside
the check of the same signatures one after the other, which is what a reader cannot do without.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.big_mesh import MESH, OFFERS, BigMesh, Member, messages, signed_parts
from presence_core.config import PresenceConfig
from presence_core.engine.checks import usable_processors
from presence_core.engine.engine import Engine
from presence_core.engine.link import Link
from presence_core.gossip.messages import MARK_BYTES, PREFIX_BYTES, Have, Hello, Want
from presence_core.gossip.record import Record, external_aad
from presence_core.handshake.events import Closed, MessageType
from presence_core.handshake.session import Session
from presence_core.identity.keyfile import IDENTITY_FILE, atomic_write, private_key_pem
from presence_core.identity.keys import Identity, verify
from presence_core.transports.stream import Stream
from presence_core.transports.tcp import TcpListener
from presence_tui.garbage import collect_seldom

BUDGET = 1.5
RUNS = 3
NEIGHBOURS = 3
LOOK_SECONDS = 0.005


def bare_check(records: list[Record]) -> float:
    """Return the seconds for the signatures alone."""
    aad = external_aad(MESH)
    signed = [signed_parts(record, aad) for record in records]
    began = time.perf_counter()
    good = [verify(*one) for one in signed]
    passed = time.perf_counter() - began
    assert all(good)
    return passed


# -- those who know the mesh


class Teacher:
    """A member that offers all records to who comes, and sends what it is asked for."""

    def __init__(self, member: Member, record: Record, records: list[Record]) -> None:
        self.member = member
        self.record = record
        self.held = {one.key[:PREFIX_BYTES]: one for one in records}
        self.listener = TcpListener(self.accept)
        self.links = 0

    def accept(self, stream: Stream) -> None:
        self.links += 1
        session = Session(
            initiator=False,
            identity=self.member.identity,
            meshes=[MESH],
            now=asyncio.get_running_loop().time(),
            static=X25519PrivateKey.generate(),
            wall_ms=_wall_ms,
        )
        clock = asyncio.get_running_loop().time
        Link(self.links, stream, session, self, clock=clock, dialled=None)

    def link_authenticated(self, link: Link) -> None:
        """The newcomer says Hello first."""

    def link_closed(self, link: Link, closed: Closed) -> None:
        """Nothing is kept of it."""

    def link_message(self, link: Link, kind: int, body: bytes) -> None:
        if kind == MessageType.HELLO:
            hello = Hello((1,), _wall_ms(), self.record.raw, bytes(8), len(self.held))
            link.send(MessageType.HELLO, hello.encode())
            offers = [(key, record.hash[:MARK_BYTES]) for key, record in self.held.items()]
            for at in range(0, len(offers), OFFERS):
                link.send(MessageType.HAVE, Have(tuple(offers[at : at + OFFERS])).encode())
        elif kind == MessageType.WANT:
            wanted = [self.held[prefix] for prefix in Want.decode(body).prefixes]
            for _, records in messages(wanted):
                link.send(MessageType.RECORDS, records)
        link.flush()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


async def _teach(pipe: Connection, peers: int, newcomer: bytes) -> None:
    mesh = BigMesh(peers, random.Random(1))
    mesh.members[0].identity = Identity.from_private_bytes(newcomer)
    records = [mesh.record(number) for number in range(1, peers + 1)]
    random.Random(2).shuffle(records)
    by_key = {record.key: record for record in records}
    near = [mesh.members[number] for number in sorted(mesh.members[0].edges)[:NEIGHBOURS]]
    teachers = [Teacher(one, by_key[one.identity.peer_key], records) for one in near]
    for teacher in teachers:
        await teacher.listener.start("127.0.0.1", 0)
    gc.collect()
    gc.freeze()
    pipe.send((tuple(f"127.0.0.1:{one.listener.port}" for one in teachers), bare_check(records)))
    await asyncio.to_thread(pipe.recv)


def teach(pipe: Connection, peers: int, newcomer: bytes) -> None:
    """Be the mesh until told to stop. Runs in a process of its own."""
    asyncio.run(_teach(pipe, peers, newcomer))


# -- who learns


@dataclass
class Learned:
    """What one first sync took, in seconds."""

    real: float
    cpu: float


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  to be told of it would be part of what is measured
        await asyncio.sleep(LOOK_SECONDS)


async def learn(home: Path, addresses: tuple[str, ...], peers: int) -> Learned:
    """Start an engine and let it learn of all."""
    config = PresenceConfig(
        home=home, mesh_key=MESH, peers=addresses, listen="127.0.0.1:0", transports=("lan",)
    )
    engine = Engine(config)
    await engine.start()
    topology = engine._node.topology  # noqa: SLF001  nobody else knows ways before they are shown
    collecting = asyncio.create_task(collect_seldom(topology.reach))
    await _until(lambda: bool(engine.links.admitted))
    began, cpu = time.perf_counter(), time.process_time()
    await _until(lambda: topology.reach() == peers)
    learned = Learned(time.perf_counter() - began, time.process_time() - cpu)
    collecting.cancel()
    await engine.stop()
    return learned


def first_sync(peers: int) -> tuple[float, Learned]:
    """Return the seconds of the bare check, and of the first sync of a new engine."""
    context = multiprocessing.get_context("spawn")
    private = random.SystemRandom().randbytes(32)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "newcomer")
        home.mkdir(mode=0o700)
        pem = private_key_pem(Ed25519PrivateKey.from_private_bytes(private))
        atomic_write(home / IDENTITY_FILE, pem)
        near, far = context.Pipe()
        process = context.Process(target=teach, args=(far, peers, private))
        process.start()
        try:
            addresses, bare = near.recv()
            return bare, asyncio.run(learn(home, addresses, peers))
        finally:
            near.send(None)
            process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--short", action="store_true", help="a fifth of the peers")
    args = parser.parse_args()
    peers = args.peers // 5 if args.short else args.peers
    print(f"{peers:,} peers; {usable_processors()} processors for engine and mesh")
    runs = [first_sync(peers) for _ in range(RUNS)]
    for bare, learned in runs:
        print(
            f"bare check of all signatures {bare:.2f} s; first sync {learned.real:.2f} s "
            f"({learned.real / bare:.2f} of it), CPU {learned.cpu:.2f} s"
        )
    ratio = median(learned.real / bare for bare, learned in runs)
    kept = "kept" if ratio <= BUDGET else "NOT kept"
    print(f"in the middle {ratio:.2f} of the bare check; budget {BUDGET}: {kept}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
