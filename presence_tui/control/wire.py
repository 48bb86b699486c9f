"""What goes over the control socket: JSON objects, one a line (``presence-control/1``).

The engine's end says first what it is, ``{"schema", "readOnly"}``. Then it sends graphs, each as
``{"graph", "gone", "cut"}``: the first whole; of the others only the peers and connections that
are other objects than in the graph before, with the keys of the peers that are gone and the ids of
the connections that are. So a graph costs what has changed, and what has not stays the same object
at the other end too, which is what a screen relies on.

The other end asks ``{"id", "do", "with"}`` and is answered ``{"answer", "error"}``: the id, and
null or why it was not done.
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from presence_core.schema import dumps, graph_from_json, graph_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from presence_core.model import Peer, PresenceGraph

CONTROL_SCHEMA = "presence-control/1"

MAX_REQUEST = 2 * 1024 * 1024
"""Bytes of one request: metadata of 128 KiB, with every character written as an escape."""

MAX_ANSWER = 256 * 1024 * 1024
"""Bytes of one line from the engine: 10,000 peers with some 25 KB each."""


def encode(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object as a line."""
    return dumps(value).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Read a line. Raises ValueError when it is no JSON object."""
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  what a line holds is a value
    return value


class GraphParts:
    """Takes the graphs of an engine apart, for one reader."""

    def __init__(self) -> None:
        self._sent: PresenceGraph | None = None

    def next(self, graph: PresenceGraph) -> dict[str, Any]:
        """Return what the reader does not have yet of a graph."""
        before, self._sent = self._sent, graph
        if before is None:
            return {"graph": graph_to_json(graph), "gone": [], "cut": []}
        known = set(before.remote_peers)  # peers are equal when they are the same object
        keys = {peer.peer_key for peer in graph.remote_peers}
        links = before.connections
        part = replace(
            graph,
            remote_peers=tuple(peer for peer in graph.remote_peers if peer not in known),
            connections={
                id_: link for id_, link in graph.connections.items() if links.get(id_) is not link
            },
        )
        return {
            "graph": graph_to_json(part),
            "gone": [peer.peer_key for peer in before.remote_peers if peer.peer_key not in keys],
            "cut": [id_ for id_ in links if id_ not in graph.connections],
        }


class GraphAssembly:
    """Puts the graphs of an engine together from their parts."""

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}
        self._connections: Mapping[str, Any] = {}

    def next(self, value: Mapping[str, Any]) -> PresenceGraph:
        """Return the next graph. Raises ValueError when the line is not a part of one."""
        try:
            gone, cut = set(value["gone"]), set(value["cut"])
        except (KeyError, TypeError):
            raise ValueError("not a part of a graph") from None
        part = graph_from_json(value["graph"])
        new = {peer.peer_key: peer for peer in part.remote_peers}
        peers = {key: peer for key, peer in (self._peers | new).items() if key not in gone}
        links = {**self._connections, **part.connections}
        self._peers = dict(sorted(peers.items()))
        self._connections = {id_: link for id_, link in sorted(links.items()) if id_ not in cut}
        return replace(
            part,
            remote_peers=tuple(self._peers.values()),
            connections=MappingProxyType(self._connections),
        )
