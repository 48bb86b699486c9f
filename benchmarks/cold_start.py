"""What starting each command costs: milliseconds and modules, beside a bare interpreter.

Run with ``make cold-start``. Medians of a few runs, one command after the other, in this one run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

RUNS = 7
HEAVY = ("textual", "rich", "zeroconf", "bleak", "cryptography", "cbor2")

_COUNT = f"""
import atexit, sys
def report():
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    print("MODULES", len(sys.modules), *heavy, file=sys.stderr)
atexit.register(report)
"""
_MAIN = "from presence_tui.__main__ import main; main()"
_APP = "import presence_tui.app, presence_core.presence, presence_core.discovery.mdns"

COMMANDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("(bare interpreter)", "pass", ()),
    ("--version", _MAIN, ("--version",)),
    ("--help", _MAIN, ("--help",)),
    ("schema", _MAIN, ("schema",)),
    ("key show", _MAIN, ("key", "show")),
    ("metadata get", _MAIN, ("metadata", "get")),
    ("--json --transport none", _MAIN, ("--json", "--transport", "none")),
    (
        "--json --wait 0",
        _MAIN,
        ("--json", "--wait", "0", "--interface", "lo", "--listen", "127.0.0.1:0"),
    ),
    ("(imports of the dashboard)", _APP, ()),
)


def run(code: str, arguments: tuple[str, ...], home: Path) -> tuple[float, str]:
    """Run code in an interpreter of its own; return milliseconds and what it said on stderr."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PRESENCE_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    milliseconds = (time.perf_counter() - began) * 1000
    # 3: the view is blind, as it must be where nobody else is
    if done.returncode not in (0, 3) or "Traceback" in done.stderr:
        sys.exit(f"{' '.join(arguments) or code} ended with {done.returncode}:\n{done.stderr}")
    return milliseconds, done.stderr


def main() -> None:
    """Print the table."""
    print(f"{'command':28} {'ms':>6} {'modules':>8}  heavy packages loaded")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        for name, code, arguments in COMMANDS:
            _, said = run(_COUNT + code, arguments, home)
            modules, *heavy = said.rpartition("MODULES ")[2].split()
            times = [run(code, arguments, home)[0] for _ in range(RUNS)]
            print(f"{name:28} {median(times):6.0f} {modules:>8}  {' '.join(heavy) or '-'}")


if __name__ == "__main__":
    main()
