"""Bluetooth: whether it is wanted, whether there is any, and what its adapter is good for.

Nothing of it is loaded where it is switched off, or where there is no adapter.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from typing import TYPE_CHECKING

from presence_core.engine.adapter import no_adapter_words, unproven_words
from presence_core.engine.ble_troubles import trouble_words
from presence_core.transports.ble.radio import RadioError, Trouble
from presence_core.transports.ble.system import PROVEN, adapter_present
from presence_tui.doctor.examination import in_thread
from presence_tui.doctor.finding import Finding, of_condition, off, ok, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.transports.ble.bluez_adapter import BluezAdapter
    from presence_tui.doctor.examination import Case

NAME = "bluetooth"
_LIBRARIES = ("bleak", "dbus_fast")


async def look(case: Case) -> Sequence[Finding]:
    """Look at Bluetooth as far as it is wanted."""
    asked = case.config.transports is not None
    if not case.config.uses("ble"):
        return [off(NAME, "switched off by the setting transports (--transport)")]
    if sys.platform not in PROVEN:
        if not asked:
            return [of_condition(NAME, *unproven_words(sys.platform))]
        said = f"switched on, but on {sys.platform} not proven on hardware yet, nor looked at here"
        return [unknown(NAME, said, "start presence-tui, and look at its conditions (5)")]
    if not await in_thread(adapter_present):
        return [of_condition(NAME, *no_adapter_words(asked=asked))]
    return [await look_at_bluez(asked=asked)]


async def look_at_bluez(*, asked: bool = False) -> Finding:
    """Ask BlueZ, the Bluetooth service of Linux, on the system bus."""
    missing = await in_thread(_missing)
    if missing:
        return _trouble(Trouble.NO_LIBRARY, ", ".join(missing), asked=asked)
    from presence_core.transports.ble.bluez_adapter import adapters_of
    from presence_core.transports.ble.bluez_bus import BluezBus

    bus = BluezBus()
    try:
        await bus.connect(lambda _: None, lambda _: None)
        if not await bus.is_running():
            return _trouble(Trouble.NO_SERVICE, "bluetoothd is not on the bus", asked=asked)
        adapters = adapters_of(await bus.objects())
    except RadioError as error:
        return _trouble(error.trouble, str(error), asked=asked)
    finally:
        bus.close()
    if not adapters:
        return _trouble(Trouble.NO_ADAPTER, "bluetoothd has none", asked=True)
    return judge(adapters[0], version=await _version(), asked=asked)


def _missing() -> list[str]:
    """Return which of the libraries cannot be imported. Blocks; imports none of them."""
    return [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]


def judge(adapter: BluezAdapter, *, version: str, asked: bool) -> Finding:
    """Judge the adapter that an engine would use. ``version``: of BlueZ, in words."""
    who = f"{adapter.name} ({adapter.alias})" if adapter.alias else adapter.name
    which = f"{who}, {version}"
    if not adapter.powered:
        return _trouble(Trouble.POWERED_OFF, which, asked=asked)
    if not adapter.can_be_found:
        return _trouble(Trouble.NO_PERIPHERAL, which, asked=asked)
    if adapter.free_adverts == 0:
        return _trouble(Trouble.ADVERT_REFUSED, f"{who} takes no more of them", asked=asked)
    if not adapter.at_once:
        return _trouble(Trouble.NOT_AT_ONCE, which, asked=asked)
    return ok(NAME, f"{which}: switched on, can look for others and be found")


def _trouble(trouble: Trouble, detail: str, *, asked: bool) -> Finding:
    return of_condition(NAME, *trouble_words(trouble, detail, asked=asked))


async def _version() -> str:
    """Return the version of BlueZ, as its command says; the bus does not tell it."""
    command = await in_thread(lambda: shutil.which("bluetoothctl"))
    if command is None:
        return "BlueZ of unknown version"
    process = await asyncio.create_subprocess_exec(
        command,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    words = said[:80].decode(errors="replace").split()
    return f"BlueZ {words[-1]}" if words else "BlueZ of unknown version"
