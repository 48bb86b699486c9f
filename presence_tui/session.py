"""Running an engine for the length of a command, and waiting for what it is to see."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from presence_tui import output
from presence_tui.logs import keep_logs
from presence_tui.output import EXIT_CANNOT, EXIT_DONE, EXIT_NO, EXIT_USAGE, CommandError
from presence_tui.settings import config_of, given_engine_flags, home_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable

    from presence_core.model import Condition, PresenceGraph
    from presence_core.presence import Presence

    Waiting = Callable[[Presence, "Wanted"], Awaitable[tuple[PresenceGraph, bool]]]

LOOK_SECONDS = 4.0
"""How long a command without conditions gives the view to leave ``filling``."""

CONDITION_SECONDS = 30.0
"""How long conditions are waited for unless ``--wait`` says otherwise."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command waits for. ``seconds`` None takes the default.

    ``judged``: of every peer it is known what to think of its identity.
    """

    seconds: float | None = None
    peers: int | None = None
    current: bool = False
    judged: bool = False

    @property
    def conditional(self) -> bool:
        """Whether there is something that can be missed."""
        return self.peers is not None or self.current

    @property
    def patience(self) -> float:
        """How long, in seconds, what is wanted is waited for."""
        return CONDITION_SECONDS if self.seconds is None else self.seconds

    def met(self, graph: PresenceGraph) -> bool:
        """Whether a graph fulfils the conditions."""
        enough = self.peers is None or graph.counts.online >= self.peers
        current = not self.current or str(graph.view.state) == "current"
        return enough and current and (not self.judged or not _pending(graph))

    def missed(self, graph: PresenceGraph) -> str:
        """Say in words what a graph does not fulfil."""
        missed = []
        if self.peers is not None and graph.counts.online < self.peers:
            missed.append(f"{graph.counts.online} of {self.peers} peers are online")
        if self.current and str(graph.view.state) != "current":
            missed.append(f"the view is {graph.view.state}")
        if self.judged and _pending(graph):
            missed.append(f"the identity of {_pending(graph)} peers is pending")
        return "not met in time: " + (", ".join(missed) or "it was, but is no longer")


def _pending(graph: PresenceGraph) -> int:
    return sum(str(peer.identity.status) == "pending" for peer in graph.remote_peers)


def wanted_of(args: argparse.Namespace) -> Wanted:
    """Read what a command is to wait for."""
    return Wanted(args.wait, args.until_peers, args.until_current)


def wanted_once(args: argparse.Namespace) -> Wanted:
    """Read what a single answer is to wait for: of a demo, unless told otherwise, all of it."""
    wanted = wanted_of(args)
    if args.demo is not None and wanted == Wanted():
        return Wanted(peers=args.demo - 1, current=True, judged=True)
    return wanted


def say_unused(args: argparse.Namespace) -> None:
    """Say which options a demo does nothing with."""
    unused = given_engine_flags(args) if args.demo is not None else ()
    if unused:
        output.say(f"the demo is a mesh of its own: {', '.join(unused)} not used")


@contextlib.asynccontextmanager
async def engine(
    args: argparse.Namespace, *, identities_first: bool = False
) -> AsyncIterator[Presence]:
    """Run the engine that the options describe, or a demo mesh.

    ``identities_first``: the members of a demo log in before anybody looks. Other commands can
    look through it meanwhile. What keeps it from running becomes a CommandError.
    """
    from presence_core.codec.metadata import MetadataError  # these load cryptography and cbor2
    from presence_core.errors import EngineError
    from presence_core.identity.keyfile import HomeError

    keep_logs(home_of(args))
    async with contextlib.AsyncExitStack() as stack:
        try:
            if args.demo is not None:
                from presence_tui.demo import DemoMesh

                demo = DemoMesh(args.demo, identities_first=identities_first)
                mesh = await stack.enter_async_context(demo)
                presence = mesh.presence
            else:
                from presence_core.presence import Presence
                from presence_tui.control.home import open_to_looks
                from presence_tui.identity_service.renewing import renewing

                presence = await stack.enter_async_context(Presence(config_of(args)))
                await stack.enter_async_context(renewing(home_of(args)))
                await stack.enter_async_context(open_to_looks(presence, home_of(args)))
        except (EngineError, HomeError) as error:
            raise CommandError(str(error)) from None
        except (MetadataError, ValueError) as error:
            raise CommandError(str(error), EXIT_USAGE) from None
        yield presence


async def look(
    args: argparse.Namespace, stop: asyncio.Event, wait: Waiting | None = None
) -> tuple[PresenceGraph, bool]:
    """Run an engine until it sees what is wanted; return the graph, and whether that was met.

    ``wait`` instead of :func:`wait_for`. When told to stop before: what there is by then.
    """
    wanted = wanted_once(args)
    say_unused(args)
    async with engine(args, identities_first=True) as presence:
        found: list[tuple[PresenceGraph, bool]] = []

        async def waiting() -> None:
            found.append(await (wait or wait_for)(presence, wanted))

        await unless_stopped(waiting(), stop)
        return found[0] if found else (presence.graph, wanted.met(presence.graph))


async def wait_for(presence: Presence, wanted: Wanted) -> tuple[PresenceGraph, bool]:
    """Wait until the conditions are met or time is up; return the graph and whether they are.

    Without conditions: wait the given seconds, or until the view has left ``filling``.
    """
    if wanted.conditional:
        return await _wait_until(presence, wanted.met, wanted.patience)
    if wanted.seconds is not None:
        await asyncio.sleep(wanted.seconds)
        return presence.graph, True
    graph, _ = await _wait_until(
        presence, lambda graph: str(graph.view.state) != "filling", LOOK_SECONDS
    )
    return graph, True


async def wait_for_metadata(
    presence: Presence, wanted: Wanted, *, lacking: Callable[[PresenceGraph], str | None]
) -> tuple[PresenceGraph, bool]:
    """Wait as :func:`wait_for` does, and as long as conditions are for the metadata of a peer.

    ``lacking`` gives the key of a peer whose metadata is wanted and not here, None for nobody. It
    is asked for from the beginning: over Bluetooth not all of it comes unasked.
    """

    def ask(graph: PresenceGraph) -> None:
        peer_key = lacking(graph)
        if peer_key is not None:
            presence.fetch_peer_metadata(peer_key)

    loop = asyncio.get_running_loop()
    deadline = loop.time() + wanted.patience
    with presence.observe(ask, interval=0.0):
        graph, met = await wait_for(presence, wanted)
        if lacking(graph) is not None:
            left = deadline - loop.time()
            graph, _ = await _wait_until(presence, lambda graph: lacking(graph) is None, left)
    return graph, met


async def _wait_until(
    presence: Presence, condition: Callable[[PresenceGraph], bool], seconds: float
) -> tuple[PresenceGraph, bool]:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for change in presence.changes(interval=0.0):
                if condition(change.graph):
                    return change.graph, True
    return presence.graph, condition(presence.graph)


def broken(graph: PresenceGraph) -> Condition | None:
    """Return what keeps a device from seeing anybody, if something does."""
    if str(graph.view.state) != "blind":
        return None
    return next((c for c in graph.conditions if str(c.state) == "failed"), None)


def say_view(graph: PresenceGraph) -> None:
    """Say why the view is not current, and what to do."""
    failed = broken(graph)
    if failed is not None:
        output.say("; ".join(text for text in (failed.message, failed.hint) if text))
    elif graph.view.reason:
        output.say(f"the view is {graph.view.state}: {graph.view.reason}")


def conclude(graph: PresenceGraph, wanted: Wanted, *, met: bool) -> int:
    """Return the exit code of an answer, and say why if it is not 0.

    Whoever asked for nothing in particular is told when this device can see nobody.
    """
    if not met:
        output.say(wanted.missed(graph))
        return EXIT_NO
    if broken(graph) is not None and not wanted.conditional:
        say_view(graph)
        return EXIT_CANNOT
    return EXIT_DONE


def run(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    """Run a command in an event loop. The event it gets is set when it is told to end."""

    async def with_signals() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _ending_signals():
            with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
                loop.add_signal_handler(number, stop.set)
        return await main(stop)

    return asyncio.run(with_signals())


def _ending_signals() -> list[signal.Signals]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:  # as nohup asks
        numbers.append(hangup)
    return numbers


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
