"""What starting costs is decided by what is imported: proof by running, beside import-linter's."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import presence_core

SCREEN = ("textual", "rich")
HEAVY = (*SCREEN, "zeroconf", "bleak", "cryptography", "cbor2")


def loaded(code: str, *argv: str, home: Path) -> set[str]:
    """Run code in an interpreter of its own, and return the top names of what it has loaded."""
    report = "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import atexit, sys\natexit.register(lambda: {report})\n{code}",
            *argv,
        ],
        env={**os.environ, "PRESENCE_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert not done.stderr.count("Traceback"), done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def core_modules() -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages(presence_core.__path__, "presence_core.")
        if not module.ispkg
    ]


def test_the_engine_loads_no_screen(tmp_path: Path) -> None:
    modules = core_modules()
    assert "presence_core.engine.node" in modules
    names = loaded("\n".join(f"import {name}" for name in modules), home=tmp_path)
    assert "presence_core" in names
    assert not names & {*SCREEN, "presence_tui"}


def test_the_engine_of_a_lan_loads_no_bluetooth(tmp_path: Path) -> None:
    assert "bleak" not in loaded("from presence_core import Presence", home=tmp_path)


def test_public_names_cost_nothing_until_they_are_used(tmp_path: Path) -> None:
    assert not loaded("import presence_core; dir(presence_core)", home=tmp_path) & set(HEAVY)


@pytest.mark.parametrize(
    ("argv", "allowed"),
    [
        (["--version"], set()),
        (["version"], set()),
        (["--help"], set()),
        (["peers", "--help"], set()),
        (["schema"], set()),
        (["key", "show"], {"cryptography"}),
        (["metadata", "get"], {"cryptography", "cbor2"}),
        (["mesh", "show"], {"cryptography"}),
        (["--json", "--transport", "none"], {"cryptography", "cbor2"}),
        (
            ["--json", "--interface", "lo", "--listen", "127.0.0.1:0", "--wait", "0"],
            {"cryptography", "cbor2", "zeroconf"},
        ),
    ],
    ids=" ".join,
)
def test_a_command_loads_what_it_needs_and_no_more(
    argv: list[str], allowed: set[str], tmp_path: Path
) -> None:
    names = loaded("from presence_tui.__main__ import main; main()", *argv, home=tmp_path / "home")
    assert "presence_tui" in names
    assert names & set(HEAVY) <= allowed
