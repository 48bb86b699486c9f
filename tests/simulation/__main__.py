"""The simulator for a person; ``make simulate`` and ``make simulate-chaos`` call it.

``python -m tests.simulation N=100 SEED=1 [SCENARIO=cold,update,join,kill,death,heal,merge]``
``python -m tests.simulation --table [SEED=1]`` for N = 10, 100, 300 and 1,000
``python -m tests.simulation --chaos 200 [SEED=0]`` for seeds from SEED on
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from tests.simulation.chaos import ChaosResult, run_chaos
from tests.simulation.report import Show, progress_bar, result_table
from tests.simulation.scenarios import NAMES, Row, Stage, play
from tests.simulation.world import world

TABLE_SIZES = (10, 100, 300, 1_000)
EARS = 100
"""Of how many others' adverts a peer hears, in a mesh that is larger."""

LARGE = 200
"""Peers above which the collector of cycles costs more than the cycles."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for. 0: all is well; 1: something did not come about or was violated."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description="Simulate a whole mesh."
    )
    parser.add_argument("--chaos", type=int, metavar="SEEDS", help="run so many seeds of chaos")
    parser.add_argument("--table", action="store_true", help="all scenarios for all sizes")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="N, SEED, SCENARIO")
    options = parser.parse_args(arguments)
    settings = dict(setting.partition("=")[::2] for setting in options.settings)
    unknown = settings.keys() - {"N", "SEED", "SCENARIO"}
    if unknown:
        parser.error(f"no such setting: {', '.join(sorted(unknown))}")
    seed = int(settings.get("SEED") or (0 if options.chaos else 1))
    if options.chaos:
        return chaos(range(seed, seed + options.chaos))
    names = (settings.get("SCENARIO") or ",".join(NAMES)).split(",")
    if not set(names) <= set(NAMES):
        parser.error(f"the scenarios are {', '.join(NAMES)}")
    sizes = TABLE_SIZES if options.table else (int(settings.get("N") or 100),)
    return scenarios(sizes, seed, names)


def scenarios(sizes: Sequence[int], seed: int, names: Sequence[str]) -> int:
    """Play scenarios at each size; print a table for each mesh that they need, when it is done."""
    complete = True
    for count in sizes:
        for group in _meshes(names):
            began = time.perf_counter()
            with progress_bar() as show:
                rows, events = _play(count, seed, group, show)
            took = time.perf_counter() - began
            result_table(rows, f"{count:,} peers, seed {seed}: {events:,} events in {took:.0f} s")
            complete = complete and all(row.to_all is not None for row in rows)
    return 0 if complete else 1


def _meshes(names: Sequence[str]) -> list[list[str]]:
    """Group scenarios by the mesh that they need: one warm for most, two halves, a cold start.

    A cold start comes last: of a large mesh it takes longer than all the rest.
    """
    alone = [[name] for name in ("merge", "cold") if name in names]
    warm = [name for name in names if name not in ("cold", "merge")]
    return [warm, *alone] if warm else alone


def _play(count: int, seed: int, names: Sequence[str], show: Show) -> tuple[list[Row], int]:
    if count > LARGE:
        gc.collect()
        gc.disable()
    try:
        with world(seed, ears=EARS if count > EARS else None) as mesh:
            rows = play(Stage(mesh, count, show), names)
            return rows, mesh.clock.events
    finally:
        gc.enable()


def chaos(seeds: range) -> int:
    """Run seeds of chaos; say which fail and how to see it again."""
    console = Console(highlight=False, soft_wrap=True)
    failed: list[ChaosResult] = []
    events = incidents = 0
    began = time.perf_counter()
    with progress_bar() as show:
        for number, seed in enumerate(seeds):
            show(f"chaos, seed {seed}", number / len(seeds))
            result = run_chaos(seed)
            events += result.events
            incidents += result.incidents
            if len(seeds) == 1:
                console.print(
                    f"seed {seed}: {result.peers} peers, {result.hostile} hostile, "
                    f"{result.incidents} incidents, {result.events} events, trace {result.trace}"
                )
            if result.violations:
                failed.append(result)
                _say_violations(console, result)
    took = time.perf_counter() - began
    console.print(
        f"{len(seeds)} seeds, {incidents:,} incidents, {events:,} events in {took:.0f} s: "
        + (f"{len(failed)} seeds violate an invariant" if failed else "every invariant is kept")
    )
    return 1 if failed else 0


def _say_violations(console: Console, result: ChaosResult) -> None:
    console.print(f"seed {result.seed} fails; see it again with")
    console.print(f"    make simulate-chaos SEED={result.seed} SEEDS=1")
    for violation in result.violations:
        console.print(f"    {violation}", markup=False)


if __name__ == "__main__":
    # Sets of bytes have another order in each process; a seed must lead to the same every time.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606
    sys.exit(main())
