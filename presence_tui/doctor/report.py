"""The findings as people read them and as programs do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presence_core._version import __version__
from presence_core.codec.text import safe_text
from presence_core.model import ConditionState
from presence_core.schema import DOCTOR_SCHEMA, time_to_json
from presence_tui.doctor.finding import FindingState, worst
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.words import condition_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from presence_tui.doctor.finding import Finding

_MOST = 1_000
_STATE_WIDTH = 11

_COLOURS = {Tone.GOOD: "32", Tone.WARNING: "33", Tone.BAD: "31", Tone.DIM: "2"}
"""SGR parameters (ECMA-48 §8.3.117): a terminal's own green, yellow and red."""


def lines(findings: Sequence[Finding], *, colours: bool) -> list[str]:
    """Return a line for each finding, what to do below it, and the verdict last."""
    width = max(len(one.name) for one in findings)
    shown = []
    for one in findings:
        words = _words(one.state)
        state = words.text.ljust(_STATE_WIDTH)
        if colours:
            state = f"\x1b[{_COLOURS[words.tone]}m{state}\x1b[0m"
        shown.append(f"{state}{one.name.ljust(width)}  {safe_text(one.found, limit=_MOST)}")
        if one.hint:
            shown.append(f"{' ' * (_STATE_WIDTH + width + 2)}what to do: {_safe(one.hint)}")
    return [*shown, verdict(findings)]


def _safe(text: str) -> str:
    return safe_text(text, limit=_MOST)


def _words(state: FindingState) -> Span:
    """Return sign and word: the same as of conditions in the dashboard."""
    if state is FindingState.UNKNOWN:
        return Span("? unknown", Tone.WARNING)
    return condition_words(ConditionState(str(state)))


def verdict(findings: Sequence[Finding]) -> str:
    """Say in numbers how it stands, the worst first."""
    counts = [(state, sum(one.state is state for one in findings)) for state in _ORDER]
    return ", ".join(
        f"{count} {'warnings' if state is FindingState.WARNING and count != 1 else state}"
        for state, count in counts
    )


_ORDER = (
    FindingState.FAILED,
    FindingState.WARNING,
    FindingState.UNKNOWN,
    FindingState.OK,
    FindingState.OFF,
)


def to_json(findings: Sequence[Finding], now: datetime) -> dict[str, Any]:
    """Return the JSON form of a report (``presence-doctor/1``)."""
    return {
        "schema": DOCTOR_SCHEMA,
        "generatedAt": time_to_json(now),
        "version": __version__,
        "verdict": str(worst(findings)),
        "findings": [
            {"name": one.name, "state": str(one.state), "found": one.found, "hint": one.hint}
            for one in findings
        ],
    }
