"""A mesh that has been running for a while, without simulating how it came about.

The neighbourhoods are those that dialling three and accepting eight leads to (the study's §4.3);
each session and each record comes to its peer through the node's own interface.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from presence_core.engine.ties import Admission
from presence_core.gossip.messages import Hello, Summary
from presence_core.gossip.neighbours import ACCEPT, DIAL
from presence_core.gossip.record import Record
from presence_core.handshake.events import MessageType
from tests.simulation.air import PORT
from tests.simulation.device import Device
from tests.simulation.peer import TRANSPORT_LAN, Peer
from tests.simulation.wire import End
from tests.simulation.world import World

SETTLE_SECONDS = 5.0
"""After this everybody has published its links, and no exchange is under way."""


def random_neighbourhood(count: int, rng: random.Random) -> list[tuple[int, int]]:
    """Return who dials whom: three others each, at random, refused by whoever has eight links."""
    links: list[set[int]] = [set() for _ in range(count)]
    dials: list[tuple[int, int]] = []
    for one in rng.sample(range(count), count):
        others = rng.sample(range(count), min(count, 10 * DIAL))
        made = 0
        for other in others:
            if made == DIAL or len(links[one]) >= ACCEPT:
                break
            if other != one and other not in links[one] and len(links[other]) < ACCEPT:
                links[one].add(other)
                links[other].add(one)
                dials.append((one, other))
                made += 1
    return dials


def warm_up(world: World, groups: Sequence[Sequence[Device]]) -> None:
    """Start all devices, link those of a group, and give each group its records.

    Nothing is sent, and no time passes for it; what the nodes would send while they settle is
    known to its receivers at the end, so it is dropped.
    """
    moment = world.clock.now + SETTLE_SECONDS
    for group in groups:
        peers = [device.start(silently=True) for device in group]
        for one, other in random_neighbourhood(len(peers), world.rng):
            connect(world, peers[one], peers[other])
    for group in groups:
        peers = [device.running for device in group]
        records = [_settled(peer, moment) for peer in peers]
        for peer in peers:
            _learn(peer, records, moment)
    world.clock.run(moment)
    for peer in world.peers():
        peer.start()


def connect(world: World, one: Peer, other: Peer) -> None:
    """Make a session between two peers that is let in at both ends, dialled by the first."""
    world.air.tell(one, other)
    heard = one.targets.missing((), sought=True)
    target = one.targets.dial(next(t for t in heard if t.name == other.instance))
    out, into = world.network.pipe(one.host, other.host), world.network.pipe(other.host, one.host)
    session = world.rng.randbytes(32)
    near = End(one, other.host, out, into, session, target)
    far = End(other, one.host, into, out, session, None)
    near.far, far.far = far, near
    hellos = Hello.decode(other.node.hello()), Hello.decode(one.node.hello())
    for end, hello in zip((near, far), hellos, strict=True):
        _let_in(end, hello)


def _let_in(end: End, hello: Hello) -> None:
    peer, now = end.peer, end.peer.world.clock.now
    refusal = peer.peering.authenticated(
        end.id,
        end.key,
        transport=TRANSPORT_LAN,
        dialled=end.dialled.name if end.dialled else None,
        now=now,
        session_id=end.session_id,
    )
    assert refusal is None
    assert peer.peering.admit(end.id, hello, now) == Admission()
    end.authenticated = True
    peer.admitted[end.id] = end
    peer.peering.located(end.id, ((end.host, PORT),))


def _settled(peer: Peer, moment: float) -> Record:
    """Let a node publish its links; return its record."""
    peer.node.tick(moment)
    peer.node.take_output()
    entry = peer.node.table.get(peer.key)
    assert entry is not None
    return entry.record


def _learn(peer: Peer, records: Iterable[Record], moment: float) -> None:
    """Give a peer the newest record of everybody, and the word of its neighbours for it."""
    node = peer.node
    link = next(iter(node.links))
    for record in records:
        if record.key != peer.key:
            node.table.accept(record, 0.0, moment, node.links[link].key)
            node.record_taken(record, link, moment)
    for end in peer.admitted.values():
        same = Summary(1 if end.dialled else 0, ())  # what ends the comparison of equal tables
        node.message(end.id, MessageType.SUMMARY, same.encode(), moment)
    node.tick(moment)
    peer.peering.dials.tick(moment)
    node.take_output()
