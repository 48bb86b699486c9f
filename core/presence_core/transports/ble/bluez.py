"""The Bluetooth adapter of Linux: BlueZ over D-Bus. Follows what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from presence_core.transports.ble.bleak_central import BleakCentral
from presence_core.transports.ble.bluez_adapter import adapters_of
from presence_core.transports.ble.bluez_bus import (
    ADAPTER,
    DEVICE,
    OBJECT_MANAGER,
    PROPERTIES,
    BluezBus,
)
from presence_core.transports.ble.bluez_peripheral import BluezPeripheral, central_of
from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbus_fast import Message

log = logging.getLogger(__name__)

COMING_SECONDS = 15.0
"""How long whoever connects to us may take for a handshake before we dial it ourselves."""


class BluezRadio:
    """The first adapter that is switched on, or the one of this name (``hci0``)."""

    def __init__(self, adapter: str | None = None) -> None:
        self.trouble: Trouble | None = Trouble.NO_SERVICE
        self._wanted = adapter
        self._bus = BluezBus()
        self._served = BluezPeripheral(self._bus)
        self.central = BleakCentral(self._served.serves, self._has_come)
        self._connected_at: dict[str, float] = {}
        self._forgetting: set[asyncio.Task[None]] = set()
        self._can_be_found = False
        self._changed: Callable[[], None] = lambda: None
        self._look: asyncio.Task[None] | None = None
        self._look_again = False

    @property
    def peripheral(self) -> BluezPeripheral | None:
        """See :attr:`Radio.peripheral`."""
        return self._served if self._can_be_found else None

    async def open(self, changed: Callable[[], None]) -> None:
        """See :meth:`Radio.open`."""
        self._changed = changed
        await self._bus.connect(self._heard, self._served.asked)
        await self._look_at_adapters()

    async def close(self) -> None:
        """See :meth:`Radio.close`."""
        tasks = [*self._forgetting, *([self._look] if self._look is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._bus.close()

    # -- signals

    def _heard(self, message: Message) -> None:
        if message.member == "NameOwnerChanged":
            if not message.body[2]:
                self._set(Trouble.NO_SERVICE)
            self._look_soon()
        elif message.interface == OBJECT_MANAGER:
            interfaces = message.body[1] if len(message.body) > 1 else ()
            if ADAPTER in interfaces:
                if message.member == "InterfacesRemoved":
                    self._set(Trouble.NO_ADAPTER)
                self._look_soon()
        elif message.interface == PROPERTIES and message.path:
            interface, changes = message.body[0], message.body[1]
            if interface == DEVICE and "Connected" in changes:
                self._connection(message.path, connected=bool(changes["Connected"].value))
            elif interface == ADAPTER and "Powered" in changes:
                if not changes["Powered"].value and message.path == self._served.adapter:
                    self._set(Trouble.POWERED_OFF)
                self._look_soon()

    def _connection(self, device: str, *, connected: bool) -> None:
        address = central_of(device)
        if connected:
            self._connected_at[address] = asyncio.get_running_loop().time()
            return
        self._connected_at.pop(address, None)
        if self._served.served(address) or self.central.dialled(address):
            self._forget_soon(device)
        self._served.departed(address)

    def _has_come(self, address: str) -> bool:
        """Whether a device is connected that we have not dialled, and has not had its time yet.

        Two dials that cross end both: the second one to time out takes the connection down.
        """
        connected_at = self._connected_at.get(address, float("-inf"))
        return asyncio.get_running_loop().time() - connected_at < COMING_SECONDS

    def _forget_soon(self, device: str) -> None:
        task = asyncio.get_running_loop().create_task(self._forget(device), name="presence-forget")
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _forget(self, device: str) -> None:
        """Let BlueZ forget who was connected, so that it hears its adverts and not its services.

        Devices that a person has paired are left alone.
        """
        with contextlib.suppress(RadioError):
            (found,) = await self._bus.call(device, PROPERTIES, "GetAll", "s", [DEVICE])
            if not any(found[name].value for name in ("Paired", "Trusted", "Connected")):
                adapter = device.rpartition("/")[0]
                await self._bus.call(adapter, ADAPTER, "RemoveDevice", "o", [device])

    def _look_soon(self) -> None:
        self._look_again = True
        if self._look is None:
            self._look = asyncio.get_running_loop().create_task(
                self._keep_looking(), name="presence-bluez"
            )

    async def _keep_looking(self) -> None:
        try:
            while self._look_again:
                self._look_again = False
                with contextlib.suppress(RadioError):
                    await self._look_at_adapters()
        finally:
            self._look = None

    async def _look_at_adapters(self) -> None:
        try:
            if not await self._bus.is_running():
                self._set(Trouble.NO_SERVICE)
                return
            objects = await self._bus.objects()
        except RadioError as error:
            self._set(error.trouble)
            return
        adapters = adapters_of(objects, self._wanted)
        if not adapters:
            self._set(Trouble.NO_ADAPTER)
            return
        best = adapters[0]
        self.central.adapter = best.name
        self._served.adapter = best.path
        self._served.at_once = best.at_once
        self._can_be_found = best.can_be_found
        self._set(None if best.powered else Trouble.POWERED_OFF)

    def _set(self, trouble: Trouble | None) -> None:
        if trouble is not self.trouble:
            log.info("Bluetooth: %s", trouble or "ready")
            self.trouble = trouble
            if trouble is not None:
                self._served.forget()
            self._changed()
