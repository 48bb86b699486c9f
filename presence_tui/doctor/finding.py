"""What a check has found: a frozen value, whatever it is shown as."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from presence_core.model import ConditionState


class FindingState(StrEnum):
    """How it stands with what was looked at."""

    OK = "ok"
    OFF = "off"
    """Not there, or not wanted: nothing needs to be done."""
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be found out; that is no good news."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``found`` in words, ``hint`` what to do.

    Both may quote what a stranger chose: whoever shows them makes them safe first.
    """

    name: str
    state: FindingState
    found: str
    hint: str | None = None


def ok(name: str, found: str, hint: str | None = None) -> Finding:
    """Return that something is as it should be."""
    return Finding(name, FindingState.OK, found, hint)


def off(name: str, found: str, hint: str | None = None) -> Finding:
    """Return that something is not there, or not wanted."""
    return Finding(name, FindingState.OFF, found, hint)


def warning(name: str, found: str, hint: str | None = None) -> Finding:
    """Return that something is worth a look."""
    return Finding(name, FindingState.WARNING, found, hint)


def failed(name: str, found: str, hint: str | None = None) -> Finding:
    """Return that something does not work."""
    return Finding(name, FindingState.FAILED, found, hint)


def unknown(name: str, found: str, hint: str | None = None) -> Finding:
    """Return that something could not be found out."""
    return Finding(name, FindingState.UNKNOWN, found, hint)


def of_error(name: str, error: Exception, state: FindingState = FindingState.FAILED) -> Finding:
    """Return an error of ours: it says what is wrong, and after a semicolon what to do."""
    found, _, hint = str(error).partition("; ")
    return Finding(name, state, found, hint or None)


def of_condition(
    name: str, state: ConditionState, message: str | None, hint: str | None
) -> Finding:
    """Return what an engine says of itself, or would say."""
    return Finding(name, FindingState(str(state)), message or "works", hint)


def worst(findings: Iterable[Finding]) -> FindingState:
    """Return how it stands with all of them together."""
    states = {one.state for one in findings}
    return next((state for state in _WORST_FIRST if state in states), FindingState.OK)


_WORST_FIRST = (FindingState.FAILED, FindingState.WARNING, FindingState.UNKNOWN)


def listed(texts: Iterable[str]) -> str:
    """Name some, and count the others."""
    every = list(texts)
    more = f", and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


_SHOWN = 6
