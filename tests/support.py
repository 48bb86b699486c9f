"""What tests of real engines share: how to start one here, and how to wait for what it sees."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from presence_core.config import PresenceConfig
from presence_core.identity.mesh import MeshKey
from presence_core.model import PresenceGraph, PresenceState
from presence_core.presence import Presence

PATIENCE = 30.0
"""Seconds after which a test stops waiting; never a bound that is asserted."""


def loopback_name() -> str:
    """Return the name of this machine's loopback interface."""
    return next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "lo")


def config(home: Path, mesh: MeshKey, **more: Any) -> PresenceConfig:
    """Configure an engine that lives on loopback."""
    settings: dict[str, Any] = {
        "home": home,
        "mesh_key": mesh,
        "name": home.name,
        "listen": "127.0.0.1:0",
        "interfaces": (loopback_name(),),
        "transports": ("lan",),
    }
    return PresenceConfig(**(settings | more))


@contextlib.asynccontextmanager
async def engines(
    tmp_path: Path, mesh: MeshKey, *names: str, **more: Any
) -> AsyncIterator[list[Presence]]:
    """Run an engine for each name, each in a home of that name."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Presence(config(tmp_path / name, mesh, **more)))
            for name in names
        ]


def online(graph: PresenceGraph) -> set[str]:
    """Return the names of the remote peers that are online."""
    return {p.device_name for p in graph.remote_peers if p.presence.state is PresenceState.ONLINE}


async def until(
    presence: Presence, condition: Callable[[PresenceGraph], bool], what: str = "the condition"
) -> PresenceGraph:
    """Wait until the graph fulfils a condition, and return that graph."""
    try:
        async with asyncio.timeout(PATIENCE):
            async for change in presence.changes(interval=0.0):
                if condition(change.graph):
                    return change.graph
    except TimeoutError:
        graph = presence.graph
        seen = [(p.device_name, str(p.presence.state)) for p in graph.remote_peers]
        raise AssertionError(
            f"{what} did not come true: view {graph.view}, peers {seen}, {graph.conditions}"
        ) from None
    raise AssertionError(f"the engine stopped before {what} came true")
