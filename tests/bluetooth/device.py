"""One engine in a process of its own, with a virtual adapter in the ether. Until stdin ends.

Prints each graph as a line of JSON, as ``presence-tui --json --watch --full`` does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from presence_core import schema
from presence_core.config import PresenceConfig
from presence_core.identity.mesh import MeshKey
from presence_core.presence import Presence
from tests.bluetooth.bumble_radio import radio_at


async def main(air: str, node: str, number: int, home: str, mesh: str, metadata: str) -> None:
    config = PresenceConfig(
        home=Path(home),
        mesh_key=MeshKey.parse(mesh, "ether"),
        name=node,
        transports=("ble",),
        metadata=json.loads(metadata),
    )
    async with Presence(config, radio=radio_at(air, node, number)) as presence:
        watching = asyncio.create_task(watch(presence))
        await asyncio.to_thread(sys.stdin.read)
        watching.cancel()


async def watch(presence: Presence) -> None:
    async for change in presence.changes(interval=0.0):
        print(json.dumps(schema.graph_to_json(change.graph)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
