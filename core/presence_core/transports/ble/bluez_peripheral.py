"""The peripheral role on BlueZ: a GATT application and an advertisement, as D-Bus objects of ours.

BlueZ calls our objects (doc/org.bluez.GattManager.rst, doc/org.bluez.LEAdvertisingManager.rst); a
handful of methods is answered here by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from presence_core.transports.ble.bluez_bus import OBJECT_MANAGER, PROPERTIES, BluezBus, BluezError
from presence_core.transports.ble.gatt import ID, RX, SERVICE, TX
from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    from uuid import UUID

    from dbus_fast import Message, Variant

    from presence_core.transports.ble.radio import PeripheralUser

_GATT_MANAGER, _ADVERT_MANAGER = "org.bluez.GattManager1", "org.bluez.LEAdvertisingManager1"
_SERVICE, _CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
_ADVERT = "org.bluez.LEAdvertisement1"

_APP = "/presence"
_SERVICE_PATH = f"{_APP}/service"
_RX_PATH, _TX_PATH, _ID_PATH = (f"{_SERVICE_PATH}/{name}" for name in ("rx", "tx", "id"))
_ADVERT_PATH = f"{_APP}/advert"

INTERVAL_MS = (100, 250)
"""Between two adverts; BlueZ's own is 1.28 s. Before BlueZ 5.77 it keeps to its own."""

_REFUSED = frozenset({"org.bluez.Error.NotPermitted", "org.bluez.Error.NotSupported"})
_UNKNOWN = "org.freedesktop.DBus.Error.Unknown"


def central_of(path: str) -> str:
    """Return the address in the path of a device: ``/org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF``."""
    return path.rpartition("/dev_")[2].partition("/")[0].replace("_", ":")


