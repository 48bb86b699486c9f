"""A real peer that means no good, seen through the real program in a real terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from tests.cli.command import COMMAND, environment
from tests.cli.hostile_peer import HOSTILE, METADATA
from tests.cli.test_dashboard import SIZE, end_of
from tests.support import loopback_name
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = b"]0;owned"
"""What is left of the name at the edge of the model, and fits its column."""

FORBIDDEN = (
    b"\x1b]0;",  # the title of the window
    b"owned\x07",  # Textual itself rings to end its own sequences
    b"\xc2\x9b",  # C1 as UTF-8
    b"\x1b[31mred",
    "\u202e".encode(),
    "\u2066".encode(),
    "\u200b".encode(),
)


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    path = tmp_path / "field.key"
    write_mesh_key(path, MeshKey.generate("field"))
    return path


@pytest.fixture
def peer(tmp_path: Path, mesh: Path) -> Iterator[None]:
    """Run the hostile peer."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.hostile_peer", str(tmp_path / "peer"), str(mesh)],
        stdin=subprocess.PIPE,
        env=environment(PYTHONPATH=str(root)),
        cwd=root,
    )
    yield
    process.communicate()


def options(tmp_path: Path, mesh: Path) -> list[str]:
    return [
        "--home", str(tmp_path / "home"), "--mesh-key-file", str(mesh),
        "--interface", loopback_name(), "--listen", "127.0.0.1:0",
    ]  # fmt: skip


@pytest.mark.usefixtures("peer")
def test_the_terminal_gets_text_and_nothing_else(tmp_path: Path, mesh: Path) -> None:
    argv = [*COMMAND, *options(tmp_path, mesh)]
    with Terminal(argv, SIZE, environment()) as terminal:
        terminal.until_seen("[@click")
        row = next(y for y, line in enumerate(terminal.lines) if SHOWN.decode() in line)
        terminal.click(terminal.lines[row].index("[@click") + 1, row)
        terminal.press("2")  # the identity pane shows what the peer says about itself
        terminal.until_seen("How it was checked")
        terminal.press("end")  # further down than the screen reaches
        terminal.until_seen("type=x, v=")
        assert terminal.process.poll() is None
        for sequence in FORBIDDEN:
            assert sequence not in terminal.written, terminal.written.partition(sequence)[0][-80:]
        terminal.press("q")
        code, after = end_of(terminal)
        assert code == 0
        assert "Traceback" not in after


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize("command", [("peers",), ("peers", "--csv"), ("show",)])
def test_tables_get_text_and_nothing_else(
    tmp_path: Path, mesh: Path, command: tuple[str, ...]
) -> None:
    until = ["--until-peers", "1", *options(tmp_path, mesh)]
    snapshot = subprocess.run(
        [*COMMAND, "--json", *until], capture_output=True, env=environment(), check=True
    )
    (shown,) = json.loads(snapshot.stdout)["remotePeers"]
    target = [shown["peerKey"]] if command == ("show",) else []
    done = subprocess.run(
        [*COMMAND, *command, *target, *until], capture_output=True, env=environment(), check=True
    )
    assert SHOWN in done.stdout
    for sequence in (*FORBIDDEN, b"\x1b", b"\x07"):
        assert sequence not in done.stdout


@pytest.mark.usefixtures("peer")
def test_json_carries_the_true_value_in_ascii(tmp_path: Path, mesh: Path) -> None:
    until = ["--until-peers", "1", *options(tmp_path, mesh)]
    done = subprocess.run(
        [*COMMAND, "--json", *until], capture_output=True, env=environment(), check=True
    )
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout
    (peer,) = json.loads(done.stdout)["remotePeers"]
    assert peer["deviceName"] == HOSTILE
    assert peer["peerMetadata"] == METADATA
