"""What others will see differently once metadata is published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.page import Line, Page, Span, Tone, line

MAX_ROWS = 200
"""Differences that are listed; more are counted."""

_PATH, _VALUE = 48, 72


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two values differ. ``sign``: ``+`` is new, ``-`` is gone, ``~`` changed.

    ``before`` and ``after`` are compact JSON, cut when long; empty where there is nothing.
    """

    sign: str
    path: str
    before: str = ""
    after: str = ""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return where two objects differ, new and changed keys first; lists are compared whole."""
    found = list(_inside(before, after, ""))
    return sorted(found, key=lambda one: one.sign == "-")


def _inside(before: Mapping[str, Any], after: Mapping[str, Any], above: str) -> list[Difference]:
    found = []
    for key, value in after.items():
        path = f"{above}{safe_text(key, limit=_PATH) or '(empty)'}"
        if key not in before:
            found.append(Difference("+", path, after=_value(value)))
            continue
        old = before[key]
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            found += _inside(old, value, f"{path} › ")
        elif _exact(old) != _exact(value):
            found.append(Difference("~", path, _value(old), _value(value)))
    found += [
        Difference("-", f"{above}{safe_text(key, limit=_PATH) or '(empty)'}", _value(value))
        for key, value in before.items()
        if key not in after
    ]
    return found


def difference_page(before: Mapping[str, Any], after: Mapping[str, Any]) -> Page:
    """Return what saving changes for others, a line a difference."""
    found = differences(before, after)
    if not found:
        return (line(Span("others see this already", Tone.DIM)),)
    lines = [line(Span(f"saving changes {len(found):,} of what others see", Tone.HEADING))]
    lines += [_line(one) for one in found[:MAX_ROWS]]
    if len(found) > MAX_ROWS:
        lines.append(line(Span(f"… and {len(found) - MAX_ROWS:,} more", Tone.DIM)))
    return tuple(lines)


def _line(one: Difference) -> Line:
    tone = {"+": Tone.GOOD, "-": Tone.BAD, "~": Tone.WARNING}[one.sign]
    values = " → ".join(filter(None, (one.before, one.after)))
    return line(Span(f"{one.sign} {one.path}", tone), f"  {values}", hang=4)


def _value(value: object) -> str:
    return safe_text(_exact(value), limit=_VALUE)


def _exact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=dict)
