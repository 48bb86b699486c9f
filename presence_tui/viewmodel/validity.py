"""How long a token is good: from when, until when, and how much of its life is left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from presence_core.identity.token import LEEWAY
from presence_core.model import Identity, IdentityStatus
from presence_tui.viewmodel.moments import ago, span_words, stamp
from presence_tui.viewmodel.page import Line, Span, Tone, fact, unbroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

GRACE = timedelta(seconds=LEEWAY)
"""For so long before and after its time a token is believed, because clocks differ."""

_BAR = 16
_LITTLE = 0.25
"""The part of its life that is left when a token should have been renewed by then."""


def validity(identity: Identity, now: datetime, width: int) -> Iterator[Line]:
    """Yield what is known of when a token is good, as facts with labels of that width."""
    start, end = identity.not_before, identity.expires_at
    if start is not None:
        yield fact("from", *_start(start, now), width=width)
    if end is None:
        return
    verified = identity.status is IdentityStatus.VERIFIED
    yield fact("until", *_end(end, now, verified=verified), width=width)
    if start is not None and start < end:
        left = part_left(start, end, now)
        tone = Tone.DIM if not verified else Tone.GOOD if left > _LITTLE else Tone.WARNING
        words = unbroken(f" {left:.0%} left") if left < 1 else " all left"
        yield fact("life", Span(bar(left), tone), Span(words, Tone.DIM), width=width)
    if verified and now > end:
        words = unbroken(f"believed until {stamp(end + GRACE, now)}")
        yield fact("grace", Span(words, Tone.WARNING), " as clocks differ", width=width)
    elif verified and start is not None and now < start:
        words = "believed already"
        yield fact("grace", Span(words, Tone.WARNING), " as clocks differ", width=width)
    elif verified:
        words = f"{span_words(LEEWAY)} after that, as clocks differ"
        yield fact("grace", Span(words, Tone.DIM), width=width)


def part_left(start: datetime, end: datetime, now: datetime) -> float:
    """Return how much of the time from start to end is left, between 0 and 1."""
    return min(1.0, max(0.0, (end - now) / (end - start)))


def bar(part: float, cells: int = _BAR) -> str:
    """Return a bar in plain ASCII: full only for all of it, empty only for nothing."""
    full = round(part * cells)
    if 0 < part < 1:
        full = min(max(full, 1), cells - 1)
    return f"[{'#' * full}{'.' * (cells - full)}]"


def _note(words: str, tone: Tone) -> Span:
    return Span(f"  {unbroken(words)}", tone)


def _start(moment: datetime, now: datetime) -> tuple[Span, Span]:
    if moment > now:
        note = _note(f"in {span_words((moment - now).total_seconds())}", Tone.WARNING)
    else:
        note = _note(ago(moment, now), Tone.DIM)
    return Span(stamp(moment, now)), note


def _end(moment: datetime, now: datetime, *, verified: bool) -> tuple[Span, Span]:
    if moment > now:
        tone = Tone.GOOD if verified else Tone.DIM
        note = _note(f"{span_words((moment - now).total_seconds())} left", tone)
    else:
        note = _note(f"ran out {ago(moment, now)}", Tone.WARNING)
    return Span(stamp(moment, now)), note
