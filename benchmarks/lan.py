"""Peers on one LAN: how long until everybody sees what happened; ours beside others in one run.

Each host is a network namespace with a process of its own (see ``tests/network/lab.py``); needs
root. Times are seconds, medians of the rounds. What is measured:

cold    from the last start command until every host sees all others
ready   the same from the moment the last process is up (imports done), start-up taken out
join    one more host: from its being ready until every host sees it, and it sees every host
update  a value changes on one host, until all others have it
kill    SIGKILL of one host, until all others say it is gone
silent  the frames of one host are dropped, until all others say it is gone
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from tests.network.lab import Lab, why_not

HERE = Path(__file__).parent
PATIENCE = 40.0
MEASURES = ("cold", "ready", "join", "update", "kill", "silent")


class Node(ABC):
    """A process on a host, and when it saw what."""

    def __init__(self, lab: Lab, host: int) -> None:
        self.host = host
        self.ready: float | None = None
        self.sees = -1
        self.seen_at = 0.0
        self.marks: dict[str, float] = {}
        self.said: list[str] = []
        self.news = threading.Condition()
        self.started = time.monotonic()
        self.process = lab.popen(
            host, self.command(lab), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self._out, self._in = self.process.stdout, self.process.stdin
        threading.Thread(target=self._read, daemon=True).start()

    @abstractmethod
    def command(self, lab: Lab) -> list[str]:
        """Return what to run."""

    def _read(self) -> None:
        try:
            for line in self._out:
                with self.news:
                    self.said = [*self.said[-20:], line.strip()]
                    self.take(line)
                    self.news.notify_all()
        except ValueError:
            return

    def take(self, line: str) -> None:
        """Note what a line says; ours end with the time at which it was so."""
        words = line.split()
        if words[:1] == ["ready"]:
            self.ready = float(words[-1])
        elif words[:1] == ["sees"]:
            self.sees, self.seen_at = int(words[1]), float(words[-1])
        elif words[:1] == ["mark"]:
            self.marks.setdefault(words[1], float(words[-1]))

    def change(self, mark: str) -> None:
        """Change the value of this host."""
        self._in.write(mark + "\n")
        self._in.flush()

    def wait(self, condition: Any) -> bool:
        """Wait until something is true of what was read."""
        with self.news:
            return bool(self.news.wait_for(condition, PATIENCE))


class Ours(Node):
    """A peer of this project."""

    def __init__(self, lab: Lab, host: int, folder: Path) -> None:
        self.folder = folder
        super().__init__(lab, host)

    def command(self, lab: Lab) -> list[str]:
        home, mesh = self.folder / f"h{self.host}", self.folder / "mesh.key"
        return [sys.executable, str(HERE / "node_ours.py"), str(home), str(mesh)]


class Zeroconf(Node):
    """Stock zeroconf, registering and browsing."""

    def __init__(self, lab: Lab, host: int, folder: Path) -> None:
        super().__init__(lab, host)

    def command(self, lab: Lab) -> list[str]:
        script = str(HERE / "node_zeroconf.py")
        return [sys.executable, script, f"host{self.host}", lab.address(self.host)]


class Serf(Node):
    """A Serf agent that finds others by mDNS; its log tells what it sees."""

    _EVENT = re.compile(r"EventMember(Join|Failed|Leave|Update): (\S+)")

    def __init__(self, lab: Lab, host: int, folder: Path) -> None:
        self.members: set[str] = set()
        self.lab = lab
        super().__init__(lab, host)

    def command(self, lab: Lab) -> list[str]:
        # Without a route for multicast Serf ends with a panic.
        lab.run(self.host, ["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"])
        address = lab.address(self.host)
        return ["serf", "agent", f"-node=host{self.host}", f"-bind={address}", "-discover=bench",
                "-iface=eth0", "-rpc-addr=127.0.0.1:7373"]  # fmt: skip

    def take(self, line: str) -> None:
        now = time.monotonic()
        if self.ready is None and "Serf agent running" in line:
            self.ready = now
        found = self._EVENT.search(line)
        if found is None:
            return
        what, name = found.groups()
        if what == "Update":
            self.marks.setdefault(name, now)
            return
        (self.members.add if what == "Join" else self.members.discard)(name)
        self.sees, self.seen_at = len(self.members - {f"host{self.host}"}), now

    def change(self, mark: str) -> None:
        self.lab.run(self.host, ["serf", "tags", "-set", f"mark={mark}"])


def all_see(nodes: list[Node], count: int) -> float | None:
    """Wait until every node sees so many others; return when the last one did."""
    for node in nodes:
        if not node.wait(lambda node=node: node.sees == count):
            seen = {other.host: other.sees for other in nodes}
            print(f"not all see {count}: {seen}; host {node.host} said: {node.said[-5:]}")
            return None
    return max(node.seen_at for node in nodes)


def measure(kind: type[Any], hosts: int, *, faults: bool) -> dict[str, float | None]:
    """Build a LAN, run one round on it, and return what was measured."""
    result: dict[str, float | None] = dict.fromkeys(MEASURES)
    with tempfile.TemporaryDirectory() as folder, Lab(hosts) as lab:
        write_mesh_key(Path(folder) / "mesh.key", MeshKey.generate("bench"))
        nodes: list[Node] = [kind(lab, host, Path(folder)) for host in range(1, hosts + 1)]
        done = all_see(nodes, hosts - 1)
        if done is None:
            return result
        result["cold"] = done - max(node.started for node in nodes)
        ready = [node.ready for node in nodes if node.ready is not None]
        result["ready"] = max(0.0, done - max(ready))
        if not faults:
            return result
        time.sleep(11)  # let publishing come to rest, as in a mesh that has been up for a while
        late = kind(lab, lab.add_host(), Path(folder))
        nodes.append(late)
        done = all_see(nodes, hosts)
        if done is not None and late.ready is not None:
            result["join"] = max(0.0, done - late.ready)
        if kind is Zeroconf:
            return result
        time.sleep(11)
        result["update"] = _update(nodes)
        began = time.monotonic()
        victim = nodes.pop(1)
        victim.process.kill()
        done = all_see(nodes, hosts - 1)
        result["kill"] = None if done is None else done - began
        time.sleep(11)
        began = time.monotonic()
        victim = nodes.pop(1 if len(nodes) > 1 else 0)
        lab.mute(victim.host)
        done = all_see(nodes, hosts - 2)
        result["silent"] = None if done is None else done - began
    return result


def _update(nodes: list[Node]) -> float | None:
    first, *others = nodes
    mark = f"host{first.host}"  # Serf tells of the member, ours of the value
    began = time.monotonic()
    first.change(mark)
    for node in others:
        if not node.wait(lambda node=node: mark in node.marks):
            return None
    return max(node.marks[mark] for node in others) - began


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="few hosts, one round")
    parser.add_argument("--hosts", type=int, nargs="*", help="numbers of hosts (2 10 30)")
    parser.add_argument("--rounds", type=int, help="rounds of each (3)")
    options = parser.parse_args()
    reason = why_not()
    if reason is not None:
        print(f"LAN benchmark skipped: {reason}")
        return
    sizes = options.hosts or ([2, 10] if options.short else [2, 10, 30])
    rounds = options.rounds or (1 if options.short else 3)
    kinds: list[tuple[str, type[Any]]] = [("presence-tui", Ours), ("zeroconf, stock", Zeroconf)]
    if shutil.which("serf"):
        kinds.append(("serf -discover", Serf))
    else:
        print("serf is not installed; it is left out")
    print(f"{'':18}{'hosts':>6}" + "".join(f"{name:>9}" for name in MEASURES))
    for hosts in sizes:
        medians: dict[str, dict[str, float]] = {}
        for name, kind in kinds:
            faults = not options.short or hosts == max(sizes)
            results = [measure(kind, hosts, faults=faults) for _ in range(rounds)]
            medians[name] = {
                what: median(values)
                for what in MEASURES
                if (values := [value for r in results if (value := r[what]) is not None])
            }
            cells = "".join(
                f"{medians[name][what]:9.3f}" if what in medians[name] else f"{'-':>9}"
                for what in MEASURES
            )
            print(f"{name:18}{hosts:6}{cells}", flush=True)
        _ratios(hosts, medians)


def _ratios(hosts: int, medians: dict[str, dict[str, float]]) -> None:
    ours = medians["presence-tui"]
    for name, theirs in medians.items():
        if name == "presence-tui":
            continue
        cells = "".join(
            f"{ours[what] / theirs[what]:8.2f}x"
            if ours.get(what) and theirs.get(what)
            else f"{'-':>9}"
            for what in MEASURES
        )
        print(f"  ours / {name:9.9}{hosts:6}{cells}", flush=True)


if __name__ == "__main__":
    main()
