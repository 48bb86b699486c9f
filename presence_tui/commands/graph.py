"""``graph``: the mesh as a drawing, for Graphviz, Mermaid, graph programs and browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui import output
from presence_tui.commands.peers import found_one
from presence_tui.session import broken, conclude, look, run, say_view, wanted_once
from presence_tui.viewmodel.graph_export import TEXT_FORMATS
from presence_tui.viewmodel.graph_svg import MAX_SVG_NODES, to_svg
from presence_tui.viewmodel.mesh_graph import mesh_graph

if TYPE_CHECKING:
    import argparse
    import asyncio


def graph(args: argparse.Namespace) -> int:
    """Print the mesh graph in a format."""
    return run(lambda stop: _graph(args, stop))


async def _graph(args: argparse.Namespace, stop: asyncio.Event) -> int:
    seen, met = await look(args, stop)
    focus = None
    if args.to is not None:
        peer = found_one(seen, args.to)
        if peer is None:
            return output.EXIT_NO
        focus = peer.peer_key
    limit = MAX_SVG_NODES if args.format == "svg" else None
    mesh = mesh_graph(seen, focus=focus, direct_only=args.direct, max_nodes=limit, max_links=None)
    write = to_svg if args.format == "svg" else TEXT_FORMATS[args.format]
    output.data(write(mesh))
    if focus is not None and not mesh.way:
        output.say(f"no way leads to {args.to!r} now")
    if met and broken(seen) is None:
        say_view(seen)
    return conclude(seen, wanted_once(args), met=met)
