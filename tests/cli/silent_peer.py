"""A peer that names metadata in its record and gives it to nobody; until stdin ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from presence_core.engine.bodies import NodeBodies
from presence_core.identity.keyfile import read_mesh_key
from presence_core.presence import Presence
from tests.support import config

TOO_MUCH_FOR_A_HELLO = {"note": "x" * 20_000}


async def main(home: str, mesh: str) -> None:
    # A peer is free to run other code than ours.
    NodeBodies.asked = lambda *_: None  # type: ignore[method-assign]
    settings = config(Path(home), read_mesh_key(Path(mesh)), metadata=TOO_MUCH_FOR_A_HELLO)
    async with Presence(settings):
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
