"""Whom to dial over Bluetooth; the clock is moved by hand."""

from __future__ import annotations

import random

from presence_core.discovery.ble_advert import QUARTER_SECONDS, quarter_of
from presence_core.engine.nearby import (
    AFTER_LEAVING_SECONDS,
    AFTER_LOSS_SECONDS,
    BACKOFF_FIRST,
    BACKOFF_LIMIT,
    FORGET_SECONDS,
    FRESH_SECONDS,
    MAX_SIGHTINGS,
    WEAK_DBM,
    WRONG_WAY_SECONDS,
    Nearby,
    TagIndex,
)
from presence_core.engine.targets import Target
from presence_core.engine.ties import Situation
from presence_core.gossip.neighbours import NEARBY_SLOTS
from presence_core.identity.mesh import MeshKey

MESH = MeshKey(b"n" * 32, "field")
NOON = 1_790_000_000.0
ALICE, BOB = b"a" * 32, b"b" * 32
LOW, OWN, HIGH = b"\x01" * 8, b"\x80" * 8, b"\xff" * 8


class Book:
    """An address book with our tag in the middle, and a clock in our hands."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.reached: set[bytes] = set()
        self.index = TagIndex(MESH)
        self.nearby = Nearby(self.index, self.reached.__contains__, random.Random(1))
        self.nearby.tag = OWN

    def hear(self, tag: bytes, rssi: int | None = -50, address: str = "AA") -> None:
        self.nearby.heard(tag, address, rssi, self.now)

    def due(
        self,
        *,
        links: int = 0,
        dialled: int = 0,
        findable: bool = True,
        knocking: bool = False,
        hosts: frozenset[str] = frozenset(),
        linked: frozenset[bytes] = frozenset(),
    ) -> Target | None:
        return self.nearby.due(
            self.now, Situation(linked, links, dialled, findable, knocking, hosts)
        )

    def name_of(self, tag: bytes) -> str:
        return f"ble:{tag.hex()}"

    def dial(self, tag: bytes) -> Target:
        target = self.due()
        assert target is not None
        assert target.name == self.name_of(tag)
        return target


def test_of_two_the_one_with_the_smaller_tag_dials() -> None:
    book = Book()
    book.hear(HIGH)
    assert book.dial(HIGH).addresses == (("AA", 0),)
    other = Book()
    other.hear(LOW)
    assert other.due() is None


def test_who_is_not_dialled_for_long_dials_the_wrong_way() -> None:
    book = Book()
    book.hear(LOW)
    book.now += WRONG_WAY_SECONDS[0] - 0.1
    book.hear(LOW)
    assert book.due() is None  # it has had time for a whole dial
    book.now += WRONG_WAY_SECONDS[1] - WRONG_WAY_SECONDS[0] + 0.2
    book.hear(LOW)
    assert book.due(knocking=True) is None  # there it comes
    assert book.due() is not None


def test_who_cannot_be_found_always_dials() -> None:
    book = Book()
    book.hear(LOW)
    assert book.due(findable=False) is not None


def test_an_own_advert_that_comes_back_is_nobody() -> None:
    book = Book()
    book.hear(OWN)
    assert book.due(findable=False) is None


def test_an_advert_that_was_not_heard_lately_is_not_dialled_and_then_forgotten() -> None:
    book = Book()
    book.hear(HIGH)
    book.now += FRESH_SECONDS + 0.1
    assert book.due() is None
    book.now += FORGET_SECONDS
    book.nearby.forget(book.now)
    assert not book.nearby._sightings


def test_who_is_linked_is_not_dialled() -> None:
    book = Book()
    book.hear(HIGH)
    book.nearby.bind(book.name_of(HIGH), ALICE)
    assert book.due(linked=frozenset({ALICE})) is None
    assert book.due() is not None


def test_where_a_link_leads_already_nobody_is_dialled() -> None:
    book = Book()
    book.hear(HIGH, address="CC")
    assert book.due(hosts=frozenset({"CC"})) is None
    assert book.due(hosts=frozenset({"DD"})) is not None


def test_a_failed_dial_is_tried_again_ever_later() -> None:
    book = Book()
    pauses = []
    for _ in range(8):
        book.hear(HIGH)
        target = book.dial(HIGH)
        assert book.due() is None  # one at a time
        book.nearby.failed(target, book.now)
        pauses.append(target.next_dial - book.now)
        book.now = target.next_dial - 0.01
        book.hear(HIGH)
        assert book.due() is None
        book.now += 0.02
    assert BACKOFF_FIRST / 2 <= pauses[0] <= BACKOFF_FIRST
    assert BACKOFF_LIMIT / 2 <= pauses[-1] <= BACKOFF_LIMIT
    assert pauses[3] > pauses[0]
    book.hear(HIGH)
    book.nearby.failed(book.dial(HIGH), book.now, seconds=30.0)
    book.now += 29.0
    book.hear(HIGH)
    assert book.due() is None
    book.now += 1.1
    book.hear(HIGH)
    book.dial(HIGH)
    book.nearby.succeeded(book.name_of(HIGH))
    assert book.nearby.dialling() == 0


def test_two_are_dialled_and_more_only_if_no_way_leads_there() -> None:
    book = Book()
    book.hear(HIGH)
    book.nearby.bind(book.name_of(HIGH), ALICE)
    book.reached.add(ALICE)
    assert book.due(links=NEARBY_SLOTS.dial, dialled=NEARBY_SLOTS.dial) is None
    assert book.due(links=NEARBY_SLOTS.accept) is None
    book.reached.clear()
    full = NEARBY_SLOTS.accept + NEARBY_SLOTS.spare
    assert book.due(links=full, dialled=2) is None
    assert book.due(links=full - 1, dialled=2) is not None


def test_who_is_out_of_reach_comes_first_then_who_is_heard_best() -> None:
    book = Book()
    tags = [b"\x90" * 8, b"\x91" * 8, b"\x92" * 8]
    for tag, rssi in zip(tags, (-40, -80, -60), strict=True):
        book.hear(tag, rssi)
    for tag, key in zip(tags, (ALICE, BOB, b"c" * 32), strict=True):
        book.nearby.bind(book.name_of(tag), key)
    book.reached.add(ALICE)
    book.dial(tags[2])
    book.dial(tags[1])
    book.dial(tags[0])


def test_who_has_links_does_not_dial_who_is_hardly_heard() -> None:
    book = Book()
    book.hear(HIGH, WEAK_DBM - 1)
    assert book.due(links=1) is None
    assert book.due() is not None


def test_who_was_lost_is_dialled_again_when_it_is_heard() -> None:
    book = Book()
    book.hear(HIGH)
    book.nearby.failed(book.dial(HIGH), book.now, seconds=500.0)
    book.nearby.bind(book.name_of(HIGH), ALICE)
    book.nearby.lost(ALICE, (), book.now)
    book.now += AFTER_LOSS_SECONDS[1]
    assert book.due() is None
    book.hear(HIGH)
    book.dial(HIGH)


def test_who_said_goodbye_is_dialled_when_it_is_heard_after_a_while() -> None:
    book = Book()
    book.hear(HIGH)
    book.nearby.bind(book.name_of(HIGH), ALICE)
    book.nearby.left(ALICE, book.now)
    book.now += 0.5
    book.hear(HIGH)  # its last words
    assert book.due() is None
    book.now += AFTER_LEAVING_SECONDS
    assert book.due() is None
    book.hear(HIGH)
    book.dial(HIGH)


def test_a_flood_of_made_up_tags_fills_no_memory_and_pushes_nobody_out() -> None:
    book = Book()
    book.hear(HIGH)
    book.nearby.bind(book.name_of(HIGH), ALICE)
    for number in range(3 * MAX_SIGHTINGS):
        book.now += 0.001
        book.hear(number.to_bytes(8, "big"))
    assert len(book.nearby._sightings) == MAX_SIGHTINGS
    book.dial(HIGH)  # who is known comes before whoever it may be


def test_a_signal_is_that_of_the_last_advert() -> None:
    book = Book()
    assert book.nearby.rssi(ALICE, book.now) is None
    book.hear(HIGH, -70)
    book.nearby.bind(book.name_of(HIGH), ALICE)
    book.now += 1
    book.hear(HIGH, -55)
    assert book.nearby.rssi(ALICE, book.now) == -55
    book.now += FORGET_SECONDS + 1
    assert book.nearby.rssi(ALICE, book.now) is None


def test_a_member_knows_whose_advert_it_hears() -> None:
    index = TagIndex(MESH)
    keys = [number.to_bytes(32, "big") for number in range(10)]
    index.follow(keys, NOON)
    index.work(5)
    found = [index.owner(MESH.nearby_peer_tag(key, quarter_of(NOON))) for key in keys]
    assert found == keys[:5] + [None] * 5  # the rest of the work is still to be done
    index.work()
    for off in (-1, 0, 1):
        tag = MESH.nearby_peer_tag(keys[7], quarter_of(NOON) + off)
        assert index.owner(tag) == keys[7]
    index.follow(keys, NOON + 2 * QUARTER_SECONDS)
    index.work()
    assert index.owner(MESH.nearby_peer_tag(keys[7], quarter_of(NOON))) is None
    assert index.owner(MESH.nearby_peer_tag(keys[7], quarter_of(NOON) + 3)) == keys[7]


def test_an_advert_is_bound_to_its_peer_when_it_is_heard() -> None:
    book = Book()
    book.index.follow([ALICE], NOON)
    book.index.work()
    tag = MESH.nearby_peer_tag(ALICE, quarter_of(NOON))
    book.hear(tag)
    assert book.due(linked=frozenset({ALICE}), findable=False) is None
    target = book.due(findable=False)
    assert target is not None
    assert target.peer_key == ALICE
