"""``--json`` and ``--json --watch``: the graph for programs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from presence_tui import output
from presence_tui.session import (
    conclude,
    engine,
    look,
    run,
    say_unused,
    unless_stopped,
    wanted_of,
    wanted_once,
)
from presence_tui.stream import Lines, when_reader_goes

if TYPE_CHECKING:
    import argparse

    from presence_core.presence import Presence
    from presence_tui.session import Wanted


def export(args: argparse.Namespace) -> int:
    """Print one snapshot, or a stream of snapshots and changes."""
    return run(lambda stop: _watch(args, stop) if args.watch else _snapshot(args, stop))


async def _snapshot(args: argparse.Namespace, stop: asyncio.Event) -> int:
    from presence_core.schema import dumps, graph_to_json

    wanted = wanted_once(args)
    graph, met = await look(args, stop)
    output.data(dumps(graph_to_json(graph), compact=args.compact))
    return conclude(graph, wanted, met=met)


async def _watch(args: argparse.Namespace, stop: asyncio.Event) -> int:
    """Print lines until told to stop, or for as long as ``--wait`` and ``--until-…`` say."""
    wanted = wanted_of(args)
    met = not wanted.conditional
    when_reader_goes(stop.set)
    say_unused(args)
    async with engine(args) as presence:

        async def follow() -> None:
            nonlocal met
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wanted.seconds):
                    await _print_changes(presence, wanted, full=args.full)
                    met = True

        if not await unless_stopped(follow(), stop):
            return output.EXIT_DONE
        graph = presence.graph
    return output.EXIT_DONE if met else conclude(graph, wanted, met=False)


async def _print_changes(presence: Presence, wanted: Wanted, *, full: bool) -> None:
    """Print a snapshot, then what happens, until that shows what was wanted."""
    from presence_core.schema import GraphWriter, change_to_json, dumps

    lines, snapshots = Lines(), GraphWriter()
    first = True
    async for change in presence.changes():
        if first or full:
            await lines.write(snapshots.line(change.graph))
        else:
            for one in change.changes:
                await lines.write(dumps(change_to_json(one)))
        first = False
        if wanted.conditional and wanted.met(change.graph):
            return
