"""The policy of links: who is dialled, who is let in, who is let go."""

from __future__ import annotations

import random

import pytest

from presence_core.discovery.hint import DialHint
from presence_core.engine.addresses import addresses_of, host_and_port
from presence_core.engine.dials import EXPECTED_SHARE
from presence_core.engine.node import Node
from presence_core.engine.own_record import NodeProfile
from presence_core.engine.peering import (
    DISPLACE_BURST,
    MAX_APPLICANTS,
    SURPLUS_SECONDS,
    TURNED_AWAY_SECONDS,
    Peering,
)
from presence_core.engine.targets import Target, Targets
from presence_core.engine.ties import Admission, Refusal
from presence_core.gossip.messages import MAX_HINTS, Hello, Peers, Records, Summary
from presence_core.gossip.neighbours import CROSSING_SECONDS, Slots
from presence_core.gossip.quota import Offence
from presence_core.gossip.record import Edge, parse_record, sign_record
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from tests.engine.field import LAN, MESH, WALL

OWN = Identity.from_private_bytes(b"o" * 32)
PEERS = [Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, 60)]
OWN_SLOT = len(PEERS)
PEERS.append(OWN)
"""So that edges may lead to ourselves too."""
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
        self.blocked: set[bytes] = set()
        self.peering = Peering(self.node, self.targets, self.rng, slots, blocked=self.blocked)
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

    def tell(self, link: int, n: int, edges: tuple[int, ...] = ()) -> None:
        """Let a neighbour tell of somebody, or of itself."""
        body = Records(((0, self.hello(n, edges).record),)).encode()
        self.node.message(link, MessageType.RECORDS, body, self.now)
        self.tick()

    def reach_over(self, link: int, near: int, *far: int) -> None:
        """Let others stand behind a neighbour."""
        self.tell(link, near, (OWN_SLOT, *far))
        for n in far:
            self.tell(link, n, (near,))

    def hint(self, name: str, source: str = "mdns", key: bytes | None = None) -> None:
        self.peering.dials.hinted(DialHint(source, name, (ADDRESS,), 2), self.now)
        if key is not None:
            self.targets.bind(name, key)

    def due(self) -> list[Target]:
        self.tick()
        return self.peering.dials.due(self.now)

    def tick(self) -> None:
        self.node.tick(self.now)
        self.node.take_output()
        self.peering.dials.tick(self.now)

    def neighbours(self) -> set[bytes]:
        return {link.key for link in self.node.links.values()}


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
    assert len(door.node.links) == 1
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


def test_who_keeps_saying_a_hello_that_is_none_is_counted_and_cools_down(door: Door) -> None:
    codes = []
    for _ in range(3):
        link, _ = door.knock(0)
        codes.append(door.peering.malformed(link, "Hello: not of its form", door.now).code)
        door.close(link)
    assert codes == [ByeCode.PROTOCOL, ByeCode.PROTOCOL, ByeCode.LIMIT]
    assert code_of(door.knock(0)[1]) is ByeCode.LIMIT
    offender = door.node.exchange.strikes.offenders[PEERS[0].peer_key]
    assert (offender.counts, offender.refused) == ({Offence.MALFORMED: 3}, 1)


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
            assert len(door.node.links) == 1


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
    link = 0
    for n in range(3):
        link, answer = door.enter(n, edges=(50,))
        assert answer == Admission()
    assert door.peering.free() == 0
    door.reach_over(link, 2, 3)
    assert code_of(door.enter(3, edges=(2,))[1]) is ByeCode.FULL


def test_who_comes_from_another_part_of_the_mesh_may_have_a_spare_place() -> None:
    """Of two meshes that meet everybody may be full: they would never become one otherwise."""
    door = Door(Slots(dial=2, accept=3, spare=1))
    for n in range(3):
        door.enter(n, edges=(50,))
    assert door.enter(3, edges=(51, 52))[1] == Admission()
    assert code_of(door.enter(4, edges=(51, 52))[1]) is ByeCode.FULL
    assert door.peering.free() == 0


