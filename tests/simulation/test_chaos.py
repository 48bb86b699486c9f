"""Loss, cuts, restarts, wrong clocks and hostile members: every invariant is kept in the end.

Each seed runs in a process of its own with the command that a person would use, because sets have
another order in each process unless it is told otherwise.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS = range(20)


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_is_kept(seed: int) -> None:
    done = simulate("--chaos", "1", f"SEED={seed}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every invariant is kept" in done.stdout


def test_the_same_seed_is_the_same_course_of_events() -> None:
    one, other = (simulate("--chaos", "1", "SEED=1").stdout for _ in range(2))
    trace = re.search(r"trace ([0-9a-f]{32})", one)
    assert trace is not None
    assert trace[1] in other
    different = simulate("--chaos", "1", "SEED=2").stdout
    assert trace[1] not in different
