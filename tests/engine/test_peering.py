"""The policy of links: who is dialled, who is let in, who is let go."""

from __future__ import annotations

import random

import pytest

from presence_core.discovery.hint import DialHint
from presence_core.engine.node import Node, NodeProfile
from presence_core.engine.peering import (
    MAX_APPLICANTS,
    Admission,
    Peering,
    Refusal,
)
from presence_core.engine.targets import Target, Targets
from presence_core.gossip.messages import Hello, Records
from presence_core.gossip.neighbours import CROSSING_SECONDS, Slots
from presence_core.gossip.record import Edge, parse_record, sign_record
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from tests.engine.field import LAN, MESH, WALL

OWN = Identity.from_private_bytes(b"o" * 32)
PEERS = [Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, 60)]
ADDRESS = ("192.0.2.1", 47_700)


class Door:
    """The policy of one node, and those who knock and are dialled."""

    def __init__(self, slots: Slots | None = None) -> None:
        self.now = 100.0
        self.rng = random.Random(5)
        self.node = Node(
            OWN,
            MESH,
            NodeProfile("own", None, None),
            epoch=1,
            now=self.now,
            wall_ms=lambda: WALL,
            rng=self.rng,
        )
        self.targets = Targets(self.rng, "m")
        self.peering = Peering(self.node, self.targets, self.rng, slots)
        self._next_link = 1
        self._seq = 0

    def hello(
        self,
        n: int,
        edges: tuple[int, ...] = (),
        mesh: MeshKey = MESH,
        addresses: tuple[str, ...] = (),
    ) -> Hello:
        self._seq += 1
        record = sign_record(
            PEERS[n],
            mesh,
            epoch=1,
            seq=self._seq,
            issued_at=1,
            name=f"peer {n}",
            edges=[Edge(PEERS[far].peer_key, LAN, 1) for far in edges],
        )
        return Hello((1,), WALL, record.raw, bytes(8), 1, addresses=addresses)

    def knock(
        self, n: int, *, dialled: str | None = None, session: bytes = b"s"
    ) -> tuple[int, Refusal | None]:
        link, self._next_link = self._next_link, self._next_link + 1
        refusal = self.peering.authenticated(
            link,
            PEERS[n].peer_key,
            transport=LAN,
            dialled=dialled,
            now=self.now,
            session_id=session,
        )
        return link, refusal

    def enter(
        self, n: int, *, edges: tuple[int, ...] = (), dialled: str | None = None
    ) -> tuple[int, Refusal | Admission]:
        link, refusal = self.knock(n, dialled=dialled)
        return link, refusal or self.peering.admit(link, self.hello(n, edges), self.now)

    def close(self, link: int, *, code: int | None = None, lost: bool = False) -> bytes | None:
        return self.peering.closed(link, code=code, lost=lost, now=self.now)

    def hint(self, name: str, source: str = "mdns", key: bytes | None = None) -> None:
        self.peering.hinted(DialHint(source, name, (ADDRESS,), 2), self.now)
        if key is not None:
            self.targets.bind(name, key)

    def due(self) -> list[Target]:
        self.tick()
        return self.peering.due(self.now)

    def tick(self) -> None:
        self.node.tick(self.now)
        self.node.take_output()
        self.peering.tick(self.now)

    def neighbours(self) -> set[bytes]:
        return self.node.neighbour_keys()


@pytest.fixture
def door() -> Door:
    return Door()


def code_of(answer: Refusal | Admission | None) -> ByeCode:
    assert isinstance(answer, Refusal)
    return answer.code


# -- who is let in


def test_whoever_says_hello_with_its_own_record_is_let_in(door: Door) -> None:
    link, answer = door.enter(0)
    assert answer == Admission()
    assert door.neighbours() == {PEERS[0].peer_key}
    assert door.peering.links() == 1
    assert door.close(link) == PEERS[0].peer_key
    assert door.neighbours() == set()
    assert door.close(link) is None


def test_a_hello_with_somebody_elses_record_is_refused_and_counted(door: Door) -> None:
    link, _ = door.knock(0)
    answer = door.peering.admit(link, door.hello(1), door.now)
    assert answer == Refusal(ByeCode.PROTOCOL, "Hello with a record of somebody else")
    assert door.neighbours() == set()
    assert PEERS[0].peer_key in door.node.exchange.strikes.offenders


def test_a_hello_with_a_record_of_another_mesh_is_refused_and_counted(door: Door) -> None:
    link, _ = door.knock(0)
    answer = door.peering.admit(link, door.hello(0, mesh=MeshKey.generate("x")), door.now)
    assert code_of(answer) is ByeCode.PROTOCOL
    assert PEERS[0].peer_key in door.node.exchange.strikes.offenders


def test_a_hello_on_a_link_that_is_not_waited_for_is_refused(door: Door) -> None:
    assert code_of(door.peering.admit(77, door.hello(0), door.now)) is ByeCode.PROTOCOL


def test_a_peer_that_has_sent_nonsense_too_often_is_not_let_in_until_it_has_cooled_down(
    door: Door,
) -> None:
    for _ in range(3):
        link, refusal = door.knock(0)
        assert refusal is None
        door.peering.admit(link, door.hello(1), door.now)
        door.close(link)
    _, refusal = door.knock(0)
    assert code_of(refusal) is ByeCode.LIMIT
    door.now = door.node.exchange.strikes.offenders[PEERS[0].peer_key].cool_until
    _, refusal = door.knock(0)
    assert refusal is None


