from __future__ import annotations

import pytest

from presence_core.gossip.pacing import CALM_SECONDS, DELAYS, URGENT_SECONDS, PublishPacer


def publish_when_due(pacer: PublishPacer, now: float) -> float:
    """Ask for publishing at ``now``, and do it when it is due; return when that was."""
    pacer.request(now)
    due = pacer.next_time()
    assert due is not None
    assert not pacer.due(due - 0.001) or due == now
    assert pacer.due(due)
    pacer.published(due)
    return due


def test_a_first_change_is_published_at_once() -> None:
    assert publish_when_due(PublishPacer(), 5.0) == 5.0


def test_changes_that_go_on_are_published_ever_more_slowly() -> None:
    pacer = PublishPacer()
    now = publish_when_due(pacer, 0.0)
    pauses = []
    for _ in range(6):
        due = publish_when_due(pacer, now)
        pauses.append(due - now)
        now = due
    assert pauses == [*DELAYS[1:], DELAYS[-1], DELAYS[-1]]


def test_after_a_quiet_time_a_change_is_published_at_once_again() -> None:
    pacer = PublishPacer()
    for _ in range(5):
        publish_when_due(pacer, 0.0)
    now = 100.0
    assert publish_when_due(pacer, now) == now
    assert publish_when_due(pacer, now) == now + DELAYS[1]


def test_each_calm_second_takes_one_step_back() -> None:
    for calm, step in ((0.0, 4), (0.9, 4), (1.0, 3), (2.5, 2), (3.0, 1), (4.0, 0), (60.0, 0)):
        pacer = PublishPacer()
        last = 0.0
        for _ in range(len(DELAYS) - 1):
            last = publish_when_due(pacer, last)
        now = last + DELAYS[-1] + calm * CALM_SECONDS
        assert publish_when_due(pacer, now) == now
        again = publish_when_due(pacer, now)
        assert again - now == pytest.approx(DELAYS[min(step + 1, len(DELAYS) - 1)])


def test_several_changes_before_publishing_are_one() -> None:
    pacer = PublishPacer()
    publish_when_due(pacer, 0.0)
    for moment in (0.01, 0.1, 0.2):
        pacer.request(moment)
        assert pacer.next_time() == pytest.approx(0.25)


def test_what_nobody_has_heard_puts_nothing_off() -> None:
    pacer = PublishPacer()
    pacer.request(0.0)
    pacer.published(0.0, heard=False)
    assert pacer.next_time() is None
    assert publish_when_due(pacer, 0.1) == 0.1
    assert publish_when_due(pacer, 0.1) == pytest.approx(0.1 + DELAYS[1])


def test_a_version_without_a_change_of_this_kind_puts_none_off() -> None:
    pacer = PublishPacer()
    for moment in range(9):
        pacer.published(moment / 10)
    assert publish_when_due(pacer, 1.0) == 1.0


def test_without_a_change_nothing_is_due() -> None:
    pacer = PublishPacer()
    assert pacer.next_time() is None
    assert not pacer.due(1e9)


def test_patient_changes_wait_for_each_other_but_not_for_ever() -> None:
    pacer = PublishPacer()
    pacer.request(0.0, patience=0.2)
    assert pacer.next_time() == pytest.approx(0.2)
    for moment in (0.1, 0.25, 0.35):
        pacer.request(moment, patience=0.2)
    assert pacer.next_time() == pytest.approx(0.4)


def test_an_urgent_change_takes_the_patient_ones_along() -> None:
    pacer = PublishPacer()
    pacer.request(0.0, patience=0.2)
    pacer.request(0.05)
    assert pacer.due(0.05)
    pacer.request(0.06, patience=0.2)
    assert pacer.due(0.06)


def test_a_lost_link_does_not_wait_for_what_went_before() -> None:
    pacer = PublishPacer()
    pacer.urge(0.0)
    assert pacer.due(0.0)
    pacer.published(0.0)
    last = 0.0
    for _ in range(len(DELAYS)):
        last = publish_when_due(pacer, last)
    pacer.request(last + 0.1)
    assert pacer.next_time() == last + DELAYS[-1]
    pacer.urge(last + 0.1)
    assert pacer.next_time() == last + URGENT_SECONDS
    pacer.request(last + 0.2, patience=1.0)
    assert pacer.next_time() == last + URGENT_SECONDS
    assert publish_when_due(pacer, last + 0.2) == last + URGENT_SECONDS
    pacer.urge(last + 9.0)
    assert pacer.next_time() == last + 9.0
