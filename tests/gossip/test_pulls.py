from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip import pulls as pulls_module
from presence_core.gossip.pulls import ANSWER_SECONDS, MAX_ASKED, Pulls

A, B, C = (bytes([n]) * 8 for n in b"abc")
OLD, NEW = b"old!", b"new!"


def pulls(*links: int) -> Pulls:
    made = Pulls()
    for link in links:
        made.add_link(link)
    return made


def asked(made: Pulls, now: float) -> dict[int, list[bytes]]:
    return dict(made.due(now))


def test_what_is_offered_is_asked_for_once() -> None:
    made = pulls(1)
    made.offered(1, A, NEW)
    made.offered(1, B, NEW)
    made.offered(1, A, NEW)
    assert asked(made, 0.0) == {1: [A, B]}
    assert asked(made, 0.5) == {}
    assert not made.idle(1)
    assert made.came(1, A, NEW)
    assert made.came(1, B, NEW)
    assert made.idle(1)
    assert len(made) == 0
    assert made.next_time() == float("inf")


def test_it_is_asked_of_one_neighbour_at_a_time_and_of_the_next_on_silence() -> None:
    for order in ((1, 2), (2, 1)):
        made = pulls(1, 2)
        for link in order:
            made.offered(link, A, NEW)
        assert asked(made, 0.0) == {1: [A]}
        assert made.next_time() == ANSWER_SECONDS
        assert asked(made, ANSWER_SECONDS) == {2: [A]}
        assert asked(made, 2 * ANSWER_SECONDS) == {}
        assert len(made) == 0


def test_the_first_neighbour_is_asked_at_once_when_a_later_one_was_silent() -> None:
    made = pulls(1, 2)
    made.offered(2, A, NEW)
    assert asked(made, 0.0) == {2: [A]}
    made.offered(1, A, NEW)
    assert asked(made, 0.1) == {}
    assert asked(made, ANSWER_SECONDS) == {1: [A]}


def test_a_link_that_ends_hands_over_to_the_next() -> None:
    made = pulls(1, 2)
    made.offered(1, A, NEW)
    made.offered(2, A, NEW)
    made.offered(1, B, NEW)
    assert asked(made, 0.0) == {1: [A, B]}
    made.drop_link(1)
    assert asked(made, 0.1) == {2: [A]}
    assert len(made) == 1


def test_what_came_from_another_need_not_be_asked_for() -> None:
    made = pulls(1, 2, 3)
    made.offered(1, A, NEW)
    made.offered(2, A, NEW)
    assert not made.came(3, A, NEW)
    assert asked(made, 0.0) == {}
    assert len(made) == 0


def test_an_older_version_from_another_does_not_stand_in_for_the_newer() -> None:
    made = pulls(1, 2)
    made.offered(1, A, NEW)
    made.offered(2, A, OLD)
    made.came(2, A, OLD)
    assert asked(made, 0.0) == {1: [A]}


def test_only_what_a_neighbour_was_asked_for_counts_as_asked_for() -> None:
    made = pulls(1, 2)
    made.offered(1, A, NEW)
    assert not made.came(1, A, NEW)  # offered, and sent before we asked
    made.offered(1, A, NEW)
    made.due(0.0)
    assert not made.came(2, A, NEW)
    assert made.came(1, A, NEW)
    assert not made.came(1, A, NEW)
    assert not made.came(7, A, NEW)


def test_a_late_answer_was_asked_for_too() -> None:
    made = pulls(1, 2)
    made.offered(1, A, NEW)
    made.due(0.0)
    made.offered(2, A, NEW)
    assert asked(made, ANSWER_SECONDS) == {2: [A]}
    assert made.came(1, A, NEW)
    assert not made.came(1, A, NEW)


def test_who_was_silent_is_not_asked_again_before_others_however_often_it_offers() -> None:
    made = pulls(1, 2, 3)
    for link in (1, 2, 3):
        made.offered(link, A, NEW)
    order = []
    for round_ in range(6):
        for link, _ in made.due(round_ * ANSWER_SECONDS):
            order.append(link)
        made.offered(1, A, NEW)
        made.offered(2, A, NEW)
    assert order[:3] == [1, 2, 3]
    assert set(order[3:]) <= {1, 2}


def test_so_many_are_awaited_of_one_neighbour_at_once() -> None:
    made = pulls(1)
    names = [number.to_bytes(8, "big") for number in range(3 * MAX_ASKED)]
    for name in names:
        made.offered(1, name, NEW)
    assert asked(made, 0.0) == {1: names[:MAX_ASKED]}
    assert asked(made, 0.0) == {}
    for name in names[:10]:
        made.came(1, name, NEW)
    assert asked(made, 0.1) == {1: names[MAX_ASKED : MAX_ASKED + 10]}


def test_two_neighbours_that_offer_the_same_share_the_work() -> None:
    made = pulls(1, 2)
    names = [number.to_bytes(8, "big") for number in range(3 * MAX_ASKED)]
    for name in names:
        for link in (1, 2):
            made.offered(link, name, NEW)
    shares = asked(made, 0.0)
    assert not set(shares[1]) & set(shares[2])
    assert len(shares[1]) == len(shares[2]) == MAX_ASKED


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_neighbours_do_it_comes_from_an_honest_one_and_memory_is_bounded(
    data: st.DataObject,
) -> None:
    names = [bytes([n]) * 8 for n in range(6)]
    most = 8
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(pulls_module, "MAX_ASKED", 2)
        monkeypatch.setattr(pulls_module, "MAX_OFFERED", most)
        made = pulls(1, 2, 3)
        missing = set(names)
        for name in names:
            made.offered(3, name, NEW)
        now, steps = 0.0, 0
        while missing:
            now = min(made.next_time(), now + 0.3)
            steps += 1
            assert steps < 200
            for link in (1, 2):
                for _ in range(data.draw(st.integers(0, 2))):
                    prefix = data.draw(st.sampled_from(names) | st.binary(min_size=8, max_size=8))
                    made.offered(link, prefix, data.draw(st.sampled_from([OLD, NEW, b"lie!"])))
            for link, prefixes in made.due(now):
                assert len(prefixes) <= 2
                for prefix in prefixes:
                    if link == 3:
                        made.came(3, prefix, NEW)
                        missing.discard(prefix)
                    elif data.draw(st.booleans()):
                        made.came(link, prefix, OLD)
            assert len(made) <= 3 * (most + 2)
            for source in made._sources.values():
                assert len(source.queue) <= most
                assert len(source.asked) <= 2
                assert len(source.late) <= pulls_module.MAX_LATE


def test_a_flood_of_offers_is_bounded() -> None:
    made = pulls(1)
    for number in range(60_000):
        made.offered(1, number.to_bytes(8, "big"), NEW)
        if number % 5_000 == 0:
            made.due(number / 1_000)
    assert len(made) <= 20_000 + MAX_ASKED
    made.drop_link(1)
    assert len(made) == 0