class BluezPeripheral:
    """The role on one adapter, named by its D-Bus path."""

    def __init__(self, bus: BluezBus) -> None:
        self.adapter = ""
        self.at_once = True
        """Whether the adapter can scan meanwhile."""
        self._bus = bus
        self._user: PeripheralUser | None = None
        self._uuid: UUID | None = None
        self._advert: str | None = None
        self._adverts = 0
        self._written: set[str] = set()
        """Centrals that have written since they are connected."""
        self._pipes: dict[str, socket.socket] = {}
        """Where BlueZ reads notifications, by the central that it has asked for."""

    # -- what the engine wants

    async def serve(self, user: PeripheralUser) -> None:
        """See :meth:`Peripheral.serve`."""
        self._user = user
        try:
            await self._bus.call(
                self.adapter, _GATT_MANAGER, "RegisterApplication", "oa{sv}", [_APP, {}]
            )
        except BluezError as error:
            if error.name != "org.bluez.Error.AlreadyExists":
                raise _meaning(error) from error

    async def advertise(self, uuid: UUID) -> None:
        """See :meth:`Peripheral.advertise`."""
        await self.silence()
        self._uuid = uuid
        self._adverts += 1
        path = f"{_ADVERT_PATH}{self._adverts}"
        self._advert = path
        try:
            await self._bus.call(
                self.adapter, _ADVERT_MANAGER, "RegisterAdvertisement", "oa{sv}", [path, {}]
            )
        except BluezError as error:
            self._advert = None
            raise _meaning(error, at_once=self.at_once) from error

    async def silence(self) -> None:
        """See :meth:`Peripheral.silence`."""
        path, self._advert = self._advert, None
        if path is not None:
            with contextlib.suppress(RadioError):
                await self._bus.call(
                    self.adapter, _ADVERT_MANAGER, "UnregisterAdvertisement", "o", [path]
                )

    async def notify(self, central: str, value: bytes) -> None:
        """See :meth:`Peripheral.notify`.

        Until BlueZ 5.82 there is one pipe for all, whoever it was opened for.
        """
        pipe = self._pipes.get(central) or next(iter(self._pipes.values()), None)
        if pipe is None:
            self._bus.send(self._value_changed(value))
            return
        try:
            await asyncio.get_running_loop().sock_sendall(pipe, value)
        except OSError as error:
            self._close_pipes(pipe)
            raise RadioError(Trouble.FAILED, "the other end has unsubscribed") from error

    def served(self, address: str) -> bool:
        """Whether a device has written to us since it is connected."""
        return address in self._written

    def serves(self, address: str) -> bool:
        """Whether a device has a link to us that it has opened."""
        return self._user is not None and self._user.serves(address)

    def forget(self) -> None:
        """Note that BlueZ has forgotten all of ours: it was started anew, or switched off."""
        self._advert = None
        self._close_pipes()

    def _close_pipes(self, which: socket.socket | None = None) -> None:
        for central, pipe in tuple(self._pipes.items()):
            if which in (None, pipe):
                del self._pipes[central]
                pipe.close()

    async def close(self) -> None:
        """See :meth:`Peripheral.close`."""
        await self.silence()
        self._close_pipes()
        if self.adapter:
            with contextlib.suppress(RadioError):
                await self._bus.call(
                    self.adapter, _GATT_MANAGER, "UnregisterApplication", "o", [_APP]
                )

    def departed(self, central: str) -> None:
        """Take note that a central has disconnected."""
        self._written.discard(central)
        pipe = self._pipes.pop(central, None)
        if pipe is not None:
            pipe.close()
        if self._user is not None:
            self._user.departed(central)

    # -- what BlueZ wants

    def asked(self, message: Message) -> Message | None:
        """Answer a call, None when it is none of ours."""
        from dbus_fast import Message

        path, interface, member = message.path or "", message.interface, message.member
        if not path.startswith(_APP):
            return None
        body = message.body
        try:
            match interface, member:
                case (str(), "GetManagedObjects") if interface == OBJECT_MANAGER:
                    return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
                case (str(), "GetAll") if interface == PROPERTIES:
                    return Message.new_method_return(
                        message, "a{sv}", [self._properties(path, body[0])]
                    )
                case (str(), "ReadValue") if path == _ID_PATH and self._user is not None:
                    value = self._user.identify(_mtu(body[0]))
                    return Message.new_method_return(message, "ay", [value])
                case (str(), "WriteValue") if path == _RX_PATH and self._user is not None:
                    options = body[1]
                    self._written.add(_central(options))
                    self._user.written(_central(options), bytes(body[0]), _mtu(options))
                    return Message.new_method_return(message)
                case (str(), "AcquireNotify") if path == _TX_PATH:
                    return self._open_pipe(message, body[0])
                case (str(), "StartNotify" | "StopNotify" | "Release" | "Confirm"):
                    return Message.new_method_return(message)
        except (IndexError, KeyError, TypeError) as error:
            return Message.new_error(message, "org.bluez.Error.InvalidArguments", str(error))
        return Message.new_error(message, "org.bluez.Error.NotSupported", "not supported")

    def _open_pipe(self, message: Message, options: dict[str, Variant]) -> Message:
        from dbus_fast import Message

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # noqa: FBT003  what the socket module calls for
        central = _central(options)
        old = self._pipes.pop(central, None)
        if old is not None:
            old.close()
        self._pipes[central] = ours
        # The library closes what it has sent.
        return Message.new_method_return(message, "hq", [0, _mtu(options) or 23], [theirs.detach()])

    def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        characteristics = {
            path: {_CHARACTERISTIC: self._properties(path, _CHARACTERISTIC)}
            for path in (_RX_PATH, _TX_PATH, _ID_PATH)
        }
        return {
            _SERVICE_PATH: {_SERVICE: self._properties(_SERVICE_PATH, _SERVICE)},
            **characteristics,
        }

    def _properties(self, path: str, interface: str) -> dict[str, Variant]:
        from dbus_fast import Variant

        if interface == _SERVICE:
            return {"UUID": Variant("s", SERVICE), "Primary": Variant("b", True)}  # noqa: FBT003
        if interface == _ADVERT:
            assert self._uuid is not None
            return {
                "Type": Variant("s", "peripheral"),
                "ServiceUUIDs": Variant("as", [str(self._uuid)]),
                "MinInterval": Variant("u", INTERVAL_MS[0]),
                "MaxInterval": Variant("u", INTERVAL_MS[1]),
            }
        uuid, flags = {
            _RX_PATH: (RX, ["write", "write-without-response"]),
            _TX_PATH: (TX, ["notify"]),
            _ID_PATH: (ID, ["read"]),
        }[path]
        properties = {
            "UUID": Variant("s", uuid),
            "Service": Variant("o", _SERVICE_PATH),
            "Flags": Variant("as", flags),
        }
        if path == _TX_PATH:
            # That it is there makes BlueZ ask for a pipe.
            properties["NotifyAcquired"] = Variant("b", bool(self._pipes))
        return properties

    def _value_changed(self, value: bytes) -> Message:
        from dbus_fast import Message, Variant

        return Message.new_signal(
            _TX_PATH,
            PROPERTIES,
            "PropertiesChanged",
            "sa{sv}as",
            [_CHARACTERISTIC, {"Value": Variant("ay", value)}, []],
        )


def _meaning(error: BluezError, *, at_once: bool = True) -> RadioError:
    if error.name.startswith(_UNKNOWN):
        return RadioError(Trouble.NO_PERIPHERAL, str(error))
    if error.name in _REFUSED:
        return RadioError(Trouble.ADVERT_REFUSED, str(error))
    if error.trouble is Trouble.FAILED and not at_once:
        return RadioError(Trouble.NOT_AT_ONCE, str(error))
    return error


def _central(options: dict[str, Variant]) -> str:
    return central_of(str(options["device"].value))


def _mtu(options: dict[str, Variant]) -> int | None:
    mtu = options.get("mtu")
    return int(mtu.value) if mtu is not None else None
