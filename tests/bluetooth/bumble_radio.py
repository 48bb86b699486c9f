"""The project's Bluetooth interfaces on bumble: real HCI, L2CAP, ATT and GATT, no radio waves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any
from uuid import UUID

from bumble import core, gatt, hci
from bumble.controller import Controller
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink, StreamPacketSink, StreamPacketSource

from presence_core.discovery.ble_advert import advertising_data
from presence_core.transports.ble.gatt import ID, RX, SERVICE, TX
from presence_core.transports.ble.radio import (
    ClientUser,
    Heard,
    PeripheralUser,
    RadioError,
    Trouble,
)
from tests.bluetooth.air import Air

MTU = 517
INTERVAL_MS = 100.0

_numbers = itertools.count(1)
_UUID_LISTS = (core.AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,)


class BumbleRadio:
    """Two devices that are one adapter. ``devices`` makes the one for each role.

    ``at_once`` false: it refuses to scan while it advertises, and the other way round.
    """

    def __init__(self, devices: Callable[[str], Any], *, peripheral: bool = True) -> None:
        self._devices = devices
        self._changed: Callable[[], None] = lambda: None
        self.trouble: Trouble | None = None
        self.central = BumbleCentral()
        self.peripheral = BumblePeripheral() if peripheral else None
        self.at_once = True

    async def open(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        if not self.at_once and self.peripheral is not None:
            self.central.other, self.peripheral.other = self.peripheral, self.central
        self.central.device = await self._devices("central")
        if self.peripheral is not None:
            self.peripheral.device = await self._devices("peripheral")

    def set_trouble(self, trouble: Trouble | None) -> None:
        """Let something happen to the adapter."""
        self.trouble = trouble
        self._changed()

    async def close(self) -> None:
        for role in (self.central, self.peripheral):
            if role is not None and role.device is not None:
                with contextlib.suppress(Exception):
                    await role.device.power_off()


def radio_in(air: Air, node: str, *, peripheral: bool = True) -> BumbleRadio:
    """Return the radio of a node in a room of this process."""

    async def device(role: str) -> Device:
        host = Host()
        controller = Controller(f"{node}/{role}", link=air)
        host.controller = controller
        controller.host = AsyncPipeSink(host)
        return await powered(Device(name=node, address=fresh_address(), host=host))

    return BumbleRadio(device, peripheral=peripheral)


def radio_at(path: str, node: str, number: int) -> BumbleRadio:
    """Return the radio of a node of this process, whose controllers are in the ether's."""

    async def device(role: str) -> Device:
        wire: Any = await asyncio.get_running_loop().create_unix_connection(
            StreamPacketSource, path
        )
        transport, source = wire
        transport.write(f"{node}/{role}\n".encode())
        host = Host(controller_source=source, controller_sink=StreamPacketSink(transport))
        address = fresh_address(number + (1 << 16 if role == "central" else 0))
        return await powered(Device(name=node, address=address, host=host))

    return BumbleRadio(device)


def fresh_address(first: int | None = None) -> hci.Address:
    """Return a static random address that nobody else has."""
    number = first if first is not None else next(_numbers)
    return hci.Address(
        f"F0:00:00:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}"
    )


async def powered(device: Device) -> Device:
    await device.power_on()
    return device


class BumbleCentral:
    device: Device | None = None
    other: BumblePeripheral | None = None
    busy_for = 0
    """How often it will refuse to scan for a reason that passes."""

    @property
    def busy(self) -> bool:
        return self.device is not None and self.device.is_scanning

    async def scan(self, heard: Callable[[Heard], None]) -> None:
        assert self.device is not None
        if self.busy_for:
            self.busy_for -= 1
            raise RadioError(Trouble.NOT_AT_ONCE, "org.bluez.Error.InProgress")
        if self.other is not None and self.other.busy:
            raise RadioError(Trouble.NOT_AT_ONCE, "it advertises")
        await self.stop_scan()
        self.device.remove_all_listeners("advertisement")

        def report(advertisement: Advertisement) -> None:
            uuids = _uuids(advertisement)
            if uuids:
                heard(Heard(str(advertisement.address), uuids, advertisement.rssi))

        self.device.on("advertisement", report)
        with _as_radio_errors():
            await self.device.start_scanning(legacy=True, filter_duplicates=False)

    async def stop_scan(self) -> None:
        if self.device is not None and self.device.is_scanning:
            with contextlib.suppress(Exception):
                await self.device.stop_scanning(legacy=True)

    async def connect(self, address: str, user: ClientUser, *, seconds: float) -> BumbleClient:
        assert self.device is not None
        with _as_radio_errors():
            async with asyncio.timeout(seconds):
                connection = await self.device.connect(
                    hci.Address(address.partition("/")[0]), timeout=seconds
                )
                try:
                    return await BumbleClient.set_up(connection, user)
                except BaseException:
                    with contextlib.suppress(Exception):
                        await connection.disconnect()
                    raise


