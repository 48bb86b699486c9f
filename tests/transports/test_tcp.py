from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from presence_core.transports import tcp
from presence_core.transports.stream import Stream
from presence_core.transports.tcp import TcpListener, dial
from tests.support import loopback_name

EARS: list[Ear] = []


@pytest.fixture(autouse=True)
async def hang_up() -> AsyncIterator[None]:
    yield
    async with asyncio.timeout(10):
        while EARS:
            ear = EARS.pop()
            ear.stream.abort()
            await ear.ended.wait()


class Ear:
    """Keeps what a stream brings."""

    def __init__(self, stream: Stream) -> None:
        EARS.append(self)
        self.stream = stream
        self.heard = bytearray()
        self.ended = asyncio.Event()
        self.arrived = asyncio.Event()
        stream.attach(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.arrived.set()

    def stream_closed(self, error: Exception | None) -> None:
        self.ended.set()

    async def hears(self, data: bytes) -> None:
        async with asyncio.timeout(10):
            while bytes(self.heard) != data:
                self.arrived.clear()
                await self.arrived.wait()


class Door:
    """A listener whose streams are waited for."""

    def __init__(self, *interfaces: str) -> None:
        self.streams: asyncio.Queue[Stream] = asyncio.Queue()
        self.listener = TcpListener(self.streams.put_nowait, interfaces=interfaces)

    async def next(self) -> Ear:
        return Ear(await asyncio.wait_for(self.streams.get(), 10))


@pytest.mark.parametrize(
    ("listen", "host"), [("127.0.0.1", "127.0.0.1"), (None, "127.0.0.1"), (None, "::1")]
)
async def test_bytes_go_both_ways_and_the_end_is_told(listen: str | None, host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no dual-stack IPv6")
    door = Door()
    await door.listener.start(listen, 0)
    near = Ear(await dial(host, door.listener.port, seconds=10))
    far = await door.next()
    near.stream.write(b"ping")
    await far.hears(b"ping")
    far.stream.write(b"pong")
    await near.hears(b"pong")
    assert far.stream.host == host
    near.stream.close()
    await asyncio.wait_for(far.ended.wait(), 10)
    await door.listener.stop()


async def test_named_interfaces_limit_who_is_let_in() -> None:
    door = Door("no-such-interface")
    await door.listener.start(None, 0)
    near = Ear(await dial("127.0.0.1", door.listener.port, seconds=10))
    await asyncio.wait_for(near.ended.wait(), 10)
    assert door.streams.empty()
    await door.listener.stop()
    door = Door(loopback_name())
    await door.listener.start(None, 0)
    Ear(await dial("127.0.0.1", door.listener.port, seconds=10)).stream.write(b"x")
    await (await door.next()).hears(b"x")
    await door.listener.stop()


async def test_a_peer_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_QUEUED", 100_000)
    door = Door()
    await door.listener.start("127.0.0.1", 0)
    deaf = socket.create_connection(("127.0.0.1", door.listener.port))
    far = await door.next()
    async with asyncio.timeout(10):
        while not far.ended.is_set():
            far.stream.write(b"x" * 50_000)
            await asyncio.sleep(0)
    deaf.close()
    await door.listener.stop()


async def test_a_port_that_is_taken_is_an_error() -> None:
    first, second = Door(), Door()
    await first.listener.start("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await second.listener.start("127.0.0.1", first.listener.port)
    await first.listener.stop()


async def test_bytes_before_attaching_are_not_lost() -> None:
    door = Door()
    await door.listener.start("127.0.0.1", 0)
    near = Ear(await dial("127.0.0.1", door.listener.port, seconds=10))
    stream = await asyncio.wait_for(door.streams.get(), 10)
    near.stream.write(b"early")
    near.stream.close()
    await asyncio.wait_for(near.ended.wait(), 10)
    ear = Ear(stream)
    await ear.hears(b"early")
    await door.listener.stop()
