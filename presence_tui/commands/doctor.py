"""``doctor``: what works on this machine, what does not, and what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from presence_core.schema import dumps
from presence_tui import output
from presence_tui.doctor.examination import examine
from presence_tui.doctor.finding import FindingState, worst
from presence_tui.doctor.report import lines, to_json

if TYPE_CHECKING:
    import argparse


def doctor(args: argparse.Namespace) -> int:
    """Print what was found. 1 when something does not work; a warning is no failure."""
    findings = asyncio.run(examine(args))
    if args.json:
        output.data(dumps(to_json(findings, datetime.now(UTC)), compact=args.compact))
    else:
        for line in lines(findings, colours=_colours()):
            output.data(line if _unicode() else _plain(line))
    return output.EXIT_NO if worst(findings) is FindingState.FAILED else output.EXIT_DONE


def _colours() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb")
    return sys.stdout.isatty() and not plain


def _unicode() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "ascii").lower().startswith("utf")


def _plain(line: str) -> str:
    from presence_tui.viewmodel.ascii import to_ascii

    return to_ascii(line)
