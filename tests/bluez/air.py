"""Kernel Bluetooth controllers without radios: N of them on /dev/vhci, in one air. Root only."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from bumble import hci
from bumble.controller import Controller
from bumble.transport import open_transport

from tests.bluetooth.air import Air


async def main(count: int) -> None:
    air = Air()
    kept: list[Any] = []
    for number in range(count):
        transport = await open_transport("vhci")
        address = hci.Address(f"00:AA:01:00:00:{number:02X}", hci.Address.PUBLIC_DEVICE_ADDRESS)
        controller = Controller(
            f"hci{number}/both",
            host_source=transport.source,
            host_sink=transport.sink,
            link=air,
            public_address=address,
        )
        # With these the kernel waits for events that bumble does not send.
        controller.le_features &= ~(
            hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        )
        kept += [transport, controller]
        await asyncio.sleep(0.2)  # the kernel numbers them in the order in which they come
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
