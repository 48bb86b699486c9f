"""Dialling over Bluetooth: from an address that was heard to a stream."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from presence_core.transports.ble.channel import Channel
from presence_core.transports.ble.fragments import (
    DEFAULT_FRAGMENT,
    SEQUENCES,
    Flag,
    Fragment,
    FragmentError,
    fragment_size,
)
from presence_core.transports.ble.gatt import Ident, IdentError
from presence_core.transports.ble.radio import RadioError, Trouble
from presence_core.transports.ble.stream import BleStream

if TYPE_CHECKING:
    from presence_core.transports.ble.radio import Central, Client


class _Far:
    """The other end of a link that we open."""

    def __init__(self) -> None:
        self.gone = False
        self.stream: BleStream | None = None
        self.tag = secrets.randbelow(SEQUENCES)

    def notified(self, value: bytes) -> None:
        """Pass a fragment on if it is of this link: others are notified here too."""
        try:
            fragment = Fragment.decode(value)
        except FragmentError:
            return
        if self.stream is not None and fragment.tag == self.tag:
            self.stream.fragment_received(fragment)

    def disconnected(self) -> None:
        """Pass the end on."""
        self.gone = True
        if self.stream is not None:
            self.stream.lost("the Bluetooth connection was lost")


async def dial(central: Central, address: str, *, seconds: float) -> BleStream:
    """Connect to a peripheral and open a link. Raises RadioError."""
    far = _Far()
    client = await central.connect(address, far, seconds=seconds)
    try:
        ident = Ident.decode(client.ident)
    except IdentError as error:
        await client.close()
        raise RadioError(Trouble.FAILED, str(error)) from None
    if far.gone:
        await client.close()
        raise RadioError(Trouble.FAILED, "the connection was lost at once")
    channel = Channel(opens=True, tag=far.tag, size=_size(client, ident))

    async def send(value: bytes) -> None:
        # The first one is acknowledged by GATT itself: if that fails, one knows why.
        await client.write(value, acknowledged=bool(value[2] & Flag.OPEN))

    far.stream = BleStream(channel, host=address, send=send, release=client.close)
    return far.stream


def _size(client: Client, ident: Ident) -> int:
    """Return how large fragments may be: both ends may know the MTU, and either may be wrong.

    BlueZ keeps the least MTU for the whole of a second connection; the peripheral knows better.
    """
    known = [mtu for mtu in (client.mtu, ident.mtu) if mtu is not None]
    return fragment_size(max(known, default=None), min(DEFAULT_FRAGMENT, ident.max_fragment))
