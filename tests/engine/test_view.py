from __future__ import annotations

from datetime import UTC, datetime

import pytest

from presence_core.engine.view import (
    CONFIRM_SECONDS,
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
    never = float("-inf")
    return Sight(links=0, heard_at=never, confirmed_at=never, busy=False, known_peers=known)


def linked(heard_at: float, *, busy: bool = False, confirmed_at: float | None = None) -> Sight:
    """See two neighbours; the table was confirmed when they were heard, if nothing else is said."""
    confirmed = heard_at if confirmed_at is None else confirmed_at
    return Sight(links=2, heard_at=heard_at, confirmed_at=confirmed, busy=busy, known_peers=2)


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


def test_a_table_that_no_neighbour_confirms_for_long_is_stale_until_one_does() -> None:
    view = keeper()
    view.assess(linked(1.0), 1.0)
    at = 1.0 + CONFIRM_SECONDS
    view.assess(linked(at, confirmed_at=1.0), at)
    assert state_of(view) is ViewState.CURRENT
    assert view.assess(linked(at + 1, confirmed_at=1.0), at + 1)
    assert state_of(view) is ViewState.STALE
    assert "confirmed" in (view.view.reason or "")
    view.assess(linked(at + 2), at + 2)
    assert state_of(view) is ViewState.CURRENT


def test_a_first_link_is_given_the_same_time_to_confirm_the_table() -> None:
    view = keeper()
    never = float("-inf")
    view.assess(linked(1.0, confirmed_at=never), 1.0)
    assert state_of(view) is ViewState.CURRENT
    at = 2.0 + CONFIRM_SECONDS
    view.assess(linked(at, confirmed_at=never), at)
    assert state_of(view) is ViewState.STALE