class BumbleClient:
    def __init__(self, connection: Connection, rx: Any, mtu: int, ident: bytes) -> None:
        self._connection = connection
        self._rx = rx
        self.mtu: int | None = mtu
        self.ident = ident
        self._connected = True
        connection.on("disconnection", self._gone)

    def _gone(self, _reason: int) -> None:
        self._connected = False

    @classmethod
    async def set_up(cls, connection: Connection, user: ClientUser) -> BumbleClient:
        connection.on("disconnection", lambda _reason: user.disconnected())
        peer = Peer(connection)
        mtu = await peer.request_mtu(MTU)
        service = await peer.discover_service(SERVICE)
        if not service:
            raise RadioError(Trouble.FAILED, "it does not offer the service")
        await service[0].discover_characteristics()
        rx, tx, ident = (
            service[0].get_characteristics_by_uuid(core.UUID(uuid))[0] for uuid in (RX, TX, ID)
        )
        await tx.subscribe(user.notified)
        return cls(connection, rx, mtu, await ident.read_value())

    async def write(self, value: bytes, *, acknowledged: bool) -> None:
        with _as_radio_errors():
            await self._rx.write_value(value, with_response=acknowledged)

    async def close(self) -> None:
        if self._connected:  # bumble waits for ever for the end of what has ended
            with contextlib.suppress(Exception):
                await self._connection.disconnect()


class BumblePeripheral:
    """One that is alone on its adapter; ``refuse`` makes it refuse to advertise."""

    device: Device | None = None
    other: BumbleCentral | None = None
    refuse: Trouble | None = None

    @property
    def busy(self) -> bool:
        return self._uuid is not None

    def __init__(self) -> None:
        self._tx: Any = None
        self._uuid: UUID | None = None
        self._connections: dict[str, Connection] = {}
        self._again: set[asyncio.Task[None]] = set()

    async def serve(self, user: PeripheralUser) -> None:
        assert self.device is not None
        if self._tx is not None:
            return
        read, write = gatt.Characteristic.READABLE, gatt.Characteristic.WRITEABLE
        properties = gatt.Characteristic.Properties
        rx: Any = gatt.Characteristic(
            RX,
            properties.WRITE | properties.WRITE_WITHOUT_RESPONSE,
            write,
            gatt.CharacteristicValue(
                write=lambda connection, value: user.written(
                    str(connection.peer_address), value, connection.att_mtu
                )
            ),
        )
        self._tx = gatt.Characteristic(TX, properties.NOTIFY, read, b"")
        ident: Any = gatt.Characteristic(
            ID,
            properties.READ,
            read,
            gatt.CharacteristicValue(read=lambda connection: user.identify(connection.att_mtu)),
        )
        self.device.add_service(gatt.Service(SERVICE, [rx, self._tx, ident]))

        def connected(connection: Connection) -> None:
            central = str(connection.peer_address)
            self._connections[central] = connection

            def gone(_reason: int) -> None:
                self._connections.pop(central, None)
                user.departed(central)

            connection.on("disconnection", gone)
            # A legacy advertiser falls silent when somebody connects.
            task = asyncio.get_running_loop().create_task(self._advertise_again())
            self._again.add(task)
            task.add_done_callback(self._again.discard)

        self.device.on("connection", connected)

    async def _advertise_again(self) -> None:
        if self._uuid is not None:
            with contextlib.suppress(RadioError):
                await self.advertise(self._uuid)

    async def advertise(self, uuid: UUID) -> None:
        assert self.device is not None
        if self.refuse is not None:
            raise RadioError(self.refuse, "advertising is refused here")
        if self.other is not None and self.other.busy:
            raise RadioError(Trouble.NOT_AT_ONCE, "it scans")
        await self.silence()
        with _as_radio_errors():
            await self.device.start_advertising(
                advertising_data=advertising_data(uuid),
                scan_response_data=b"",
                advertising_interval_min=INTERVAL_MS,
                advertising_interval_max=INTERVAL_MS,
            )
        self._uuid = uuid

    async def silence(self) -> None:
        self._uuid = None
        if self.device is not None:
            with contextlib.suppress(Exception):
                await self.device.stop_advertising()

    async def notify(self, central: str, value: bytes) -> None:
        connection = self._connections.get(central)
        if self.device is None or connection is None:
            raise RadioError(Trouble.FAILED, "the other end has disconnected")
        with _as_radio_errors():
            await self.device.notify_subscriber(connection, self._tx, value)

    async def close(self) -> None:
        await self.silence()
        for task in tuple(self._again):
            task.cancel()
        await asyncio.gather(*self._again, return_exceptions=True)
        for connection in tuple(self._connections.values()):
            with contextlib.suppress(Exception):
                await connection.disconnect()


@contextlib.contextmanager
def _as_radio_errors() -> Any:
    try:
        yield
    except RadioError:
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # bumble cancels what waits for a connection that has ended
        raise RadioError(Trouble.FAILED, "the connection has ended") from None
    except (TimeoutError, core.BaseBumbleError, hci.HCI_Error) as error:
        raise RadioError(Trouble.FAILED, str(error) or type(error).__name__) from error


def _uuids(advertisement: Advertisement) -> tuple[UUID, ...]:
    found = []
    for kind, value in advertisement.data.ad_structures:
        if kind in _UUID_LISTS:
            found += [UUID(bytes=value[n : n + 16][::-1]) for n in range(0, len(value) - 15, 16)]
    return tuple(found)