def test_those_who_wait_to_be_let_in_are_bounded(door: Door) -> None:
    for n in range(MAX_APPLICANTS):
        assert door.knock(n)[1] is None
    assert code_of(door.knock(MAX_APPLICANTS)[1]) is ByeCode.FULL
    door.close(1)
    assert door.knock(MAX_APPLICANTS)[1] is None


# -- duplicates


def test_of_two_sessions_dialled_at_once_the_one_of_the_smaller_key_is_kept(door: Door) -> None:
    for n in range(6):
        smaller = OWN.peer_key < PEERS[n].peer_key
        for ours_first in (True, False):
            door = Door()
            door.hint("x", key=PEERS[n].peer_key)
            order = ("x", None) if ours_first else (None, "x")
            links = {}
            for dialled in order:
                link, answer = door.enter(n, dialled=dialled)
                if isinstance(answer, Admission):
                    links[dialled] = link
                    for other, code, _ in answer.drop:
                        assert code is ByeCode.DUPLICATE
                        door.close(other)
                        links = {d: kept for d, kept in links.items() if kept != other}
                else:
                    assert answer.code is ByeCode.DUPLICATE
                    door.close(link)
            assert list(links) == ["x" if smaller else None]
            assert door.peering.links() == len(door.node.links) == 1


def test_a_later_session_replaces_the_old_one_also_when_all_places_are_taken() -> None:
    door = Door(Slots(dial=1, accept=1, spare=0))
    old, _ = door.enter(0, edges=(1,))
    door.now += CROSSING_SECONDS
    new, answer = door.enter(0, edges=(1,))
    assert isinstance(answer, Admission)
    assert [(link, code) for link, code, _ in answer.drop] == [(old, ByeCode.DUPLICATE)]
    assert door.close(old) is None  # its peer is a neighbour still
    assert door.neighbours() == {PEERS[0].peer_key}
    assert list(door.node.links) == [new]


# -- full


def test_when_all_places_are_taken_others_are_refused() -> None:
    door = Door(Slots(dial=2, accept=3, spare=1))
    for n in range(3):
        assert door.enter(n, edges=(50,))[1] == Admission()
    assert door.peering.free() == 0
    assert code_of(door.enter(3, edges=(50,))[1]) is ByeCode.FULL


def test_who_was_dialled_may_have_a_spare_place() -> None:
    door = Door(Slots(dial=2, accept=2, spare=1))
    for n in range(2):
        door.enter(n, edges=(50,))
    door.hint("x")
    assert door.enter(2, edges=(50,), dialled="x")[1] == Admission()
    assert code_of(door.enter(3, edges=(50,), dialled="x")[1]) is ByeCode.FULL
    assert door.peering.free() == 0


def test_a_made_up_newcomer_takes_the_place_of_one_that_came_and_not_of_one_that_was_chosen() -> (
    None
):
    door = Door(Slots(dial=1, accept=2, spare=0))
    door.hint("x")
    door.enter(0, edges=(50, 51, 52), dialled="x")
    came, _ = door.enter(1, edges=(50,))
    for far, back in ((50, (0, 1)), (51, (0,)), (52, (0,))):
        record = parse_record(door.hello(far, back).record, MESH)
        body = Records(((0, record.raw),)).encode()
        door.node.message(came, MessageType.RECORDS, body, door.now)
    door.tick()
    assert door.node.topology.degree(PEERS[0].peer_key) > 2
    _, answer = door.enter(3)
    assert isinstance(answer, Admission)
    assert [link for link, _, _ in answer.drop] == [came]


def test_a_peer_is_known_by_its_own_advert_and_cannot_claim_that_of_another(door: Door) -> None:
    own, others = (MESH.instance_name(PEERS[n].peer_key, 1) for n in (0, 1))
    for name in (own, others):
        door.hint(name)
    link, _ = door.knock(0)
    hello = door.hello(0, addresses=(f"mdns:{own}", f"mdns:{others}"))
    assert door.peering.admit(link, hello, door.now) == Admission()
    door.now += 10
    assert [target.name for target in door.due()] == [others]


# -- whom to dial


def test_three_are_dialled_at_first_and_no_more_than_that(door: Door) -> None:
    for n in range(10):
        door.hint(f"z{n}")
    assert len(door.due()) == 3
    assert door.due() == []
    assert door.targets.dialling() == 3


def test_whoever_is_linked_is_not_dialled(door: Door) -> None:
    door.enter(0, edges=(1,))
    door.hint("z", key=PEERS[0].peer_key)
    door.now += 10
    assert door.due() == []
    assert door.peering.next_time(door.now) == float("inf")


def test_a_static_address_is_dialled_whatever_links_there_are() -> None:
    door = Door(Slots(dial=1, accept=4))
    for n in range(3):
        door.hint(f"x{n}")
        door.enter(n, edges=(50,), dialled=f"x{n}")
    door.hint("host:1", "static")
    assert [target.name for target in door.due()] == ["host:1"]


def test_a_lost_neighbour_is_dialled_soon_at_its_own_address(door: Door) -> None:
    link, _ = door.enter(0)
    door.peering.located(link, (ADDRESS,))
    door.close(link, lost=True)
    door.now = door.peering.next_time(door.now)
    assert door.now <= 100.2
    (target,) = door.due()
    assert (target.peer_key, target.address()) == (PEERS[0].peer_key, ADDRESS)


def test_a_neighbour_that_said_goodbye_is_not_dialled(door: Door) -> None:
    link, _ = door.enter(0)
    door.peering.located(link, (ADDRESS,))
    door.close(link, code=ByeCode.LEAVING)
    door.now += 100
    assert door.due() == []
    assert door.peering.next_time(door.now) == float("inf")
