"""The dashboard as a process in a terminal: how it begins, and how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Self

import pyte
import pytest

from presence_tui.output import EXIT_CANNOT
from tests.cli.command import COMMAND, NOWHERE, environment
from tests.support import PATIENCE, loopback_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
"""What a program writes to begin and to end a screen of its own."""


class Terminal:
    """A program in a terminal of 80 by 24."""

    def __init__(self, *argv: str) -> None:
        self._controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(terminal)
        self.terminal = terminal
        self.process = subprocess.Popen(
            argv,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env=environment(TERM="xterm-256color"),
        )
        self.written = b""

    def read_until(self, text: bytes) -> None:
        """Wait until something has been written."""
        self._read_until(lambda: text in self.written)

    def read_until_seen(self, text: str) -> None:
        """Wait until something is on the screen, in however many pieces it was written."""
        screen = pyte.Screen(80, 24)
        stream = pyte.ByteStream(screen)
        shown = 0

        def seen() -> bool:
            nonlocal shown
            stream.feed(self.written[shown:])
            shown = len(self.written)
            return any(text in line for line in screen.display)

        self._read_until(seen)

    def _read_until(self, done: Callable[[], bool]) -> None:
        patience = PATIENCE
        while not done():
            if self.process.poll() is not None:
                patience = 0.0  # what is not there by now will not come
            ready, _, _ = select.select([self._controller], [], [], min(patience, 0.2))
            patience -= 0.2
            if ready:
                self.written += os.read(self._controller, 65_536)
            else:
                assert patience > 0, self.written[-2_000:]

    def press(self, keys: str) -> None:
        os.write(self._controller, keys.encode())

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was written after the screen."""
        self.read_until(LEAVE)
        while self.process.poll() is None or select.select([self._controller], [], [], 0)[0]:
            if select.select([self._controller], [], [], 0.05)[0]:
                self.written += os.read(self._controller, 65_536)
        after = self.written.rpartition(LEAVE)[2]
        assert termios.tcgetattr(self.terminal) == self.before
        return self.process.returncode, after.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        os.close(self._controller)
        os.close(self.terminal)


def dashboard(home: Path, *more: str) -> Terminal:
    return Terminal(*COMMAND, "--home", str(home), "--name", "field-laptop", *(more or NOWHERE))


OPENING, OPEN = "joining the mesh", "Search"
"""Words that only the opening screen has, and only the main screen."""


def test_a_first_frame_comes_before_the_mesh(tmp_path: Path) -> None:
    with dashboard(tmp_path, "--mesh", "convoy", *NOWHERE) as terminal:
        terminal.read_until_seen(OPENING)
        terminal.read_until_seen("mesh\u00a0convoy")
        terminal.read_until_seen("field-laptop")
        terminal.read_until_seen(OPEN)
        terminal.press("2")
        terminal.read_until_seen("How it was checked")
        terminal.press("q")
        assert terminal.finish()[0] == 0


@pytest.mark.parametrize("key", ["q", "\x11"])
@pytest.mark.parametrize("seen", [OPENING, OPEN])
def test_q_ends_it(tmp_path: Path, seen: str, key: str) -> None:
    with dashboard(tmp_path) as terminal:
        terminal.read_until_seen(seen)
        terminal.press(key)
        code, after = terminal.finish()
        assert code == 0
        assert "Traceback" not in after


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("seen", [OPENING, OPEN])
def test_a_signal_ends_it_in_order(tmp_path: Path, seen: str, number: int) -> None:
    with dashboard(tmp_path) as terminal:
        terminal.read_until_seen(seen)
        terminal.process.send_signal(number)
        code, after = terminal.finish()
        assert code == 0
        assert "Traceback" not in after


_CRASH = """
import sys
from presence_tui import app, cli
def broken(self, message):
    secret = "mk1secret"
    raise RuntimeError("a bug of the screen")
app.PresenceApp.on_graph_arrived = broken
sys.exit(cli.run(sys.argv[1:]))
"""


def test_a_bug_of_the_screen_is_one_line_and_a_log(tmp_path: Path) -> None:
    """Textual alone would print a traceback with every local variable."""
    argv = [sys.executable, "-c", _CRASH, "--home", str(tmp_path), *NOWHERE]
    with Terminal(*argv) as terminal:
        terminal.read_until(ENTER)
        code, after = terminal.finish()
    assert code == EXIT_CANNOT
    assert "mk1secret" not in terminal.written.decode(errors="replace")
    assert "Traceback" not in after
    (line,) = [text for text in after.splitlines() if "presence-tui:" in text]
    assert "internal error (RuntimeError: a bug of the screen)" in line
    log = (tmp_path / "presence-tui.log").read_text()
    assert "Traceback" in log
    assert "a bug of the screen" in log


def test_what_keeps_it_from_running_is_said_on_a_plain_screen(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("nmae = 'x'")
    with dashboard(tmp_path) as terminal:
        terminal.read_until(b"known: interfaces")
        assert terminal.process.wait(PATIENCE) == EXIT_CANNOT
    assert ENTER not in terminal.written


def test_what_keeps_the_mesh_from_opening_is_said_after_the_screen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        lan = ("--transport", "lan", "--interface", loopback_name(), "--listen", address)
        with dashboard(tmp_path, *lan) as terminal:
            terminal.read_until_seen(OPENING)
            code, after = terminal.finish()
    assert code == EXIT_CANNOT
    (line,) = [text for text in after.splitlines() if "presence-tui:" in text]
    assert address.partition(":")[2] in line
    assert "internal error" not in line
    assert "Traceback" not in after
    assert not (tmp_path / "presence-tui.log").exists()


def test_keys_that_there_are_not_are_said_too(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[dashboard.keys]\n"app.qiut" = "x"')
    with dashboard(tmp_path) as terminal:
        code, after = terminal.finish()
    assert code == EXIT_CANNOT
    assert "did you mean 'app.quit'" in after
