"""``peers`` and ``show``: the mesh as a table, and one peer of it, for people and scripts."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presence_tui import output
from presence_tui.commands.export import wanted_of
from presence_tui.session import engine, run, unless_stopped, wait_for

if TYPE_CHECKING:
    import argparse
    import asyncio
    from collections.abc import Callable

    from presence_core.model import Peer, PresenceGraph

COLUMNS = ("name", "key", "state", "hops", "links", "identity", "rtt", "seen")


def peers(args: argparse.Namespace) -> int:
    """Print the remote peers that pass the filters."""
    return run(lambda stop: _peers(args, stop))


def show(args: argparse.Namespace) -> int:
    """Print one peer."""
    return run(lambda stop: _show(args, stop))


async def _graph(args: argparse.Namespace, stop: asyncio.Event) -> tuple[PresenceGraph, bool]:
    wanted = wanted_of(args)
    met = True
    async with engine(args) as presence:

        async def wait() -> None:
            nonlocal met
            _, met = await wait_for(presence, wanted)

        await unless_stopped(wait(), stop)
        return presence.graph, met


async def _peers(args: argparse.Namespace, stop: asyncio.Event) -> int:
    graph, met = await _graph(args, stop)
    chosen = [peer for peer in graph.remote_peers if _passes(peer, args)]
    chosen.sort(key=_SORTS[args.sort])
    if args.json:
        from presence_core.schema import dumps, peer_to_json

        output.data(dumps([peer_to_json(peer) for peer in chosen], compact=args.compact))
    elif args.csv:
        output.data(_csv(chosen))
    else:
        now = datetime.now(UTC)
        output.data(_table([COLUMNS, *(_cells(peer, graph, now) for peer in chosen)]))
        _say_view(graph)
    return output.EXIT_DONE if met else output.EXIT_NO


def _say_view(graph: PresenceGraph) -> None:
    if graph.view.reason:
        output.say(f"the view is {graph.view.state}: {graph.view.reason}")


def _passes(peer: Peer, args: argparse.Namespace) -> bool:
    return (
        (args.state is None or str(peer.presence.state) == args.state)
        and (not args.direct or peer.presence.direct)
        and (args.identity is None or str(peer.identity.status) == args.identity)
        and (args.filter_name is None or args.filter_name.lower() in peer.device_name.lower())
    )


def _rtt(peer: Peer) -> float | None:
    return min((c.rtt_ms for c in peer.connections if c.rtt_ms is not None), default=None)


def _last_seen(peer: Peer) -> datetime:
    return peer.presence.last_seen or datetime.min.replace(tzinfo=UTC)


_SORTS: dict[str, Callable[[Peer], Any]] = {
    "name": lambda p: (p.device_name.lower(), p.peer_key),
    "key": lambda p: p.peer_key,
    "state": lambda p: (("online", "lost", "left").index(str(p.presence.state)), p.peer_key),
    "hops": lambda p: (p.presence.hops is None, p.presence.hops or 0, p.peer_key),
    "rtt": lambda p: (_rtt(p) is None, _rtt(p) or 0.0, p.peer_key),
    "seen": lambda p: (datetime.max.replace(tzinfo=UTC) - _last_seen(p), p.peer_key),
}
SORTS = tuple(_SORTS)


def _links(peer: Peer, graph: PresenceGraph) -> str:
    own = graph.local_peer.peer_key
    kinds = {c.type for c in peer.connections if c.confirmed and own in (c.peer1, c.peer2)}
    return ",".join(sorted(kinds)) or "-"


def _cells(peer: Peer, graph: PresenceGraph, now: datetime) -> tuple[str, ...]:
    from presence_core.codec.text import safe_text

    rtt, seen = _rtt(peer), peer.presence.last_seen
    return (
        safe_text(peer.device_name, limit=32) or "(no name)",
        peer.peer_key[:12] + "…",
        str(peer.presence.state),
        "-" if peer.presence.hops is None else str(peer.presence.hops),
        safe_text(_links(peer, graph), limit=40),
        str(peer.identity.status),
        "-" if rtt is None else f"{rtt:.1f} ms",
        "-" if seen is None else _ago((now - seen).total_seconds()),
    )


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"


def _table(rows: list[tuple[str, ...]]) -> str:
    from rich.cells import cell_len

    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = row if number else tuple(cell.upper() for cell in row)
        padded = (c + " " * (w - cell_len(c)) for c, w in zip(cells, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _csv(chosen: list[Peer]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["peerKey", "deviceName", "state", "direct", "hops", "identity", "rttMs", "lastSeen"]
    )
    from presence_core.codec.text import safe_text
    from presence_core.schema import time_to_json

    for peer in chosen:
        where = peer.presence
        writer.writerow(
            [
                peer.peer_key,
                _not_a_formula(safe_text(peer.device_name)),
                where.state,
                str(where.direct).lower(),
                where.hops,
                peer.identity.status,
                _rtt(peer),
                time_to_json(where.last_seen),
            ]
        )
    return text.getvalue().removesuffix("\n")


def _not_a_formula(text: str) -> str:
    """Keep a spreadsheet from running what a peer chose as its name."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


