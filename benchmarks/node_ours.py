"""One peer for the LAN benchmark: says on stdout when it sees what. Started by lan.py."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from presence_core.config import PresenceConfig
from presence_core.discovery import mdns  # noqa: F401  loading it is start-up, not discovery
from presence_core.identity.keyfile import read_mesh_key
from presence_core.model import PresenceGraph, PresenceState
from presence_core.presence import Presence


def say(*words: object) -> None:
    print(*words, time.monotonic(), flush=True)


async def main(home: str, mesh_file: str) -> None:
    config = PresenceConfig(
        home=Path(home), mesh_key=read_mesh_key(Path(mesh_file)), name=Path(home).name
    )
    say("ready")
    presence = Presence(config)
    await presence.start()
    seen: int | None = None
    marks: dict[str, object] = {}

    def look(graph: PresenceGraph) -> None:
        nonlocal seen
        online = [p for p in graph.remote_peers if p.presence.state is PresenceState.ONLINE]
        if len(online) != seen:
            seen = len(online)
            say("sees", seen)
        for peer in online:
            mark = peer.peer_metadata.get("mark")
            if mark is not None and marks.get(peer.peer_key) != mark:
                marks[peer.peer_key] = mark
                say("mark", mark)

    presence.observe(look, interval=0.0)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        await presence.set_peer_metadata({"mark": line})
    await presence.stop()


asyncio.run(main(*sys.argv[1:]))
