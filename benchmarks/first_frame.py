"""How long until the first frame: our dashboard beside other programs of its kind, in one run.

Each program starts in a pseudo-terminal of 120 by 36 (pyte is the terminal) and is measured from
``exec`` until a text of its first frame is on the screen; all of them once in every round, so that
they find the same machine. Medians, and the ratio to a minimal Textual app: one line of text.

* ``presence-tui`` with a home of its own that has a key already, on loopback: the header with the
  device's name, then ``mesh``, the main screen over a running engine; and ``--demo``, the header
  that says what is being started, then the main screen over the first of 8 engines.
* NomadNet (LXMF over Reticulum, on urwid) with a configuration of its own without interfaces: its
  first frame is a splash that stays for a second; ``menu`` is the first one with content.
* contact (Meshtastic, on curses) with ``--demo-screenshot``, which needs no device and no network:
  its first frame with content, as its splash is gone before it can be seen then.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "core"), str(ROOT)]

from tests.support import loopback_name
from tests.terminal import Terminal

SIZE = (120, 36)
BUDGET = 1.5
RUNS = 9
PEERS = ROOT / ".venv-peers" / "bin"

_MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("hello from here")
Minimal().run()
"""

_RETICULUM = "[reticulum]\n  enable_transport = no\n  share_instance = no\n[interfaces]\n"


@dataclass(frozen=True)
class Program:
    """A program, and the texts that show how far it is, in the order in which they come."""

    name: str
    argv: tuple[str, ...]
    marks: tuple[tuple[str, str], ...]
    prepare: Callable[[Path], None] = lambda folder: None


def _reticulum(folder: Path) -> None:
    (folder / "rns").mkdir(exist_ok=True)
    (folder / "rns" / "config").write_text(_RETICULUM)


def programs() -> list[Program]:
    """Return what there is to measure here. ``{}`` in an argument is a folder of the program's."""
    ours = (sys.executable, "-m", "presence_tui")
    own = ("--home", "{}/home", "--name", "field-laptop", "--interface", loopback_name())
    found = [
        Program("minimal Textual app", (sys.executable, "-c", _MINIMAL), (("", "hello from"),)),
        Program(
            "presence-tui",
            (*ours, *own, "--listen", "127.0.0.1:0"),
            (("", "field-laptop"), ("mesh", "IDENTITY")),
        ),
        Program(
            "presence-tui --demo",
            (*ours, "--demo"),
            (("", "8 engines"), ("mesh", "command-post")),
        ),
    ]
    others = (
        Program(
            "NomadNet",
            (str(PEERS / "nomadnet"), "-t", "--config", "{}/nomad", "--rnsconfig", "{}/rns"),
            (("splash", ""), ("menu", "[ Conversations ]")),
            _reticulum,
        ),
        Program(
            "contact",
            (str(PEERS / "contact"), "--demo-screenshot"),
            (("", "Nodes:"),),
        ),
    )
    for other in others:
        if Path(other.argv[0]).exists():
            found.append(other)
        else:
            print(f"{other.name} is not in .venv-peers: the benchmark goes without it")
    return found


def measure(program: Program, folder: Path) -> list[float]:
    """Return the milliseconds from the start to each mark."""
    argv = [word.replace("{}", str(folder)) for word in program.argv]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    with Terminal(argv, SIZE, environment) as terminal:
        times = []
        for _, mark in program.marks:
            # A text of "" stands for anything at all.
            came = terminal.until(partial(_shows, terminal, mark))
            times.append((came - terminal.began) * 1000)
        return times


def _shows(terminal: Terminal, mark: str) -> bool:
    return bool(terminal.text.strip()) and mark in terminal.text


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer rounds")
    runs = 3 if parser.parse_args().short else RUNS
    found = programs()
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(runs + 1):  # the first is for the caches, and for homes to be made
            for place, program in enumerate(found):
                folder = Path(name) / str(place)
                folder.mkdir(exist_ok=True)
                program.prepare(folder)
                spent = measure(program, folder)
                for (what, _), one in zip(program.marks, spent, strict=True):
                    if number:
                        times.setdefault((program.name, what), []).append(one)
    base = median(times[found[0].name, ""])
    print(f"first frame, {SIZE[0]}x{SIZE[1]}, median (least) of {runs}, ratio to a minimal app")
    for (who, what), spent in times.items():
        title = f"{who}, {what}" if what else who
        print(f"{title:24} {median(spent):7.0f} ms ({min(spent):5.0f}) {median(spent) / base:6.2f}")
    ours = max(median(times[who, ""]) for who, _ in times if who.startswith("presence"))
    print(
        f"budget of {BUDGET} times a minimal app: {'kept' if ours <= BUDGET * base else 'NOT kept'}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
