"""The header: the four questions answered at a look."""

from __future__ import annotations

from presence_core.codec.text import safe_text
from presence_core.model import ConditionState, PresenceGraph, PresenceState, ViewState
from presence_tui.viewmodel.local_peer import mesh_words
from presence_tui.viewmodel.page import Line, Page, Span, Tone, line, unbroken
from presence_tui.viewmodel.words import condition_words, view_words

_GAP = "   "
_PARTS = {"lan": "LAN", "mdns": "mDNS", "static": "addresses"}


def header_page(graph: PresenceGraph) -> Page:
    """Return the header: who and where, how good the view is, how many, over what."""
    return (_who(graph), _how(graph))


def _who(graph: PresenceGraph) -> Line:
    word, tone, _ = mesh_words(graph.mesh)
    local = graph.local_peer
    return line(
        Span("mesh ", Tone.DIM),
        Span(unbroken(safe_text(graph.mesh.name, limit=32)), Tone.HEADING),
        Span(f"\u00a0{word}", tone),
        _GAP,
        Span(unbroken(safe_text(local.device_name, limit=32) or "(no name)"), Tone.STRONG),
        Span(f"\u00a0{safe_text(local.short_id)}", Tone.KEY),
        _GAP,
        *_counts(graph),
    )


def _counts(graph: PresenceGraph) -> list[str | Span]:
    counts = graph.counts
    return [
        Span(unbroken(f"{counts.online} online"), Tone.STRONG),
        "  ",
        Span(unbroken(f"{counts.direct} direct")),
        "  ",
        Span(unbroken(f"{counts.verified} verified")),
    ]


def _gone(graph: PresenceGraph) -> list[str | Span]:
    """Say how many are not here; in a blind view nobody is said to be lost: it may be us."""
    lost = sum(p.presence.state is PresenceState.LOST for p in graph.remote_peers)
    left = sum(p.presence.state is PresenceState.LEFT for p in graph.remote_peers)
    parts: list[str | Span] = []
    if lost and graph.view.state is ViewState.BLIND:
        parts += [_GAP, Span(unbroken(f"? {lost} last known"), Tone.WARNING)]
    elif lost:
        parts += [_GAP, Span(unbroken(f"✗ {lost} lost"), Tone.BAD)]
    if left:
        parts += [_GAP, Span(unbroken(f"○ {left} left"), Tone.DIM)]
    return parts


def _how(graph: PresenceGraph) -> Line:
    words = view_words(graph.view.state)
    parts: list[str | Span] = [Span("view ", Tone.DIM), Span(unbroken(words.text), words.tone)]
    if graph.view.reason:
        parts.append(f": {graph.view.reason}")
    parts += _gone(graph)
    for condition in graph.conditions:
        name = _PARTS.get(condition.source)
        if name is not None and condition.source in ("lan", "mdns"):
            state = condition_words(condition.state)
            parts += [_GAP, Span(f"{name}\u00a0", Tone.DIM), Span(unbroken(state.text), state.tone)]
    others = sum(
        c.state in (ConditionState.WARNING, ConditionState.FAILED)
        for c in graph.conditions
        if c.source not in ("lan", "mdns")
    )
    if others:
        noun = "notice" if others == 1 else "notices"
        parts += [_GAP, Span(unbroken(f"! {others} {noun}: see conditions"), Tone.WARNING)]
    return line(*parts)
