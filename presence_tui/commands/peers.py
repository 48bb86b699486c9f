"""``peers`` and ``show``: the mesh as a table, and one peer of it, for people and scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_block, safe_text
from presence_core.schema import dumps, peers_to_json, time_to_json
from presence_tui import output
from presence_tui.matching import candidates, matching
from presence_tui.session import (
    broken,
    conclude,
    look,
    run,
    say_view,
    wait_for_metadata,
    wanted_once,
)
from presence_tui.viewmodel.export import peers_csv
from presence_tui.viewmodel.links import Link, links_of, measured_words, way_words
from presence_tui.viewmodel.moments import ago
from presence_tui.viewmodel.names import Names, shown_name
from presence_tui.viewmodel.orders import rtt_of
from presence_tui.viewmodel.search import understand
from presence_tui.viewmodel.table import via_words
from presence_tui.viewmodel.words import is_last_known

if TYPE_CHECKING:
    import argparse
    import asyncio
    from collections.abc import Callable

    from presence_core.model import JsonObject, Peer, PresenceGraph

COLUMNS = ("name", "key", "state", "hops", "via", "links", "identity", "trust", "rtt", "seen")


_VIA_WIDTH = 32


def now() -> datetime:
    """Return the time that ages are counted from."""
    return datetime.now(UTC)


def peers(args: argparse.Namespace) -> int:
    """Print the remote peers that pass the filters."""
    return run(lambda stop: _peers(args, stop))


def show(args: argparse.Namespace) -> int:
    """Print one peer."""
    return run(lambda stop: _show(args, stop))


async def _peers(args: argparse.Namespace, stop: asyncio.Event) -> int:
    problem = understand(args.filter).problem
    if problem:
        raise output.CommandError(f"--filter: {problem}", output.EXIT_USAGE)
    graph, met = await look(args, stop)
    chosen = [peer for peer in graph.remote_peers if _passes(peer, args)]
    chosen.sort(key=_SORTS[args.sort])
    if args.json:
        output.data(dumps(peers_to_json(graph, chosen), compact=args.compact))
    elif args.csv:
        output.data(peers_csv(chosen))
    else:
        moment = now()
        output.data(output.table([COLUMNS, *(_cells(peer, graph, moment) for peer in chosen)]))
        if met and broken(graph) is None:
            say_view(graph)
    return conclude(graph, wanted_once(args), met=met)


def _passes(peer: Peer, args: argparse.Namespace) -> bool:
    return (
        (args.state is None or str(peer.presence.state) == args.state)
        and (not args.direct or peer.presence.direct)
        and (args.identity is None or str(peer.identity.status) == args.identity)
        and args.filter_name.lower() in peer.device_name.lower()
        and understand(args.filter).fits(peer, shown_name(peer))
    )


def _last_seen(peer: Peer) -> datetime:
    return peer.presence.last_seen or datetime.min.replace(tzinfo=UTC)


_SORTS: dict[str, Callable[[Peer], Any]] = {
    "name": lambda p: (p.device_name.lower(), p.peer_key),
    "key": lambda p: p.peer_key,
    "state": lambda p: (("online", "lost", "left").index(str(p.presence.state)), p.peer_key),
    "hops": lambda p: (p.presence.hops is None, p.presence.hops or 0, p.peer_key),
    "rtt": lambda p: (rtt_of(p) is None, rtt_of(p) or 0.0, p.peer_key),
    "seen": lambda p: (datetime.max.replace(tzinfo=UTC) - _last_seen(p), p.peer_key),
}


def _links(peer: Peer, graph: PresenceGraph) -> str:
    own = graph.local_peer.peer_key
    kinds = {c.type for c in peer.connections if c.confirmed and own in (c.peer1, c.peer2)}
    return ",".join(sorted(kinds)) or "-"


def _cells(peer: Peer, graph: PresenceGraph, now: datetime) -> tuple[str, ...]:
    rtt, seen = rtt_of(peer), peer.presence.last_seen
    return (
        safe_text(peer.device_name, limit=32) or "(no name)",
        peer.peer_key[:12] + "…",
        _state(peer, graph),
        "-" if peer.presence.hops is None else str(peer.presence.hops),
        via_words(peer, Names(graph).name, _VIA_WIDTH).strip() or "-",
        safe_text(_links(peer, graph), limit=40),
        str(peer.identity.status),
        f"{peer.trust} (warning)" if peer.key_warning is not None else str(peer.trust),
        "-" if rtt is None else f"{rtt:.1f} ms",
        "-" if seen is None else ago(seen, now),
    )


def _state(peer: Peer, graph: PresenceGraph) -> str:
    """Return the state in words; who is lost to a blind view may well be where it was."""
    state = peer.presence.state
    remote = peer is not graph.local_peer
    return "last known" if remote and is_last_known(state, graph.view.state) else str(state)


async def _show(args: argparse.Namespace, stop: asyncio.Event) -> int:
    lacking = partial(_lacking, text=args.peer)
    graph, met = await look(args, stop, partial(wait_for_metadata, lacking=lacking))
    peer = found_one(graph, args.peer)
    if peer is None:
        return output.EXIT_NO
    if _is_coming(peer):
        output.say(f"the metadata of {args.peer!r} has not come in time; --wait S waits longer")
    if args.json:
        output.data(dumps(peers_to_json(graph, [peer]), compact=args.compact))
    else:
        output.data(_describe(peer, graph))
    return output.EXIT_DONE if met else conclude(graph, wanted_once(args), met=False)


def _lacking(graph: PresenceGraph, text: str) -> str | None:
    """Return the key of the one peer that a text means, while its metadata is on its way."""
    found = find(graph, text)
    return found[0].peer_key if len(found) == 1 and _is_coming(found[0]) else None


def _is_coming(peer: Peer) -> bool:
    """Whether there is metadata to wait for: of who is not here any more, none may ever come."""
    return str(peer.peer_metadata_state) == "pending" and str(peer.presence.state) == "online"


def found_one(graph: PresenceGraph, text: str) -> Peer | None:
    """Return the peer that a text means; None, and say why, when it is nobody or several."""
    found = find(graph, text)
    if len(found) == 1:
        return found[0]
    if found:
        output.say(f"{text!r} fits {len(found)} peers: {candidates(found)}")
    else:
        output.say(f"no peer {text!r} is known in this mesh")
        say_view(graph)
    return None


def find(graph: PresenceGraph, text: str) -> list[Peer]:
    """Find peers by key, beginning of the key, short id, or exact name; the first that fits."""
    return matching((graph.local_peer, *graph.remote_peers), text)


def _describe(peer: Peer, graph: PresenceGraph) -> str:
    where, identity = peer.presence, peer.identity
    facts = [
        ("name", safe_text(peer.device_name)),
        ("key", peer.peer_key),
        ("short id", peer.short_id),
        ("state", _state(peer, graph)),
        ("hops", "-" if where.hops is None else str(where.hops)),
        ("via", ", ".join(map(Names(graph).name, where.via)) or "-"),
        *([("way", way_words(graph, peer))] if peer is not graph.local_peer else []),
        ("own links", safe_text(_links(peer, graph))),
        *(("link", _link(link)) for link in links_of(graph, peer)),
        ("os", safe_text(peer.os or "-")),
        ("version", safe_text(peer.version or "-")),
        ("first seen", time_to_json(where.first_seen) or "-"),
        ("last seen", time_to_json(where.last_seen) or "-"),
        ("trust", str(peer.trust)),
        *([("warning", safe_text(peer.key_warning))] if peer.key_warning is not None else []),
        ("identity", f"{identity.status}: {safe_text(identity.reason)}"),
    ]
    if identity.issuer is not None:
        facts += [
            ("issuer", safe_text(identity.issuer)),
            ("subject", safe_text(identity.subject or "-")),
            ("valid from", time_to_json(identity.not_before) or "-"),
            ("valid until", time_to_json(identity.expires_at) or "-"),
        ]
    expired = peer.expired_identity_service_metadata
    for label, value in (
        ("identity metadata", peer.identity_service_metadata),
        ("expired metadata", expired or {}),
        (f"metadata ({peer.peer_metadata_state})", peer.peer_metadata),
    ):
        if value:
            facts.append((label, _block(value)))
    if not peer.peer_metadata:
        facts.append(("metadata", str(peer.peer_metadata_state)))
    width = max(len(label) for label, value in facts if "\n" not in value)
    return "\n".join(
        f"{label}{value}" if "\n" in value else f"{label:<{width}}  {value}"
        for label, value in facts
    )


def _link(link: Link) -> str:
    """Return a link in words: with whom, of which type, whether both ends list it, how it does."""
    facts = (
        f"{safe_text(link.connection.type, limit=40)} with {link.name}",
        link.doubt or "confirmed",
        *measured_words(link.connection),
    )
    return ", ".join(filter(None, facts))


def _block(value: JsonObject) -> str:
    text = json.dumps(dict(value), ensure_ascii=False, indent=2)
    return "\n" + safe_block(text, limit=len(text))
