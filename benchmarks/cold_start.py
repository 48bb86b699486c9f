"""What starting each command costs: milliseconds and modules, beside a bare interpreter.

Run with ``make cold-start``. Medians of a few runs, in this one run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

RUNS = 5
_COUNT = (
    "import sys, atexit; atexit.register(lambda: sys.stderr.write("
    "f'\\nMODULES {len(sys.modules)} ' + ' '.join(sorted("
    "m for m in ('textual', 'rich', 'zeroconf', 'bleak', 'cryptography', 'cbor2')"
    " if m in sys.modules))))"
    "; sys.argv[0] = 'presence-tui'; from presence_tui.__main__ import main; main()"
)


def measure(arguments: list[str] | None, home: str) -> tuple[float, int, str]:
    """Return milliseconds, modules, and which of the heavy packages were loaded."""
    environment = {**os.environ, "PRESENCE_HOME": home}
    if arguments is None:
        command = [
            sys.executable,
            "-c",
            "import sys; sys.stderr.write(f'MODULES {len(sys.modules)} ')",
        ]
    else:
        command = [sys.executable, "-c", _COUNT, *arguments]
    times, modules, heavy = [], 0, ""
    for _ in range(RUNS):
        began = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        times.append((time.perf_counter() - began) * 1000)
        said = done.stderr.rpartition("MODULES ")[2].split()
        modules, heavy = int(said[0]), " ".join(said[1:])
    return median(times), modules, heavy


def main() -> None:
    """Print the table."""
    commands: list[tuple[str, list[str] | None]] = [
        ("(bare interpreter)", None),
        ("--version", ["--version"]),
        ("--help", ["--help"]),
        ("schema", ["schema"]),
        ("key show", ["key", "show"]),
        ("metadata get", ["metadata", "get"]),
        ("--json --transport none", ["--json", "--transport", "none", "--compact"]),
        (
            "--json --wait 0",
            ["--json", "--interface", "lo", "--wait", "0"],
        ),
    ]
    with tempfile.TemporaryDirectory() as folder:
        home = str(Path(folder) / "home")
        print(f"{'command':28} {'ms':>7} {'modules':>8}  heavy packages loaded")
        for name, arguments in commands:
            milliseconds, modules, heavy = measure(arguments, home)
            print(f"{name:28} {milliseconds:7.0f} {modules:8}  {heavy or '-'}")


if __name__ == "__main__":
    main()