def test_two_sessions_of_one_peer_are_no_way_around_that() -> None:
    door = Door(Slots(dial=1, accept=1, spare=0))
    door.enter(0, edges=(1,))
    door.knock(1, session=b"b")
    link, refusal = door.knock(1, session=b"a")
    assert refusal is None
    assert code_of(door.peering.admit(link, door.hello(1, (0,)), door.now)) is ByeCode.FULL


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
    _, answer = second_knock(door, 3)
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
    assert door.peering.dials.next_time(door.now) == float("inf")


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
    door.now = door.peering.dials.next_time(door.now)
    assert door.now <= 100.2
    (target,) = door.due()
    assert (target.peer_key, target.address()) == (PEERS[0].peer_key, ADDRESS)


def test_a_neighbour_that_said_goodbye_is_not_dialled(door: Door) -> None:
    link, _ = door.enter(0)
    door.peering.located(link, (ADDRESS,))
    door.close(link, code=ByeCode.LEAVING)
    door.now += 100
    assert door.due() == []
    assert door.peering.dials.next_time(door.now) == float("inf")


def test_links_are_made_up_to_three_that_we_dialled_and_then_no_more(door: Door) -> None:
    link, _ = door.enter(0)
    door.reach_over(link, 0, *range(1, 12))
    for n in range(1, 12):
        door.hint(f"x{n}", key=PEERS[n].peer_key)
    dialled = 0
    for _ in range(200):
        for target in door.due():
            n = int(target.name[1:])
            assert door.enter(n, edges=(0,), dialled=target.name)[1] == Admission()
            dialled += 1
        door.now += 0.1
    assert dialled == 3
    assert door.peering.dials.next_time(door.now) == float("inf")


def test_whoever_says_that_it_is_full_is_dialled_only_if_it_is_out_of_reach(door: Door) -> None:
    link, _ = door.enter(0)
    door.reach_over(link, 0, 1, 2)
    for n, free in ((1, 0), (2, 1), (3, 0)):
        hint = DialHint("mdns", f"x{n}", (ADDRESS,), free)
        door.peering.dials.hinted(hint, door.now)
        door.targets.bind(hint.name, PEERS[n].peer_key)
    dialled = []
    for _ in range(10):
        door.now += 5
        dialled += [target.name for target in door.due()]
    assert sorted(dialled) == ["x2", "x3"]
    assert door.peering.dials.next_time(door.now) == float("inf")


def test_top_ups_are_made_one_at_a_time(door: Door) -> None:
    link, _ = door.enter(0)
    door.reach_over(link, 0, *range(1, 12))
    for n in range(1, 12):
        door.hint(f"x{n}", key=PEERS[n].peer_key)
    door.now += 5
    assert len(door.due()) == 1
    assert door.due() == []
    assert door.peering.dials.next_time(door.now) > door.now
    door.now = door.peering.dials.next_time(door.now)
    assert len(door.due()) == 1


def test_whoever_is_out_of_reach_is_dialled_before_those_in_reach(door: Door) -> None:
    for _ in range(20):
        door = Door()
        link, _ = door.enter(0)
        door.reach_over(link, 0, 1, 2, 3, 4, 5)
        for n in (1, 2, 3, 4, 5, 6):
            door.hint(f"x{n}", key=PEERS[n].peer_key)
        door.now += 5
        assert door.due()[0].name == "x6"


def test_who_has_links_enough_still_looks_for_those_out_of_reach_one_at_a_time() -> None:
    door = Door(Slots(dial=1, accept=2, spare=2))
    door.hint("x0")
    door.enter(0, edges=(50,), dialled="x0")
    door.enter(1, edges=(50,))
    for n in (2, 3, 4):
        door.hint(f"x{n}", key=PEERS[n].peer_key)
    door.now += 5
    assert len(door.due()) == 1
    door.now += 5
    assert door.due() == []
    assert door.peering.dials.next_time(door.now) == float("inf")


def test_who_gets_out_of_reach_is_dialled_soon_and_who_is_back_is_not(door: Door) -> None:
    link, _ = door.enter(0)
    door.hint("x1", key=PEERS[1].peer_key)
    door.reach_over(link, 0, 1)
    (target,) = door.targets.missing(set(), sought=False)
    door.targets.failed(target, door.now, seconds=1_000.0)
    door.tell(link, 0, (OWN_SLOT,))
    assert target.lost_at == door.now
    assert target.next_dial <= door.now + 0.3
    door.reach_over(link, 0, 1)
    assert target.lost_at is None


