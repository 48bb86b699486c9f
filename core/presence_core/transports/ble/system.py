"""The Bluetooth adapter of this machine: whether there is one, and the backend for it.

Nothing of Bluetooth is loaded here, so that a machine without an adapter does not pay for it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presence_core.transports.ble.radio import Radio

_LINUX_ADAPTERS = Path("/sys/class/bluetooth")

PROVEN = frozenset({"linux"})
"""Systems on which the backend has been seen to work; elsewhere one has to ask for it."""


def adapter_present() -> bool:
    """Whether there is an adapter, as far as one sees without asking the system's service.

    Blocks for as long as it takes to read a folder. Only Linux tells; elsewhere: maybe.
    """
    if sys.platform != "linux":
        return True
    try:
        return any(entry.name.startswith("hci") for entry in _LINUX_ADAPTERS.iterdir())
    except OSError:
        return False


def system_radio() -> Radio | None:
    """Return the backend for this operating system, not yet opened; None if there is none."""
    match sys.platform:
        case "linux":
            from presence_core.transports.ble.bluez import BluezRadio

            return BluezRadio()
        case "darwin":
            from presence_core.transports.ble.corebluetooth import CoreBluetoothRadio

            return CoreBluetoothRadio()
        case "win32":
            from presence_core.transports.ble.winrt import WinrtRadio

            return WinrtRadio()
    return None
