"""The terminal: whether the dashboard has room, colours and letters there."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from presence_tui.doctor.finding import Finding, off, ok, warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from presence_tui.doctor.examination import Case

NAME = "terminal"
COLUMNS, LINES = 80, 24
"""What the dashboard needs at least."""


def look(_case: Case) -> Sequence[Finding]:
    """Look at the terminal that this runs in, if it does in one."""
    size = _size()
    if size is None:
        return [off(NAME, "this does not run in a terminal, which only the dashboard needs")]
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return [judge(size, encoding, os.environ)]


def _size() -> os.terminal_size | None:
    """Return the size of the terminal; 1, 2, 0: what is printed may go into a pipe."""
    for descriptor in (1, 2, 0):
        try:
            return os.get_terminal_size(descriptor)
        except OSError:
            continue
    return None


def judge(size: tuple[int, int], encoding: str, environment: Mapping[str, str]) -> Finding:
    """Judge a terminal by its size (columns, lines), the encoding, and the environment."""
    columns, lines = size
    kind = environment.get("TERM", "")
    unicode = encoding.lower().startswith("utf")
    colours = _colours(kind, environment)
    said = (
        f"{columns} x {lines}, {colours}, {'Unicode' if unicode else f'letters of {encoding} only'}"
        f", TERM is {kind or 'not set'}"
    )
    if kind in ("", "dumb", "unknown"):
        return warning(
            NAME, f"{said}: it may not know what a screen is", "export TERM=xterm-256color"
        )
    if columns < COLUMNS or lines < LINES:
        hint = f"make it {COLUMNS} x {LINES} or larger"
        return warning(NAME, f"{said}: the dashboard has too little room", hint)
    if not unicode:
        hint = "choose a UTF-8 locale, as export LC_ALL=C.UTF-8"
        return warning(NAME, f"{said}: the dashboard shows ASCII only", hint)
    return ok(NAME, said)


def _colours(kind: str, environment: Mapping[str, str]) -> str:
    if environment.get("NO_COLOR"):
        return "no colours, as NO_COLOR asks for"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million colours"
    return "256 colours" if "256color" in kind else "16 colours or less"
