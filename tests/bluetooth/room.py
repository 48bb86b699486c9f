"""Engines in a room: each with a virtual Bluetooth adapter, and with nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from presence_core.identity.mesh import MeshKey
from presence_core.model import Peer, PresenceGraph, PresenceState
from presence_core.presence import Presence
from tests.bluetooth.air import Air
from tests.bluetooth.bumble_radio import BumbleRadio, radio_in
from tests.support import config


class Room:
    """Engines by name, and the air between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.air = Air()
        self.mesh = MeshKey.generate("room")
        self.engines: dict[str, Presence] = {}
        self.radios: dict[str, BumbleRadio] = {}
        self._stack = AsyncExitStack()

    async def enter(
        self,
        name: str,
        *,
        peripheral: bool = True,
        not_at_once: bool = False,
        busy: int = 0,
        **more: Any,
    ) -> Presence:
        """Start an engine."""
        settings = {"transports": ("ble",)} | more
        radio = self.radios[name] = radio_in(self.air, name, peripheral=peripheral)
        radio.at_once = not not_at_once
        radio.central.busy_for = busy
        presence = Presence(config(self.folder / name, self.mesh, **settings), radio=radio)
        self.engines[name] = await self._stack.enter_async_context(presence)
        return presence

    async def leave(self, name: str) -> None:
        await self.engines.pop(name).stop()

    def kill(self, name: str) -> Presence:
        """Let an engine's radio fall silent, as when its process is killed."""
        self.air.take_away(name)
        return self.engines[name]

    async def close(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def room_in(folder: Path) -> AsyncIterator[Room]:
    room = Room(folder)
    try:
        yield room
    finally:
        await room.close()


def peer(graph: PresenceGraph, name: str) -> Peer | None:
    """Return a remote peer by the name it gives itself."""
    return next((p for p in graph.remote_peers if p.device_name == name), None)


def state(graph: PresenceGraph, name: str) -> PresenceState | None:
    found = peer(graph, name)
    return None if found is None else found.presence.state


def types(graph: PresenceGraph, name: str) -> set[str]:
    """Return over what we are linked to a peer."""
    found = peer(graph, name)
    own = graph.local_peer.peer_key
    connections = () if found is None else found.connections
    return {c.type for c in connections if own in (c.peer1, c.peer2)}