async def _show(args: argparse.Namespace, stop: asyncio.Event) -> int:
    graph, _ = await _graph(args, stop)
    found = find(graph, args.peer)
    if not found:
        output.say(f"no peer {args.peer!r} is known in this mesh")
        _say_view(graph)
        return output.EXIT_NO
    if len(found) > 1:
        keys = ", ".join(peer.peer_key[:16] + "…" for peer in found[:5])
        output.say(f"{args.peer!r} fits {len(found)} peers: {keys}; give more of the key")
        return output.EXIT_NO
    (peer,) = found
    if args.json:
        from presence_core.schema import dumps, peer_to_json

        output.data(dumps(peer_to_json(peer), compact=args.compact))
    else:
        output.data(_describe(peer, graph))
    return output.EXIT_DONE


def find(graph: PresenceGraph, text: str) -> list[Peer]:
    """Find peers by key, beginning of the key, short id, or exact name; the first that fits."""
    everybody = (graph.local_peer, *graph.remote_peers)
    lower = text.lower()
    tests: tuple[Callable[[Peer], bool], ...] = (
        lambda p: p.peer_key == lower,
        lambda p: len(lower) >= 4 and p.peer_key.startswith(lower),
        lambda p: p.short_id == lower,
        lambda p: p.device_name == text,
    )
    for fits in tests:
        found = [peer for peer in everybody if fits(peer)]
        if found:
            return found
    return []


def _describe(peer: Peer, graph: PresenceGraph) -> str:
    from presence_core.codec.text import safe_block, safe_text
    from presence_core.schema import dumps, time_to_json

    where = peer.presence
    facts: list[tuple[str, str]] = [
        ("name", safe_text(peer.device_name)),
        ("key", peer.peer_key),
        ("short id", peer.short_id),
        ("state", str(where.state)),
        ("hops", "-" if where.hops is None else str(where.hops)),
        ("via", ", ".join(key[:12] + "…" for key in where.via) or "-"),
        ("links", safe_text(_links(peer, graph))),
        ("os", safe_text(peer.os or "-")),
        ("version", safe_text(peer.version or "-")),
        ("first seen", time_to_json(where.first_seen) or "-"),
        ("last seen", time_to_json(where.last_seen) or "-"),
        ("identity", f"{peer.identity.status}: {safe_text(peer.identity.reason)}"),
        ("trust", str(peer.trust)),
        ("metadata", str(peer.peer_metadata_state)),
    ]
    width = max(len(label) for label, _ in facts)
    lines = [f"{label:<{width}}  {value}" for label, value in facts]
    if peer.peer_metadata:
        lines.append(safe_block(dumps(dict(peer.peer_metadata), compact=False), limit=200_000))
    return "\n".join(lines)
