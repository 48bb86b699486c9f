"""The lines of the timeline pane: what stands above the events, and a line for each; no Textual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.viewmodel.event_words import SIGN_WIDTH, event_words, fold_words
from presence_tui.viewmodel.moments import ago
from presence_tui.viewmodel.online import STEP_SECONDS, OnlineHistory
from presence_tui.viewmodel.page import Row, Span, Tone
from presence_tui.viewmodel.table import fit, since_words

if TYPE_CHECKING:
    from datetime import datetime

    from presence_tui.viewmodel.timeline import Timeline
    from presence_tui.viewmodel.timeline_folds import Entry

TOP_LINES = 2
"""Lines above the events."""

_PAST = 28
_TIME = 8
_AGO = 6
_WHO = 14
_WIDE_WHO = 24
_WIDE = 90


def top_lines(
    timeline: Timeline,
    history: OnlineHistory,
    *,
    online: int | None,
    about: str | None,
    width: int,
) -> tuple[Row, Row]:
    """Return how many were online lately, and which events are shown.

    ``online``: how many are now, None when nobody can say. ``about``: the name of the only peer
    that is shown.
    """
    now = "? online" if online is None else f"{online:,} online"
    room = max(0, width - len(now) - _PAST)
    columns, fewest, most = history.columns(room)
    minutes = len(columns) * STEP_SECONDS // 60
    between = f"{fewest:,} to {most:,}" if fewest < most else ""
    past = f" {between} in {minutes} min" if minutes and between else ""
    return (
        (Span(f"{now} ", Tone.STRONG), Span(columns, Tone.HEADING), Span(past, Tone.DIM)),
        _state(timeline, about),
    )


def _state(timeline: Timeline, about: str | None) -> Row:
    only = timeline.only
    parts = [Span("all that happened" if only.topic is None else f"only {only.topic}", Tone.DIM)]
    if about is not None:
        parts.append(Span(f" · of {about}", Tone.DIM))
    if timeline.paused:
        waiting = f"  paused: {timeline.waiting:,} new, space shows them"
        parts.append(Span(waiting, Tone.WARNING))
    return tuple(parts)


def entry_line(entry: Entry, now: datetime, width: int) -> Row:
    """Return the line of an entry: when, how long ago, what, who, and what about it."""
    newest = entry.newest
    words = fold_words(entry.events) if entry.folds else event_words(newest)
    who = _WIDE_WHO if width >= _WIDE else _WHO
    lead = "  " if entry.part else "" if not entry.folds else "▾ " if entry.opened else "▸ "
    name = fit(words.who, who - len(lead) - len(words.times))
    if words.times:
        name = f"{name.rstrip()}{words.times}"
    left = width - (_TIME + 1 + _AGO + 2 + SIGN_WIDTH + 1 + who + 1)
    return (
        Span(f"{clock_words(newest.change.at, now)} ", Tone.DIM),
        Span(f"{fit(since_words(newest.change.at, now), _AGO, right=True)}  ", Tone.DIM),
        Span(f"{fit(words.sign.text, SIGN_WIDTH)} ", words.sign.tone),
        Span(f"{fit(lead + name, who)} ", Tone.STRONG),
        Span(fit(words.detail, left) if left > 0 else ""),
    )


def clock_words(moment: datetime, now: datetime) -> str:
    """Return when something was in eight cells: the time of today, or the day before."""
    local = moment.astimezone(now.tzinfo)
    return local.strftime("%H:%M:%S" if local.date() == now.date() else " %b %d ")[:_TIME].ljust(
        _TIME
    )


def empty_words(timeline: Timeline, since: datetime, now: datetime) -> tuple[str, ...]:
    """Return what is said when there is no event to show."""
    if timeline.only.topic is None and timeline.only.peer_key is None:
        return (f"nothing has happened since this screen was opened, {ago(since, now)}",)
    return ("nothing of this has happened", "f shows other topics, o everybody again")
