"""What happens in a mesh of 10 and of 100: until when all know, and what it costs.

All times are simulated: these bounds hold or do not, however slow the machine is.
"""

from __future__ import annotations

import pytest

from tests.simulation.scenarios import COLD_SECONDS, Row, Stage, hops_are_right, play
from tests.simulation.world import world

SIZES = (10, 100)
HOLD = 0.5
"""How long tables are to stay equal; what is given up long after is another matter."""


def rows_of(count: int, *names: str, pull: bool | None = None, seed: int = 1) -> dict[str, Row]:
    with world(seed, pull=pull) as mesh:
        stage = Stage(mesh, count, lambda *_: None, HOLD)
        rows = {row.event: row for row in play(stage, names)}
        assert hops_come_right(stage)
        return rows


def hops_come_right(stage: Stage) -> bool:
    """Whether everybody knows all distances once, at the latest when no link changes any more."""
    for _ in range(30):
        if hops_are_right(stage):
            return True
        stage.world.clock.run(stage.world.clock.now + 1.0)
    return False


def within(seconds: float | None, bound: float) -> bool:
    return seconds is not None and seconds <= bound


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("pull", [False, True])
def test_one_update_is_known_within_150_ms_and_costs_little(count: int, pull: bool) -> None:
    rows = rows_of(count, "update", pull=pull)
    record, value = rows["one update: its record"], rows["one update: what it says"]
    assert within(record.to_99, 0.15)
    assert within(value.to_99, 0.3)
    assert value.mean_kb <= (1.2 if pull else 2.5)
    assert value.messages <= 10
    assert value.agreed is not None


@pytest.mark.parametrize("count", SIZES)
def test_two_halves_are_one_within_a_second_of_their_first_link(count: int) -> None:
    row = rows_of(count, "merge")["two halves merge"]
    assert within(row.to_all, 1.0)
    assert row.agreed is not None


@pytest.mark.parametrize("count", SIZES)
def test_a_mesh_that_was_cut_for_a_minute_is_whole_again_soon(count: int) -> None:
    row = rows_of(count, "heal")["whole again after 60 s in halves"]
    assert within(row.to_all, 1.5)
    assert row.agreed is not None


@pytest.mark.parametrize("count", SIZES)
def test_all_know_who_comes_and_who_goes(count: int) -> None:
    rows = rows_of(count, "join", "kill", "death")
    assert within(rows["one joins"].to_all, 1.0)
    assert within(rows["a process is killed"].to_all, 0.5)
    assert within(rows["a silent death"].to_all, 4.0)
    assert all(row.agreed is not None for row in rows.values())


@pytest.mark.parametrize("count", SIZES)
def test_all_know_all_a_moment_after_the_last_has_started(count: int) -> None:
    row = rows_of(count, "cold")[f"cold start in {COLD_SECONDS:.0f} s"]
    assert within(row.to_all, 2.0)
    assert row.agreed is not None
