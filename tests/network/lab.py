"""A LAN of network namespaces on this machine: hosts on switches, with faults.

Everything lives in namespaces of its own, the switches included: the machine's own network is
never touched. Needs root, iproute2 and nft (Linux). Names carry the process id, so that several
labs can stand side by side; :meth:`Lab.close` removes everything, processes included. What a
process left behind that was killed outright, the next lab removes.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_NEIGHBOUR_LIMITS = ("ipv4", "ipv6")
_NAME = re.compile(r"plab(\d+)(?:x\d+(?:sw|h\d+)|probe)")
_BRIDGE = ("type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")


def why_not() -> str | None:
    """Say why no lab can be built here; None when one can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft", "nsenter"):
        if shutil.which(tool) is None:
            return f"the program {tool} is missing (Debian: iproute2, nftables, util-linux)"
    probe = f"plab{os.getpid()}probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode:
        return f"cannot make a network namespace: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", probe], capture_output=True)
    return None


def _run(*argv: str, text: str | None = None) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _end(namespaces: list[str]) -> None:
    """Kill what runs in some namespaces, and remove them."""
    for namespace in namespaces:
        listed = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True)
        for pid in listed.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for namespace in namespaces:
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


def remove_leftovers() -> None:
    """Remove the labs of processes that are no more: those that were killed without a word."""
    folder = Path("/run/netns")
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    _end(
        [
            name
            for name in names
            if (found := _NAME.fullmatch(name)) and not Path(f"/proc/{found[1]}").exists()
        ]
    )


