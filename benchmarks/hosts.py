"""What is compared: programs on the hosts of a lab, and what each of them says that it sees.

Every host is a network namespace with a process of its own (``tests/network/lab.py``); needs root.
What is not installed is left out, with a line that says so. Zenoh and Reticulum live in an
environment of their own, ``.venv-peers`` (``make .venv-peers``), and never in that of the project.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from tests.network.lab import Lab, interrupt_on_sigterm, why_not

HERE = Path(__file__).parent
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
PATIENCE = 40.0
"""Seconds after which a benchmark stops waiting for what does not come."""

START_PATIENCE = 120.0
"""The same for a mesh to become whole in the first place: Serf's may wait for its full sync."""

REST = 25.0
"""Seconds after which links are chosen and publishing is at rest, as in a mesh up for a while."""


class Node(ABC):
    """A process on a host, and when it saw what."""

    title: ClassVar[str]

    def __init__(self, lab: Lab, host: int, folder: Path) -> None:
        self.lab = lab
        self.host = host
        self.folder = folder
        self.ready: float | None = None
        self.sees = -1
        """How many others it says are there."""
        self.view = ""
        """How good it says its view is, if it says anything about that."""
        self.changed_at = 0.0
        """When one of the two was last another."""
        self.counts: list[tuple[float, int]] = []
        """How many others it has said are there, and when."""
        self.losts = 0
        """How often it has said of another that it is gone."""
        self.marks: dict[str, float] = {}
        self.answers: dict[str, list[str]] = {}
        self.said: list[str] = []
        self.news = threading.Condition()
        self.started = time.monotonic()
        self.process = lab.popen(
            host, self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self._out, self._in = self.process.stdout, self.process.stdin
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def missing(cls) -> str | None:
        """Say why it cannot be run here; None when it can."""
        return None

    @abstractmethod
    def command(self) -> list[str]:
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
        """Note what a line says; the last word is the time at which it was so."""
        match line.split():
            case ["ready", at]:
                self.ready = float(at)
            case ["sees", count, *view, at]:
                self.view = " ".join(view)
                self.see(int(count), float(at))
            case ["mark", mark, at]:
                self.marks.setdefault(mark, float(at))
            case ["lost", count, _]:
                self.losts = int(count)
            case ["answer", what, *words, _]:
                self.answers[what] = words

    def see(self, count: int, at: float) -> None:
        """Note how many others it says are there."""
        self.sees, self.changed_at = count, at
        self.counts.append((at, count))

    def seen_since(self) -> float:
        """Return since when it says that as many others are there as it says now."""
        same = itertools.takewhile(lambda said: said[1] == self.sees, reversed(self.counts))
        return list(same)[-1][0]

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        self._in.write(line + "\n")
        self._in.flush()

    def change(self) -> tuple[str, float]:
        """Change the value of this host, once; return its mark, and when that was."""
        mark, now = f"host{self.host}", time.monotonic()
        self.tell(f"mark {mark}")
        return mark, now

    def wait(self, condition: Callable[[Node], bool], patience: float = PATIENCE) -> bool:
        """Wait until something is true of this node, by what was read from it."""
        with self.news:
            return self.news.wait_for(lambda: condition(self), patience)


class Ours(Node):
    """A peer of this project."""

    title = "presence-tui"

    def command(self) -> list[str]:
        home, mesh = self.folder / f"h{self.host}", self.folder / "mesh.key"
        return [sys.executable, str(HERE / "node_ours.py"), str(home), str(mesh)]


class Zeroconf(Node):
    """Stock zeroconf, registering and browsing."""

    title = "zeroconf, stock"

    def command(self) -> list[str]:
        script = str(HERE / "node_zeroconf.py")
        return [sys.executable, script, f"host{self.host}", self.lab.address(self.host)]


class Serf(Node):
    """A Serf agent that finds others by mDNS; its log tells what it sees."""

    title = "Serf, by mDNS"
    _EVENT = re.compile(r"EventMember(Join|Failed|Leave|Update): (\S+)")

    def __init__(self, lab: Lab, host: int, folder: Path) -> None:
        self.members: set[str] = set()
        super().__init__(lab, host, folder)

    @classmethod
    def missing(cls) -> str | None:
        return None if shutil.which("serf") else "serf is not installed (Debian: serf)"

    def command(self) -> list[str]:
        # Without a route for multicast Serf ends with a panic.
        self.lab.run(self.host, ["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"])
        return [*self._agent(), "-discover=bench", "-iface=eth0"]

    def _agent(self) -> list[str]:
        address = self.lab.address(self.host)
        return ["serf", "agent", f"-node=host{self.host}", f"-bind={address}",
                "-rpc-addr=127.0.0.1:7373"]  # fmt: skip

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
        self.losts += what == "Failed"
        (self.members.add if what == "Join" else self.members.discard)(name)
        self.see(len(self.members - {f"host{self.host}"}), now)

    def change(self) -> tuple[str, float]:
        # What it counts from is when this agent itself has it: the start of a command is no gossip.
        name = f"host{self.host}"
        self.lab.run(self.host, ["serf", "tags", "-set", f"mark={name}"])
        self.wait(lambda node: name in node.marks)
        return name, self.marks.get(name, time.monotonic())


class SerfJoined(Serf):
    """A Serf agent that joins by the address of the first host."""

    title = "Serf, by address"

    def command(self) -> list[str]:
        first = f"{self.lab.address(1)}:7946"
        return [*self._agent(), f"-retry-join={first}", "-retry-interval=1s"]


class _InPeers(Node):
    """A Python program of the environment of the peers."""

    module: ClassVar[str]

    @classmethod
    def missing(cls) -> str | None:
        test = [str(PEERS_PYTHON), "-c", f"import {cls.module}"]
        if PEERS_PYTHON.exists() and not subprocess.run(test, capture_output=True).returncode:
            return None
        return f"{cls.module} is not in {PEERS_PYTHON.parent.parent.name}"


class Zenoh(_InPeers):
    """Zenoh in peer mode with multicast scouting; liveliness tokens say who is there."""

    title = "Zenoh"
    module = "zenoh"

    def command(self) -> list[str]:
        self.lab.run(self.host, ["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"])
        return [str(PEERS_PYTHON), str(HERE / "node_zenoh.py"), f"host{self.host}"]


class Reticulum(_InPeers):
    """Reticulum over its AutoInterface; announces say who is there."""

    title = "Reticulum"
    module = "RNS"

    def command(self) -> list[str]:
        home = self.folder / f"h{self.host}"
        return [str(PEERS_PYTHON), str(HERE / "node_reticulum.py"), str(home)]


class Bare(Node):
    """An interpreter with an event loop that waits: what cannot be saved."""

    title = "bare asyncio"
    packages: ClassVar[tuple[str, ...]] = ()

    def command(self) -> list[str]:
        return [sys.executable, str(HERE / "node_bare.py"), *self.packages]


class BareCrypto(Bare):
    """The same with the primitives that every encrypted link needs."""

    title = "  and cryptography"
    packages = (
        "cryptography.hazmat.primitives.asymmetric.ed25519",
        "cryptography.hazmat.primitives.asymmetric.x25519",
        "cryptography.hazmat.primitives.ciphers.aead",
        "cryptography.hazmat.primitives.kdf.hkdf",
    )


Kind = type[Node]


def available(*kinds: Kind) -> list[Kind]:
    """Return those of the kinds that can be run here; say of the others why they are left out."""
    there = []
    for kind in kinds:
        reason = kind.missing()
        if reason is None:
            there.append(kind)
        else:
            print(f"{kind.title.strip()} is left out: {reason}", flush=True)
    return there


def _complain(count: int, nodes: list[Node]) -> None:
    seen = ", ".join(f"{node.host}: {node.sees} {node.view}".strip() for node in nodes)
    print(f"{nodes[0].title.strip()}: not all see {count} ({seen}); the first said last: "
          f"{nodes[0].said[-3:]}", flush=True)  # fmt: skip


class Fleet:
    """A lab with a node of one kind on every host."""

    def __init__(self, lab: Lab, kind: Kind, folder: Path) -> None:
        self.lab = lab
        self._kind = kind
        self._folder = folder
        self.nodes = [kind(lab, host, folder) for host in range(1, lab.hosts + 1)]

    def add(self) -> Node:
        """Start one more host."""
        node = self._kind(self.lab, self.lab.add_host(), self._folder)
        self.nodes.append(node)
        return node

    def all_ready(self) -> float:
        """Wait until all interpreters have started; return when the last one had."""
        for node in self.nodes:
            node.wait(lambda node: node.ready is not None)
        return max(node.ready or node.started for node in self.nodes)

    def all_see(
        self,
        count: int,
        nodes: Iterable[Node] | None = None,
        patience: float = PATIENCE,
        *,
        sure: bool = True,
    ) -> float | None:
        """Wait until every node sees so many others; return since when.

        ``sure``: and says that its view is current. Who says nothing about its view is taken to be.
        """
        nodes = list(self.nodes if nodes is None else nodes)
        end = time.monotonic() + patience

        def sees(node: Node) -> bool:
            return node.sees == count and (not sure or node.view in ("", "current"))

        # Over again, in case one has changed its mind while another was waited for.
        while not all(sees(node) for node in nodes):
            for node in nodes:
                if not node.wait(sees, end - time.monotonic()):
                    if patience:
                        _complain(count, [other for other in nodes if not sees(other)])
                    return None
        return max(node.changed_at if sure else node.seen_since() for node in nodes)

    def all_miss(
        self, count: int, nodes: Iterable[Node], since: float, patience: float
    ) -> float | None:
        """Wait until every node has said, since then, that no more than so many others are there.

        Return when the last one first did. (Some may see fewer: those whom a cut has left without
        a way to the rest of their half, until they have found another.)
        """

        def first(node: Node) -> float | None:
            return next((at for at, seen in node.counts if at >= since and seen <= count), None)

        end = time.monotonic() + patience
        for node in nodes:
            node.wait(lambda node: first(node) is not None, end - time.monotonic())
        moments = [first(node) for node in nodes]
        return max(at for at in moments if at is not None) if None not in moments else None

    def update(self, origin: Node) -> float | None:
        """Change the value of a host; return how long it took until all the others had it."""
        mark, began = origin.change()
        done = self.all_told(mark, but=origin)
        return None if done is None else max(0.0, done - began)

    def all_told(self, mark: str, *, but: Node, patience: float = PATIENCE) -> float | None:
        """Wait until all but one have got a mark; return when the last one did."""
        others = [node for node in self.nodes if node is not but]
        for node in others:
            if not node.wait(lambda node: mark in node.marks, patience):
                return None
        return max(node.marks[mark] for node in others)


@contextmanager
def running(kind: Kind, hosts: int, **lab_options: Any) -> Iterator[Fleet]:
    """Build a lab and start a node of a kind on every host of it."""
    with tempfile.TemporaryDirectory() as folder, Lab(hosts, **lab_options) as lab:
        write_mesh_key(Path(folder) / "mesh.key", MeshKey.generate("bench"))
        yield Fleet(lab, kind, Path(folder))


def ours_alone(parser: argparse.ArgumentParser) -> None:
    """Let the peers be left out: for one who works on ours."""
    parser.add_argument("--ours", action="store_true", help="ours alone")


def cell(value: float | None, width: int = 9) -> str:
    """Return a figure of a table in seconds, or a dash."""
    return f"{'-':>{width}}" if value is None else f"{value:{width}.3f}"


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; whatever ends it, its labs are removed."""
    reason = why_not()
    if reason is not None:
        print(f"{Path(sys.argv[0]).stem} benchmark skipped: {reason}")
        return
    interrupt_on_sigterm()
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted; its hosts are removed", file=sys.stderr)
        sys.exit(130)
