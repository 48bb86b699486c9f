"""Cuts, silence and loss: who notices, how soon, and how soon all is well again; nothing restarts.

Times are seconds. What is measured, ours beside others in one run:

cut     one segment is cut in halves. ``noticed``: until every host says that the other half is
        gone; ``believed``: how many of the other half a host still takes to be there 30 s later
        (mean); ``healed``: from the moment the halves are joined until every host sees
        all others, and is sure of it; ``told``: the same until both values that were changed
        during the cut are known to all (Serf tells of them with the return of their host, and of
        no change of its own)
mute    the frames of one host are dropped. ``lost``: until all others say that it is gone;
        ``believed``: how many it takes to be there itself in the end; ``back``: from the moment
        its frames pass again until all see it, and it sees all
loss    of the frames between any two hosts 30 % are lost, each way. ``losts``: how often any host
        said of another that it is gone
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.hosts import (
    REST,
    START_PATIENCE,
    Fleet,
    Kind,
    Ours,
    Serf,
    SerfJoined,
    Zenoh,
    available,
    cell,
    ours_alone,
    run,
    running,
)
from tests.network.lab import per_port

HEALING = 90.0
"""Seconds after which a mesh is taken not to become whole again by itself."""

LOSS_PERCENT = 30.0


def cut(fleet: Fleet, seconds: float) -> str:
    """Cut a mesh in halves and join them again; return its part of the table."""
    hosts = len(fleet.nodes)
    near, far = fleet.nodes[: hosts // 2], fleet.nodes[hosts // 2 :]
    began = time.monotonic()
    fleet.lab.split(*(node.host for node in far))
    _sleep_until(began + min(30.0, seconds - 1.0))
    believed = mean([max(0, node.sees - len(side) + 1) for side in (near, far) for node in side])
    views = sorted({node.view for node in fleet.nodes})
    gone = [fleet.all_miss(len(side) - 1, side, began, 0.0) for side in (near, far)]
    noticed = None if None in gone else max(at for at in gone if at is not None)
    changed = [(origin, origin.change()[0]) for origin in (near[0], far[0])]
    _sleep_until(began + seconds)
    joined = time.monotonic()
    fleet.lab.join(*(node.host for node in far))
    healed = fleet.all_see(hosts - 1, patience=HEALING)
    told = [fleet.all_told(mark, but=origin, patience=5.0) for origin, mark in changed]
    words = [
        cell(_since(noticed, began)),
        f"{believed:6.1f} of {len(far):2}",
        cell(_since(healed, joined)),
        cell(_since(max(t for t in told if t is not None), joined) if all(told) else None),
        f"  {'|'.join(views)}",
    ]
    return "".join(words)


def mute(fleet: Fleet, seconds: float) -> str:
    """Drop all frames of one host for a while; return its part of the table."""
    hosts = len(fleet.nodes)
    victim, others = fleet.nodes[1], [fleet.nodes[0], *fleet.nodes[2:]]
    began = time.monotonic()
    fleet.lab.mute(victim.host)
    lost = fleet.all_miss(hosts - 2, others, began, seconds)
    _sleep_until(began + seconds)
    believed, view = victim.sees, victim.view
    unmuted = time.monotonic()
    fleet.lab.heal(victim.host)
    back = fleet.all_see(hosts - 1, patience=HEALING)
    return "".join(
        [
            cell(_since(lost, began)),
            f"{believed:6} of {hosts - 1:2}",
            cell(_since(back, unmuted)),
            f"  {view}",
        ]
    )


def loss(fleet: Fleet, seconds: float) -> str:
    """Lose frames between all hosts for a while; return its part of the table."""
    before = sum(node.losts for node in fleet.nodes)
    fleet.lab.loss(per_port(LOSS_PERCENT), *(node.host for node in fleet.nodes))
    end = time.monotonic() + seconds
    _sleep_until(end)
    losts = sum(node.losts for node in fleet.nodes) - before
    there = mean([node.sees for node in fleet.nodes])
    fleet.lab.heal(*(node.host for node in fleet.nodes))
    return f"{losts:9}   {there:.1f} of {len(fleet.nodes) - 1}"


def _since(moment: float | None, began: float) -> float | None:
    return None if moment is None else max(0.0, moment - began)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="six hosts, ours alone")
    ours_alone(parser)
    parser.add_argument("--hosts", type=int, help="hosts to cut and to mute one of (30)")
    parser.add_argument("--only", choices=("cut", "loss"), help="one half of it")
    options = parser.parse_args()
    hosts = options.hosts or (6 if options.short else 30)
    lossy = min(hosts, 20)
    cut_seconds, mute_seconds, loss_seconds = (8, 0, 4) if options.short else (60, 30, 60)
    alone = options.short or options.ours
    kinds = available(Ours, *(() if alone else (Serf, SerfJoined, Zenoh)))
    rest = 0.0 if options.short else REST
    if options.short:
        print("(without rest in between, publishing is slowed: this shows that it runs, no more)")
    if options.only != "loss":
        muted = f", one muted {mute_seconds} s" if mute_seconds else ""
        print(f"{hosts} hosts on one segment; cut in halves {cut_seconds} s{muted}")
        print(f"{'':18}| cut: noticed  believed  healed   told  view "
              "| mute: lost  believed   back  own view")  # fmt: skip
        for kind in kinds:
            print(f"{kind.title:18}{_faults(kind, hosts, rest, cut_seconds, mute_seconds)}",
                  flush=True)  # fmt: skip
    if options.only != "cut":
        print(f"{lossy} hosts, {LOSS_PERCENT:.0f} % of the frames lost between any two, each way, "
              f"for {loss_seconds} s ({per_port(LOSS_PERCENT):.1f} % at each of the two ports that "
              "a frame passes)")  # fmt: skip
        print(f"{'':18}{'losts':>9}   seen at the end (mean)")
        for kind in kinds:
            with running(kind, lossy) as fleet:
                if fleet.all_see(lossy - 1, patience=START_PATIENCE) is None:
                    continue
                time.sleep(rest)
                print(f"{kind.title:18}{loss(fleet, loss_seconds)}", flush=True)


def _faults(kind: Kind, hosts: int, rest: float, cut_seconds: float, mute_seconds: float) -> str:
    with running(kind, hosts) as fleet:
        if fleet.all_see(hosts - 1, patience=START_PATIENCE) is None:
            return "never saw all of them"
        time.sleep(rest)
        halves = cut(fleet, cut_seconds)
        if not mute_seconds:
            return halves
        time.sleep(rest)
        return f"{halves} |{mute(fleet, mute_seconds)}"


if __name__ == "__main__":
    run(main)