def test_a_newcomer_whose_links_are_being_told_is_left_alone_for_a_moment(door: Door) -> None:
    link, _ = door.enter(0)
    door.hint("x1", key=PEERS[1].peer_key)
    door.hint("x2", key=PEERS[2].peer_key)
    door.now += 5
    door.tell(link, 1, edges=(0,))  # it says that it is linked with a neighbour of ours
    door.tell(link, 2, edges=(9,))  # with somebody whom we do not reach either
    assert [target.name for target in door.due()] == ["x2"]
    soonest = door.peering.dials.next_time(door.now)
    assert soonest == pytest.approx(door.now + EXPECTED_SHARE)  # one peer is in reach
    door.now += EXPECTED_SHARE
    assert [target.name for target in door.due()] == ["x1"]


def test_nobody_is_dialled_while_it_cools_down(door: Door) -> None:
    door.hint("x0", key=PEERS[0].peer_key)
    for _ in range(3):
        link, _ = door.knock(0)
        door.peering.admit(link, door.hello(1), door.now)
        door.close(link)
    door.now += 5
    assert door.due() == []
    at = door.peering.dials.next_time(door.now)
    assert at == door.node.exchange.strikes.cool_until(PEERS[0].peer_key)
    door.now = at
    assert [target.name for target in door.due()] == ["x0"]


def test_who_has_refused_us_is_left_alone_for_a_while(door: Door) -> None:
    door.hint("x")
    (target,) = door.due()
    door.peering.dials.failed(target, door.now, code=ByeCode.DENIED)
    assert door.now + 15 <= door.peering.dials.next_time(door.now) <= door.now + 30


def test_who_has_no_link_at_all_knocks_again_soon_where_there_was_no_room(door: Door) -> None:
    door.hint("x")
    (target,) = door.due()
    door.peering.dials.failed(target, door.now, code=ByeCode.FULL)
    assert door.now < door.peering.dials.next_time(door.now) <= door.now + 1
    door.now += 1
    (target,) = door.due()
    door.enter(0)
    door.peering.dials.failed(target, door.now, code=ByeCode.FULL)
    assert door.peering.dials.next_time(door.now) >= door.now + 15


def test_our_own_advert_under_another_name_is_dialled_once(door: Door) -> None:
    door.hint("mirror")
    (target,) = door.due()
    door.peering.dials.failed(target, door.now, key=OWN.peer_key)
    door.now += 1_000
    assert door.due() == []


def test_whose_advert_it_is_is_known_from_the_record_and_from_nobodys_claim(door: Door) -> None:
    door.hint(MESH.instance_name(PEERS[0].peer_key, 1))
    door.hint("victim")
    link, _ = door.knock(0)
    hello = door.hello(0)
    claims = Hello((1,), WALL, hello.record, bytes(8), 1, addresses=("mdns:victim",))
    assert door.peering.admit(link, claims, door.now) == Admission()
    door.now += 5
    assert [target.name for target in door.due()] == ["victim"]


def test_what_is_dialled_stays_bounded_whatever_is_hinted_and_however_it_ends(door: Door) -> None:
    rng = random.Random(9)
    under_way: list[Target] = []
    for step in range(3_000):
        door.now += rng.uniform(0, 0.2)
        door.hint(f"x{step}", rng.choice(["mdns", "peers"]))
        under_way += door.due()
        assert len(under_way) <= 3
        assert door.targets.dialling() == len(under_way)
        if under_way and rng.random() < 0.6:
            target = under_way.pop(rng.randrange(len(under_way)))
            door.peering.dials.failed(target, door.now, code=rng.choice([None, ByeCode.FULL]))
    assert len(door.targets._targets) <= 1_000


# -- a place for whoever has none


def full_house() -> Door:
    """All places are taken; the neighbour 0 has one link more than the others."""
    door = Door(Slots(dial=1, accept=3, spare=0))
    for n in range(3):
        assert isinstance(door.enter(n)[1], Admission)
    return door


def second_knock(door: Door, n: int) -> tuple[int, Admission | Refusal]:
    """Let a peer come that has no link, and come again when there was no room for it."""
    link, answer = door.enter(n)
    assert code_of(answer) is ByeCode.FULL
    door.close(link)
    return door.enter(n)


def give_links(door: Door, n: int, *far: int) -> None:
    """Let a neighbour have confirmed links to others."""
    link = next(link.id for link in door.node.links.values() if link.key == PEERS[n].peer_key)
    door.reach_over(link, n, *far)


