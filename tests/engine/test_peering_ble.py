"""The policy of links over two transports: each has its own slots, and a peer may have both."""

from __future__ import annotations

import random

from presence_core.engine.addresses import addresses_of
from presence_core.engine.nearby import Nearby, TagIndex
from presence_core.engine.peering import Peering
from presence_core.engine.targets import Targets
from presence_core.engine.ties import Admission, Refusal
from presence_core.gossip.messages import Hello
from presence_core.gossip.neighbours import NEARBY_SLOTS, Slots
from presence_core.gossip.record import Edge
from presence_core.handshake.events import ByeCode
from tests.engine.field import BLE, LAN, MESH
from tests.engine.test_peering import PEERS, Door

TAG = b"\xee" * 8


class TwoDoors(Door):
    """One with an address book for Bluetooth beside that for the LAN."""

    def __init__(self, slots: Slots | None = None) -> None:
        super().__init__()
        self.nearby = Nearby(TagIndex(MESH), self.node.topology.reachable, self.rng)
        self.targets = Targets(random.Random(1), "m")
        self.peering = Peering(self.node, self.targets, self.rng, slots)
        self.peering.dials.nearby = self.nearby

    def come(
        self, n: int, transport: int, *, dialled: str | None = None, edges: tuple[int, ...] = ()
    ) -> tuple[int, Refusal | Admission]:
        link, self._next_link = self._next_link, self._next_link + 1
        refusal = self.peering.authenticated(
            link,
            PEERS[n].peer_key,
            transport=transport,
            dialled=dialled,
            now=self.now,
            session_id=bytes((link,)),
        )
        return link, refusal or self.peering.admit(link, self.hello(n, edges), self.now)


def test_each_transport_has_slots_of_its_own() -> None:
    door = TwoDoors(Slots(dial=1, accept=2, spare=0))
    for n in range(NEARBY_SLOTS.accept):
        assert isinstance(door.come(n, BLE, edges=(n + 20,))[1], Admission)
    assert door.peering.free() == 2
    for n in range(2):
        assert isinstance(door.come(n, LAN, edges=(n + 20,))[1], Admission)
    for transport in (BLE, LAN):
        refusal = door.come(9, transport)[1]
        assert isinstance(refusal, Refusal)
        assert refusal.code is ByeCode.FULL
    near = door.peering.nearby(findable=True, opened=(), hosts=set())
    assert near.links == NEARBY_SLOTS.accept
    assert len(door.node.links) == NEARBY_SLOTS.accept + 2


def test_links_over_bluetooth_do_not_keep_one_from_dialling_on_the_lan() -> None:
    door = TwoDoors()
    door.come(1, BLE)
    door.hint("m1", key=PEERS[1].peer_key)
    assert [target.name for target in door.due()] == ["m1"]


def test_a_newcomer_takes_a_place_of_its_own_transport() -> None:
    door = TwoDoors()
    ours = [door.come(n, BLE)[0] for n in range(NEARBY_SLOTS.accept)]
    for n, link in enumerate(ours):
        door.reach_over(link, n, 40 + n)
    lan = door.come(20, LAN)[0]
    door.reach_over(lan, 20, 50, 51, 52)  # it would be missed least
    turned_away, refusal = door.come(9, BLE)
    assert isinstance(refusal, Refusal)
    door.close(turned_away)
    decision = door.come(9, BLE)[1]
    assert isinstance(decision, Admission)
    (dropped,) = decision.drop
    assert dropped[0] in ours
    assert dropped[1] is ByeCode.FULL


def test_who_loses_one_of_two_links_is_looked_for_there_alone() -> None:
    door = TwoDoors()
    door.nearby.heard(TAG, "AA", -50, door.now)
    door.hint("m1", key=PEERS[1].peer_key)
    lan, _ = door.come(1, LAN, dialled="m1")
    ble, _ = door.come(1, BLE, dialled=f"ble:{TAG.hex()}")
    assert door.close(lan, lost=True) == PEERS[1].peer_key
    door.tick()
    assert door.node.topology.reachable(PEERS[1].peer_key)
    door.now += 0.2
    assert [target.name for target in door.due()] == ["m1"]
    assert door.close(ble, code=ByeCode.LEAVING) == PEERS[1].peer_key
    assert door.nearby._sightings[TAG].last_heard == float("-inf")


def test_a_failed_dial_is_noted_where_it_came_from() -> None:
    door = TwoDoors()
    door.nearby.heard(TAG, "AA", -50, door.now)
    door.nearby.tag = b"\x01" * 8
    target = door.nearby.due(door.now, door.peering.nearby(findable=True, opened=(), hosts=set()))
    assert target is not None
    door.peering.dials.failed(target, door.now, code=ByeCode.FULL)
    assert (target.dialling, target.failures) == (False, 1)
    assert door.targets.dialling() == 0


def test_somebody_half_way_in_counts_as_knocking() -> None:
    door = TwoDoors()
    door.come(1, BLE)
    situation = door.peering.nearby(findable=True, opened=("AA",), hosts={"BB"})
    assert (situation.knocking, situation.links, situation.hosts) == (False, 1, {"AA", "BB"})
    assert door.peering.nearby(findable=True, opened=("AA", "CC"), hosts=set()).knocking


def test_who_is_seen_by_bluetooth_has_been_seen_on_no_network() -> None:
    hello = Hello((1,), 0, b"", bytes(8), 1, addresses=("tcp:47700",))
    assert addresses_of(hello, "192.0.2.7") == (("192.0.2.7", 47_700),)
    assert addresses_of(hello, "fe80::1%eth0") == (("fe80::1%eth0", 47_700),)
    assert addresses_of(hello, "AA:BB:CC:DD:EE:FF") == ()


def test_edges_over_two_transports_are_two() -> None:
    door = TwoDoors()
    for transport in (LAN, BLE):
        door.come(1, transport)
    record = door.node.table.get(door.node.key)
    assert record is not None
    door.now += 5
    door.tick()
    newest = door.node.table.get(door.node.key)
    assert newest is not None
    key = PEERS[1].peer_key
    assert {(e.key, e.transport) for e in newest.record.edges} == {(key, LAN), (key, BLE)}
    assert all(isinstance(edge, Edge) for edge in newest.record.edges)
