"""Links that others open: from what centrals write to streams."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

from presence_core.transports.ble.channel import Channel
from presence_core.transports.ble.fragments import (
    MAX_FRAGMENT,
    Flag,
    Fragment,
    FragmentError,
    fragment_size,
)
from presence_core.transports.ble.gatt import Ident
from presence_core.transports.ble.radio import RadioError
from presence_core.transports.ble.stream import BleStream

if TYPE_CHECKING:
    from presence_core.transports.ble.radio import Peripheral
    from presence_core.transports.stream import StreamOpened

MAX_STREAMS = 16
"""Links at once, half open ones among them; an adapter holds hardly more connections."""

MAX_ANSWERS = 4
"""Fragments of unknown links that are being answered at once."""


class Listener:
    """Tells centrals apart, and each one's links by their tags.

    Implements :class:`~presence_core.transports.ble.radio.PeripheralUser`.
    """

    def __init__(self, peripheral: Peripheral, opened: StreamOpened) -> None:
        self._peripheral = peripheral
        self._opened = opened
        self._streams: dict[tuple[str, int], BleStream] = {}
        self._answers: set[asyncio.Task[None]] = set()

    def identify(self, mtu: int | None) -> bytes:
        """See :meth:`PeripheralUser.identify`."""
        return Ident(mtu, MAX_FRAGMENT).encode()

    def written(self, central: str, value: bytes, mtu: int | None) -> None:
        """See :meth:`PeripheralUser.written`."""
        try:
            fragment = Fragment.decode(value)
        except FragmentError:
            return
        stream = self._streams.get((central, fragment.tag))
        if stream is not None:
            stream.fragment_received(fragment)
        elif fragment.flags & Flag.OPEN:
            self._open(central, fragment, mtu)
        elif not fragment.flags & Flag.CLOSE and len(self._answers) < MAX_ANSWERS:
            # Of a link of the process that ran here before: its other end is to know at once.
            answer = asyncio.get_running_loop().create_task(
                self._close_unknown(central, fragment.tag), name="presence-ble-unknown"
            )
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)

    async def _close_unknown(self, central: str, tag: int) -> None:
        with contextlib.suppress(RadioError):
            await self._peripheral.notify(central, Fragment(tag, Flag.CLOSE).encode())

    def _open(self, central: str, fragment: Fragment, mtu: int | None) -> None:
        """Make a stream; not if its tag is another one's, who would hear what is meant for it."""
        taken = {tag for _, tag in self._streams}
        if len(self._streams) >= MAX_STREAMS or fragment.tag in taken:
            return
        end = (central, fragment.tag)
        stream = BleStream(
            Channel(opens=False, tag=fragment.tag, size=fragment_size(mtu)),
            host=central,
            send=partial(self._peripheral.notify, central),
            release=partial(self._forget, end),
        )
        self._streams[end] = stream
        stream.fragment_received(fragment)
        self._opened(stream)

    async def _forget(self, end: tuple[str, int]) -> None:
        self._streams.pop(end, None)

    def serves(self, central: str) -> bool:
        """See :meth:`PeripheralUser.serves`."""
        return any(owner == central for owner, _ in self._streams)

    def departed(self, central: str) -> None:
        """See :meth:`PeripheralUser.departed`."""
        for (owner, _), stream in tuple(self._streams.items()):
            if owner == central:
                stream.lost("the other end has disconnected")

    def streams(self) -> tuple[BleStream, ...]:
        """Return the links that are open."""
        return tuple(self._streams.values())
