"""Bluetooth on macOS, on the pyobjc packages that bleak brings. Not yet proven on hardware.

The program that the terminal belongs to needs the permission to use Bluetooth; without it macOS
ends the process. Centrals have an identifier here, not an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from typing import TYPE_CHECKING, Any

from presence_core.transports.ble.bleak_central import BleakCentral, load_bleak
from presence_core.transports.ble.gatt import ID, RX, SERVICE, TX
from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from presence_core.transports.ble.radio import PeripheralUser

READY_SECONDS = 10.0
"""How long macOS may take to say whether there is Bluetooth: it may ask the user first."""

_HEADER = 3
_SUCCESS, _NOT_SUPPORTED = 0, 6
"""CBATTError."""
_STATES = {
    2: Trouble.NO_ADAPTER,
    3: Trouble.NO_PERMISSION,
    4: Trouble.POWERED_OFF,
    5: None,
}
"""CBManagerState: unsupported, unauthorized, powered off, powered on."""


class CoreBluetoothRadio:
    """The adapter of this Mac."""

    def __init__(self) -> None:
        self.central = BleakCentral()
        self.trouble: Trouble | None = Trouble.NO_SERVICE
        self.peripheral: CoreBluetoothPeripheral | None = None

    async def open(self, changed: Callable[[], None]) -> None:
        """See :meth:`Radio.open`."""
        if platform.system() != "Darwin":
            raise RadioError(Trouble.NO_LIBRARY, "this is not macOS")
        await load_bleak()
        told = asyncio.Event()

        def state_is(state: int) -> None:
            self.trouble = _STATES.get(state, Trouble.NO_SERVICE)
            told.set()
            changed()

        self.peripheral = CoreBluetoothPeripheral(state_is)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                await told.wait()

    async def close(self) -> None:
        """See :meth:`Radio.close`."""
        if self.peripheral is not None:
            await self.peripheral.close()


class CoreBluetoothPeripheral:
    """See :class:`~presence_core.transports.ble.radio.Peripheral`."""

    def __init__(self, state_is: Callable[[int], None]) -> None:
        from CoreBluetooth import CBPeripheralManager
        from libdispatch import DISPATCH_QUEUE_SERIAL, dispatch_queue_create

        self.state_is = state_is
        self.loop = asyncio.get_running_loop()
        self._user: PeripheralUser | None = None
        self._centrals: dict[str, Any] = {}
        self._tx: Any = None
        self._ready = asyncio.Event()
        self._added: asyncio.Future[Any] | None = None
        self._advertising: asyncio.Future[Any] | None = None
        self._delegate = _delegate_class().alloc().initWithOwner_(self)
        queue = dispatch_queue_create(b"presence.bluetooth", DISPATCH_QUEUE_SERIAL)
        self._manager = CBPeripheralManager.alloc().initWithDelegate_queue_(self._delegate, queue)

    async def serve(self, user: PeripheralUser) -> None:
        """See :meth:`Peripheral.serve`."""
        from CoreBluetooth import CBUUID, CBMutableCharacteristic, CBMutableService

        self._user = user
        write, write_without_response, notify, read = 0x08, 0x04, 0x10, 0x02
        readable, writable = 0x01, 0x02

        def characteristic(uuid: str, properties: int, permissions: int) -> Any:
            made = CBMutableCharacteristic.alloc()
            return made.initWithType_properties_value_permissions_(
                CBUUID.UUIDWithString_(uuid), properties, None, permissions
            )

        self._tx = characteristic(TX, notify, readable)
        service = CBMutableService.alloc().initWithType_primary_(
            CBUUID.UUIDWithString_(SERVICE),
            True,  # noqa: FBT003  how Objective-C names arguments
        )
        service.setCharacteristics_(
            [
                characteristic(RX, write | write_without_response, writable),
                self._tx,
                characteristic(ID, read, readable),
            ]
        )
        self._manager.removeAllServices()
        self._added = self.loop.create_future()
        self._manager.addService_(service)
        await self._confirmed(self._added, Trouble.FAILED)

    async def advertise(self, uuid: UUID) -> None:
        """See :meth:`Peripheral.advertise`."""
        from CoreBluetooth import CBUUID, CBAdvertisementDataServiceUUIDsKey

        await self.silence()
        self._advertising = self.loop.create_future()
        self._manager.startAdvertising_(
            {CBAdvertisementDataServiceUUIDsKey: [CBUUID.UUIDWithString_(str(uuid))]}
        )
        await self._confirmed(self._advertising, Trouble.ADVERT_REFUSED)

    async def _confirmed(self, answer: asyncio.Future[Any], trouble: Trouble) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                error = await answer
        except TimeoutError:
            raise RadioError(trouble, "no answer from CoreBluetooth") from None
        if error is not None:
            raise RadioError(trouble, str(error.localizedDescription()))

    async def silence(self) -> None:
        """See :meth:`Peripheral.silence`."""
        self._manager.stopAdvertising()

    async def notify(self, central: str, value: bytes) -> None:
        """See :meth:`Peripheral.notify`. Waits while the queue of macOS is full."""
        while True:
            subscriber = self._centrals.get(central)
            if subscriber is None:
                raise RadioError(Trouble.FAILED, "the other end has unsubscribed")
            self._ready.clear()
            if self._manager.updateValue_forCharacteristic_onSubscribedCentrals_(
                value, self._tx, [subscriber]
            ):
                return
            await self._ready.wait()

    async def close(self) -> None:
        """See :meth:`Peripheral.close`."""
        self._manager.stopAdvertising()
        self._manager.removeAllServices()

    # -- what macOS tells; called on the event loop

    def added(self, error: Any) -> None:
        """The service was taken, or not."""
        if self._added is not None and not self._added.done():
            self._added.set_result(error)

    def advertising(self, error: Any) -> None:
        """Advertising has begun, or not."""
        if self._advertising is not None and not self._advertising.done():
            self._advertising.set_result(error)

    def subscribed(self, central: Any) -> None:
        """A central wants notifications."""
        self._centrals[_name(central)] = central

    def unsubscribed(self, central: Any) -> None:
        """A central wants them no more: the only sign that it is gone."""
        self._centrals.pop(_name(central), None)
        if self._user is not None:
            self._user.departed(_name(central))

    def ready(self) -> None:
        """There is room for notifications again."""
        self._ready.set()

    def read(self, request: Any) -> None:
        """A central reads ID."""
        if self._user is None:
            self._manager.respondToRequest_withResult_(request, _NOT_SUPPORTED)
            return
        request.setValue_(self._user.identify(_mtu(request.central())))
        self._manager.respondToRequest_withResult_(request, _SUCCESS)

    def write(self, requests: Any) -> None:
        """A central writes to RX; several at once are answered by the first."""
        for request in requests:
            if self._user is not None and request.value() is not None:
                central = request.central()
                self._user.written(_name(central), bytes(request.value()), _mtu(central))
        self._manager.respondToRequest_withResult_(requests[0], _SUCCESS)


def _name(central: Any) -> str:
    return str(central.identifier().UUIDString())


def _mtu(central: Any) -> int:
    return int(central.maximumUpdateValueLength()) + _HEADER


def _delegate_class() -> Any:
    """Make the class whose objects CoreBluetooth calls, on a thread of its own."""
    import objc
    from Foundation import NSObject

    known = getattr(_delegate_class, "made", None)
    if known is not None:
        return known  # Objective-C knows a class by its name: there can be only one

    class PresencePeripheralDelegate(NSObject):  # type: ignore[misc]
        """Carries calls over to the event loop."""

        def initWithOwner_(self, owner: CoreBluetoothPeripheral) -> Any:  # noqa: N802
            made = objc.super(PresencePeripheralDelegate, self).init()
            made.owner = owner
            return made

        def _tell(self, what: str, *with_: Any) -> None:
            owner = self.owner
            with contextlib.suppress(RuntimeError):  # the loop is closed
                owner.loop.call_soon_threadsafe(getattr(owner, what), *with_)

        def peripheralManagerDidUpdateState_(self, manager: Any) -> None:  # noqa: N802
            self._tell("state_is", int(manager.state()))

        def peripheralManager_didAddService_error_(  # noqa: N802
            self, _manager: Any, _service: Any, error: Any
        ) -> None:
            self._tell("added", error)

        def peripheralManagerDidStartAdvertising_error_(  # noqa: N802
            self, _manager: Any, error: Any
        ) -> None:
            self._tell("advertising", error)

        def peripheralManager_central_didSubscribeToCharacteristic_(  # noqa: N802
            self, _manager: Any, central: Any, _characteristic: Any
        ) -> None:
            self._tell("subscribed", central)

        def peripheralManager_central_didUnsubscribeFromCharacteristic_(  # noqa: N802
            self, _manager: Any, central: Any, _characteristic: Any
        ) -> None:
            self._tell("unsubscribed", central)

        def peripheralManagerIsReadyToUpdateSubscribers_(self, _manager: Any) -> None:  # noqa: N802
            self._tell("ready")

        def peripheralManager_didReceiveReadRequest_(  # noqa: N802
            self, _manager: Any, request: Any
        ) -> None:
            self._tell("read", request)

        def peripheralManager_didReceiveWriteRequests_(  # noqa: N802
            self, _manager: Any, requests: Any
        ) -> None:
            self._tell("write", requests)

    _delegate_class.made = PresencePeripheralDelegate  # type: ignore[attr-defined]
    return PresencePeripheralDelegate
