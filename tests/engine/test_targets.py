from __future__ import annotations

import random

from presence_core.discovery.hint import DialHint
from presence_core.engine.targets import (
    ALL_FREE,
    CROSSING_SECONDS,
    MAX_TARGETS,
    Target,
    Targets,
)

ALICE = b"a" * 32
HERE = (("192.0.2.1", 47_700),)


def targets(instance: str = "m") -> Targets:
    return Targets(random.Random(1), instance)


def hint(name: str, source: str = "mdns", free: int | None = None) -> DialHint:
    return DialHint(source, name, HERE, free)


def due(book: Targets, now: float, *connected: bytes) -> list[Target]:
    """Dial whatever is missing and due."""
    missing = list(book.missing(set(connected), sought=True))
    return [book.dial(target) for target in missing if target.next_dial <= now]


def names(found: list[Target]) -> list[str]:
    return [target.name for target in found]


def first(book: Targets) -> float:
    """When the first of those that are missing is due."""
    return min(target.next_dial for target in book.missing(set(), sought=True))


def test_of_two_that_are_alone_the_smaller_instance_dials_at_once_and_the_greater_waits() -> None:
    book = targets("m")
    book.hint(hint("z"), 0.0, reach=0)
    book.hint(hint("a"), 0.0, reach=0)
    assert names(due(book, 0.0)) == ["z"]
    assert CROSSING_SECONDS[0] <= first(book) <= CROSSING_SECONDS[1]
    assert names(due(book, 1.0)) == ["a"]


def test_a_mesh_meets_somebody_new_now_and_then_and_not_all_at_once() -> None:
    for reach, latest in ((1, 0.2), (10, 0.5), (1_000, 10.0)):
        waits = []
        for seed in range(200):
            book = Targets(random.Random(seed), "a")
            book.hint(hint("new", free=ALL_FREE), 0.0, reach=reach)
            waits.append(first(book))
        assert 0.0 <= min(waits) < latest / 10
        assert latest * 0.9 < max(waits) <= latest


def test_a_newcomer_dials_those_that_have_links_at_once() -> None:
    book = targets("z")
    book.hint(hint("a", free=2), 0.0, reach=0)
    assert first(book) == 0.0


def test_a_static_address_is_dialled_at_once() -> None:
    for reach in (0, 9):
        book = targets("z")
        book.hint(hint("a", "static"), 0.0, reach=reach)
        assert first(book) == 0.0


def test_a_target_whose_peer_is_linked_is_not_missing() -> None:
    book = targets()
    book.hint(hint("z"), 0.0, reach=0)
    book.bind("z", ALICE)
    assert due(book, 0.0, ALICE) == []
    assert names(due(book, 0.0)) == ["z"]


def test_who_is_behind_an_advert_may_be_known_before_it() -> None:
    book = targets()
    book.bind("z", ALICE)
    book.hint(hint("z"), 0.0, reach=0)
    assert due(book, 0.0, ALICE) == []


def test_what_is_dialled_is_not_dialled_again_until_it_has_failed() -> None:
    book = targets()
    book.hint(hint("z"), 0.0, reach=0)
    (target,) = due(book, 0.0)
    assert book.dialling() == 1
    assert due(book, 100.0) == []
    assert book.untried(set())
    book.failed(target, 100.0)
    assert book.dialling() == 0
    assert names(due(book, 101.0)) == ["z"]


def test_failures_back_off_up_to_a_limit_and_static_addresses_sooner() -> None:
    for source, limit in (("mdns", 30.0), ("static", 5.0)):
        book = targets("")
        book.hint(hint("x", source), 0.0, reach=0)
        now, pauses = 0.0, []
        for _ in range(14):
            (target,) = due(book, now)
            book.failed(target, now)
            pauses.append(target.next_dial - now)
            now = target.next_dial
        assert pauses[0] < 0.5
        assert limit / 2 <= pauses[-1] <= limit


def test_a_lost_peer_is_dialled_within_a_second_again_and_again() -> None:
    book = targets()
    book.lost(ALICE, HERE, 0.0)
    now = first(book)
    assert now <= 0.2
    for _ in range(20):
        (target,) = due(book, now)
        book.failed(target, now)
        assert target.next_dial - now <= 0.6
        now = target.next_dial