def test_a_peer_without_any_link_gets_the_place_of_the_one_that_is_missed_least() -> None:
    door = full_house()
    give_links(door, 0, 20)
    give_links(door, 1, 21, 22)
    link, answer = second_knock(door, 5)
    assert isinstance(answer, Admission)
    ((dropped, code, _),) = answer.drop
    assert code is ByeCode.FULL
    assert door.node.links[dropped].key == PEERS[1].peer_key
    door.close(dropped)
    assert door.neighbours() == {PEERS[n].peer_key for n in (0, 2, 5)}
    assert link in door.node.links


def test_a_peer_that_has_a_link_is_refused() -> None:
    door = full_house()
    give_links(door, 0, 20)
    assert code_of(door.enter(5, edges=(30,))[1]) is ByeCode.FULL


def test_a_newcomer_tries_elsewhere_first_and_the_second_time_is_soon() -> None:
    door = full_house()
    give_links(door, 0, 20)
    link, answer = door.enter(5)
    assert code_of(answer) is ByeCode.FULL
    door.close(link)
    door.now += TURNED_AWAY_SECONDS + 1
    assert code_of(door.enter(5)[1]) is ByeCode.FULL


def test_nobody_is_cut_off_for_a_newcomer() -> None:
    door = full_house()
    assert code_of(second_knock(door, 5)[1]) is ByeCode.FULL


def test_places_change_hands_only_so_often() -> None:
    door = full_house()
    taken = 0
    for n in range(5, 45):
        for near in (0, 1, 2):
            if PEERS[near].peer_key in door.neighbours():
                give_links(door, near, 48, 49)
        link, answer = second_knock(door, n)
        if isinstance(answer, Admission):
            taken += 1
            for other, _, _ in answer.drop:
                door.close(other)
            door.reach_over(link, n, 48, 49)
        else:
            door.close(link)
    assert taken == DISPLACE_BURST
    assert len(door.node.links) == 3


# -- links that are not needed


def test_a_link_more_than_is_wanted_is_given_up_where_it_will_not_be_missed() -> None:
    door = Door(Slots(dial=1, accept=8, spare=4))
    for n, name in ((0, "x"), (1, "y")):
        door.hint(name)
        door.enter(n, dialled=name)
    for n in (2, 3):
        door.enter(n)
    for link in door.node.links:
        same_here = Summary(0, ()).encode()
        door.node.message(link, MessageType.SUMMARY, same_here, door.now)
    door.tick()
    assert door.peering.surplus(door.now) is None  # their ends have nobody else
    give_links(door, 1, 20, 21)
    door.now += SURPLUS_SECONDS[1]
    assert door.peering.surplus(door.now) is None  # nobody else is near to both
    give_links(door, 0, 2, 3)
    door.now += SURPLUS_SECONDS[1]
    given_up = door.peering.surplus(door.now)
    assert given_up is not None
    assert door.node.links[given_up].key == PEERS[0].peer_key
    assert door.peering.surplus(door.now + 1) is None  # not one after the other
    door.close(given_up)
    door.now += SURPLUS_SECONDS[1]
    assert door.peering.surplus(door.now) is None


# -- hints


def test_whom_we_have_no_room_for_is_told_of_neighbours_that_have_few_links(door: Door) -> None:
    for n in range(6):
        link, _ = door.enter(n)
        if n != 5:
            door.peering.located(link, ((f"192.0.2.{n}", 47_700),))
    for n in (0, 1):
        give_links(door, n, 20 + n, 30 + n)
    hints = door.peering.hints(PEERS[2].peer_key)
    told = {key for key, _ in hints.hints}
    assert len(hints.hints) == MAX_HINTS // 2
    assert PEERS[2].peer_key not in told
    assert PEERS[5].peer_key not in told
    assert {PEERS[3].peer_key, PEERS[4].peer_key} <= told
    assert Peers.decode(hints.encode()) == hints


def test_hints_are_dialled_but_not_those_to_this_machine_from_elsewhere(door: Door) -> None:
    door.peering.dials.directed(
        Peers(((PEERS[0].peer_key, ("127.0.0.1:5", "[::1]:5", "192.0.2.7:47700")),)),
        door.now,
        local=False,
    )
    (target,) = door.due()
    assert target.addresses == (("192.0.2.7", 47_700),)
    assert target.peer_key == PEERS[0].peer_key


