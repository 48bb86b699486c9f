from __future__ import annotations

from datetime import UTC, datetime

import pytest

from presence_core.engine.view import (
    FILL_SECONDS,
    LOOK_SECONDS,
    SETTLE_SECONDS,
    STALE_SECONDS,
    Sight,
    ViewKeeper,
)
from presence_core.model import ViewState


def keeper(*, networked: bool = True) -> ViewKeeper:
    view = ViewKeeper(lambda: datetime(2026, 11, 24, tzinfo=UTC))
    view.start(0.0, networked=networked)
    return view


def state_of(view: ViewKeeper) -> ViewState:
    return view.view.state


def alone(known: int = 0) -> Sight:
    return Sight(links=0, heard_at=float("-inf"), busy=False, known_peers=known)


def linked(heard_at: float, *, busy: bool = False) -> Sight:
    return Sight(links=2, heard_at=heard_at, busy=busy, known_peers=2)


def test_without_a_transport_the_view_is_blind_from_the_start() -> None:
    view = keeper(networked=False)
    view.assess(alone(), 0.1)
    assert state_of(view) is ViewState.BLIND
    assert view.view.reason == "every transport is switched off"


def test_a_lonely_start_is_filling_first_and_then_blind() -> None:
    view = keeper()
    view.assess(alone(), LOOK_SECONDS - 0.1)
    assert state_of(view) is ViewState.FILLING
    view.assess(alone(), LOOK_SECONDS)
    assert state_of(view) is ViewState.BLIND


def test_the_view_is_filling_until_the_first_exchange_is_done() -> None:
    view = keeper()
    view.assess(linked(1.0, busy=True), 1.0)
    assert state_of(view) is ViewState.FILLING
    view.assess(linked(1.1), 1.1)
    assert state_of(view) is ViewState.CURRENT
    assert view.view.reason is None


def test_discovery_is_given_time_before_the_view_is_called_current() -> None:
    view = keeper()
    view.assess(linked(0.1), SETTLE_SECONDS / 2)
    assert state_of(view) is ViewState.FILLING


def test_a_fetch_that_never_ends_does_not_hold_the_view_for_ever() -> None:
    view = keeper()
    view.assess(linked(1.0, busy=True), 1.0)
    at = 1.0 + FILL_SECONDS
    view.assess(linked(at, busy=True), at)
    assert state_of(view) is ViewState.CURRENT


def test_later_business_does_not_make_a_current_view_filling_again() -> None:
    view = keeper()
    view.assess(linked(1.0), 1.0)
    view.assess(linked(5.0, busy=True), 5.0)
    assert state_of(view) is ViewState.CURRENT


def test_silence_of_all_neighbours_is_stale_and_says_since_when() -> None:
    view = keeper()
    view.assess(linked(1.0), 1.0)
    assert view.assess(linked(1.0), 1.1 + STALE_SECONDS)
    assert state_of(view) is ViewState.STALE


@pytest.mark.parametrize("after", [0.5, 100.0])
def test_losing_the_last_link_is_blind_at_once(after: float) -> None:
    view = keeper()
    view.assess(linked(1.0), 1.0)
    view.assess(alone(known=2), 1.0 + after)
    assert state_of(view) is ViewState.BLIND
    assert "last known" in (view.view.reason or "")
    view.assess(linked(200.0, busy=True), 200.0)
    assert state_of(view) is ViewState.FILLING
