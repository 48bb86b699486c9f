"""Peers on one LAN: how long until everybody sees what happened; ours beside others in one run.

Times are seconds, medians of the rounds. What is measured:

cold    from the last start command until every host sees all others
ready   the same from the moment the last process is up (imports done), start-up taken out
join    one more host: from its being ready until every other host sees it
update  a value changes on one host, until all others have it (median of five hosts)
kill    SIGKILL of one host, until all others say it is gone
silent  the frames of one host are dropped, until all others say it is gone
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.hosts import (
    PATIENCE,
    REST,
    Kind,
    Ours,
    Serf,
    Zeroconf,
    available,
    cell,
    run,
    running,
)

MEASURES = ("cold", "ready", "join", "update", "kill", "silent")


def measure(kind: Kind, hosts: int, *, faults: bool) -> dict[str, float | None]:
    """Build a LAN, run one round on it, and return what was measured."""
    result: dict[str, float | None] = dict.fromkeys(MEASURES)
    with running(kind, hosts) as fleet:
        done = fleet.all_see(hosts - 1, sure=False)
        if done is None:
            return result
        result["cold"] = done - max(node.started for node in fleet.nodes)
        result["ready"] = max(0.0, done - fleet.all_ready())
        if not faults:
            return result
        time.sleep(REST)
        others = list(fleet.nodes)
        late = fleet.add()
        done = fleet.all_see(hosts, others, sure=False)
        if done is not None and late.ready is not None:
            result["join"] = max(0.0, done - late.ready)
        if kind is Zeroconf:
            return result
        time.sleep(REST)
        updates = [fleet.update(node) for node in fleet.nodes[:5]]
        result["update"] = median([u for u in updates if u is not None] or [float("nan")])
        began = time.monotonic()
        fleet.nodes.pop(1).process.kill()
        done = fleet.all_miss(hosts - 1, fleet.nodes, began, PATIENCE)
        result["kill"] = None if done is None else done - began
        time.sleep(REST)
        began = time.monotonic()
        fleet.lab.mute(fleet.nodes.pop(1 if len(fleet.nodes) > 1 else 0).host)
        done = fleet.all_miss(hosts - 2, fleet.nodes, began, PATIENCE)
        result["silent"] = None if done is None else done - began
    return result


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="ten hosts, one round, no faults")
    parser.add_argument("--hosts", type=int, nargs="*", help="numbers of hosts (2 10 30)")
    parser.add_argument("--rounds", type=int, help="rounds of each (3)")
    options = parser.parse_args()
    sizes = options.hosts or ([10] if options.short else [2, 10, 30])
    rounds = options.rounds or (1 if options.short else 3)
    kinds = available(Ours, Zeroconf, Serf)
    print(f"{'':18}{'hosts':>6}" + "".join(f"{name:>9}" for name in MEASURES))
    for hosts in sizes:
        medians: dict[str, dict[str, float]] = {}
        for kind in kinds:
            results = [measure(kind, hosts, faults=not options.short) for _ in range(rounds)]
            medians[kind.title] = {
                what: median(values)
                for what in MEASURES
                if (values := [value for r in results if (value := r[what]) is not None])
            }
            cells = "".join(cell(medians[kind.title].get(what)) for what in MEASURES)
            print(f"{kind.title:18}{hosts:6}{cells}", flush=True)
        _ratios(hosts, medians)


def _ratios(hosts: int, medians: dict[str, dict[str, float]]) -> None:
    ours = medians[Ours.title]
    for name, theirs in medians.items():
        if name == Ours.title:
            continue
        cells = "".join(
            f"{ours[what] / theirs[what]:8.2f}x"
            if ours.get(what) and theirs.get(what)
            else f"{'-':>9}"
            for what in MEASURES
        )
        print(f"  ours / {name:9.9}{hosts:6}{cells}", flush=True)


if __name__ == "__main__":
    run(main)
