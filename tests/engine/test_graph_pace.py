"""When the next graph may be made."""

from __future__ import annotations

import pytest

from presence_core.engine.graph_pace import (
    FILLING_SECONDS,
    GRAPH_SECONDS,
    LATE_SECONDS,
    SHARE,
    GraphPace,
)


def made(seconds: float, *, filling: bool) -> float:
    """Return how long after a graph that took so long the next one may be made."""
    pace = GraphPace()
    pace.worked(10.0, 10.0 + seconds)
    pace.made(10.0 + seconds, filling=filling)
    return pace.next_at - 10.0 - seconds


def test_the_first_is_made_at_once() -> None:
    assert GraphPace().next_at < 0.0


def test_after_a_quick_one_it_is_a_blink() -> None:
    assert made(0.001, filling=False) == pytest.approx(GRAPH_SECONDS)
    assert made(0.001, filling=True) == pytest.approx(FILLING_SECONDS)


def test_one_that_took_long_is_followed_by_a_rest() -> None:
    assert made(0.1, filling=False) == pytest.approx(SHARE * 0.1)
    assert made(0.1, filling=True) == pytest.approx(SHARE * 0.1)


def test_only_a_view_that_fills_may_be_late() -> None:
    assert made(3.0, filling=False) == pytest.approx(LATE_SECONDS)
    assert made(3.0, filling=True) == pytest.approx(SHARE * 3.0)


def test_slices_are_added_up_and_forgotten_with_the_graph() -> None:
    pace = GraphPace()
    for at in (1.0, 2.0):
        pace.worked(at, at + 0.05)
    pace.made(2.05, filling=False)
    assert pace.next_at == pytest.approx(2.05 + SHARE * 0.1)
    pace.worked(3.0, 3.001)
    pace.made(3.001, filling=False)
    assert pace.next_at == pytest.approx(3.001 + GRAPH_SECONDS)


def test_what_is_in_the_making_for_long_is_late() -> None:
    pace = GraphPace()
    assert not pace.late(100.0)
    pace.worked(100.0, 100.01)
    assert not pace.late(100.5)
    assert pace.late(100.0 + LATE_SECONDS)
    pace.made(101.0, filling=True)
    assert not pace.late(200.0)
