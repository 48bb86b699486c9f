"""One engine in a process of its own, with a virtual adapter in the ether. Until stdin ends.

Prints each change as a line of JSON, as ``presence-tui --json --watch`` does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from bumble.device import Device
from bumble.host import Host
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from presence_core import schema
from presence_core.config import PresenceConfig
from presence_core.identity.mesh import MeshKey
from presence_core.presence import Presence
from tests.bluetooth.bumble_radio import BumbleRadio, fresh_address, powered


async def device(port: int, node: str, number: int, role: str) -> Device:
    """Make the device for a role: its controller is in the other process."""
    loop = asyncio.get_running_loop()
    wire: Any = await loop.create_connection(StreamPacketSource, "127.0.0.1", port)
    transport, source = wire
    transport.write(f"{node}/{role}\n".encode())
    host = Host(controller_source=source, controller_sink=StreamPacketSink(transport))
    address = fresh_address(number + (1 << 16 if role == "central" else 0))
    return await powered(Device(name=node, address=address, host=host))


async def main(port: int, node: str, number: int, home: str, mesh: str) -> None:
    config = PresenceConfig(
        home=Path(home),
        mesh_key=MeshKey.parse(mesh, "ether"),
        name=node,
        transports=("ble",),
        metadata={"of": node},
    )
    radio = BumbleRadio(lambda role: device(port, node, number, role))
    async with Presence(config, radio=radio) as presence:
        watching = asyncio.create_task(watch(presence))
        await asyncio.to_thread(sys.stdin.read)
        watching.cancel()


async def watch(presence: Presence) -> None:
    async for change in presence.changes(interval=0.0):
        print(json.dumps(schema.graph_to_json(change.graph)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]))
