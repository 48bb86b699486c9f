"""The Bluetooth adapter of this machine, that it has or that is plugged in while an engine runs.

Most servers and virtual machines have none, and never will: only with an adapter is anything of
Bluetooth loaded.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from presence_core.model import ConditionState
from presence_core.transports.ble.system import PROVEN, adapter_present, system_radio

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.engine.ble import Bluetooth
    from presence_core.engine.conditions import Conditions
    from presence_core.engine.link import Link
    from presence_core.transports.ble.radio import Radio

ADAPTER_SECONDS = 5.0
"""How often it is looked whether an adapter has been plugged in."""


class Adapter:
    """Waits for an adapter, and has Bluetooth brought up on it.

    ``radio`` is one that the program brings, instead of the system's.
    """

    def __init__(
        self,
        conditions: Conditions,
        bring_up: Callable[[Radio], Bluetooth],
        radio: Radio | None = None,
    ) -> None:
        self.bluetooth: Bluetooth | None = None
        self._conditions = conditions
        self._bring_up = bring_up
        self._radio = radio
        self._life: asyncio.Task[None] | None = None

    def start(self, *, asked: bool) -> None:
        """Begin, in a task of its own: nobody waits for an adapter.

        ``asked``: somebody wants Bluetooth by name, not only if there is some.
        """
        if self._radio is None and sys.platform not in PROVEN and not asked:
            self._conditions.set("ble", *unproven_words(sys.platform))
            return
        self._life = asyncio.get_running_loop().create_task(
            self._live(asked=asked), name="presence-ble"
        )

    async def _live(self, *, asked: bool) -> None:
        radio = self._radio
        if radio is None:
            while not await asyncio.to_thread(adapter_present):
                self._conditions.set("ble", *no_adapter_words(asked=asked))
                await asyncio.sleep(ADAPTER_SECONDS)
            radio = system_radio()
        if radio is None:
            self._conditions.set("ble", *unknown_words(sys.platform))
            return
        self.bluetooth = self._bring_up(radio)
        await self.bluetooth.live()

    def signal(self, link: Link) -> int | None:
        """Return how strongly the other end of a Bluetooth link is heard, in dBm."""
        return None if self.bluetooth is None else self.bluetooth.signal(link)

    async def stop(self) -> None:
        """Stop waiting, or using it. Never raises, takes a few seconds at most."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        if self.bluetooth is not None:
            await self.bluetooth.stop()


def no_adapter_words(*, asked: bool) -> tuple[ConditionState, str, str]:
    """Return how bad it is that there is none, what it is, and what to do.

    ``asked``: somebody wants Bluetooth by name, so that this is worth a warning.
    """
    return (
        ConditionState.WARNING if asked else ConditionState.OFF,
        "this machine has no Bluetooth adapter",
        "nothing needs to be done; one that is plugged in is used at once",
    )


def unproven_words(system: str) -> tuple[ConditionState, str, str]:
    """Return the same where nobody has seen Bluetooth work, so that it is off unless asked for."""
    return (
        ConditionState.OFF,
        f"Bluetooth on {system} has not been proven on hardware yet",
        "switch it on with --transport lan,ble",
    )


def unknown_words(system: str) -> tuple[ConditionState, str, str]:
    """Return the same where there is no way to use an adapter."""
    return (
        ConditionState.FAILED,
        f"Bluetooth is not supported on {system}",
        "leave it out: --transport lan",
    )
