"""What a mesh at rest costs: traffic, CPU and memory of a node; ours beside others in one run.

Bytes and packets are those of the interface of a host, each way, with everything in the frames;
CPU is that of the process, in percent of one core. Both are means over the hosts. PSS is the
memory of a process with what it shares with others counted in shares: the mean in MB at the end,
while as many of its kind run as there are hosts.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.hosts import (
    START_PATIENCE,
    Bare,
    BareCrypto,
    Kind,
    Node,
    Ours,
    Reticulum,
    Serf,
    SerfJoined,
    Zenoh,
    available,
    ours_alone,
    run,
    running,
)

HEADS = ("B/s out", "B/s in", "p/s out", "p/s in", "CPU %", "PSS MB")


def counters(node: Node) -> tuple[int, int, int, int, float]:
    """Return bytes and packets out and in, and CPU seconds, of a host until now."""
    process = Path(f"/proc/{node.process.pid}")
    lines = (process / "net/dev").read_text().splitlines()
    words = next(line for line in lines if "eth0:" in line).partition(":")[2].split()
    spent = (process / "stat").read_text().rpartition(")")[2].split()
    cpu = (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")
    return int(words[8]), int(words[0]), int(words[9]), int(words[1]), cpu


def pss_mb(node: Node) -> float:
    """Return the proportional set size of a process in MB."""
    rollup = Path(f"/proc/{node.process.pid}/smaps_rollup").read_text()
    line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def measure(kind: Kind, hosts: int, rest: float, seconds: float) -> list[float]:
    """Start a mesh, let it come to rest, and return a figure for each head of the table."""
    with running(kind, hosts) as fleet:
        fleet.all_ready()
        if not issubclass(kind, Bare):
            fleet.all_see(hosts - 1, patience=START_PATIENCE)
        time.sleep(rest)
        before = [counters(node) for node in fleet.nodes]
        began = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        after = [counters(node) for node in fleet.nodes]
        used = [
            mean(two[n] - one[n] for one, two in zip(before, after, strict=True)) / passed
            for n in range(5)
        ]
        return [*used[:4], 100 * used[4], mean(pss_mb(node) for node in fleet.nodes)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="three hosts, some seconds")
    ours_alone(parser)
    parser.add_argument("--hosts", type=int, help="number of hosts (30)")
    parser.add_argument("--seconds", type=float, help="how long to look (120)")
    options = parser.parse_args()
    hosts = options.hosts or (3 if options.short else 30)
    seconds = options.seconds or (2 if options.short else 120)
    rest = 0 if options.short else 30
    peers = (
        () if options.ours else (Serf,) if options.short else (Serf, SerfJoined, Zenoh, Reticulum)
    )
    kinds = available(Ours, *peers)
    print(f"{hosts} hosts, over {seconds:.0f} s after {rest} s of rest, a node:")
    if options.short:
        print("(so soon after the start nothing is at rest yet: this shows that it runs, no more)")
    print(f"{'':18}" + "".join(f"{head:>10}" for head in HEADS))
    figures: dict[Kind, list[float]] = {}
    for kind in kinds:
        figures[kind] = measure(kind, hosts, rest, seconds)
        print(_line(kind.title, figures[kind]), flush=True)
    for kind in () if options.short or options.ours else (Bare, BareCrypto):
        # Nothing is sent here; what the kernel sends on a new interface is not their cost.
        pss = measure(kind, hosts, 1, 1)[-1]
        print(f"{kind.title:18}" + f"{'-':>10}" * 5 + f"{pss:10.1f}", flush=True)
    for kind in kinds[1:]:
        ratios = [
            f"{one / other:9.2f}x" if other else f"{'-':>10}"
            for one, other in zip(figures[Ours], figures[kind], strict=True)
        ]
        print(f"{'  / ' + kind.title:18}" + "".join(ratios))


def _line(title: str, figures: list[float]) -> str:
    *traffic, cpu, pss = figures
    return f"{title:18}" + "".join(f"{x:10.1f}" for x in traffic) + f"{cpu:10.2f}{pss:10.1f}"


if __name__ == "__main__":
    run(main)