def interrupt_on_sigterm() -> None:
    """Let SIGTERM end a program as Ctrl-C does: through every ``with``, so that labs are closed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off SIGINT and SIGTERM: a second Ctrl-C must not leave half of a lab behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def per_port(percent: float) -> float:
    """Return what to lose at each port so that between two hosts so many percent are lost one way.

    A frame passes the sender's port and the receiver's: 16.3 % at each lose 30 % of the frames.
    """
    return 100 * (1 - math.sqrt(1 - percent / 100))


class Lab:
    """Hosts ``1…n`` on ``segments`` switches without a route between them.

    ``hubs`` gives further hosts with a leg in several segments, e.g. ``[(0, 1), (1, 2)]``; they do
    not forward IP. ``ipv4`` False leaves the hosts with link-local IPv6 only. A lab of 30 hosts
    takes about a second.
    """

    _made = 0

    def __init__(
        self,
        hosts: int,
        *,
        segments: int = 1,
        hubs: list[tuple[int, ...]] | None = None,
        ipv4: bool = True,
    ) -> None:
        Lab._made += 1
        self._prefix = f"plab{os.getpid()}x{Lab._made}"
        self._switch = f"{self._prefix}sw"
        self._ipv4 = ipv4
        self._legs: dict[int, list[tuple[str, int]]] = {}
        self._faults: dict[str, float] = {}
        self._processes: list[subprocess.Popen[Any]] = []
        self._namespaces: list[str] = []
        self.hosts = 0
        remove_leftovers()
        try:
            self._make_namespace(self._switch)
            self._raise_neighbour_limits(hosts + 4)
            for segment in range(segments):
                self._switch_ip("link", "add", f"br{segment}", *_BRIDGE)
                self._switch_ip("link", "set", f"br{segment}", "up")
            for number in range(hosts):
                self.add_host((number * segments // hosts,))
            for hub in hubs or []:
                self.add_host(hub)
        except BaseException:
            self.close()
            raise

    def _make_namespace(self, name: str) -> None:
        self._namespaces.append(name)  # before it is made: an interrupt may come in between
        _run("ip", "netns", "add", name)
        settings = (
            "for f in all default; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; done;"
            "echo 0 > /proc/sys/net/ipv4/ip_forward; ip link set lo up"
        )
        _run("ip", "netns", "exec", name, "sh", "-c", settings)

    def _raise_neighbour_limits(self, hosts: int) -> None:
        """Make room in the neighbour table: one for the whole machine, N hosts fill N² entries."""
        want = 4 * hosts * hosts
        for family in _NEIGHBOUR_LIMITS:
            for level in (3, 2):
                path = Path(f"/proc/sys/net/{family}/neigh/default/gc_thresh{level}")
                if path.exists() and int(path.read_text()) < want:
                    path.write_text(str(want))

    def _switch_ip(self, *arguments: str) -> None:
        _run("ip", "-n", self._switch, *arguments)

    def namespace(self, host: int) -> str:
        """Return the name of a host's namespace."""
        return f"{self._prefix}h{host}"

    def address(self, host: int, leg: int = 0) -> str:
        """Return the IPv4 address of a host on one of its segments."""
        segment = self._legs[host][leg][1]
        return f"10.{70 + segment}.{host // 250}.{host % 250 + 1}"

    def add_host(self, segments: tuple[int, ...] = (0,)) -> int:
        """Add a host with a leg in each segment; return its number."""
        self.hosts += 1
        host = self.hosts
        self._make_namespace(self.namespace(host))
        self._legs[host] = []
        for segment in segments:
            self.plug(host, segment)
        return host

    def plug(self, host: int, segment: int = 0) -> None:
        """Give a host a leg in a segment: an interface ``eth0``, ``eth1``, … appears."""
        leg = len(self._legs[host])
        port, name = f"p{host}x{leg}", f"eth{leg}"
        namespace = self.namespace(host)
        self._switch_ip("link", "add", port, "type", "veth", "peer", "name", name,
                        "netns", namespace)  # fmt: skip
        self._switch_ip("link", "set", port, "master", f"br{segment}", "up")
        self._legs[host].append((port, segment))
        if self._ipv4:
            address = f"{self.address(host, leg)}/16"
            _run("ip", "-n", namespace, "addr", "add", address, "brd", "+", "dev", name)
        _run("ip", "-n", namespace, "link", "set", name, "up")

    # -- processes

    def popen(self, host: int, argv: list[str], **more: Any) -> subprocess.Popen[Any]:
        """Start a program in a host; it ends with the lab at the latest."""
        command = ["nsenter", f"--net=/run/netns/{self.namespace(host)}", *argv]
        process = subprocess.Popen(command, **more)
        self._processes.append(process)
        return process

    def run(self, host: int, argv: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a program in a host to its end."""
        command = ["nsenter", f"--net=/run/netns/{self.namespace(host)}", *argv]
        return subprocess.run(command, capture_output=True, text=True, **more)

    # -- faults

    def mute(self, *hosts: int) -> None:
        """Drop every frame of these hosts at their switch ports; the links stay up."""
        self.loss(100, *hosts)

    def loss(self, percent: float, *hosts: int) -> None:
        """Drop so many percent of the frames of these hosts at their ports, each way; 0 heals.

        A frame between two such hosts passes two ports: :func:`per_port` says what to give.
        """
        for host in hosts:
            for port, _ in self._legs[host]:
                self._faults[port] = percent
        rules = ["table netdev lab {}", "delete table netdev lab", "table netdev lab {"]
        for port, chance in self._faults.items():
            if not chance:
                continue
            drop = "drop" if chance >= 100 else f"numgen random mod 1000 < {chance * 10:.0f} drop"
            for hook in ("ingress", "egress"):
                place = f"type filter hook {hook} device {port} priority 0"
                rules.append(f"chain {hook}_{port} {{ {place}; {drop}; }}")
        rules.append("}")
        nft = ["nsenter", f"--net=/run/netns/{self._switch}", "nft", "-f", "-"]
        _run(*nft, text="\n".join(rules) + "\n")

    def heal(self, *hosts: int) -> None:
        """Let all frames of these hosts through again."""
        self.loss(0, *hosts)

    def cut(self, *hosts: int) -> None:
        """Pull the cables of these hosts: their links go down, and they notice."""
        self._set_links(hosts, "down")

    def mend(self, *hosts: int) -> None:
        """Put the cables of these hosts back."""
        self._set_links(hosts, "up")

    def _set_links(self, hosts: tuple[int, ...], state: str) -> None:
        for host in hosts:
            for leg in range(len(self._legs[host])):
                _run("ip", "-n", self.namespace(host), "link", "set", f"eth{leg}", state)

    def split(self, *hosts: int) -> None:
        """Move these hosts to a switch of their own: two halves, no link goes down."""
        for segment in {segment for host in hosts for _, segment in self._legs[host]}:
            far = ["ip", "-n", self._switch, "link", "add", f"far{segment}", *_BRIDGE]
            if subprocess.run(far, capture_output=True).returncode == 0:  # else it is there already
                self._switch_ip("link", "set", f"far{segment}", "up")
        self._move("far", hosts)

    def join(self, *hosts: int) -> None:
        """Move these hosts back to the switches of their segments."""
        self._move("br", hosts)

    def _move(self, switch: str, hosts: tuple[int, ...]) -> None:
        # In one go: so that half a cut does not last as long as 15 starts of a program.
        moves = [
            f"link set {port} master {switch}{segment}"
            for host in hosts
            for port, segment in self._legs[host]
        ]
        _run("ip", "-n", self._switch, "-batch", "-", text="\n".join(moves) + "\n")

    # -- the end

    def close(self) -> None:
        """End every process and remove every namespace. Safe to call twice."""
        with _undisturbed():
            for process in self._processes:
                process.kill()  # one that has just started may not be in its namespace yet
            _end(self._namespaces)
            for process in self._processes:
                process.wait()
                for stream in (process.stdout, process.stderr, process.stdin):
                    if stream is not None:
                        with contextlib.suppress(BrokenPipeError):
                            stream.close()
            self._namespaces.clear()
            self._processes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
