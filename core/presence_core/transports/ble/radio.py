"""What is needed of a Bluetooth adapter, whatever the operating system calls it.

Backends implement :class:`Radio` with its two roles; nothing above knows which one it is. They
are used from one event loop, raise :class:`RadioError` and nothing else, and import what they are
made of when they are opened.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


class Trouble(StrEnum):
    """Why Bluetooth, or a part of it, does not work."""

    NO_ADAPTER = "no adapter"
    POWERED_OFF = "powered off"
    NO_PERMISSION = "no permission"
    NO_SERVICE = "no service"
    """The system's Bluetooth service does not run."""
    NO_LIBRARY = "no library"
    NO_PERIPHERAL = "no peripheral role"
    ADVERT_REFUSED = "advertising refused"
    NOT_AT_ONCE = "not at once"
    """It cannot advertise while it scans."""
    FAILED = "failed"


class RadioError(Exception):
    """Something did not work; the text is for people, one line."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble


@value_object
class Heard:
    """An advertisement that was heard, ``rssi`` in dBm; without ``uuids`` only how strongly.

    ``address`` is what :meth:`Central.connect` takes: no identity, on some systems no address.
    """

    address: str
    uuids: tuple[UUID, ...]
    rssi: int | None


class ClientUser(Protocol):
    """Who is told what a peripheral that we are connected to does."""

    def notified(self, value: bytes) -> None:
        """A notification has come; it may be meant for another central."""

    def disconnected(self) -> None:
        """The connection is gone."""


class Client(Protocol):
    """A connection that we have made, with notifications on. ``mtu`` None: not known yet."""

    mtu: int | None
    ident: bytes
    """The value of its ID characteristic."""

    async def write(self, value: bytes, *, acknowledged: bool) -> None:
        """Write to RX, with or without response. Raises RadioError."""

    async def close(self) -> None:
        """Disconnect. Never raises."""


class Central(Protocol):
    """The role that looks for others and connects."""

    async def scan(self, heard: Callable[[Heard], None]) -> None:
        """Report each advertisement, repeated ones too. Raises RadioError."""

    async def stop_scan(self) -> None:
        """Stop it. Never raises; may be called at any time."""

    async def connect(self, address: str, user: ClientUser, *, seconds: float) -> Client:
        """Connect, read ID, ask for notifications. Raises RadioError."""


class PeripheralUser(Protocol):
    """Who is told what centrals do. ``central`` names one for as long as it is connected."""

    def identify(self, mtu: int | None) -> bytes:
        """Return the value of ID for somebody with this ATT MTU."""

    def written(self, central: str, value: bytes, mtu: int | None) -> None:
        """A central has written to RX."""

    def serves(self, central: str) -> bool:
        """Whether there is a link that this central has opened."""

    def departed(self, central: str) -> None:
        """A central is gone; not every system tells."""


class Peripheral(Protocol):
    """The role that is found and connected to."""

    async def serve(self, user: PeripheralUser) -> None:
        """Offer the GATT service. Raises RadioError."""

    async def advertise(self, uuid: UUID) -> None:
        """Advertise this service UUID instead of the one before. Raises RadioError."""

    async def silence(self) -> None:
        """Stop to advertise. Never raises."""

    async def notify(self, central: str, value: bytes) -> None:
        """Notify on TX: this central, or everybody where one cannot choose. Raises RadioError."""

    async def close(self) -> None:
        """Withdraw advert and service. Never raises."""


class Radio(Protocol):
    """One adapter."""

    @property
    def central(self) -> Central:
        """The role that looks for others."""

    @property
    def peripheral(self) -> Peripheral | None:
        """The role that is found; None when the adapter has no such role."""

    @property
    def trouble(self) -> Trouble | None:
        """What keeps all of it from working now."""

    async def open(self, changed: Callable[[], None]) -> None:
        """Begin to watch the adapter. Raises RadioError if that fails; it may be tried again.

        ``changed`` is called when trouble comes or goes, and when what was registered is lost.
        """

    async def close(self) -> None:
        """Give everything back. Never raises."""
