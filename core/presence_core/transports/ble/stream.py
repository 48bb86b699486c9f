"""A Bluetooth link as a :class:`~presence_core.transports.stream.Stream`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from presence_core.transports import BLUETOOTH
from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from presence_core.transports.ble.channel import Channel
    from presence_core.transports.ble.fragments import Fragment
    from presence_core.transports.stream import StreamUser

MAX_QUEUED = 1024 * 1024
"""Bytes that may wait for a peer that takes nothing; beyond it the stream is aborted."""

SEND_SECONDS = 5.0
"""How long the system may take over one fragment before the link counts as broken."""

LINGER_SECONDS = 2.0
"""How long a stream that is closed waits for its last words to arrive."""


class BleStream:
    """One link over GATT. ``send`` carries a fragment, ``release`` gives the link back at the end.

    Its task ends by itself; ``ended`` can be awaited.
    """

    transport = BLUETOOTH

    def __init__(
        self,
        channel: Channel,
        *,
        host: str,
        send: Callable[[bytes], Awaitable[None]],
        release: Callable[[], Awaitable[None]],
    ) -> None:
        self.host = host
        self.remote = f"Bluetooth {host}"
        self._channel = channel
        self._send = send
        self._release = release
        self._loop = asyncio.get_running_loop()
        self._user: StreamUser | None = None
        self._paused = False
        self._waiting = bytearray()
        self._error: Exception | None = None
        self._over = False
        self._told = False
        self._close_by: float | None = None
        self._wake = asyncio.Event()
        self.ended = self._loop.create_task(self._run(), name=f"presence-ble-{host}")

    # -- what the engine does with it

    def attach(self, user: StreamUser) -> None:
        """See :meth:`Stream.attach`."""
        self._user = user
        self._hand_over()
        if self._told:
            user.stream_closed(self._error)

    def pause(self) -> None:
        """See :meth:`Stream.pause`. The other end goes on: so slowly that it may be kept here."""
        self._paused = True

    def resume(self) -> None:
        """See :meth:`Stream.resume`."""
        self._paused = False
        self._hand_over()

    def write(self, data: bytes) -> None:
        """See :meth:`Stream.write`."""
        if self._over or self._close_by is not None:
            return
        if self._channel.queued + len(data) > MAX_QUEUED:
            self.abort()
            return
        self._channel.send(data)
        self._wake.set()

    def close(self) -> None:
        """See :meth:`Stream.close`."""
        if self._close_by is None:
            self._close_by = self._loop.time() + LINGER_SECONDS
            self._wake.set()

    def abort(self) -> None:
        """See :meth:`Stream.abort`."""
        self._over = True
        self._wake.set()

    # -- what the radio tells

    def fragment_received(self, fragment: Fragment) -> None:
        """Take a fragment of this link."""
        if self._over:
            return
        data = self._channel.receive(fragment, self._loop.time())
        if data and self._close_by is None:
            self._waiting += data
            self._hand_over()
        self._wake.set()

    def lost(self, detail: str) -> None:
        """Learn that the connection under it is gone."""
        if not self._over:
            self._error = ConnectionResetError(detail)
            self.abort()

    def _hand_over(self) -> None:
        if self._user is None or self._paused or not self._waiting:
            return
        data, self._waiting = bytes(self._waiting), bytearray()
        if self._close_by is None:
            self._user.data_received(data)

    # -- carrying fragments

    async def _run(self) -> None:
        try:
            await self._carry()
            with contextlib.suppress(RadioError):
                if self._error is None and self._channel.failed is None:
                    await self._give(self._channel.farewell())
        except RadioError as error:
            self._error = ConnectionResetError(str(error))
        finally:
            self._over = True
            self._tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SEND_SECONDS):
                    await self._release()

    async def _carry(self) -> None:
        """Send what there is to send until the stream is over."""
        while not self._over and self._channel.failed is None:
            now = self._loop.time()
            self._channel.tick(now)
            value = self._channel.next_fragment(now)
            if value is not None:
                await self._give(value)
                continue
            if self._close_by is not None and (self._channel.settled or now >= self._close_by):
                return
            await self._rest_until(min(self._channel.next_time(), self._close_by or float("inf")))
        if self._channel.failed is not None and self._close_by is None:
            self._error = self._error or ConnectionResetError(self._channel.failed)

    async def _give(self, value: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(value)
        except TimeoutError:
            raise RadioError(Trouble.FAILED, "Bluetooth takes no more data") from None

    async def _rest_until(self, moment: float) -> None:
        if self._channel.failed is None and not self._over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if moment == float("inf") else moment):
                    await self._wake.wait()
        self._wake.clear()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self.resume()
            if self._user is not None:
                self._user.stream_closed(self._error)
