"""Running the command line as people and scripts do: as a process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from presence_core.identity.keyfile import write_mesh_key
from tests.support import PATIENCE, loopback_name
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from presence_core.identity.mesh import MeshKey

COMMAND = (sys.executable, "-m", "presence_tui")
NOWHERE = ("--transport", "none")
"""Options of an engine that talks to nobody."""


@dataclass(frozen=True)
class Answer:
    """What a command has said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Return an environment without settings of ours; the fixtures have set the rest."""
    return {**os.environ, "PYTHONWARNINGS": "error::ResourceWarning", **more}


def run(*argv: str | Path, stdin: str | bytes = "", env: dict[str, str] | None = None) -> Answer:
    """Run a command to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, argv)],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=2 * PATIENCE,
        env=env if env is not None else environment(),
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def at_terminal(
    *argv: str | Path, typed: str = "", prompt: str = "", colours: bool = False
) -> tuple[int, str]:
    """Run a command at a terminal, type something when it asks; return code and output."""
    look = {} if colours else {"NO_COLOR": "1"}
    with Terminal([*COMMAND, *map(str, argv)], (80, 24), environment(**look)) as terminal:
        if prompt:
            terminal.until_written(prompt.encode())
            terminal.press(typed)
        return terminal.finish(), terminal.written.decode()


def refused(answer: Answer, code: int) -> str:
    """Check that a command has said no as it should: nothing on stdout, one line on stderr."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.startswith("presence-tui: ")
    assert answer.err.endswith("\n")
    assert answer.err.count("\n") == 1, answer.err
    return answer.err


def on_loopback(home: Path, mesh: MeshKey) -> list[str]:
    """Return the options of an engine that lives on loopback, as tests.support.config does."""
    key_file = home.parent / f"{home.name}.mesh"
    if not key_file.exists():
        write_mesh_key(key_file, mesh)
    return [
        *("--home", str(home), "--name", home.name, "--mesh-key-file", str(key_file)),
        *("--listen", "127.0.0.1:0", "--interface", loopback_name()),
    ]


class Stream:
    """A command that prints lines until it is ended. A context manager, which ends it."""

    def __init__(self, *argv: str | Path, stdout: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment(),
            bufsize=0,
        )
        self.seen: list[dict[str, Any]] = []
        self._unread = b""

    def lines(self) -> Iterator[dict[str, Any]]:
        """Read lines as they come; fail when none does for as long as tests wait."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while True:
            while b"\n" in self._unread:
                line, _, self._unread = self._unread.partition(b"\n")
                value = json.loads(line)
                self.seen.append(value)
                yield value
            ready, _, _ = select.select([descriptor], [], [], PATIENCE)
            if not ready:
                raise AssertionError(f"nothing more came after {self.seen}")
            more = os.read(descriptor, 65_536)
            if not more:
                return
            self._unread += more

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read until a line fulfils a condition; return it."""
        for value in self.lines():
            if condition(value):
                return value
        raise AssertionError(f"the stream ended: {self.finish()}; {self.seen}")

    def kind(self, kind: str) -> dict[str, Any]:
        """Read until a change of a kind."""
        return self.until(lambda value: value.get("kind") == kind)

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what is on stderr."""
        assert self.process.stderr is not None
        code = self.process.wait(PATIENCE)
        return code, self.process.stderr.read().decode()

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        return self.finish()

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
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
