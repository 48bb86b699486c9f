"""Streams over real GATT, between virtual controllers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from presence_core.transports import BLUETOOTH
from presence_core.transports.ble.dialler import dial
from presence_core.transports.ble.fragments import DEFAULT_FRAGMENT
from presence_core.transports.ble.listener import Listener
from presence_core.transports.ble.radio import Heard, RadioError
from presence_core.transports.ble.stream import BleStream
from presence_core.transports.stream import Stream
from tests.bluetooth.air import Air
from tests.bluetooth.bumble_radio import BumbleRadio, radio_in
from tests.support import PATIENCE

ADVERT = UUID("706d1000-0000-4000-8000-00000000beef")


class Ear:
    """Who uses a stream: keeps what came."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.heard = bytearray()
        self.ended = asyncio.Event()
        self.error: Exception | None = None
        self._news = asyncio.Event()
        stream.attach(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._news.set()

    def stream_closed(self, error: Exception | None) -> None:
        self.error = error
        self.ended.set()
        self._news.set()

    async def until(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            while len(self.heard) < size:
                self._news.clear()
                await self._news.wait()
        return bytes(self.heard)


class Pair:
    """A peripheral with a listener, and a central that has found it."""

    def __init__(self, air: Air, server: BumbleRadio, client: BumbleRadio) -> None:
        self.air = air
        self.server = server
        self.client = client
        self.accepted: asyncio.Queue[Stream] = asyncio.Queue()
        self.streams: list[BleStream] = []
        assert server.peripheral is not None
        self.listener = Listener(server.peripheral, self.accepted.put_nowait)
        self.address = ""

    async def set_up(self) -> None:
        for radio in (self.server, self.client):
            await radio.open(lambda: None)
        assert self.server.peripheral is not None
        await self.server.peripheral.serve(self.listener)
        await self.server.peripheral.advertise(ADVERT)
        found: asyncio.Queue[Heard] = asyncio.Queue()
        await self.client.central.scan(found.put_nowait)
        heard = await asyncio.wait_for(found.get(), PATIENCE)
        assert heard.uuids == (ADVERT,)
        assert heard.rssi is not None
        self.address = heard.address
        await self.client.central.stop_scan()

    async def dial(self) -> tuple[Ear, Ear]:
        """Open a link; return the ears at the end that dialled and at the other."""
        stream = await dial(self.client.central, self.address, seconds=PATIENCE)
        self.streams.append(stream)
        ear = Ear(stream)
        stream.write(b"!")
        async with asyncio.timeout(PATIENCE):
            far = Ear(await self.accepted.get())
        await far.until(1)
        far.heard.clear()
        return ear, far

    async def close(self) -> None:
        for stream in (*self.streams, *self.listener.streams()):
            stream.abort()
            await stream.ended
        for radio in (self.client, self.server):
            if radio.peripheral is not None:
                await radio.peripheral.close()
            await radio.close()


@pytest.fixture
async def pair(no_task_left: None) -> AsyncIterator[Pair]:
    air = Air()
    pair = Pair(air, radio_in(air, "server"), radio_in(air, "client", peripheral=False))
    await pair.set_up()
    yield pair
    await pair.close()


async def test_bytes_arrive_whole_both_ways(pair: Pair) -> None:
    ear, far = await pair.dial()
    assert ear.stream.transport == far.stream.transport == BLUETOOTH
    up, down = (random.Random(seed).randbytes(100_000) for seed in (1, 2))
    for start in range(0, len(up), 999):
        ear.stream.write(up[start : start + 999])
        far.stream.write(down[start : start + 999])
    assert await far.until(len(up)) == up
    assert await ear.until(len(down)) == down


async def test_a_goodbye_arrives_before_the_end(pair: Pair) -> None:
    ear, far = await pair.dial()
    far.stream.write(b"x" * 3 * DEFAULT_FRAGMENT + b"bye")
    far.stream.close()
    await asyncio.wait_for(ear.ended.wait(), PATIENCE)
    assert ear.heard.endswith(b"bye")
    assert isinstance(ear.error, ConnectionResetError)
    await asyncio.wait_for(far.ended.wait(), PATIENCE)
    assert far.error is None
    assert not pair.listener.streams()


async def test_what_comes_while_a_stream_is_paused_is_kept_for_later(pair: Pair) -> None:
    ear, far = await pair.dial()
    ear.stream.pause()
    far.stream.write(b"x" * 3 * DEFAULT_FRAGMENT)
    far.stream.close()
    await asyncio.wait_for(far.ended.wait(), PATIENCE)  # all of it has been acknowledged
    assert not ear.heard or ear.ended.is_set()
    await asyncio.wait_for(ear.ended.wait(), PATIENCE)
    assert ear.heard == b"x" * 3 * DEFAULT_FRAGMENT


async def test_a_stream_that_is_resumed_goes_on(pair: Pair) -> None:
    ear, far = await pair.dial()
    ear.stream.pause()
    far.stream.write(b"one")
    ear.stream.resume()
    far.stream.write(b"two")
    assert await ear.until(6) == b"onetwo"


async def test_who_gets_out_of_range_is_gone_at_both_ends(pair: Pair) -> None:
    ear, far = await pair.dial()
    pair.air.part("server", "client")
    for end in (ear, far):
        await asyncio.wait_for(end.ended.wait(), PATIENCE)
        assert isinstance(end.error, ConnectionResetError)


async def test_a_link_that_is_unknown_there_ends(pair: Pair) -> None:
    """The process at the other end was started anew while the connection stayed."""
    ear, far = await pair.dial()
    assert isinstance(far.stream, BleStream)
    pair.listener._streams.clear()
    ear.stream.write(b"anybody?")
    await asyncio.wait_for(ear.ended.wait(), PATIENCE)
    assert "closed" in str(ear.error)
    far.stream.abort()
    await far.stream.ended


async def test_nobody_at_an_address_is_an_error(pair: Pair) -> None:
    with pytest.raises(RadioError):
        await dial(pair.client.central, "F0:0F:0F:0F:0F:0F", seconds=0.2)


async def test_what_is_no_fragment_is_passed_over(pair: Pair) -> None:
    _ear, far = await pair.dial()
    pair.listener.written("nobody", b"junk", 23)
    pair.listener.written("nobody", bytes(600), 23)
    assert len(pair.listener.streams()) == 1
    assert not far.ended.is_set()
