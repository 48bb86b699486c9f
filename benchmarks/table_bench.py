"""What a snapshot costs on the screen: our table beside a Textual DataTable, in one run.

All are real apps on a pseudo-terminal of 120 by 40 with the same 9 columns: our table alone, the
whole dashboard around it (header, counts, panes), and a DataTable alone. 10 snapshots a second
arrive, in each of which 10 % of the peers have another round trip, 5 % other metadata, and 1 %
come or go. DataTable is fed the cheap way: ``update_cell`` of three cells of each changed peer.
``sorted by name``: the order hardly changes. ``sorted by round trip``: every snapshot would change
it; ours puts rows into another order once a second at most, and DataTable is asked as often.

CPU is that of the process, without what the idle app needs in the same time. ``lag`` is how late
the event loop was for a timer of 5 ms (95 of 100 times less), which is what a key would feel.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import gc
import json
import os
import pty
import random
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from textual.app import App, ComposeResult
from textual.widgets import DataTable

from presence_core.model import Connection, Peer, PeerPresence, PresenceGraph, PresenceState
from presence_tui.app import PresenceApp
from presence_tui.screens.main import MainScreen
from presence_tui.viewmodel.rows import Query
from presence_tui.widgets.peer_table import PeerTable
from tests import canned

SIZE = (120, 40)
BUDGET_MS = 10.0
INTERVAL = 0.1
WARM = 5
SORT_EVERY = 10
KINDS = {"table": "our table", "dashboard": "our dashboard", "plain": "DataTable"}


# -- the same mesh for both


def first_graph(rows: int) -> PresenceGraph:
    rng = random.Random(1)
    peers = []
    for number in range(1, rows + 1):
        key = f"pk1{number:08}"
        link = Connection(f"{key}:LAN", "LAN", key, "pk1own", confirmed=True, rtt_ms=1.0)
        peers.append(
            Peer(
                peer_key=key,
                short_id=f"{number:08}",
                device_name=f"peer-{rng.randrange(10**6):06}",
                presence=PeerPresence(PresenceState.ONLINE, direct=True, hops=1),
                peer_metadata=MappingProxyType({"battery": number % 100}),
                connections=(replace(link, peer1="pk1own", peer2=key),),
            )
        )
    empty = canned.make_graph()
    return replace(
        empty,
        local_peer=replace(empty.local_peer, peer_key="pk1own"),
        remote_peers=tuple(sorted(peers, key=lambda peer: peer.peer_key)),
    )


def next_graph(graph: PresenceGraph, rng: random.Random) -> PresenceGraph:
    """Change 10 % of the peers; all others are the same objects."""
    peers = list(graph.remote_peers)
    for place in rng.sample(range(len(peers)), len(peers) // 10):
        peer = peers[place]
        changes: dict[str, Any] = {
            "connections": (replace(peer.connections[0], rtt_ms=rng.uniform(0.2, 80)),)
        }
        if rng.random() < 0.5:
            changes["peer_metadata"] = MappingProxyType({"battery": rng.randrange(100)})
        if rng.random() < 0.1:
            online = peer.presence.state is PresenceState.ONLINE
            changes["presence"] = PeerPresence(
                PresenceState.LOST if online else PresenceState.ONLINE,
                direct=not online,
                hops=None if online else 1,
            )
        peers[place] = replace(peer, **changes)
    return replace(graph, remote_peers=tuple(peers), sequence=graph.sequence + 1)


# -- the apps


class Alone(App[None]):
    """Our table, and nothing else."""

    def __init__(self, graph: PresenceGraph, *, sort: bool) -> None:
        super().__init__()
        self._graph = graph
        self._sort = sort

    def compose(self) -> ComposeResult:
        yield PeerTable(now=lambda: datetime.now().astimezone())

    def on_mount(self) -> None:
        table = self.query_one(PeerTable)
        table.show(self._graph)
        if self._sort:
            table.ask(Query(sort="rtt"))
        table.focus()

    def show(self, graph: PresenceGraph) -> None:
        self.query_one(PeerTable).show(graph)


class Plain(App[None]):
    """The same peers in a DataTable, updated cell by cell."""

    COLUMNS = ("NAME", "KEY", "PRESENCE", "HOPS", "LINKS", "IDENTITY", "RTT", "CHANGED", "VIA")
    WIDTHS = (22, 8, 8, 4, 6, 16, 7, 7, 14)

    def __init__(self, graph: PresenceGraph, *, sort: bool) -> None:
        super().__init__()
        self._graph = graph
        self._sort = sort

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for title, width in zip(self.COLUMNS, self.WIDTHS, strict=True):
            table.add_column(title, width=width, key=title)
        for peer in self._graph.remote_peers:
            cells = (peer.device_name, peer.short_id, self._presence(peer), "1", "L─", "- missing")
            table.add_row(*cells, self._rtt(peer), "now", "", key=peer.peer_key)
        table.focus()

    def show(self, graph: PresenceGraph) -> None:
        table = self.query_one(DataTable)
        before, self._graph = self._graph, graph
        for old, new in zip(before.remote_peers, graph.remote_peers, strict=True):
            if old is not new:
                table.update_cell(new.peer_key, "PRESENCE", self._presence(new))
                table.update_cell(new.peer_key, "RTT", self._rtt(new))
                table.update_cell(new.peer_key, "CHANGED", "now")
        if self._sort and graph.sequence % SORT_EVERY == 0:
            table.sort("RTT")

    @staticmethod
    def _presence(peer: Peer) -> str:
        return "● online" if peer.presence.state is PresenceState.ONLINE else "✗ lost"

    @staticmethod
    def _rtt(peer: Peer) -> str:
        return f"{peer.connections[0].rtt_ms:4.1f} ms"


# -- measuring one app, in a process of its own


async def _measure(app: App[Any], show: Any, graphs: list[PresenceGraph]) -> dict[str, float]:
    async def period(shown: list[PresenceGraph]) -> tuple[float, float, list[float]]:
        """Return CPU and wall seconds of one round, and how late each short timer was."""
        lags: list[float] = []

        async def watch() -> None:
            while True:
                due = time.perf_counter() + 0.005
                await asyncio.sleep(0.005)
                lags.append(max(0.0, time.perf_counter() - due))

        watching = asyncio.create_task(watch())
        cpu, wall = time.process_time(), time.perf_counter()
        due = wall
        for at in range(len(shown) or 10):
            if shown:
                show(shown[at])
            due += INTERVAL
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        spent = time.process_time() - cpu, time.perf_counter() - wall
        watching.cancel()
        return *spent, sorted(lags)

    while (await period([]))[0] > 0.5:  # still filling the table
        pass
    idle_cpu, idle_wall, _ = await period([])
    await period(graphs[:WARM])
    cpu, wall, lags = await period(graphs[WARM:])
    shown = len(graphs) - WARM
    return {
        "cpu_ms": (cpu - idle_cpu / idle_wall * wall) / shown * 1_000,
        "rate": shown / wall,
        "lag_ms": lags[int(len(lags) * 0.95)] * 1_000,
    }


def child(which: str, rows: int, snapshots: int, result: int) -> None:
    kind, _, order = which.partition("-")
    graph = first_graph(rows)
    rng = random.Random(2)
    graphs = [next_graph(graph, rng)]
    while len(graphs) < snapshots + WARM:
        graphs.append(next_graph(graphs[-1], rng))
    gc.collect()
    gc.freeze()  # what waits to be shown is not garbage to look through while one measures
    app: App[Any]
    if kind == "dashboard":
        source = canned.CannedSource(graph)
        app, show = PresenceApp(source), source.publish
    else:
        app = (Alone if kind == "table" else Plain)(graph, sort=order == "rtt")
        show = app.show

    async def run() -> None:
        running = asyncio.create_task(app.run_async())
        await asyncio.sleep(0.5)
        if isinstance(app.screen, MainScreen) and order == "rtt":
            app.screen.sort_by("rtt")
        with os.fdopen(result, "w") as out:
            json.dump(await _measure(app, show, graphs), out)
        app.exit()
        await running

    asyncio.run(run())


# -- all of them, one after the other


def measure(which: str, rows: int, snapshots: int) -> dict[str, float]:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    answer, result = os.pipe()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, __file__, "--child", which, "--rows", str(rows)]
    process = subprocess.Popen(
        [*command, "--snapshots", str(snapshots), "--result", str(result)],
        stdin=terminal, stdout=terminal, stderr=terminal,
        pass_fds=(result,), start_new_session=True, env=environment,
    )  # fmt: skip
    os.close(terminal)
    os.close(result)
    said = b""
    reading = {answer, controller}
    while answer in reading:
        for file in select.select(list(reading), [], [], 1.0)[0]:
            try:
                data = os.read(file, 65_536)
            except OSError:  # how a pseudo-terminal says that nobody is at the other end
                data = b""
            if not data:
                reading.discard(file)
            elif file == answer:
                said += data
    while controller in reading and process.poll() is None:
        if select.select([controller], [], [], 0.2)[0]:
            try:
                os.read(controller, 65_536)
            except OSError:
                break
    process.wait()
    os.close(controller)
    os.close(answer)
    if not said:
        raise SystemExit(f"{which} did not run")
    found: dict[str, float] = json.loads(said)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--snapshots", type=int, default=50)
    parser.add_argument("--short", action="store_true", help="fewer snapshots, one order")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.rows, args.snapshots, args.result)
        return 0
    snapshots = min(args.snapshots, 15) if args.short else args.snapshots
    print(f"{args.rows:,} peers, 10 % changed, 10 snapshots a second, {SIZE[0]}x{SIZE[1]}")
    print(f"{'':35}{'CPU ms/snapshot':>16}{'lag p95 ms':>12}{'snapshots/s':>13}")
    within = True
    for order, title in (("name", "sorted by name"), ("rtt", "sorted by round trip")):
        if args.short and order != "name":
            continue
        found = {}
        for kind, name in KINDS.items():
            one = found[kind] = measure(f"{kind}-{order}", args.rows, snapshots)
            print(
                f"{name:18}{title:24}{one['cpu_ms']:9.1f}{one['lag_ms']:12.1f}{one['rate']:13.1f}"
            )
        within = within and found["table"]["cpu_ms"] <= BUDGET_MS
        ratio = found["plain"]["cpu_ms"] / max(found["table"]["cpu_ms"], 0.01)
        print(f"{'':18}DataTable costs {ratio:.0f} times as much as our table")
    print(f"budget of {BUDGET_MS:.0f} ms: {'kept' if within else 'NOT kept'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
