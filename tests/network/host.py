"""A peer on a host of the lab: the command line, as a process, and what it has printed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from presence_core.schema import json_schema
from tests.network.lab import Lab
from tests.network.ways import wrong_ways

PATIENCE = 60.0
"""Seconds after which a test gives up waiting; never a bound that is asserted."""

PROGRAM = [sys.executable, "-m", "presence_tui"]
VALID = jsonschema.Draft202012Validator(json_schema())


class Program:
    """A program on a host that prints lines of JSON: what it has printed so far."""

    def __init__(self, lab: Lab, number: int, name: str, command: list[str]) -> None:
        self.number = number
        self.name = name
        self.lines: list[dict[str, Any]] = []
        self._wrong: jsonschema.ValidationError | None = None
        self._arrived = threading.Condition()
        self.process = lab.popen(
            number, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):
            for text in self._out:
                value = json.loads(text)
                wrong = self._judge(value)
                with self._arrived:
                    self._wrong = self._wrong or wrong
                    self.lines.append(value)
                    self._arrived.notify_all()

    def _judge(self, line: dict[str, Any]) -> jsonschema.ValidationError | None:
        """Say what is wrong with the form of a line."""
        return None

    def until(
        self, condition: Callable[[dict[str, Any]], bool], what: str, *, after: int = 0
    ) -> dict[str, Any]:
        """Wait for a line that fulfils a condition, from line number ``after`` on."""
        deadline = time.monotonic() + PATIENCE
        at = after
        with self._arrived:
            while True:
                if self._wrong is not None:
                    raise self._wrong
                for line in self.lines[at:]:
                    if condition(line):
                        return line
                at = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    raise AssertionError(f"{self.name}: {what} never came: {digest(self.lines)}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        return int(self.process.wait(PATIENCE))


class Host(Program):
    """A ``presence-tui --json --watch`` on a host, started as ``program``.

    Every line is checked against the schema as it comes, unless ``checked`` is off.
    """

    def __init__(
        self,
        lab: Lab,
        number: int,
        home: Path,
        *options: str,
        checked: bool = True,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.home = home
        self._checked = checked
        name = f"h{number}"
        command = [*program, "--json", "--watch", "--home", str(home), "--name", name]
        super().__init__(lab, number, name, [*command, *options])

    def _judge(self, line: dict[str, Any]) -> jsonschema.ValidationError | None:
        return jsonschema.exceptions.best_match(VALID.iter_errors(line)) if self._checked else None

    def until_sees(self, *names: str, after: int = 0) -> dict[str, Any]:
        """Wait for a snapshot (``--full``) that shows just these as online."""
        return self.until(
            lambda line: line["schema"] == "presence-graph/1" and online(line) == set(names),
            f"a snapshot with {sorted(names)} online",
            after=after,
        )

    def until_change(self, kind: str, *, after: int = 0) -> dict[str, Any]:
        """Wait for a change of a kind."""
        return self.until(lambda line: line.get("kind") == kind, kind, after=after)

    def hears_nothing_of(self, kind: str, seconds: float, *, after: int) -> bool:
        """Watch for so many seconds whether a change of a kind stays away."""

        def came() -> bool:
            return any(line.get("kind") == kind for line in self.lines[after:])

        with self._arrived:
            return not self._arrived.wait_for(came, seconds)


def digest(lines: list[dict[str, Any]]) -> list[Any]:
    """Return of the last lines what a person needs to see why a test waited in vain."""
    return [
        (line["view"]["state"], states(line), wrong_ways(line))
        if "remotePeers" in line
        else (line["kind"], line["before"], line["after"])
        if "kind" in line
        else line
        for line in lines[-3:]
    ]


def states(graph: dict[str, Any]) -> dict[str, str]:
    """Return the presence of each remote peer of a graph, by its name."""
    return {p["deviceName"]: p["presence"]["state"] for p in graph["remotePeers"]}


def online(graph: dict[str, Any]) -> set[str]:
    """Return the names of those that a graph shows online."""
    return {name for name, state in states(graph).items() if state == "online"}


def whole(graph: dict[str, Any], *, others: set[str]) -> bool:
    """Whether a graph of three shows the others direct, and every link between them confirmed."""
    return (
        online(graph) == others
        and all(p["presence"]["direct"] for p in graph["remotePeers"])
        and len(graph["connections"]) == 3
        and all(c["confirmed"] for c in graph["connections"].values())
    )
