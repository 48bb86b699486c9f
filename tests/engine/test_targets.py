from __future__ import annotations

import random

from presence_core.discovery.hint import DialHint
from presence_core.engine.targets import CROSSING_DELAY, MAX_DIALS, MAX_TARGETS, Targets

ALICE = b"a" * 32
HERE = (("192.0.2.1", 47_700),)


def targets(instance: str = "m") -> Targets:
    return Targets(random.Random(1), instance)


def hint(name: str, source: str = "mdns") -> DialHint:
    return DialHint(source, name, HERE)


def test_the_smaller_instance_dials_at_once_and_the_greater_waits() -> None:
    book = targets("m")
    book.hint(hint("z"), 0.0)
    book.hint(hint("a"), 0.0)
    assert [target.name for target in book.due(0.0, set())] == ["z"]
    assert book.next_time(set()) >= CROSSING_DELAY
    assert [target.name for target in book.due(1.0, set())] == ["a"]


def test_a_target_whose_peer_is_linked_is_not_dialled() -> None:
    book = targets()
    book.hint(hint("z"), 0.0)
    book.bind("z", ALICE)
    assert book.due(0.0, {ALICE}) == []
    assert not book.untried({ALICE})
    assert [target.name for target in book.due(0.0, set())] == ["z"]


def test_dials_at_once_are_bounded() -> None:
    book = targets("")
    for number in range(MAX_DIALS + 5):
        book.hint(hint(f"peer{number}"), 0.0)
    assert len(book.due(0.0, set())) == MAX_DIALS
    assert book.due(0.0, set()) == []


def test_failures_back_off_up_to_a_limit_and_static_addresses_sooner() -> None:
    for source, limit in (("mdns", 30.0), ("static", 5.0)):
        book = targets("")
        book.hint(hint("x", source), 0.0)
        now, pauses = 0.0, []
        for _ in range(14):
            (target,) = book.due(now, set())
            book.failed(target, now)
            pauses.append(target.next_dial - now)
            now = target.next_dial
        assert pauses[0] < 0.5
        assert limit / 2 <= pauses[-1] <= limit


def test_a_lost_peer_is_dialled_within_a_second_again_and_again() -> None:
    book = targets()
    book.lost(ALICE, HERE, 0.0)
    now = book.next_time(set())
    assert now <= 0.2
    for _ in range(20):
        (target,) = book.due(now, set())
        book.failed(target, now)
        assert target.next_dial - now <= 0.6
        now = target.next_dial


def test_a_lost_peer_is_forgotten_after_a_while_if_its_advert_is_gone() -> None:
    book = targets()
    book.lost(ALICE, HERE, 0.0)
    (target,) = book.due(1.0, set())
    book.failed(target, 1_000.0)
    assert book.next_time(set()) == float("inf")


def test_a_peer_that_said_goodbye_is_not_dialled() -> None:
    book = targets()
    book.hint(hint("z"), 0.0)
    (target,) = book.due(0.0, set())
    book.bind("z", ALICE)
    book.succeeded(target)
    book.left(ALICE)
    assert book.next_time(set()) == float("inf")


def test_a_static_address_is_kept_when_its_peer_leaves() -> None:
    book = targets()
    book.hint(hint("host:1", "static"), 0.0)
    book.bind("host:1", ALICE)
    book.left(ALICE)
    assert book.next_time(set()) == 0.0


def test_a_flood_of_adverts_is_bounded_and_keeps_static_addresses() -> None:
    book = targets("")
    book.hint(hint("host:1", "static"), 0.0)
    for number in range(MAX_TARGETS * 2):
        book.hint(hint(f"fake{number}"), 0.0)
        for target in book.due(0.0, set()):
            book.failed(target, 0.0)
    assert len(book._targets) <= MAX_TARGETS
    assert "host:1" in book._targets


def test_a_withdrawn_advert_is_not_dialled_unless_its_peer_is_missed() -> None:
    book = targets()
    book.hint(hint("z"), 0.0)
    book.withdrawn("z")
    assert book.due(0.0, set()) == []
    book.bind("z", ALICE)
    book.lost(ALICE, HERE, 1.0)
    assert [target.name for target in book.due(2.0, set())] == ["z"]


def test_every_address_of_a_target_gets_its_turn_without_a_pause() -> None:
    book = targets("")
    book.hint(DialHint("mdns", "x", (("192.0.2.1", 1), ("192.0.2.2", 2))), 0.0)
    (target,) = book.due(0.0, set())
    assert target.address() == ("192.0.2.1", 1)
    book.failed(target, 0.0)
    (target,) = book.due(0.0, set())
    assert target.address() == ("192.0.2.2", 2)
