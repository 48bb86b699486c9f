"""Whether the hops and ways of a graph in its JSON form are those that its connections give.

Worked out here once more, in the plainest way, so that the engine is not its own judge.
"""

from __future__ import annotations

from typing import Any


def wrong_ways(graph: dict[str, Any]) -> list[str]:
    """Say what is wrong with hops, ``via``, ``direct`` and ``online``; empty when all is right."""
    own = graph["localPeer"]["peerKey"]
    linked: dict[str, set[str]] = {}
    for connection in graph["connections"].values():
        if connection["confirmed"]:
            one, other = connection["peer1"], connection["peer2"]
            linked.setdefault(one, set()).add(other)
            linked.setdefault(other, set()).add(one)
    hops = _hops(linked, own)
    wrong = []
    for peer in graph["remotePeers"]:
        key, presence = peer["peerKey"], peer["presence"]
        is_there = presence["state"] == "online"
        if is_there is not (key in hops):
            wrong.append(f"{peer['deviceName']} is {presence['state']}, its hops {hops.get(key)}")
        if not is_there:
            continue
        if presence["hops"] != hops.get(key):
            wrong.append(f"{peer['deviceName']}: {presence['hops']} hops, not {hops.get(key)}")
        if presence["direct"] is not (key in linked.get(own, ())):
            wrong.append(f"{peer['deviceName']}: direct {presence['direct']}")
        back = _hops(linked, key)
        first = {other for other in linked.get(own, ()) if back.get(other, -1) + 1 == hops.get(key)}
        if not first.issuperset(presence["via"]) or not (presence["via"] or presence["direct"]):
            wrong.append(f"{peer['deviceName']}: via {presence['via']}, not of {sorted(first)}")
    return wrong


def _hops(linked: dict[str, set[str]], start: str) -> dict[str, int]:
    hops = {start: 0}
    ring = [start]
    while ring:
        ring = [other for key in ring for other in linked.get(key, ()) if other not in hops]
        hops.update(dict.fromkeys(ring, max(hops.values()) + 1))
    return hops
