"""The central role, on bleak: BlueZ, CoreBluetooth and WinRT alike."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from presence_core.transports.ble.gatt import ID, RX, SERVICE, TX
from presence_core.transports.ble.radio import Heard, RadioError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bleak import BleakClient, BleakScanner
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

    from presence_core.transports.ble.radio import ClientUser

log = logging.getLogger(__name__)

MAX_DEVICES = 512
REMEMBER_SECONDS = 900.0
"""How long what somebody advertised before it was connected is taken for its advert: it changes."""
CONNECT_TRIES = 3
CONNECT_PAUSE = 1.5
"""BlueZ may say that a device is connected after it has said that connecting is done; bleak then
takes it for disconnected. The next try works."""

_SERVICE = UUID(SERVICE)
_HEADER = 3
_BUSY = ("InProgress", "in progress")


class BleakCentral:
    """The role on one adapter; ``adapter`` is its name on Linux, None for the system's choice."""

    def __init__(
        self,
        in_use: Callable[[str], bool] = lambda _: False,
        has_come: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.adapter: str | None = None
        self._in_use = in_use
        """Whether the connection to an address carries a link of the other direction too."""
        self._has_come = has_come
        """Whether somebody has connected to us from there just now, and may go on."""
        self._scanner: BleakScanner | None = None
        self._dialled: set[str] = set()
        self._devices: dict[str, BLEDevice] = {}
        self._adverts: dict[str, tuple[tuple[UUID, ...], float]] = {}
        """What each of them advertised before its services were known, and when."""

    async def scan(self, heard: Callable[[Heard], None]) -> None:
        """See :meth:`Central.scan`."""
        await load_bleak()
        from bleak import BleakScanner

        def report(device: BLEDevice, advertisement: AdvertisementData) -> None:
            uuids = tuple(_uuids(advertisement.service_uuids))
            if _SERVICE in uuids:
                # Of who is connected BlueZ tells the services that it has found, not the advert.
                uuids = self._remembered(device.address)
            elif uuids:
                self._remember(device, uuids)
            else:
                return
            heard(Heard(device.address, uuids, advertisement.rssi))

        await self.stop_scan()
        # Without DuplicateData BlueZ tells only once that somebody is there.
        scanner = BleakScanner(
            report,
            bluez=self._adapter() | {"filters": {"DuplicateData": True}},  # type: ignore[arg-type]
        )
        with as_radio_errors():
            await scanner.start()
        self._scanner = scanner

    def dialled(self, address: str) -> bool:
        """Whether we have connected to this address; forgotten with the answer."""
        known = address in self._dialled
        self._dialled.discard(address)
        return known

    def _adapter(self) -> dict[str, Any]:
        return {"adapter": self.adapter} if self.adapter else {}

    def _remember(self, device: BLEDevice, uuids: tuple[UUID, ...]) -> None:
        self._devices.pop(device.address, None)
        if len(self._devices) >= MAX_DEVICES:
            oldest = next(iter(self._devices))
            del self._devices[oldest], self._adverts[oldest]
        self._devices[device.address] = device
        self._adverts[device.address] = uuids, asyncio.get_running_loop().time()

    def _remembered(self, address: str) -> tuple[UUID, ...]:
        uuids, at = self._adverts.get(address, ((), 0.0))
        return uuids if asyncio.get_running_loop().time() - at < REMEMBER_SECONDS else ()

    async def stop_scan(self) -> None:
        """See :meth:`Central.stop_scan`."""
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with contextlib.suppress(RadioError), as_radio_errors():
                await scanner.stop()

    async def connect(self, address: str, user: ClientUser, *, seconds: float) -> BleakConnection:
        """See :meth:`Central.connect`."""
        from bleak import BleakClient

        device = self._devices.get(address)
        if device is None:
            raise RadioError(Trouble.FAILED, "it has not been heard lately")
        if self._has_come(address):
            raise RadioError(Trouble.FAILED, "it has just connected to this device")
        self._dialled.add(address)
        client = BleakClient(
            device,
            disconnected_callback=lambda _: user.disconnected(),
            timeout=seconds,
            bluez=self._adapter(),  # type: ignore[arg-type]
        )
        with as_radio_errors():
            async with asyncio.timeout(seconds):
                await _connect(client)
                try:
                    return await BleakConnection.set_up(client, user, self._in_use)
                except BaseException:
                    await _disconnect(client)
                    raise


async def _connect(client: BleakClient) -> None:
    from bleak.exc import BleakError

    for attempt in range(CONNECT_TRIES):
        try:
            await client.connect()
        except BleakError as error:
            if attempt == CONNECT_TRIES - 1 or "disconnected" not in str(error):
                raise
            log.debug("connecting once more: %s", error)
            await asyncio.sleep(CONNECT_PAUSE)
        else:
            return


async def _disconnect(client: BleakClient) -> None:
    with contextlib.suppress(RadioError), as_radio_errors():
        await client.disconnect()


class BleakConnection:
    """See :class:`~presence_core.transports.ble.radio.Client`."""

    def __init__(
        self,
        client: BleakClient,
        rx: BleakGATTCharacteristic,
        ident: bytes,
        in_use: Callable[[str], bool],
    ) -> None:
        self.ident = ident
        self._in_use = in_use
        # BlueZ keeps 20 for the whole of a second connection; ID has what the other end knows.
        self.mtu: int | None = rx.max_write_without_response_size + _HEADER
        self._client = client
        self._rx = rx

    @classmethod
    async def set_up(
        cls, client: BleakClient, user: ClientUser, in_use: Callable[[str], bool]
    ) -> BleakConnection:
        """Read ID and ask for notifications."""
        rx, tx, ident = (client.services.get_characteristic(uuid) for uuid in (RX, TX, ID))
        if rx is None or tx is None or ident is None:
            raise RadioError(Trouble.FAILED, "it does not offer the service")
        value = bytes(await client.read_gatt_char(ident))
        await client.start_notify(tx, lambda _, data: user.notified(bytes(data)))
        return cls(client, rx, value, in_use)

    async def write(self, value: bytes, *, acknowledged: bool) -> None:
        """See :meth:`Client.write`."""
        with as_radio_errors():
            await self._client.write_gatt_char(self._rx, value, response=acknowledged)

    async def close(self) -> None:
        """See :meth:`Client.close`.

        Between two hosts there is one connection for both directions: it stays while the other one
        is in use.
        """
        if self._in_use(self._client.address):
            with contextlib.suppress(RadioError), as_radio_errors():
                await self._client.stop_notify(TX)
            return
        await _disconnect(self._client)


async def load_bleak() -> None:
    """Load bleak, beside the event loop. Raises RadioError."""
    try:
        await asyncio.to_thread(importlib.import_module, "bleak")
    except ImportError as error:
        raise RadioError(Trouble.NO_LIBRARY, str(error)) from error


@contextlib.contextmanager
def as_radio_errors() -> Iterator[None]:
    """Turn what bleak and the systems below it raise into RadioError."""
    from bleak.exc import BleakBluetoothNotAvailableError, BleakError

    try:
        yield
    except RadioError:
        raise
    except BleakBluetoothNotAvailableError as error:
        raise RadioError(_unavailable(error.reason.name), str(error.args[0])) from error
    except TimeoutError as error:
        raise RadioError(Trouble.FAILED, "no answer in time") from error
    except (BleakError, OSError, EOFError, AssertionError) as error:
        text = str(error) or type(error).__name__
        busy = any(word in text for word in _BUSY)
        raise RadioError(Trouble.NOT_AT_ONCE if busy else Trouble.FAILED, text[:200]) from error


def _unavailable(reason: str) -> Trouble:
    if reason.startswith("DENIED"):
        return Trouble.NO_PERMISSION
    return Trouble.POWERED_OFF if reason == "POWERED_OFF" else Trouble.NO_ADAPTER


def _uuids(texts: list[str]) -> Iterator[UUID]:
    for text in texts:
        with contextlib.suppress(ValueError):
            yield UUID(text)
