"""A member of the mesh that means no good: it has the key, a good handshake and a good Hello.

``python -m tests.network.hostile_member HOST:PORT MESH_KEY_FILE WHAT`` dials a peer, and when it is
let in does ``WHAT`` until it is thrown out. It prints a line of JSON for each thing that happens:
``ready``, ``in``, ``sent``, ``closed``, ``refused``. Once it was told that it is too much, it only
knocks, and behaves when it is let in again.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from presence_core.gossip.messages import (
    DIGEST_BYTES,
    Have,
    Hello,
    Records,
    Summary,
    Want,
)
from presence_core.gossip.record import MAX_EDGES, Body, Record, RecordError, parse_record
from presence_core.handshake.events import ByeCode, Closed, MessageReceived, MessageType
from presence_core.handshake.session import Session
from presence_core.identity.keyfile import read_mesh_key
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.identity.mesh import MeshKey
from tests.forgery import forge, rename

PAUSE = 0.2
"""Seconds between two offences."""
KNOCK_SECONDS = 3.0
RACE_SECONDS = 11.0
"""After so long nobody takes an old record for one that was on its way."""
CROWD = 1_500
"""Peers that are made up."""
LAN = 1

Message = tuple[int, bytes]


def tell(event: str, **more: Any) -> None:
    """Print what happened."""
    print(json.dumps({"event": event, **more}), flush=True)


def records(*raws: bytes) -> Message:
    """Return a message of records."""
    return MessageType.RECORDS, Records(tuple((0, raw) for raw in raws)).encode()


class OutError(Exception):
    """The other end has closed the link. ``code``: of its goodbye, None without one."""

    def __init__(self, code: int | None) -> None:
        super().__init__(str(code))
        self.code = code


class Member:
    """The hostile member: one identity, one link at a time, and all records that it has heard."""

    def __init__(self, address: str, mesh: MeshKey) -> None:
        host, _, port = address.rpartition(":")
        self.mesh = mesh
        self.identity = Identity.generate()
        self.epoch = time.time_ns() // 1_000_000
        self.heard: dict[bytes, list[Record]] = {}
        """Of each other peer the versions that came, oldest first."""
        self._address = host, int(port)
        self._seq = 0
        self._socket: socket.socket
        self._session: Session
        self._queue: list[MessageReceived] = []

    def own(self, **more: Any) -> bytes:
        """Return a record of its own, by default a good one and the newest."""
        self._seq += 1
        usual: dict[str, Any] = {"epoch": self.epoch, "seq": self._seq, "name": "liar"}
        return forge(self.identity, self.mesh, **(usual | more))

    # -- a link

    def enter(self) -> None:
        """Dial, shake hands, and say Hello as an honest peer does. Raises OutError."""
        self._queue = []
        self._socket = socket.create_connection(self._address)
        self._session = Session(
            initiator=True,
            identity=self.identity,
            meshes=[self.mesh],
            now=time.monotonic(),
            static=X25519PrivateKey.generate(),
            wall_ms=lambda: time.time_ns() // 1_000_000,
        )
        while self._session.peer_key is None:
            self._step(1.0)
        now_ms = time.time_ns() // 1_000_000
        hello = Hello((1,), now_ms, self.own(), bytes(DIGEST_BYTES), 1)
        self.say((MessageType.HELLO, hello.encode()))
        while (first := self._step(1.0)) is None or first.type != MessageType.HELLO:
            pass
        # Its table is empty, so all buckets of the other differ, and it is offered everything.
        self.say((MessageType.SUMMARY, Summary(1, ()).encode()))

    def leave(self) -> None:
        """Close the connection without a word."""
        self._socket.close()

    def say(self, message: Message) -> None:
        """Send a message."""
        self._session.send(*message, time.monotonic())
        self._flush()

    def live(self, seconds: float) -> None:
        """Take part as an honest peer does, for so long. Raises OutError."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            said = self._step(left)
            if said is not None and said.type == MessageType.RECORDS:
                self._hear(said.body)
            elif said is not None and said.type == MessageType.HAVE:
                prefixes = [prefix for prefix, _ in Have.decode(said.body).offers]
                if prefixes:
                    self.say((MessageType.WANT, Want(tuple(prefixes)).encode()))

    def live_until(self, condition: Callable[[], bool]) -> None:
        """Take part until something is so."""
        while not condition():
            self.live(0.05)

    def _hear(self, body: bytes) -> None:
        for _, raw in Records.decode(body).items:
            try:
                record = parse_record(raw, self.mesh)
            except RecordError:
                continue
            versions = self.heard.setdefault(record.key, [])
            if record.key != self.identity.peer_key and record.hash not in {
                version.hash for version in versions
            }:
                versions.append(record)

    def others(self) -> list[Record]:
        """Return the newest record of each honest peer that was heard."""
        honest = (versions[-1] for versions in self.heard.values() if versions)
        return [record for record in honest if record.name.startswith("h")]

    def _step(self, patience: float) -> MessageReceived | None:
        """Return the next message, if one comes in time. Raises OutError."""
        if not self._queue:
            self._read(patience)
        return self._queue.pop(0) if self._queue else None

    def _read(self, patience: float) -> None:
        self._flush()
        timeout = self._session.next_timeout()
        if timeout is not None:
            patience = min(patience, max(0.0, timeout - time.monotonic()))
        ready, _, _ = select.select([self._socket], [], [], patience)
        now = time.monotonic()
        events = self._session.handle_timeout(now)
        if ready:
            try:
                data = self._socket.recv(65_536)
            except ConnectionError:
                data = b""
            events += self._session.receive(data, now) if data else self._session.eof(now)
        self._flush()
        self._queue = [event for event in events if isinstance(event, MessageReceived)]
        for event in events:
            if isinstance(event, Closed):
                raise OutError(event.code)

    def _flush(self) -> None:
        with contextlib.suppress(ConnectionError):  # what was said last is still to be read
            self._socket.sendall(self._session.data_to_send())


