from __future__ import annotations

import pytest

from presence_tui.viewmodel.pace import ANSWER_SECONDS, MANY, MOST_SECONDS, Pace


def test_a_first_graph_is_taken_at_once() -> None:
    assert Pace().wait(MANY, 100.0) == 0.0


def test_a_small_mesh_never_waits() -> None:
    pace = Pace()
    pace.key(100.0)
    pace.taken(99.0, 100.0)
    assert pace.wait(MANY - 1, 100.0) == 0.0


def test_a_key_is_answered_first() -> None:
    pace = Pace()
    pace.key(100.0)
    assert pace.wait(MANY, 100.0) == pytest.approx(ANSWER_SECONDS)
    assert pace.wait(MANY, 100.0 + ANSWER_SECONDS) == 0.0


def test_taking_rests_in_proportion_to_what_it_took() -> None:
    pace = Pace()
    pace.wait(MANY, 100.0)
    pace.taken(100.0, 100.01)
    short = pace.wait(MANY, 100.01)
    pace.taken(100.03, 100.07)
    assert pace.wait(MANY, 100.07) == pytest.approx(4 * short)


def test_a_key_that_is_held_down_does_not_keep_the_graph_away() -> None:
    pace = Pace()
    now = 100.0
    while pace.wait(MANY, now) > 0 or now == 100.0:
        pace.key(now)
        now += ANSWER_SECONDS / 3
        assert now < 200.0
    assert now == pytest.approx(100.0 + MOST_SECONDS, abs=ANSWER_SECONDS / 3)


def test_it_waits_anew_after_it_was_taken() -> None:
    pace = Pace()
    pace.wait(MANY, 100.0)
    pace.taken(100.0, 101.0)
    assert pace.wait(MANY, 101.0) == pytest.approx(MOST_SECONDS)
    pace.taken(102.0, 102.0)
    pace.key(102.0)
    assert pace.wait(MANY, 102.0) == pytest.approx(ANSWER_SECONDS)
