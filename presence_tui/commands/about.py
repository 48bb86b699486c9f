"""``schema`` and ``version``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core._version import __version__
from presence_tui import output

if TYPE_CHECKING:
    import argparse


def schema(_args: argparse.Namespace) -> int:
    """Print the JSON Schema of what the program prints as JSON."""
    from presence_core.schema import dumps, json_schema

    output.data(dumps(json_schema(), compact=False))
    return output.EXIT_DONE


def version(_args: argparse.Namespace) -> int:
    """Print the version."""
    output.data(f"presence-tui {__version__}")
    return output.EXIT_DONE
