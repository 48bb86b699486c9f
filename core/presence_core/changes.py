"""What changed from one presence graph to the next. Pure; same objects are skipped by ``is``."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from presence_core.differing import Differing, differing
from presence_core.model import (
    EMPTY,
    Change,
    ChangeKind,
    Connection,
    JsonObject,
    Peer,
    PresenceGraph,
    PresenceState,
)
from presence_core.schema import (
    condition_to_json,
    connection_to_json,
    identity_to_json,
    view_to_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_Found = tuple[ChangeKind, str | None, Any, Any]

_GONE = {PresenceState.LEFT: ChangeKind.PEER_LEFT, PresenceState.LOST: ChangeKind.PEER_LOST}


def changes_between(
    before: PresenceGraph | None, after: PresenceGraph, remote: Differing | None = None
) -> tuple[Change, ...]:
    """Return what happened between two graphs of one engine, in the order people tell it.

    Peers first, then links, then the rest. Without a graph before, everything that is there has
    joined. Links are told when both ends stand by them; what one end merely claims is no news.
    ``remote``: in what their remote peers differ, when somebody has compared them already.
    """
    found = [
        *_peers(before, after, remote),
        *_links(before, after),
        *_conditions(before, after),
        *_view(before, after),
    ]
    return tuple(
        Change(after.sequence, after.generated_at, kind, key, old, new)
        for kind, key, old, new in found
    )


def _peers(
    before: PresenceGraph | None, after: PresenceGraph, remote: Differing | None
) -> Iterator[_Found]:
    if remote is None:
        remote = differing(before.remote_peers if before is not None else (), after.remote_peers)
    own = before.local_peer if before is not None else None
    for old, peer in chain(((own, after.local_peer),), remote.pairs):
        if old is not None and _tells_the_same(old, peer):
            continue
        if peer is not after.local_peer:
            yield from _arrival(old, peer)
        yield from _facts(old, peer)
    for peer in remote.gone:  # forgotten: its record has expired
        if peer.presence.state is PresenceState.ONLINE:
            yield ChangeKind.PEER_LOST, peer.peer_key, _whereabouts(peer), None


def _tells_the_same(old: Peer, peer: Peer) -> bool:
    """Whether only what is no news here differs, as of most peers: a measurement, or its links."""
    return (
        old.presence is peer.presence
        and old.peer_metadata is peer.peer_metadata
        and old.identity is peer.identity
        and old.trust is peer.trust
        and old.key_warning is peer.key_warning
    )


def _arrival(old: Peer | None, peer: Peer) -> Iterator[_Found]:
    was = old.presence.state if old is not None else None
    state = peer.presence.state
    if state is was:
        return
    before = _whereabouts(old) if old is not None else None
    if state is PresenceState.ONLINE:
        kind = ChangeKind.PEER_JOINED if old is None else ChangeKind.PEER_RETURNED
        yield kind, peer.peer_key, before, _whereabouts(peer)
    elif was is not None:
        yield _GONE[state], peer.peer_key, before, _whereabouts(peer)


def _facts(old: Peer | None, peer: Peer) -> Iterator[_Found]:
    key = peer.peer_key
    warned = old.key_warning if old is not None else None
    if peer.key_warning is not None and peer.key_warning != warned:
        yield ChangeKind.KEY_WARNING, key, warned, peer.key_warning
    metadata = old.peer_metadata if old is not None else EMPTY
    if metadata is not peer.peer_metadata and not _same(metadata, peer.peer_metadata):
        yield ChangeKind.METADATA_CHANGED, key, dict(metadata), dict(peer.peer_metadata)
    if old is None:
        return
    if old.identity is not peer.identity:
        identity, was = identity_to_json(peer.identity), identity_to_json(old.identity)
        if identity != was:
            yield ChangeKind.IDENTITY_CHANGED, key, was, identity
    if old.trust is not peer.trust:
        yield ChangeKind.TRUST_CHANGED, key, str(old.trust), str(peer.trust)


def _same(one: JsonObject, other: JsonObject) -> bool:
    """Compare as JSON: to Python 1, 1.0 and true are equal."""
    return one == other and json.dumps(dict(one), sort_keys=True) == json.dumps(
        dict(other), sort_keys=True
    )


def _links(before: PresenceGraph | None, after: PresenceGraph) -> Iterator[_Found]:
    old = before.connections if before is not None else {}
    if old is after.connections:
        return
    for link_id, link in after.connections.items():
        was = old.get(link_id)
        if was is link:
            continue
        if link.confirmed and (was is None or not was.confirmed):
            yield ChangeKind.LINK_UP, _far_end(link, after), None, connection_to_json(link)
        elif was is not None and was.confirmed and not link.confirmed:
            yield (
                ChangeKind.LINK_DOWN,
                _far_end(link, after),
                connection_to_json(was),
                connection_to_json(link),
            )
    for link_id, was in old.items():
        if link_id not in after.connections and was.confirmed:
            yield ChangeKind.LINK_DOWN, _far_end(was, after), connection_to_json(was), None


def _far_end(link: Connection, graph: PresenceGraph) -> str:
    """Name the peer that a link is told under: the other end of ours, else its first end."""
    return link.peer2 if link.peer1 == graph.local_peer.peer_key else link.peer1


def _conditions(before: PresenceGraph | None, after: PresenceGraph) -> Iterator[_Found]:
    if before is not None and before.conditions is after.conditions:
        return
    old = {} if before is None else {c.source: c for c in before.conditions}
    for condition in after.conditions:
        was = old.pop(condition.source, None)
        if was == condition or (was is None and before is None):
            continue
        if was is None and condition.message is None:
            continue  # a source that begins by being fine is no news
        yield (
            ChangeKind.CONDITION_CHANGED,
            None,
            condition_to_json(was) if was is not None else None,
            condition_to_json(condition),
        )
    for gone in old.values():
        yield ChangeKind.CONDITION_CHANGED, None, condition_to_json(gone), None


def _view(before: PresenceGraph | None, after: PresenceGraph) -> Iterator[_Found]:
    if before is not None and before.view != after.view:
        yield ChangeKind.VIEW_CHANGED, None, view_to_json(before.view), view_to_json(after.view)


def _whereabouts(peer: Peer) -> dict[str, Any]:
    return {
        "state": str(peer.presence.state),
        "hops": peer.presence.hops,
        "deviceName": peer.device_name,
    }
