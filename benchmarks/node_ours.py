"""One peer for the benchmarks: says on stdout when it sees what. Started by hosts.py."""

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


class Watcher:
    """Tells what is new in each graph."""

    def __init__(self) -> None:
        self._seen: tuple[int, str] | None = None
        self._online: set[str] = set()
        self._losts = 0
        self._marks: dict[str, object] = {}

    def look(self, graph: PresenceGraph) -> None:
        online, lost = [], 0
        for peer in graph.remote_peers:
            if peer.presence.state is PresenceState.ONLINE:
                online.append(peer)
            elif peer.presence.state is PresenceState.LOST and peer.peer_key in self._online:
                lost += 1
        self._online = {peer.peer_key for peer in online}
        if lost:
            self._losts += lost
            say("lost", self._losts)
        now = (len(online), str(graph.view.state))
        if now != self._seen:
            self._seen = now
            say("sees", *now)
        for peer in online:
            mark = peer.peer_metadata.get("mark")
            if mark is not None and self._marks.get(peer.peer_key) != mark:
                self._marks[peer.peer_key] = mark
                say("mark", mark)


def say_ways(graph: PresenceGraph) -> None:
    """Tell the greatest number of hops, and of how many peers the way is wrong."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from presence_core.schema import graph_to_json
    from tests.network.ways import wrong_ways

    hops = [peer.presence.hops or 0 for peer in graph.remote_peers]
    degree = sum(peer.presence.direct for peer in graph.remote_peers)
    say("answer", "ways", max(hops, default=0), len(wrong_ways(graph_to_json(graph))), degree)


async def main(home: str, mesh_file: str) -> None:
    config = PresenceConfig(
        home=Path(home), mesh_key=read_mesh_key(Path(mesh_file)), name=Path(home).name
    )
    say("ready")
    presence = Presence(config)
    await presence.start()
    presence.observe(Watcher().look, interval=0.0)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while words := (await reader.readline()).decode().split():
        if words[0] == "mark":
            await presence.set_peer_metadata({"mark": words[1]})
        else:
            say_ways(presence.graph)
    await presence.stop()


asyncio.run(main(*sys.argv[1:]))
