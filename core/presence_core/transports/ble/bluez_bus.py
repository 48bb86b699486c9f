"""BlueZ on the system bus of Linux: calls, signals, and what its errors mean."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

BLUEZ = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
_DBUS, _DBUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

CALL_SECONDS = 10.0

_MEANING = {
    "org.freedesktop.DBus.Error.AccessDenied": Trouble.NO_PERMISSION,
    "org.freedesktop.DBus.Error.ServiceUnknown": Trouble.NO_SERVICE,
    "org.freedesktop.DBus.Error.NameHasNoOwner": Trouble.NO_SERVICE,
    "org.freedesktop.DBus.Error.NoReply": Trouble.NO_SERVICE,
    "org.bluez.Error.NotReady": Trouble.POWERED_OFF,
}
_SIGNALS = (
    f"type='signal',sender='{_DBUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',interface='{OBJECT_MANAGER}'",
    f"type='signal',sender='{BLUEZ}',member='PropertiesChanged',arg0='{ADAPTER}'",
    f"type='signal',sender='{BLUEZ}',member='PropertiesChanged',arg0='{DEVICE}'",
)


class BluezBus:
    """One connection to the system bus."""

    def __init__(self) -> None:
        self._bus: MessageBus | None = None
        self.unique_name = ""

    async def connect(
        self, heard: Callable[[Message], None], asked: Callable[[Message], Message | None]
    ) -> None:
        """Connect. Raises RadioError.

        ``heard`` gets each signal of BlueZ, and of its coming and going; ``asked`` each call that
        somebody makes here, and returns the answer.
        """
        try:
            await asyncio.to_thread(importlib.import_module, "dbus_fast.aio")
        except ImportError as error:
            raise RadioError(Trouble.NO_LIBRARY, str(error)) from error
        from dbus_fast import BusType, MessageType
        from dbus_fast.aio import MessageBus
        from dbus_fast.errors import AuthError, DBusFastError

        def take(message: Message) -> Message | bool | None:
            if message.message_type is MessageType.SIGNAL:
                heard(message)
                return None
            return asked(message) if message.message_type is MessageType.METHOD_CALL else None

        bus = MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await bus.connect()
        except AuthError as error:
            raise RadioError(Trouble.NO_PERMISSION, "the system bus refuses this user") from error
        except (OSError, EOFError, DBusFastError) as error:
            raise RadioError(Trouble.NO_SERVICE, "there is no system bus (D-Bus)") from error
        self._bus = bus
        self.unique_name = bus.unique_name or ""
        bus.add_message_handler(take)
        for rule in _SIGNALS:
            await self.call(_DBUS_PATH, _DBUS, "AddMatch", "s", [rule], to=_DBUS)

    @property
    def connected(self) -> bool:
        """Whether the bus is still there."""
        return self._bus is not None and self._bus.connected

    async def call(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: list[Any] | None = None,
        *,
        to: str = BLUEZ,
    ) -> list[Any]:
        """Call a method and return what it returns. Raises RadioError."""
        from dbus_fast import Message, MessageType
        from dbus_fast.constants import MessageFlag

        if self._bus is None:
            raise RadioError(Trouble.NO_SERVICE, "not connected to the system bus")
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body or [],
            flags=MessageFlag.NO_AUTOSTART,
        )
        try:
            async with asyncio.timeout(CALL_SECONDS):
                reply = await self._bus.call(message)
        except TimeoutError:
            raise RadioError(Trouble.NO_SERVICE, f"no answer to {member}") from None
        except (OSError, EOFError) as error:
            raise RadioError(Trouble.NO_SERVICE, "the system bus is gone") from error
        if reply.message_type is MessageType.ERROR:
            raise BluezError(reply.error_name or "", reply.body)
        return list(reply.body)

    def send(self, message: Message) -> None:
        """Send a signal; dropped when the bus is gone."""
        if self._bus is not None and self._bus.connected:
            self._bus.send(message)

    async def is_running(self) -> bool:
        """Whether BlueZ is on the bus. Raises RadioError when the bus is gone."""
        answer = await self.call(_DBUS_PATH, _DBUS, "NameHasOwner", "s", [BLUEZ], to=_DBUS)
        return bool(answer[0])

    async def objects(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return all that BlueZ has: path, interface, property, with plain values."""
        (found,) = await self.call("/", OBJECT_MANAGER, "GetManagedObjects")
        return {
            path: {
                interface: {name: variant.value for name, variant in properties.items()}
                for interface, properties in interfaces.items()
            }
            for path, interfaces in found.items()
        }

    def close(self) -> None:
        """Disconnect."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()


class BluezError(RadioError):
    """What BlueZ answered instead. ``name`` is that of the D-Bus error."""

    def __init__(self, name: str, body: list[Any]) -> None:
        detail = str(body[0]) if body and isinstance(body[0], str) else name
        super().__init__(_MEANING.get(name, Trouble.FAILED), detail[:200])
        self.name = name
