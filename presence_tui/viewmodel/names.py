"""From a peer key to the name that a person knows."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text

if TYPE_CHECKING:
    from presence_core.model import Peer, PresenceGraph

_CUT = re.compile(r"\b(pk1[0-9a-z]{9})…(?! \()")
"""A peer key as the engine puts it into what it says, where it does not give the name itself."""


@lru_cache(maxsize=32_768)
def _safe_name(name: str) -> str:
    return safe_text(name, limit=64)


def shown_name(peer: Peer) -> str:
    """Return the name of a peer as it may be shown; empty when it has none."""
    return _safe_name(peer.device_name)


def peer_name(peer: Peer) -> str:
    """Return the name of a peer; its short id when it has none."""
    return shown_name(peer) or safe_text(peer.short_id, limit=16)


class Names:
    """The names of a graph's peers, safe to show; nothing is looked through for them."""

    def __init__(self, graph: PresenceGraph) -> None:
        self._graph = graph

    def peer(self, peer_key: str) -> Peer | None:
        """Return the local or remote peer with this key, or None."""
        found = self._at(peer_key)
        return found if found is not None and found.peer_key == peer_key else None

    def name(self, peer_key: str) -> str:
        """Return the name of a peer; its short id or some of its key when it has none."""
        peer = self.peer(peer_key)
        return f"{safe_text(peer_key[:12])}…" if peer is None else peer_name(peer)

    def put_into(self, text: str) -> str:
        """Return a text in which names stand behind the keys of known peers."""
        return _CUT.sub(self._named, text)

    def _named(self, cut: re.Match[str]) -> str:
        peer = self._at(cut[1])
        if peer is None or not peer.peer_key.startswith(cut[1]):
            return cut[0]
        name = shown_name(peer)
        return f"{cut[0]} ('{name}')" if name else cut[0]

    def _at(self, start: str) -> Peer | None:
        """Return the local peer, or the first remote one whose key is not before this text."""
        graph = self._graph
        if graph.local_peer.peer_key.startswith(start):
            return graph.local_peer
        at = bisect_left(graph.remote_peers, start, key=attrgetter("peer_key"))
        return graph.remote_peers[at] if at < len(graph.remote_peers) else None
