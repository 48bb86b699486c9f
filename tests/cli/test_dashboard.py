"""The dashboard as a process in a terminal: how it begins, and how it ends."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from presence_tui.output import EXIT_CANNOT
from tests.cli.command import COMMAND, NOWHERE, environment
from tests.support import PATIENCE, loopback_name
from tests.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (80, 24)
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
"""What a program writes to begin and to end a screen of its own."""


def end_of(terminal: Terminal) -> tuple[int, str]:
    """Wait for the end; return the exit code and what was written after the screen."""
    code = terminal.finish()
    _, left, after = terminal.written.rpartition(LEAVE)
    assert left
    assert terminal.restored
    return code, after.decode()


def dashboard(home: Path, *more: str) -> Terminal:
    argv = [*COMMAND, "--home", str(home), "--name", "field-laptop", *(more or NOWHERE)]
    return Terminal(argv, SIZE, environment())


OPENING, OPEN = "joining the mesh", "Search"
"""Words that only the opening screen has, and only the main screen."""


def test_a_first_frame_comes_before_the_mesh(tmp_path: Path) -> None:
    with dashboard(tmp_path, "--mesh", "convoy", *NOWHERE) as terminal:
        terminal.until_seen(OPENING)
        terminal.until_seen("mesh\u00a0convoy")
        terminal.until_seen("field-laptop")
        terminal.until_seen(OPEN)
        terminal.press("2")
        terminal.until_seen("How it was checked")
        terminal.press("q")
        assert end_of(terminal)[0] == 0


@pytest.mark.parametrize("key", ["q", "\x11"])
@pytest.mark.parametrize("seen", [OPENING, OPEN])
def test_q_ends_it(tmp_path: Path, seen: str, key: str) -> None:
    with dashboard(tmp_path) as terminal:
        terminal.until_seen(seen)
        terminal.press(key)
        code, after = end_of(terminal)
        assert code == 0
        assert "Traceback" not in after


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("seen", [OPENING, OPEN])
def test_a_signal_ends_it_in_order(tmp_path: Path, seen: str, number: int) -> None:
    with dashboard(tmp_path) as terminal:
        terminal.until_seen(seen)
        terminal.process.send_signal(number)
        code, after = end_of(terminal)
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
    with Terminal(argv, SIZE, environment()) as terminal:
        terminal.until_written(ENTER)
        code, after = end_of(terminal)
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
        terminal.until_written(b"known: interfaces")
        assert terminal.process.wait(PATIENCE) == EXIT_CANNOT
    assert ENTER not in terminal.written


def test_what_keeps_the_mesh_from_opening_is_said_after_the_screen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        lan = ("--transport", "lan", "--interface", loopback_name(), "--listen", address)
        with dashboard(tmp_path, *lan) as terminal:
            terminal.until_seen(OPENING)
            code, after = end_of(terminal)
    assert code == EXIT_CANNOT
    (line,) = [text for text in after.splitlines() if "presence-tui:" in text]
    assert address.partition(":")[2] in line
    assert "internal error" not in line
    assert "Traceback" not in after
    assert not (tmp_path / "presence-tui.log").exists()


def test_keys_that_there_are_not_are_said_too(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[dashboard.keys]\n"app.qiut" = "x"')
    with dashboard(tmp_path) as terminal:
        code, after = end_of(terminal)
    assert code == EXIT_CANNOT
    assert "did you mean 'app.quit'" in after
