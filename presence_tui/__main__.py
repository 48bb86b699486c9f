"""Entry point: ``presence-tui`` and ``python -m presence_tui``."""

from __future__ import annotations

import sys

from presence_tui.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
