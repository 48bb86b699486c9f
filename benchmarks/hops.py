"""A mesh of several hops: three segments that only hubs join, which do not forward IP.

Times are seconds. What is measured:

cold    from the last start command until every host lists all others, sure of it
ready   the same from the moment the last process is up, start-up taken out
update  a value changes on a host of the first segment, until all others have it: median and
        greatest of the hosts that took a turn
hops    the longest way that any host sees; what it sees is checked against ways that are worked
        out anew from the connections of its graph

Serf stands beside on one segment: it has nothing that would pass a hub which does not forward IP.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.hosts import (
    REST,
    START_PATIENCE,
    Fleet,
    Kind,
    Ours,
    Serf,
    available,
    cell,
    ours_alone,
    run,
    running,
)

TURNS = 5
SHORT_REST = 11.0
HUBS = [(0, 1), (1, 2)]


def measure(kind: Kind, hosts: int, segments: int, rest: float) -> None:
    """Build a mesh, and print its line of the table."""
    hubs = HUBS if segments == 3 else []
    with running(kind, hosts - len(hubs), segments=segments, hubs=hubs) as fleet:
        done = fleet.all_see(hosts - 1, patience=START_PATIENCE)
        cold = ready = middle = worst = None
        ways = ""
        if done is not None:
            cold = done - max(node.started for node in fleet.nodes)
            ready = max(0.0, done - fleet.all_ready())
            time.sleep(rest)
            # The first hosts all are on the first segment. Each takes one turn: its first change
            # after a rest is one that no pacing holds back.
            turns = [fleet.update(node) for node in fleet.nodes[:TURNS]]
            times = [turn for turn in turns if turn is not None]
            if len(times) == len(turns):
                middle, worst = median(times), max(times)
            ways = _ways(fleet) if kind is Ours else ""
        figures = "".join(cell(value) for value in (cold, ready, middle, worst))
        print(f"{kind.title:18}{hosts:6}{segments:9}{figures}  {ways}", flush=True)


def _ways(fleet: Fleet) -> str:
    for node in fleet.nodes:
        node.tell("ways")
    answers = []
    for node in fleet.nodes:
        if not node.wait(lambda node: "ways" in node.answers):
            return f"host {node.host} does not answer"
        answers.append([int(word) for word in node.answers["ways"]])
    most, wrong, degree = (list(column) for column in zip(*answers, strict=True))
    verdict = "all right" if not sum(wrong) else f"{sum(wrong)} WRONG"
    return f"to {max(most)}, {verdict}; {median(degree):.0f} links a host, {max(degree)} at most"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="eight hosts, ours alone")
    ours_alone(parser)
    parser.add_argument("--hosts", type=int, help="number of hosts (30)")
    options = parser.parse_args()
    hosts = options.hosts or (8 if options.short else 30)
    heads = "".join(f"{head:>9}" for head in ("cold", "ready", "update", "worst"))
    print(f"{'':18}{'hosts':>6}{'segments':>9}{heads}  hops")
    rest = SHORT_REST if options.short else REST
    measure(Ours, hosts, 3, rest)
    if not options.short:
        measure(Ours, hosts, 1, rest)
        for kind in () if options.ours else available(Serf):
            measure(kind, hosts, 1, rest)


if __name__ == "__main__":
    run(main)
