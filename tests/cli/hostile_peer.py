"""A peer that puts into its texts whatever a terminal or a toolkit would obey; until stdin ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from presence_core.config import PresenceConfig
from presence_core.engine import machine
from presence_core.identity.keyfile import read_mesh_key
from presence_core.presence import Presence
from tests.support import loopback_name

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]\u202e"
METADATA = {
    HOSTILE: HOSTILE,
    "list": [HOSTILE, {"\x9b31m": "\x1b[2J\x1b[31mred", "deep": "\u2066\u200b[bold red]"}],
    "[/": "[type=x, v={'a[0]'}]",
}


async def main(home: str, mesh: str) -> None:
    machine.device_name = lambda: HOSTILE  # a peer is free to run other code than ours
    config = PresenceConfig(
        home=Path(home),
        mesh_key=read_mesh_key(Path(mesh)),
        metadata=METADATA,
        interfaces=(loopback_name(),),
        listen="127.0.0.1:0",
    )
    async with Presence(config):
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
