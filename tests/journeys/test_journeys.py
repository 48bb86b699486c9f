"""What a new user wants to know, at real dashboards in a terminal: docs/journeys.txt, replayed.

``at`` names the device whose dashboard one sits at: ``command-post`` is that of the demo, the other
two are a mesh of their own. ``press`` presses keys, ``click`` clicks on a text, ``write`` writes
one, ``see`` waits for a text, or for a pattern between slashes.
"""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from presence_core.identity.mesh import MeshKey
from tests.cli.command import COMMAND, environment, on_loopback
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
SIZES = ((80, 24), (160, 48))
KEYS = 5

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")


@dataclass
class Journey:
    """A question, where one sits, and the steps to its answer."""

    title: str
    device: str = ""
    steps: list[tuple[str, str]] = field(default_factory=list)

    @property
    def presses(self) -> int:
        return sum(len(what.split()) for verb, what in self.steps if verb == "press")

    @property
    def clicks(self) -> int:
        return sum(verb == "click" for verb, _ in self.steps)


def journeys() -> list[Journey]:
    found: list[Journey] = []
    for line in (DOCS / "journeys.txt").read_text(encoding="utf-8").splitlines():
        verb, _, what = line.partition(" ")
        if verb == "#":
            found.append(Journey(what))
        elif verb == "at":
            found[-1].device = what
        elif verb:
            assert verb in {"press", "click", "write", "see"}, line
            found[-1].steps.append((verb, what))
    return found


def take(journey: Journey, terminal: Terminal) -> None:
    """Do the steps of a journey; fail when something is not seen."""
    for verb, what in journey.steps:
        if verb != "see":
            terminal.settle()
        if verb == "press":
            terminal.press(*what.split())
        elif verb == "write":
            terminal.press(what)
        elif verb == "click":
            terminal.until_seen(what)
            line = next(n for n, text in enumerate(terminal.lines) if what in text)
            terminal.click(terminal.lines[line].index(what), line)
        elif what.startswith("/"):
            terminal.until(partial(_matches, terminal, what[1:-1]))
        else:
            terminal.until_seen(what)


def _matches(terminal: Terminal, pattern: str) -> bool:
    return re.search(pattern, terminal.text) is not None


@contextlib.contextmanager
def pair(folder: Path, size: tuple[int, int]) -> Iterator[dict[str, Terminal]]:
    """Run the dashboards of two devices that see each other."""
    mesh = MeshKey.generate("pair")
    with contextlib.ExitStack() as stack:
        there = {
            name: stack.enter_context(
                Terminal(
                    [
                        *COMMAND,
                        *on_loopback(folder / name, mesh),
                        "--metadata",
                        '{"role": "medic"}',
                    ],
                    size,
                    environment(),
                )
            )
            for name in ("field-laptop", "colleague")
        }
        there["field-laptop"].until_seen("colleague")
        there["colleague"].until_seen("field-laptop")
        there["colleague"].until_seen("online")
        yield there


def test_each_answer_is_five_keys_or_a_click_away() -> None:
    found = journeys()
    assert len(found) >= 7
    for journey in found:
        assert journey.presses <= KEYS, journey.title
        assert journey.clicks <= 1, journey.title
        assert journey.presses == 0 or journey.clicks == 0, journey.title
        assert journey.steps[-1][0] == "see", journey.title


def test_the_page_about_the_dashboard_shows_the_script() -> None:
    assert (DOCS / "journeys.txt").read_text("utf-8") in (DOCS / "ui.md").read_text("utf-8")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_journeys_at_the_demo(size: tuple[int, int]) -> None:
    with Terminal([*COMMAND, "--demo"], size, environment()) as terminal:
        terminal.until_seen("radio-relay")
        terminal.until_seen("mismatch")  # everybody has logged in
        for journey in journeys():
            if journey.device == "command-post":
                take(journey, terminal)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_journeys_of_two_devices(size: tuple[int, int], tmp_path: Path) -> None:
    with pair(tmp_path, size) as devices:
        for journey in journeys():
            if journey.device in devices:
                take(journey, devices[journey.device])


def test_keys_that_are_written_at_once_arrive_one_after_the_other() -> None:
    """That is how a slow line brings them, or a person who knows the way."""
    with Terminal([*COMMAND, "--demo"], (80, 24), environment()) as terminal:
        terminal.until_seen("radio-relay")
        terminal.press("/rad\r2")
        terminal.until(partial(_matches, terminal, r"(?s)\[?2.*radio-relay.*copied"))
        terminal.press("3v")
        terminal.until_seen("Verify this key?")
        terminal.press("n8f")
        terminal.until_seen("only peers")
        terminal.press('4"z": 1, ')
        terminal.until_seen('"z": 1, ')
        assert terminal.process.poll() is None
