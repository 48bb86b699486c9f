"""The clock, judged by what must lie before now. Nobody is asked."""

from __future__ import annotations

import contextlib
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from presence_core.identity.keyfile import HomeError, read_epoch
from presence_core.identity.token import LEEWAY
from presence_tui.doctor.finding import Finding, failed, ok, warning
from presence_tui.viewmodel.moments import span_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from presence_tui.doctor.examination import Case

NAME = "clock"
YEARS = 20
"""Whoever runs a version of this program that long after it was built has a wrong clock."""

_YEAR = 366 * 86_400
_SET = "set the clock: times shown and the validity of identities depend on it"


def look(case: Case) -> Sequence[Finding]:
    """Compare the clock with when the program was made and when it last ran."""
    return [judge(time.time(), built=_built(), ran=_ran(case.home))]


def _built() -> Mapping[str, float]:
    """Return when what runs here was made, as far as that can be seen, in Unix seconds."""
    built = {}
    with contextlib.suppress(OSError):
        built["this program was installed"] = Path(__file__).stat().st_mtime
    with contextlib.suppress(ValueError, OverflowError):
        day = " ".join(platform.python_build()[1].split()[:3])
        made = datetime.strptime(day, "%b %d %Y").replace(tzinfo=UTC)
        built["this Python was built"] = made.timestamp()
    return built


def _ran(home: Path) -> float | None:
    """Return when an engine last started here: epochs are times, and only grow."""
    with contextlib.suppress(HomeError):
        epoch = read_epoch(home)
        return None if epoch is None else epoch / 1000
    return None


def judge(now: float, *, built: Mapping[str, float], ran: float | None) -> Finding:
    """Judge the clock by what lies in the past; all in Unix seconds."""
    said = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    for what, then in built.items():
        if now < then - LEEWAY:
            return failed(NAME, f"{said} is before {what}, {_day(then)}", _SET)
    if ran is not None and now < ran - LEEWAY:
        behind = span_words(ran - now)
        return warning(NAME, f"{said} is {behind} before an engine last started here", _SET)
    if built and now > max(built.values()) + YEARS * _YEAR:
        return warning(NAME, f"{said} is more than {YEARS} years after this was built", _SET)
    return ok(NAME, f"{said}, which can be true; an engine compares it with its neighbours")


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
