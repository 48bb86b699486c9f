"""What the mesh graph costs: layout from nothing, from the one before, drawing, and big meshes.

Beside it, in the same run, a textbook spring layout (Fruchterman and Reingold 1991, 50 rounds,
the same nodes and links, pure Python): the ratio holds on any machine, the times on this one. The
best of some rounds is printed: a shared machine only adds. Budgets: 30 ms for a layout of 40 nodes
from nothing, 5 ms from the one before.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from math import hypot, sqrt
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from presence_core.model import PresenceGraph
from presence_tui.viewmodel.graph_drawing import draw
from presence_tui.viewmodel.graph_layout import lay_out
from presence_tui.viewmodel.mesh_graph import MeshGraph, mesh_graph
from tests import canned

COLD_BUDGET_MS, WARM_BUDGET_MS = 30.0, 5.0
SIZE = (120, 36)
TEXTBOOK_ROUNDS = 50


def textbook(mesh: MeshGraph) -> list[list[float]]:
    """Lay a graph out as in the paper: all pairs push, links pull, the temperature falls."""
    rng = random.Random(1)
    at = {node.key: number for number, node in enumerate(mesh.nodes)}
    places = [[rng.random(), rng.random()] for _ in mesh.nodes]
    ideal = sqrt(1 / len(places))
    for turn in range(TEXTBOOK_ROUNDS):
        moves = [[0.0, 0.0] for _ in places]
        for one in range(len(places)):
            for other in range(len(places)):
                if one != other:
                    dx, dy = (a - b for a, b in zip(places[one], places[other], strict=True))
                    length = max(hypot(dx, dy), 0.01)
                    moves[one][0] += dx / length * ideal**2 / length
                    moves[one][1] += dy / length * ideal**2 / length
        for link in mesh.links:
            one, other = at[link.one], at[link.other]
            dx, dy = (a - b for a, b in zip(places[one], places[other], strict=True))
            pull = hypot(dx, dy) / ideal
            for end, sign in ((one, -1), (other, 1)):
                moves[end][0] += sign * dx * pull
                moves[end][1] += sign * dy * pull
        heat = 0.1 * (1 - turn / TEXTBOOK_ROUNDS)
        for place, (dx, dy) in zip(places, moves, strict=True):
            length = max(hypot(dx, dy), 0.01)
            place[0] += dx / length * min(length, heat)
            place[1] += dy / length * min(length, heat)
    return places


def best(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU milliseconds of the quickest round."""
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent) * 1_000


def crowd(count: int) -> PresenceGraph:
    """Return a mesh with six links a peer: eight neighbours, the others behind them."""
    rng = random.Random(3)
    members = [canned.Member(n, f"peer-{n}") for n in range(1, count + 1)]
    links = [canned.Link(0, n) for n in range(1, min(count, 8) + 1)]
    links += [canned.Link(rng.randrange(max(1, n // 6), n), n) for n in range(9, count + 1)]
    links += [
        canned.Link(max(1, n - rng.randrange(1, 9)), n) for n in range(9, count + 1) for _ in "12"
    ]
    return canned.make_graph(members, [link for link in links if link.one != link.other])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer rounds, no big mesh")
    rounds = 5 if parser.parse_args().short else 25
    short = rounds == 5
    print(
        f"{'CPU ms, best of ' + str(rounds):22}{'cold':>8}{'warm':>8}{'drawing':>9}{'textbook':>10}"
    )
    within = True
    for peers in (11, 39, 59):
        mesh = mesh_graph(canned.many(peers), focus=canned.peer_key(11))
        layout = lay_out(mesh)
        cold = best(partial(lay_out, mesh), rounds)
        warm = best(partial(lay_out, mesh, layout), rounds)
        drawing = best(partial(draw, mesh, layout, *SIZE), rounds)
        other = best(partial(textbook, mesh), min(rounds, 5))
        print(f"{len(mesh.nodes):3} nodes{cold:22.1f}{warm:8.1f}{drawing:9.1f}{other:10.1f}")
        print(f"{'':10}the textbook's costs {other / cold:.1f} times ours, {other / warm:.0f} warm")
        if len(mesh.nodes) == 40:
            within = cold <= COLD_BUDGET_MS and warm <= WARM_BUDGET_MS
    for peers in (300,) if short else (300, 1_000, 10_000):
        graph = crowd(peers)
        summary = best(partial(mesh_graph, graph), min(rounds, 10))
        print(f"{peers:,} peers: which of them are drawn, and who is behind whom: {summary:.1f} ms")
    print(
        f"budget of {COLD_BUDGET_MS:.0f} and {WARM_BUDGET_MS:.0f} ms at 40 nodes: "
        f"{'kept' if within else 'NOT kept'}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