# -- what it does: messages, one after the other; None: nothing for now


def bad_signature(member: Member) -> Iterator[Message]:
    """Send records of its own with a bit of the signature turned over."""
    while True:
        raw = member.own()
        yield records(raw[:-1] + bytes([raw[-1] ^ 1]))


def other_mesh(member: Member) -> Iterator[Message]:
    """Send records that are good in another mesh."""
    elsewhere = MeshKey.generate("elsewhere")
    for seq in itertools.count():
        signer = Identity.generate()
        yield records(forge(signer, elsewhere, epoch=member.epoch, seq=seq, name="stray"))


def other_key(member: Member) -> Iterator[Message]:
    """Send records in the name of others: signed by itself, and theirs with another name."""
    member.live_until(lambda: len(member.others()) == 3)
    for seq in itertools.count(1):
        for victim in member.others():
            newer = victim.epoch + 10
            raw = member.own(epoch=newer, seq=seq, name="forged", key=victim.key)
            yield records(raw)
            yield records(rename(victim.raw, victim.name, "x" * len(victim.name)))


def rolled_back(member: Member) -> Iterator[Message]:
    """Send old versions: of its own, and of others when they have said something newer."""
    old = member.own(epoch=member.epoch - 60_000, name="old liar")
    member.live_until(lambda: len(member.others()) == 3)
    tell("ready")
    member.live_until(lambda: any(len(versions) > 1 for versions in member.heard.values()))
    member.live(RACE_SECONDS)
    while True:
        for versions in member.heard.values():
            for version in versions[:-1]:
                yield records(version.raw)
        yield records(old)


def edges_65(member: Member) -> Iterator[Message]:
    """Send records with more edges than there may be."""
    edges = [(Identity.generate().peer_key, LAN, 1) for _ in range(MAX_EDGES + 1)]
    while True:
        yield records(member.own(edges=edges))


def oversize_body(member: Member) -> Iterator[Message]:
    """Send records that name a body larger than there may be."""
    while True:
        yield records(member.own(metadata=(bytes(32), Body.MAX_SIZE + 1)))


def equivocation(member: Member) -> Iterator[Message]:
    """Send different records of one number, each of which takes the place of the one before."""
    seq = 1_000
    lies = [member.own(seq=seq, name=f"liar {n}") for n in range(64)]
    for raw in sorted(lies, key=lambda raw: parse_record(raw, member.mesh).hash):
        yield records(raw)


def flood(member: Member) -> Iterator[Message]:
    """Send hundreds of versions of its own record a second."""
    while True:
        yield records(*(member.own() for _ in range(100)))


def new_peers_flood(member: Member) -> Iterator[Message]:
    """Send records of peers that it has made up."""
    crowd = [
        forge(Identity.generate(), member.mesh, epoch=1, seq=1, name="ghost") for _ in range(CROWD)
    ]
    for at in range(0, CROWD, 150):
        yield records(*crowd[at : at + 150])


def garbage(_: Member) -> Iterator[Message]:
    """Send what is no message at all, of every type that a neighbour may send."""
    kinds = (MessageType.RECORDS, MessageType.HAVE, MessageType.SUMMARY, MessageType.BODY_CHUNK)
    yield from itertools.cycle((kind, b"\xff\x00 garbage") for kind in kinds)


def lying_edges(member: Member) -> Iterator[Message]:
    """Claim links with all others, and with somebody who was never there; once."""
    member.live_until(lambda: len(member.others()) == 3)
    ghost = Identity.generate()
    claims = [record.key for record in member.others()]
    invented = forge(
        ghost, member.mesh, epoch=1, seq=1, name="ghost", edges=[(key, LAN, 1) for key in claims]
    )
    edges = [(key, LAN, 1) for key in (*claims, Identity.generate().peer_key)]
    yield records(invented, member.own(edges=edges))
    member.live(float("inf"))


DEEDS: dict[str, Callable[[Member], Iterator[Message]]] = {
    deed.__name__.replace("_", "-"): deed
    for deed in (
        bad_signature,
        other_mesh,
        other_key,
        rolled_back,
        edges_65,
        oversize_body,
        equivocation,
        flood,
        new_peers_flood,
        garbage,
        lying_edges,
    )
}


def main(address: str, mesh_file: str, what: str) -> None:
    """Do it, until the process is ended."""
    member = Member(address, read_mesh_key(Path(mesh_file)))
    deeds = DEEDS[what](member)
    sent, blamed = 0, False
    tell("key", key=peer_key_text(member.identity.peer_key))
    while True:
        entered = False
        try:
            member.enter()
            entered = True
            tell("in")
            if blamed:
                member.live(float("inf"))
            for message in deeds:
                member.say(message)
                sent += 1
                tell("sent", what=what, count=sent)
                member.live(PAUSE)
            member.live(float("inf"))
        except OutError as out:
            tell("closed" if entered else "refused", code=out.code)
            if out.code == ByeCode.LIMIT:
                blamed = True
                select.select([], [], [], KNOCK_SECONDS)  # between two knocks; no test counts on it
        member.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
