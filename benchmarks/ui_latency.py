"""What a person feels at 10,000 peers and 10 snapshots a second, and what a snapshot costs.

The real dashboard in a pseudo-terminal of 120 by 36 (pyte is the terminal). In each snapshot 10 %
of the peers have another round trip, 5 % other metadata, and 1 % come or go.

* ``key to paint``: from the byte of a key (``down``; or a letter of a search) until what it does is
  on the terminal: the cursor is on another row, the letter is in the search line.
* ``stall``: how late the event loop was for a timer of 5 ms: what garbage collection and everything
  else take at once.
* ``CPU``: of the process for each snapshot, without what the idle dashboard needs in the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "core"), str(ROOT)]

from benchmarks.table_bench import first_graph, next_graph
from presence_tui.app import PresenceApp
from presence_tui.garbage import collect_seldom
from tests import canned
from tests.support import PATIENCE
from tests.terminal import Terminal

SIZE = (120, 36)
INTERVAL = 0.1
DIFFERENT = 40
"""Graphs that are made beforehand; they are shown forth and back."""

KEY_BUDGET_MS = 50.0
STALL_BUDGET_MS = 100.0


def child(rows: int, seconds: float, result: Path) -> None:
    """Run the dashboard; write what its event loop felt to a file."""
    rng = random.Random(2)
    graphs = [first_graph(rows)]
    while len(graphs) < DIFFERENT:
        graphs.append(next_graph(graphs[-1], rng))
    graphs += graphs[-2:0:-1]
    source = canned.CannedSource(graphs[0])
    app = PresenceApp(source)
    lags: list[float] = []
    pauses: list[float] = []

    def pause(phase: str, _: Any) -> None:
        pauses.append(time.perf_counter() * (1 if phase == "stop" else -1))

    async def watch() -> None:
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            lags.append(max(0.0, time.perf_counter() - due))

    async def run() -> dict[str, float]:
        garbage = asyncio.create_task(collect_seldom(lambda: rows))  # as the real program does
        running = asyncio.create_task(app.run_async())
        await asyncio.sleep(2.0)
        idle = time.process_time(), time.perf_counter()
        await asyncio.sleep(1.0)
        rate = (time.process_time() - idle[0]) / (time.perf_counter() - idle[1])
        for graph in graphs[1:6]:
            source.publish(graph)
            await asyncio.sleep(INTERVAL)
        watching = asyncio.create_task(watch())
        gc.callbacks.append(pause)
        began = due = time.perf_counter()
        cpu, shown = time.process_time(), 0
        while time.perf_counter() - began < seconds:
            source.publish(graphs[(shown + 6) % len(graphs)])
            shown += 1
            due += INTERVAL
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        wall = time.perf_counter() - began
        spent = time.process_time() - cpu - rate * wall
        gc.callbacks.remove(pause)
        watching.cancel()
        gcs = [stop + start for start, stop in zip(pauses[::2], pauses[1::2], strict=False)]
        found = {
            "cpu_ms": spent / shown * 1000,
            "rate": shown / wall,
            "stall_ms": max(lags) * 1000,
            "stall_p99_ms": sorted(lags)[int(len(lags) * 0.99)] * 1000,
            "gc_ms": max(gcs, default=0.0) * 1000,
        }
        garbage.cancel()
        app.exit()
        await running
        return found

    result.write_text(json.dumps(asyncio.run(run())))


def dashboard(rows: int, seconds: float, result: Path) -> Terminal:
    """Start the dashboard in a terminal."""
    command = [sys.executable, __file__, "--child", str(result), "--rows", str(rows)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2])}
    return Terminal([*command, "--seconds", str(seconds)], SIZE, environment)


def cursor(terminal: Terminal) -> int:
    """Return the line that the cursor of the table is on."""
    return next((number for number, line in enumerate(terminal.lines) if "▌" in line), -1)


def press(terminal: Terminal, rng: random.Random, key: str, what: Any) -> float:
    """Press a key at some moment; return the milliseconds until what it does is painted."""
    rest = time.monotonic() + rng.uniform(0.03, 0.13)
    while (left := rest - time.monotonic()) > 0:
        terminal.take(left)
    before = what(terminal)
    began = time.monotonic()
    terminal.press(key)
    return (terminal.until(lambda: what(terminal) != before) - began) * 1000


def keys(rows: int, count: int, result: Path) -> tuple[list[float], list[float], dict[str, float]]:
    """Press keys while snapshots come; return what moves took, what letters took, and stalls."""
    rng = random.Random(3)
    with dashboard(rows, count * 0.25 + 8.0, result) as terminal:
        terminal.until(lambda: cursor(terminal) >= 0, 120.0)
        press(terminal, rng, "down", cursor)
        moves = [press(terminal, rng, "down", cursor) for _ in range(min(count, 20))]
        moves += [
            press(terminal, rng, ("up", "down")[number % 2], cursor) for number in range(count - 20)
        ]
        letters = []
        terminal.press("/")
        terminal.until(lambda: "search" in terminal.lines[-2].lower() or "/" in terminal.lines[-2])
        for number in range(count // 4):
            key = "\x7f" if number % 8 > 3 else "peer"[number % 8]
            letters.append(press(terminal, rng, key, lambda t: t.lines[-2]))
        terminal.finish(PATIENCE + count * 0.25)
        return moves, letters, json.loads(result.read_text())


def cost(rows: int, seconds: float, result: Path) -> dict[str, float]:
    """Only show snapshots; return what they cost."""
    with dashboard(rows, seconds, result) as terminal:
        terminal.finish(PATIENCE + seconds)
    found: dict[str, float] = json.loads(result.read_text())
    return found


def _quantiles(name: str, times: list[float]) -> float:
    ordered = sorted(times)
    p95 = ordered[int(len(ordered) * 0.95)]
    print(
        f"key to paint, {name:18} p50 {ordered[len(ordered) // 2]:5.1f} ms   p95 {p95:5.1f} ms   "
        f"max {ordered[-1]:5.1f} ms   ({len(ordered)} keys)"
    )
    return p95


def main() -> int:
    """Print what was felt and what it cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--short", action="store_true", help="fewer keys and snapshots")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.rows, args.seconds, args.child)
        return 0
    count, seconds = (60, 2.0) if args.short else (args.keys, args.seconds)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        print(f"{args.rows:,} peers, 10 % changed, 10 snapshots a second, {SIZE[0]}x{SIZE[1]}")
        moves, letters, felt = keys(args.rows, count, result)
        slowest = max(_quantiles("cursor", moves), _quantiles("search", letters))
        print(
            f"stall of the event loop: largest {felt['stall_ms']:.0f} ms, 99 of 100 below "
            f"{felt['stall_p99_ms']:.1f} ms; largest pause for garbage {felt['gc_ms']:.0f} ms"
        )
        for rows in (100, 1_000, 10_000):
            one = cost(rows, seconds, result)
            print(
                f"{rows:7,} peers: CPU {one['cpu_ms']:5.1f} ms a snapshot, "
                f"{one['rate']:.1f} snapshots a second, largest stall {one['stall_ms']:.0f} ms"
            )
    kept = slowest <= KEY_BUDGET_MS and felt["stall_ms"] <= STALL_BUDGET_MS
    words = f"{KEY_BUDGET_MS:.0f} ms at the 95th percentile, no stall over {STALL_BUDGET_MS:.0f} ms"
    print(f"budget of {words}: {'kept' if kept else 'NOT kept'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
