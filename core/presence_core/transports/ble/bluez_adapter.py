"""What BlueZ says of its adapters, and what each of them is good for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presence_core.transports.ble.bluez_bus import ADAPTER
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_GATT, _ADVERTS = "org.bluez.GattManager1", "org.bluez.LEAdvertisingManager1"


@value_object
class BluezAdapter:
    """One adapter. ``alias`` is what somebody called it."""

    path: str
    alias: str
    powered: bool
    can_be_found: bool
    """Whether it has the peripheral role, and may advertise and offer a service."""
    at_once: bool
    """Whether it may be found while it looks for others, as far as is said."""
    free_adverts: int | None
    """How many more adverts it takes; None when that is not said."""

    @property
    def name(self) -> str:
        """The name by which the system knows it, as ``hci0``."""
        return self.path.rpartition("/")[2]


def adapters_of(
    objects: Mapping[str, Mapping[str, Mapping[str, Any]]], wanted: str | None = None
) -> tuple[BluezAdapter, ...]:
    """Return the adapters among the objects of BlueZ, the one to use first.

    That is the first that is switched on. ``wanted``: only the one of this name.
    """
    found = [
        _adapter(path, interfaces)
        for path, interfaces in sorted(objects.items())
        if ADAPTER in interfaces and wanted in (None, path.rpartition("/")[2])
    ]
    return tuple(sorted(found, key=lambda one: not one.powered))


def _adapter(path: str, interfaces: Mapping[str, Mapping[str, Any]]) -> BluezAdapter:
    properties = interfaces[ADAPTER]
    roles = properties.get("Roles", ())
    free = interfaces.get(_ADVERTS, {}).get("SupportedInstances")
    return BluezAdapter(
        path,
        alias=str(properties.get("Alias", "")),
        powered=bool(properties.get("Powered")),
        can_be_found=(
            _GATT in interfaces
            and _ADVERTS in interfaces
            and (not roles or "peripheral" in roles or "central-peripheral" in roles)
        ),
        at_once="central-peripheral" in roles or not roles,
        free_adverts=free if isinstance(free, int) else None,
    )
