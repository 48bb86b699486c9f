from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip.quota import (
    COOL_DOWN,
    LIMIT_POINTS,
    MAX_COOL_DOWN,
    MAX_OFFENDERS,
    POINTS_PER_SECOND,
    Offence,
    Rates,
    Strikes,
)

ALICE = b"a" * 32


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    rates: Rates[str] = Rates(2.0, 5.0)
    assert sum(rates.take("a", 0.0) for _ in range(20)) == 5
    assert sum(rates.take("a", at / 100) for at in range(1_000)) in (19, 20)
    assert rates.take("b", 0.0)
    assert sum(rates.take("a", 100.0) for _ in range(20)) == 5


@settings(max_examples=200)
@given(
    st.floats(0.01, 100), st.integers(1, 10), st.lists(st.floats(0, 10), max_size=30),
    st.floats(0, 1e6),
)  # fmt: skip
def test_when_there_is_said_to_be_a_token_there_is_one(
    rate: float, burst: int, pauses: list[float], start: float
) -> None:
    rates: Rates[int] = Rates(rate, float(burst))
    now = start
    for pause in pauses:
        now += pause
        while rates.take(1, now):
            pass
        now = rates.ready_at(1, now)
        assert rates.take(1, now)


def test_who_was_quiet_is_not_remembered() -> None:
    rates: Rates[int] = Rates(1.0, 5.0)
    for number in range(100_000):
        rates.take(number, number / 100)
    assert len(rates) < 10_000


def strikes_until_closed(offence: Offence, pause: float = 0.0, most: int = 1_000) -> int:
    strikes, now = Strikes(), 0.0
    for number in range(1, most):
        if strikes.strike(ALICE, offence, "why", now):
            return number
        now += pause
    return most


def test_what_does_not_hold_weighs_more_than_what_is_too_much() -> None:
    assert strikes_until_closed(Offence.INVALID) == 3
    assert strikes_until_closed(Offence.MALFORMED) == 3
    assert 3 < strikes_until_closed(Offence.REPLAYED) <= 12
    assert strikes_until_closed(Offence.REPLAYED) < strikes_until_closed(Offence.FLOOD) <= 61


def test_a_fault_now_and_then_is_forgiven() -> None:
    pause = 1.0 / POINTS_PER_SECOND
    assert strikes_until_closed(Offence.INVALID, pause) == 1_000


def test_each_time_a_peer_cools_down_twice_as_long_up_to_an_hour() -> None:
    strikes, now, spans = Strikes(), 0.0, []
    for _ in range(12):
        while not strikes.strike(ALICE, Offence.INVALID, "why", now):
            pass
        assert strikes.cooling(ALICE, now)
        end = strikes.offenders[ALICE].cool_until
        assert not strikes.cooling(ALICE, end)
        spans.append(end - now)
        now = end
    assert spans[:3] == [COOL_DOWN, 2 * COOL_DOWN, 4 * COOL_DOWN]
    assert spans[-1] == MAX_COOL_DOWN
    assert strikes.offenders[ALICE].closed == 12


def test_offenders_are_bounded_and_nobody_else_cools_down() -> None:
    strikes = Strikes()
    for number in range(MAX_OFFENDERS * 2):
        strikes.strike(number.to_bytes(32, "big"), Offence.INVALID, "why", 0.0)
    assert len(strikes.offenders) == MAX_OFFENDERS
    assert not strikes.cooling(ALICE, 0.0)
    assert LIMIT_POINTS > 1
