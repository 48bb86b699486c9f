"""The lab itself: whatever ends it, nothing of it stays behind; and it loses what it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.network.lab import Lab, per_port, remove_leftovers, why_not

_REASON = why_not()
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]

_PROGRAM = """
import signal
from tests.network.lab import Lab, interrupt_on_sigterm
interrupt_on_sigterm()
with Lab(2) as lab:
    print(lab.popen(1, ["sleep", "600"]).pid, flush=True)
    signal.pause()
"""


def namespaces_of(pid: int) -> list[str]:
    folder = Path("/run/netns")
    return [path.name for path in folder.iterdir() if path.name.startswith(f"plab{pid}x")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_of_a_lab_outlives_its_program(number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout is not None
        sleeper = Path("/proc") / program.stdout.readline().strip()
        assert len(namespaces_of(program.pid)) == 3
        program.send_signal(number)
        program.wait(60)
    if number == signal.SIGKILL:
        remove_leftovers()  # nobody was left to do it: the next lab does
    assert namespaces_of(program.pid) == []
    assert not (sleeper / "cmdline").exists() or b"600" not in (sleeper / "cmdline").read_bytes()


_COUNT = """
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
heard.bind(("", 7777))
print("ready", flush=True)
print(sum(1 for _ in iter(lambda: heard.recv(100), b"end")))
"""
_SEND = """
import socket
told = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
told.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for datagram in [b"one"] * 2000 + [b"end"] * 100:
    told.sendto(datagram, ("10.70.255.255", 7777))
"""


def heard_of_2000(lab: Lab) -> int:
    counter = lab.popen(2, [sys.executable, "-c", _COUNT], stdout=subprocess.PIPE, text=True)
    assert counter.stdout is not None
    assert counter.stdout.readline() == "ready\n"
    assert lab.run(1, [sys.executable, "-c", _SEND]).returncode == 0
    return int(counter.stdout.readline())


def test_a_frame_between_two_lossy_hosts_is_lost_as_often_as_asked_for() -> None:
    assert per_port(30) == pytest.approx(16.33, abs=0.01)
    with Lab(2) as lab:
        assert heard_of_2000(lab) == 2000
        lab.loss(per_port(30), 1, 2)
        assert 1200 < heard_of_2000(lab) < 1600
        lab.heal(1)
        assert 1550 < heard_of_2000(lab) < 1800
        lab.mute(2)
        lab.heal(2)
        assert heard_of_2000(lab) == 2000
