"""The header: the four questions answered at a look."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import ConditionState, PresenceGraph, ViewState
from presence_tui.viewmodel.local_peer import mesh_words
from presence_tui.viewmodel.moments import stamp
from presence_tui.viewmodel.page import Line, Page, Span, Tone, line, unbroken
from presence_tui.viewmodel.words import LAST_KNOWN, UNSURE, condition_words, view_words

if TYPE_CHECKING:
    from datetime import datetime

    from presence_tui.viewmodel.tally import Tally

_WAYS = {
    "lan": "LAN",
    "mdns": "mDNS",
    "ble": "Bluetooth",
    "websocket": "WebSocket",
    "uplink": "server",
}
"""Conditions that are a way to other peers; every other one is a notice when it is not fine."""

_TROUBLE = (ConditionState.WARNING, ConditionState.FAILED)
_GAP = "  "
_DOT = "\u00a0· "


def header_page(graph: PresenceGraph, tally: Tally, now: datetime) -> Page:
    """Return the header: who, where and over what; how good the view is, and how many."""
    return (_who(graph), _how(graph, tally, now))


def _who(graph: PresenceGraph) -> Line:
    word, tone, _ = mesh_words(graph.mesh)
    local = graph.local_peer
    parts: list[str | Span] = [
        Span("mesh\u00a0", Tone.DIM),
        Span(unbroken(safe_text(graph.mesh.name, limit=32)), Tone.HEADING),
        Span(f"\u00a0{word}", tone),
        _GAP,
        Span(unbroken(safe_text(local.device_name, limit=32) or "(no name)"), Tone.STRONG),
        Span(f"\u00a0{safe_text(local.short_id, limit=16)}", Tone.KEY),
    ]
    for condition in graph.conditions:
        name = _WAYS.get(condition.source)
        if name is not None:
            state = condition_words(condition.state)
            parts += [_GAP, Span(f"{name}\u00a0", Tone.DIM), Span(unbroken(state.text), state.tone)]
    troubles = [c.state for c in graph.conditions if c.state in _TROUBLE and c.source not in _WAYS]
    if troubles:
        noun = "notice" if len(troubles) == 1 else "notices"
        failed = ConditionState.FAILED in troubles
        sign, tone = ("✗", Tone.BAD) if failed else ("!", Tone.WARNING)
        parts += [_GAP, Span(unbroken(f"{sign} {len(troubles)} {noun} (5)"), tone)]
    return line(*parts)


def _how(graph: PresenceGraph, tally: Tally, now: datetime) -> Line:
    view = graph.view
    words = view_words(view.state)
    parts: list[str | Span] = [Span(unbroken(words.text), words.tone)]
    if view.state in (ViewState.STALE, ViewState.BLIND):
        parts.append(Span(unbroken(f" since {stamp(view.since, now)}"), Tone.DIM))
    for between, count in zip(chain((_GAP,), repeat(_DOT)), _counts(graph, tally), strict=False):
        parts += [between, count]
    if view.reason and view.state is not ViewState.CURRENT:
        parts += [_GAP, unbroken(safe_text(view.reason, limit=160))]
    return line(*parts)


def _counts(graph: PresenceGraph, tally: Tally) -> list[Span]:
    """Return how many there are of each kind; whom an unsure view knew is not said to be online."""
    blind = graph.view.state is ViewState.BLIND
    counts = []
    if graph.view.state in UNSURE:
        known = tally.online + blind * tally.lost
        if known:
            counts.append(Span(unbroken(f"? {known:,} last known"), LAST_KNOWN.tone))
    else:
        counts += [
            Span(unbroken(f"{tally.direct:,} direct"), Tone.STRONG),
            Span(unbroken(f"{tally.online:,} online")),
            Span(unbroken(f"{tally.verified:,} verified")),
        ]
    if tally.warned:
        noun = "warning" if tally.warned == 1 else "warnings"
        counts.append(Span(unbroken(f"! {tally.warned:,} {noun}"), Tone.WARNING))
    if tally.lost and not blind:
        counts.append(Span(unbroken(f"✗ {tally.lost:,} lost"), Tone.BAD))
    if tally.left:
        counts.append(Span(unbroken(f"○ {tally.left:,} left"), Tone.DIM))
    return counts
