"""How an event of the timeline is told: a sign and a word, who, and what about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.model import ChangeKind, ConditionState, IdentityStatus, ViewState
from presence_tui.viewmodel.conditions import source_name
from presence_tui.viewmodel.editor import key_changes
from presence_tui.viewmodel.identity import status_words
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.words import condition_words, type_signs, view_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_tui.viewmodel.timeline import Event

_SIGNS: dict[ChangeKind, Span] = {
    ChangeKind.PEER_JOINED: Span("● joined", Tone.GOOD),
    ChangeKind.PEER_RETURNED: Span("● returned", Tone.GOOD),
    ChangeKind.PEER_LEFT: Span("○ left", Tone.DIM),
    ChangeKind.PEER_LOST: Span("✗ lost", Tone.BAD),
    ChangeKind.LINK_UP: Span("+ link up", Tone.PLAIN),
    ChangeKind.LINK_DOWN: Span("- link down", Tone.DIM),
    ChangeKind.METADATA_CHANGED: Span("* metadata", Tone.PLAIN),
    ChangeKind.KEY_WARNING: Span("! warning", Tone.WARNING),
    ChangeKind.TRUST_CHANGED: Span("= trust", Tone.PLAIN),
}
SIGN_WIDTH = 11
"""Cells of the longest sign with its word."""

_DETAIL = 240
_NAMED = 40
"""Peers that are named in one line: more than fit."""


@dataclass(frozen=True, slots=True)
class EventWords:
    """What is said about an event, or about several at once.

    ``who`` is empty for what is about no peer. ``times``: how often the same happened to the same.
    """

    sign: Span
    who: str
    detail: str
    times: str = ""


def event_words(event: Event) -> EventWords:
    """Return what is said about an event; every text in it is safe to show."""
    change = event.change
    before, after = change.before, change.after
    match change.kind:
        case ChangeKind.LINK_UP | ChangeKind.LINK_DOWN:
            return EventWords(_SIGNS[change.kind], event.name, _link(event, after or before))
        case ChangeKind.METADATA_CHANGED:
            return EventWords(_SIGNS[change.kind], event.name, key_changes(before, after)[2:])
        case ChangeKind.IDENTITY_CHANGED:
            return _identity(event, before, after)
        case ChangeKind.CONDITION_CHANGED:
            return _condition(before, after)
        case ChangeKind.VIEW_CHANGED:
            was, now = (view_words(ViewState(view["state"])) for view in (before, after))
            reason = safe_text(after["reason"] or "", limit=_DETAIL)
            return EventWords(now, "view", _joined(f"was {was.text[2:]}", reason))
        case ChangeKind.TRUST_CHANGED:
            return EventWords(_SIGNS[change.kind], event.name, f"{before} → {after}")
        case ChangeKind.KEY_WARNING:
            return EventWords(_SIGNS[change.kind], event.name, safe_text(after, limit=_DETAIL))
        case _:
            return EventWords(_SIGNS[change.kind], event.name, _where(after))


def fold_words(events: Sequence[Event]) -> EventWords:
    """Return what is said about events that are told together, the newest first."""
    newest = event_words(events[0])
    whom: dict[tuple[str | None, str | None], list[Event]] = {}
    for event in events:
        whom.setdefault((event.change.peer_key, event.other), []).append(event)
    if len(whom) == 1:
        return replace(newest, times=f" ×{len(events):,}")
    links = events[0].other is not None
    named = [_named(those) for those in islice(whom.values(), _NAMED)]
    what = "links" if links else "peers"
    return EventWords(newest.sign, f"{len(whom):,} {what}", ", ".join(named))


def _named(events: Sequence[Event]) -> str:
    newest = events[0]
    name = newest.name if newest.other_name is None else f"{newest.name} – {newest.other_name}"
    return name if len(events) == 1 else f"{name} ×{len(events):,}"


def _where(whereabouts: dict[str, Any] | None) -> str:
    if whereabouts is None:
        return "its record has run out"
    hops = whereabouts["hops"]
    return "" if hops is None else "direct" if hops == 1 else f"{hops} hops"


def _link(event: Event, link: dict[str, Any]) -> str:
    sign = "".join(type_signs({link["type"]}))
    return f"with {event.other_name}  {sign} {safe_text(link['type'], limit=24)}"


def _identity(event: Event, before: dict[str, Any], after: dict[str, Any]) -> EventWords:
    now = status_words(IdentityStatus(after["status"]))
    sign = Span(f"{now.symbol} identity", now.tone)
    if before["status"] == after["status"]:
        changed = [
            label
            for label, field in (
                ("issuer", "issuer"),
                ("key id", "keyId"),
                ("subject", "subject"),
                ("times", "expiresAt"),
            )
            if before[field] != after[field]
        ]
        detail = f"{now.word}, other {' and '.join(changed)}" if changed else now.word
        return EventWords(sign, event.name, detail)
    was = status_words(IdentityStatus(before["status"]))
    reason = "" if after["status"] == "verified" else safe_text(after["reason"], limit=_DETAIL)
    return EventWords(sign, event.name, _joined(f"{was.word} → {now.word}", reason))


def _condition(before: dict[str, Any] | None, after: dict[str, Any] | None) -> EventWords:
    if after is None:
        source = before["source"] if before is not None else ""
        return EventWords(Span("- gone", Tone.DIM), source_name(source), "no longer watched")
    message = safe_text(after["message"] or "", limit=_DETAIL)
    sign = condition_words(ConditionState(after["state"]))
    return EventWords(sign, source_name(after["source"]), message)


def _joined(*parts: str) -> str:
    return ": ".join(filter(None, parts))
