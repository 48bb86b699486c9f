"""Running an engine for the length of a command, and waiting for what it is to see."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from presence_tui.output import EXIT_USAGE, CommandError
from presence_tui.settings import config_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable

    from presence_core.model import PresenceGraph
    from presence_core.presence import Presence

LOOK_SECONDS = 4.0
"""How long a command without conditions gives the view to leave ``filling``."""

CONDITION_SECONDS = 30.0
"""How long conditions are waited for unless ``--wait`` says otherwise."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a snapshot waits for. ``seconds`` None takes the default."""

    seconds: float | None = None
    peers: int | None = None
    current: bool = False

    def conditional(self) -> bool:
        """Whether there is something that can be missed."""
        return self.peers is not None or self.current

    def met(self, graph: PresenceGraph) -> bool:
        """Whether a graph fulfils the conditions."""
        enough = self.peers is None or graph.counts.online >= self.peers
        return enough and (not self.current or str(graph.view.state) == "current")


@contextlib.asynccontextmanager
async def engine(args: argparse.Namespace) -> AsyncIterator[Presence]:
    """Run the engine that the options describe, or a demo mesh.

    What keeps it from running becomes a CommandError.
    """
    from presence_core.codec.metadata import MetadataError
    from presence_core.errors import EngineError
    from presence_core.identity.keyfile import HomeError

    async with contextlib.AsyncExitStack() as stack:
        try:
            if getattr(args, "demo", None) is not None:
                from presence_tui.demo import DemoMesh

                mesh = await stack.enter_async_context(DemoMesh(args.demo))
                presence = mesh.presence
            else:
                from presence_core.presence import Presence

                presence = await stack.enter_async_context(Presence(config_of(args)))
        except (EngineError, HomeError) as error:
            raise CommandError(str(error)) from None
        except (MetadataError, ValueError) as error:
            raise CommandError(str(error), EXIT_USAGE) from None
        yield presence


async def wait_for(presence: Presence, wanted: Wanted) -> tuple[PresenceGraph, bool]:
    """Wait until the conditions are met or time is up; return the graph and whether they are.

    Without conditions: wait the given seconds, or until the view has left ``filling``.
    """
    if wanted.conditional():
        return await _wait_until(presence, wanted.met, wanted.seconds or CONDITION_SECONDS)
    if wanted.seconds is not None:
        await asyncio.sleep(wanted.seconds)
        return presence.graph, True
    graph, _ = await _wait_until(
        presence, lambda graph: str(graph.view.state) != "filling", LOOK_SECONDS
    )
    return graph, True


async def _wait_until(
    presence: Presence, condition: Callable[[PresenceGraph], bool], seconds: float
) -> tuple[PresenceGraph, bool]:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for change in presence.changes(interval=0.0):
                if condition(change.graph):
                    return change.graph, True
    return presence.graph, condition(presence.graph)


def run(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run a command in an event loop. The event it gets is set by the signals that ask to end."""

    async def with_signals() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, AttributeError):  # Windows has not all
                loop.add_signal_handler(getattr(signal, name), stop.set)
        return await main(stop)

    return asyncio.run(with_signals())


async def unless_stopped(work: Awaitable[Any], stop: asyncio.Event) -> bool:
    """Do work until it is done or the command is told to stop; return whether it was done."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        return False
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
