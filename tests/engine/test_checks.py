"""Many signatures at once: beside everything else, and nothing out of its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from presence_core.engine.checks import MANY, Checks
from presence_core.gossip.messages import Records
from presence_core.gossip.quota import Offence
from presence_core.gossip.record import Record, sign_record
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity
from presence_core.transports.stream import Stream
from presence_core.transports.tcp import TcpListener, dial
from tests.engine.field import MESH, Field
from tests.support import PATIENCE

MANY_OTHERS = [Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, 4 * MANY)]


def record(identity: Identity, seq: int = 1) -> Record:
    return sign_record(identity, MESH, epoch=1, seq=seq, issued_at=1, name=f"v{seq}")


def said(*raws: bytes) -> bytes:
    return Records(tuple((0, raw) for raw in raws)).encode()


def forged(one: Record) -> bytes:
    return one.raw[:-1] + bytes([one.raw[-1] ^ 1])


@dataclass
class Line:
    """Bob's link to Alice, and a stream whose bytes come to `heard`."""

    id: int
    stream: Stream


class Desk:
    """Bob, who checks what comes over his link with Alice."""

    def __init__(self, line: Line, field: Field, far: Stream) -> None:
        self.line = line
        self.bob = field.nodes["bob"]
        self.far = far
        self.heard = bytearray()
        self._news = asyncio.Event()
        self.checks = Checks(
            self.bob, clock=lambda: field.now, happened=self._news.set, processors=2
        )
        line.stream.attach(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._news.set()

    def stream_closed(self, error: Exception | None) -> None:
        """The test is over."""

    def say(self, *raws: bytes) -> None:
        self.checks.message(self.line, MessageType.RECORDS, said(*raws))

    def version_of(self, identity: Identity) -> int | None:
        entry = self.bob.table.get(identity.peer_key)
        return None if entry is None else entry.record.seq

    def versions(self) -> set[int | None]:
        return set(map(self.version_of, MANY_OTHERS))

    def blamed(self) -> dict[Offence, int]:
        return self.bob.exchange.strikes.offenders[self.bob.links[self.line.id].key].counts

    async def until_said(self, word: bytes) -> None:
        """Wait for a word that is on its way over the stream."""
        async with asyncio.timeout(PATIENCE):
            while bytes(self.heard) != word:
                self._news.clear()
                await self._news.wait()

    async def until_taken(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while None in self.versions():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    field = Field()
    for name in ("alice", "bob"):
        field.add(name)
    field.link("alice", "bob")
    near: asyncio.Queue[Stream] = asyncio.Queue()
    listener = TcpListener(near.put_nowait)
    await listener.start("127.0.0.1", 0)
    far = await dial("127.0.0.1", listener.port, seconds=PATIENCE)
    line = Line(field.link_of("bob", "alice"), await asyncio.wait_for(near.get(), PATIENCE))
    yield Desk(line, field, far)
    line.stream.abort()
    far.abort()
    await listener.stop()


async def test_many_are_put_off_and_what_follows_comes_after_them(desk: Desk) -> None:
    first, second = MANY_OTHERS[: 2 * MANY], MANY_OTHERS[2 * MANY :]
    desk.say(*(record(one).raw for one in first))
    desk.say(record(first[0], seq=2).raw)  # would be the older one if it overtook
    desk.say(*(record(one).raw for one in second))
    assert desk.versions() == {None}
    await desk.until_taken()
    assert desk.version_of(first[0]) == 2
    assert [*map(desk.version_of, [*first[1:], *second])] == [1] * (len(MANY_OTHERS) - 1)


async def test_nothing_more_is_read_from_the_link_until_they_are_checked(desk: Desk) -> None:
    heard_at: list[set[int | None]] = []
    received = desk.data_received

    def note(data: bytes) -> None:
        heard_at.append(desk.versions())
        received(data)

    desk.data_received = note  # type: ignore[method-assign]
    desk.far.write(b"more")
    desk.say(*(record(one).raw for one in MANY_OTHERS))
    await desk.until_said(b"more")
    assert heard_at == [{1}]


async def test_a_link_that_ends_has_its_last_words(desk: Desk) -> None:
    desk.say(*(record(one).raw for one in MANY_OTHERS))
    desk.say(record(MANY_OTHERS[0], seq=2).raw)
    desk.checks.finish(desk.line)
    assert desk.version_of(MANY_OTHERS[0]) == 2
    assert desk.versions() == {1, 2}
    desk.checks.finish(desk.line)
    desk.say(record(MANY_OTHERS[1], seq=2).raw)
    assert desk.version_of(MANY_OTHERS[1]) == 2


async def test_a_forged_one_among_many_is_refused_and_counted(desk: Desk) -> None:
    good = [record(one) for one in MANY_OTHERS[1:]]
    desk.say(forged(record(MANY_OTHERS[0])), *(one.raw for one in good))
    desk.say(record(MANY_OTHERS[0], seq=2).raw)
    await desk.until_taken()
    assert desk.version_of(MANY_OTHERS[0]) == 2
    assert desk.blamed() == {Offence.INVALID: 1}


async def test_few_are_taken_at_once(desk: Desk) -> None:
    few = MANY_OTHERS[: MANY - 1]
    desk.say(*(record(one).raw for one in few))
    assert set(map(desk.version_of, few)) == {1}


async def test_what_is_known_already_is_not_checked_again(desk: Desk) -> None:
    desk.say(*(record(one).raw for one in MANY_OTHERS))
    await desk.until_taken()
    more = [record(one, seq=2).raw for one in MANY_OTHERS[: MANY - 1]]
    desk.say(*(record(one).raw for one in MANY_OTHERS), *more)
    assert desk.versions() == {1, 2}


async def test_one_processor_puts_nothing_off(desk: Desk) -> None:
    checks = Checks(desk.bob, clock=lambda: 1_000.0, happened=lambda: None, processors=1)
    raws = (record(one).raw for one in MANY_OTHERS)
    checks.message(desk.line, MessageType.RECORDS, said(*raws))
    assert desk.versions() == {1}


async def test_bytes_that_are_no_records_are_an_offence_as_ever(desk: Desk) -> None:
    desk.checks.message(desk.line, MessageType.RECORDS, b"\xff" * 10_000)
    assert desk.blamed() == {Offence.MALFORMED: 1}
