"""``--json`` and ``--json --watch``: the graph for programs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from presence_tui import output
from presence_tui.session import Wanted, engine, run, unless_stopped, wait_for

if TYPE_CHECKING:
    import argparse


def export(args: argparse.Namespace) -> int:
    """Print one snapshot, or a stream of snapshots and changes."""
    return run(lambda stop: _watch(args, stop) if args.watch else _snapshot(args, stop))


def wanted_of(args: argparse.Namespace) -> Wanted:
    """Read what a snapshot is to wait for."""
    return Wanted(args.wait, args.until_peers, args.until_current)


async def _snapshot(args: argparse.Namespace, stop: asyncio.Event) -> int:
    from presence_core.schema import dumps, graph_to_json

    wanted = wanted_of(args)
    if args.demo is not None and not wanted.conditional() and wanted.seconds is None:
        wanted = Wanted(peers=args.demo - 1, current=True)
    met = True

    async with engine(args) as presence:

        async def wait() -> None:
            nonlocal met
            _, met = await wait_for(presence, wanted)

        if not await unless_stopped(wait(), stop):
            met = not wanted.conditional()
        graph = presence.graph
        output.data(dumps(graph_to_json(graph), compact=args.compact))
    if met:
        return output.EXIT_DONE
    output.say(_missed(wanted, graph.counts.online, str(graph.view.state)))
    return output.EXIT_NO


def _missed(wanted: Wanted, online: int, view: str) -> str:
    missed = []
    if wanted.peers is not None and online < wanted.peers:
        missed.append(f"{online} of {wanted.peers} peers are online")
    if wanted.current and view != "current":
        missed.append(f"the view is {view}")
    return "not met in time: " + ", ".join(missed or ["stopped before"])


async def _watch(args: argparse.Namespace, stop: asyncio.Event) -> int:
    from presence_core.schema import change_to_json, dumps, graph_to_json

    output.when_reader_goes(asyncio.get_running_loop(), stop.set)
    wanted = wanted_of(args)
    async with engine(args) as presence:

        async def follow() -> None:
            first = True
            async for change in presence.changes():
                if first or args.full:
                    output.data(dumps(graph_to_json(change.graph)))
                else:
                    for one in change.changes:
                        output.data(dumps(change_to_json(one)))
                first = False

        if wanted.conditional() and not await unless_stopped(wait_for(presence, wanted), stop):
            return output.EXIT_DONE
        await unless_stopped(follow(), stop)
    return output.EXIT_DONE