def test_the_more_miss_a_peer_the_longer_each_may_wait_but_no_longer_than_two_seconds() -> None:
    pauses = []
    for missed_by in (1, 10, 10_000):
        book = targets()
        book.hint(hint("z"), 0.0, reach=0)
        book.bind("z", ALICE)
        book.found(ALICE)
        book.out_of_reach(ALICE, 0.0, missed_by)
        assert first(book) <= 2.0
        for _ in range(10):
            (target,) = due(book, 1e6)
            book.failed(target, 1.0, missed_by=missed_by)
        pauses.append(first(book) - 1.0)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 1.5


def test_a_lost_peer_is_forgotten_after_a_while_if_its_advert_is_gone() -> None:
    book = targets()
    book.lost(ALICE, HERE, 0.0)
    (target,) = due(book, 1.0)
    book.failed(target, 1_000.0)
    assert list(book.missing(set(), sought=True)) == []


def test_a_lost_peer_that_is_in_reach_again_is_not_dialled_from_memory() -> None:
    book = targets()
    book.lost(ALICE, HERE, 0.0)
    book.found(ALICE)
    assert list(book.missing(set(), sought=True)) == []


def test_a_peer_that_said_goodbye_is_not_dialled() -> None:
    book = targets()
    book.hint(hint("z"), 0.0, reach=0)
    due(book, 0.0)
    book.bind("z", ALICE)
    book.succeeded("z")
    book.left(ALICE)
    assert list(book.missing(set(), sought=True)) == []
    assert book.dialling() == 0


def test_a_static_address_is_kept_when_its_peer_leaves() -> None:
    book = targets()
    book.hint(hint("host:1", "static"), 0.0, reach=0)
    book.bind("host:1", ALICE)
    book.left(ALICE)
    assert first(book) == 0.0


def test_a_flood_of_adverts_is_bounded_and_keeps_static_addresses() -> None:
    book = targets("")
    book.hint(hint("host:1", "static"), 0.0, reach=0)
    for number in range(MAX_TARGETS * 2):
        book.hint(hint(f"fake{number}"), 0.0, reach=0)
        for target in due(book, 0.0):
            book.failed(target, 0.0)
    assert len(book._targets) <= MAX_TARGETS
    assert "host:1" in book._targets
    assert len(book._of) <= MAX_TARGETS


def test_what_is_known_of_adverts_is_bounded() -> None:
    book = targets("")
    for number in range(30_000):
        book.bind(f"name{number}", ALICE)
    assert len(book._owners) <= 20_000
    assert book._owners["name29999"] == ALICE
    assert not book._of


def test_a_withdrawn_advert_is_not_dialled_unless_its_peer_is_missed() -> None:
    book = targets()
    book.hint(hint("z"), 0.0, reach=0)
    book.withdrawn("z")
    assert due(book, 0.0) == []
    book.bind("z", ALICE)
    book.lost(ALICE, HERE, 1.0)
    assert names(due(book, 2.0)) == ["z"]


def test_every_address_of_a_target_gets_its_turn_without_a_pause() -> None:
    book = targets("")
    book.hint(DialHint("mdns", "x", (("192.0.2.1", 1), ("192.0.2.2", 2))), 0.0, reach=0)
    (target,) = due(book, 0.0)
    assert target.address() == ("192.0.2.1", 1)
    book.failed(target, 0.0)
    (target,) = due(book, 0.0)
    assert target.address() == ("192.0.2.2", 2)


def test_a_first_dial_gives_way_to_somebody_from_there_who_is_shaking_hands() -> None:
    book = targets("")
    book.hint(hint("x"), 0.0, reach=0)
    (target,) = book.missing(set(), sought=True)
    assert not book.give_way(target, {"192.0.2.9"}, 0.0)
    assert book.give_way(target, {"192.0.2.1"}, 0.0)
    assert first(book) == CROSSING_SECONDS[0]
    book.failed(target, 1.0)
    assert not book.give_way(target, {"192.0.2.1"}, 1.0)


def test_withdrawn_adverts_make_room_for_new_ones() -> None:
    book = targets("")
    for number in range(MAX_TARGETS + 10):  # each comes back under another name
        name = f"run{number}"
        book.hint(hint(name), 0.0, reach=0)
        assert name in book._targets
        book.withdrawn(name)
    assert len(book._targets) <= MAX_TARGETS
