"""The conditions pane: what works, what does not, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import Condition, ConditionState, PresenceGraph
from presence_tui.viewmodel.moments import stamp
from presence_tui.viewmodel.names import Names
from presence_tui.viewmodel.page import BLANK, Line, Page, Span, Tone, line
from presence_tui.viewmodel.words import condition_words, view_words

if TYPE_CHECKING:
    from datetime import datetime

_NAMES = {
    "lan": "LAN connections",
    "mdns": "finding peers (mDNS)",
    "ble": "Bluetooth",
    "static": "configured addresses",
    "mesh": "other meshes",
    "neighbours": "room for links",
    "admission": "admission",
    "gossip": "what neighbours send",
    "clock": "clock",
    "home": "files",
    "trust": "trusted keys",
}
_MOST = 800
_ORDER = (
    ConditionState.FAILED,
    ConditionState.WARNING,
    ConditionState.OK,
    ConditionState.OFF,
)


def conditions_page(graph: PresenceGraph, now: datetime) -> Page:
    """Return the view and all conditions, the worst first."""
    view = view_words(graph.view.state)
    lines: list[Line] = [
        line(
            Span("view ", Tone.DIM), view, Span(f"  since {stamp(graph.view.since, now)}", Tone.DIM)
        )
    ]
    if graph.view.reason:
        lines.append(line(safe_text(graph.view.reason, limit=400), indent=2))
    lines.append(BLANK)
    names = Names(graph)
    worst_first = sorted(graph.conditions, key=lambda c: (_ORDER.index(c.state), c.source))
    for condition in worst_first:
        lines += _condition(condition, now, names)
    return tuple(lines)


def source_name(source: str) -> str:
    """Return what a source of conditions is called on the screen."""
    return _NAMES.get(source, safe_text(source))


def _condition(condition: Condition, now: datetime, names: Names) -> list[Line]:
    words = condition_words(condition.state)
    name = source_name(condition.source)
    troubled = condition.state in (ConditionState.WARNING, ConditionState.FAILED)
    since = Span(f"  since {stamp(condition.since, now)}", Tone.DIM) if troubled else Span("")
    lines = [line(Span(words.text.ljust(11), words.tone), Span(name), since, hang=11)]
    if condition.message:
        message = names.put_into(safe_text(condition.message, limit=_MOST))
        lines.append(line(message, indent=2))
    if condition.hint:
        lines.append(
            line(
                Span("what to do: ", Tone.DIM),
                safe_text(condition.hint, limit=_MOST),
                indent=2,
                hang=4,
            )
        )
    if troubled:
        lines.append(BLANK)
    return lines