def test_hints_to_neighbours_and_to_nowhere_are_passed_over(door: Door) -> None:
    door.enter(0)
    door.peering.dials.directed(
        Peers(((PEERS[0].peer_key, ("192.0.2.7:5",)), (PEERS[1].peer_key, ("nowhere",)))),
        door.now,
        local=False,
    )
    assert list(door.targets.missing(set(), sought=True)) == []


def test_a_hint_to_somebody_in_reach_is_no_reason_to_dial_when_there_are_links_enough() -> None:
    door = Door(Slots(dial=1, accept=4, spare=2))
    door.hint("x0")
    link, _ = door.enter(0, dialled="x0")
    door.reach_over(link, 0, 1)
    door.peering.dials.directed(
        Peers(((PEERS[1].peer_key, ("192.0.2.7:5",)),)), door.now, local=False
    )
    door.now += 5
    assert door.due() == []


@pytest.mark.parametrize(
    ("text", "local", "expected"),
    [
        ("192.0.2.1:5", False, ("192.0.2.1", 5)),
        ("[2001:db8::1]:5", False, ("2001:db8::1", 5)),
        ("127.0.0.1:5", True, ("127.0.0.1", 5)),
        ("[::1]:65535", True, ("::1", 65_535)),
        ("127.0.0.1:5", False, None),
        ("127.9.9.9:5", False, None),
        ("[::1]:5", False, None),
        ("[::ffff:127.0.0.1]:5", False, None),
        ("[::ffff:224.0.0.251]:5", True, None),
        ("192.0.2.1:5", True, ("192.0.2.1", 5)),
        ("224.0.0.251:5", False, None),
        ("[ff02::fb]:5", False, None),
        ("0.0.0.0:5", False, None),
        ("[::]:5", True, None),
        ("169.254.1.1:5", False, None),
        ("[fe80::1]:5", False, None),
        ("[fe80::1%eth0]:5", False, None),
        ("host.example:5", False, None),
        ("192.0.2.1", False, None),
        ("192.0.2.1:0", False, None),
        ("192.0.2.1:65536", False, None),
        ("192.0.2.1:-5", False, None),
        ("192.0.2.1:" + "9" * 100, False, None),
        (":5", False, None),
        ("", False, None),
    ],
)
def test_only_a_literal_address_that_may_be_elsewhere_is_a_hint(
    text: str, local: bool, expected: tuple[str, int] | None
) -> None:
    assert host_and_port(text, local=local) == expected


def test_where_a_peer_can_be_dialled_again_is_a_port_or_nothing() -> None:
    texts = ("tcp:5", "tcp:0", "tcp:65536", "tcp:-1", "tcp:", "tcp:" + "9" * 100, "5", "mdns:5")
    hello = Hello((1,), 0, b"", bytes(8), 0, addresses=texts)
    assert addresses_of(hello, "192.0.2.1") == (("192.0.2.1", 5),)


def test_who_is_blocked_is_refused_and_not_dialled() -> None:
    door = Door()
    key = PEERS[1].peer_key
    door.hint("a", key=key)
    door.hint("b", source="static")
    due = door.due()
    assert {target.name for target in due} == {"a", "b"}
    door.blocked.add(key)
    blocked = Refusal(ByeCode.BLOCKED, "this device blocks it")
    for dialled in ("a", "b"):  # what was on its way leads to nothing; behind b it is too
        link, refusal = door.knock(1, dialled=dialled)
        assert refusal == blocked
        door.close(link)
    for target in due:
        door.peering.dials.failed(target, door.now, code=ByeCode.BLOCKED, key=key)
    assert door.knock(1)[1] == blocked
    door.now += 10_000.0
    assert door.due() == []
    assert not door.peering.dials.untried()
    assert door.peering.dials.next_time(door.now) == float("inf")
    door.peering.dials.directed(
        Peers(((key, (f"{ADDRESS[0]}:{ADDRESS[1]}",)),)), door.now, local=False
    )
    assert door.due() == []
    assert door.knock(2)[1] is None


def test_who_is_blocked_no_more_is_dialled_at_once() -> None:
    door = Door()
    key = PEERS[1].peer_key
    door.hint("a", key=key)
    (target,) = door.due()
    door.peering.dials.failed(target, door.now, code=ByeCode.BLOCKED, key=key)
    assert door.due() == []
    door.targets.again(key, door.now)
    assert door.due() == [target]
