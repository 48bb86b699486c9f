"""Whoever has sent what does not hold is left alone, and nobody sits waiting for it meanwhile."""

from __future__ import annotations

import random

from presence_core.discovery.hint import DialHint
from presence_core.engine.node import Node
from presence_core.engine.own_record import NodeProfile
from presence_core.engine.peering import Peering
from presence_core.engine.targets import Targets
from presence_core.gossip.quota import COOL_DOWN, Offence
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

NOW = 1_000.0
LIAR = Identity.generate().peer_key


def test_a_peer_that_cools_down_is_dialled_when_that_is_over_and_not_looked_at_before() -> None:
    rng = random.Random(1)
    node = Node(
        Identity.generate(),
        MeshKey.generate("test"),
        NodeProfile("alice", "Linux", "0"),
        epoch=1,
        now=NOW,
        wall_ms=lambda: 0,
        rng=rng,
    )
    targets = Targets(rng, "a")
    peering = Peering(node, targets, rng)
    peering.dials.hinted(DialHint("mdns", "z", (("192.0.2.1", 47_700),)), NOW)
    targets.bind("z", LIAR)
    while not node.exchange.strikes.strike(LIAR, Offence.INVALID, "a lie", NOW):
        pass
    assert not peering.dials.due(NOW)
    assert peering.dials.next_time(NOW) == NOW + COOL_DOWN
    assert [target.name for target in peering.dials.due(NOW + COOL_DOWN)] == ["z"]
