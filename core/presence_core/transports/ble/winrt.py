"""Bluetooth on Windows, on the WinRT packages that bleak brings. Not yet proven on hardware.

A peripheral can only advertise the UUID of a service that it offers, so the advert is a second,
empty service, made anew for each UUID; the real one is there but not discoverable.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from typing import TYPE_CHECKING, Any
from uuid import UUID

from presence_core.transports.ble.bleak_central import BleakCentral, load_bleak
from presence_core.transports.ble.gatt import ID, RX, SERVICE, TX
from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from winrt.windows.devices.bluetooth.genericattributeprofile import (
        GattLocalCharacteristic,
        GattLocalService,
        GattServiceProvider,
        GattSubscribedClient,
    )
    from winrt.windows.devices.radios import Radio as SystemRadio

    from presence_core.transports.ble.radio import PeripheralUser


class WinrtRadio:
    """The default adapter."""

    def __init__(self) -> None:
        self.central = BleakCentral()
        self.trouble: Trouble | None = Trouble.NO_ADAPTER
        self.peripheral: WinrtPeripheral | None = None
        self._radio: SystemRadio | None = None
        self._watch: Any = None

    async def open(self, changed: Callable[[], None]) -> None:
        """See :meth:`Radio.open`."""
        if platform.system() != "Windows":
            raise RadioError(Trouble.NO_LIBRARY, "this is not Windows")
        await load_bleak()
        from winrt.windows.devices.bluetooth import BluetoothAdapter
        from winrt.windows.devices.radios import RadioState

        loop = asyncio.get_running_loop()
        with _as_radio_errors():
            adapter = await BluetoothAdapter.get_default_async()
            if adapter is None or not adapter.is_low_energy_supported:
                raise RadioError(Trouble.NO_ADAPTER, "no adapter that knows Bluetooth LE")
            radio = self._radio = await adapter.get_radio_async()

        def look() -> None:
            trouble = None if radio.state == RadioState.ON else Trouble.POWERED_OFF
            if trouble is not self.trouble:
                self.trouble = trouble
                changed()

        self.trouble = None if radio.state == RadioState.ON else Trouble.POWERED_OFF
        self._watch = radio.add_state_changed(lambda _radio, _: loop.call_soon_threadsafe(look))
        if adapter.is_peripheral_role_supported:
            self.peripheral = WinrtPeripheral()

    async def close(self) -> None:
        """See :meth:`Radio.close`."""
        if self._radio is not None and self._watch is not None:
            with contextlib.suppress(OSError):
                self._radio.remove_state_changed(self._watch)


class WinrtPeripheral:
    """See :class:`~presence_core.transports.ble.radio.Peripheral`."""

    def __init__(self) -> None:
        self._user: PeripheralUser | None = None
        self._service: GattServiceProvider | None = None
        self._advert: GattServiceProvider | None = None
        self._tx: GattLocalCharacteristic | None = None
        self._clients: dict[str, GattSubscribedClient] = {}
        self._loop = asyncio.get_running_loop()
        self._answers: set[asyncio.Task[None]] = set()

    async def serve(self, user: PeripheralUser) -> None:
        """See :meth:`Peripheral.serve`."""
        from winrt.windows.devices.bluetooth.genericattributeprofile import (
            GattCharacteristicProperties as Properties,
        )

        self._user = user
        if self._service is not None:  # from before the adapter was switched off
            with contextlib.suppress(OSError):
                self._service.stop_advertising()
        self._service = await self._provider(UUID(SERVICE))
        service = self._service.service
        rx = await self._characteristic(
            service, RX, Properties.WRITE | Properties.WRITE_WITHOUT_RESPONSE
        )
        self._tx = await self._characteristic(service, TX, Properties.NOTIFY)
        ident = await self._characteristic(service, ID, Properties.READ)
        rx.add_write_requested(lambda _, event: self._later(self._take_write, event))
        ident.add_read_requested(lambda _, event: self._later(self._take_read, event))
        self._tx.add_subscribed_clients_changed(
            lambda _, _event: self._loop.call_soon_threadsafe(self._count_clients)
        )
        self._start(self._service, discoverable=False)

    async def _provider(self, uuid: UUID) -> GattServiceProvider:
        from winrt.windows.devices.bluetooth import BluetoothError
        from winrt.windows.devices.bluetooth.genericattributeprofile import GattServiceProvider

        with _as_radio_errors():
            result = await GattServiceProvider.create_async(uuid)
        if result.error != BluetoothError.SUCCESS:
            raise RadioError(_TROUBLES.get(int(result.error), Trouble.FAILED), result.error.name)
        return result.service_provider

    async def _characteristic(
        self, service: GattLocalService, uuid: str, properties: Any
    ) -> GattLocalCharacteristic:
        from winrt.windows.devices.bluetooth import BluetoothError
        from winrt.windows.devices.bluetooth.genericattributeprofile import (
            GattLocalCharacteristicParameters,
            GattProtectionLevel,
        )

        parameters = GattLocalCharacteristicParameters()
        parameters.characteristic_properties = properties
        parameters.read_protection_level = GattProtectionLevel.PLAIN
        parameters.write_protection_level = GattProtectionLevel.PLAIN
        with _as_radio_errors():
            result = await service.create_characteristic_async(UUID(uuid), parameters)
        if result.error != BluetoothError.SUCCESS:
            raise RadioError(Trouble.FAILED, result.error.name)
        return result.characteristic

    def _start(self, provider: GattServiceProvider, *, discoverable: bool) -> None:
        from winrt.windows.devices.bluetooth.genericattributeprofile import (
            GattServiceProviderAdvertisingParameters,
        )

        parameters = GattServiceProviderAdvertisingParameters()
        parameters.is_connectable = True
        parameters.is_discoverable = discoverable
        with _as_radio_errors():
            provider.start_advertising_with_parameters(parameters)

    async def advertise(self, uuid: UUID) -> None:
        """See :meth:`Peripheral.advertise`."""
        await self.silence()
        self._advert = await self._provider(uuid)
        self._start(self._advert, discoverable=True)

    async def silence(self) -> None:
        """See :meth:`Peripheral.silence`."""
        advert, self._advert = self._advert, None
        if advert is not None:
            with contextlib.suppress(OSError):
                advert.stop_advertising()

    async def notify(self, central: str, value: bytes) -> None:
        """See :meth:`Peripheral.notify`. Waits until Windows has taken it: it loses the others."""
        client = self._clients.get(central)
        if client is None or self._tx is None:
            raise RadioError(Trouble.FAILED, "the other end has unsubscribed")
        with _as_radio_errors():
            await self._tx.notify_value_for_subscribed_client_async(value, client)

    async def close(self) -> None:
        """See :meth:`Peripheral.close`."""
        await self.silence()
        service, self._service = self._service, None
        if service is not None:
            with contextlib.suppress(OSError):
                service.stop_advertising()

    # -- what Windows tells, from threads of its own

    def _later(self, take: Callable[[Any, Any], Any], event: Any) -> None:
        deferral = event.get_deferral()
        self._loop.call_soon_threadsafe(self._begin, take, event, deferral)

    def _begin(self, take: Callable[[Any, Any], Any], event: Any, deferral: Any) -> None:
        task = self._loop.create_task(take(event, deferral), name="presence-ble-request")
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _take_write(self, event: Any, deferral: Any) -> None:
        from winrt.windows.devices.bluetooth.genericattributeprofile import GattWriteOption

        with contextlib.suppress(OSError):
            request = await event.get_request_async()
            value = bytes(request.value)
            if request.option == GattWriteOption.WRITE_WITH_RESPONSE:
                request.respond()
            if self._user is not None:
                session = event.session
                self._user.written(session.device_id.id, value, int(session.max_pdu_size))
        deferral.complete()

    async def _take_read(self, event: Any, deferral: Any) -> None:
        with contextlib.suppress(OSError):
            request = await event.get_request_async()
            if request is not None and self._user is not None:
                request.respond_with_value(self._user.identify(int(event.session.max_pdu_size)))
        deferral.complete()

    def _count_clients(self) -> None:
        if self._tx is None:
            return
        before = self._clients
        self._clients = {
            client.session.device_id.id: client for client in self._tx.subscribed_clients
        }
        for gone in before.keys() - self._clients.keys():
            if self._user is not None:
                self._user.departed(gone)


_TROUBLES = {
    1: Trouble.NO_ADAPTER,
    5: Trouble.NO_PERMISSION,
    6: Trouble.NO_PERIPHERAL,
    7: Trouble.POWERED_OFF,
    8: Trouble.NO_PERMISSION,
}
"""Windows.Devices.Bluetooth.BluetoothError: not available, by policy, not supported, by user,
consent required."""


@contextlib.contextmanager
def _as_radio_errors() -> Any:
    try:
        yield
    except OSError as error:
        raise RadioError(Trouble.FAILED, error.strerror or str(error)) from error
