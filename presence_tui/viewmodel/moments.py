"""Moments and spans of time in words; ``now`` is always passed in, and its time zone is used."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span_words(seconds: float) -> str:
    """Return a span of time in its two largest units: ``2 d 3 h``, ``5 min``, ``12 s``.

    Seconds are left out from ten minutes on. The sign is ignored.
    """
    rest = int(abs(seconds))
    if rest >= 600:
        rest -= rest % 60
    for (size, name), smaller in zip(_UNITS, (*_UNITS[1:], None), strict=True):
        if rest < size:
            continue
        count, rest = divmod(rest, size)
        if smaller is None or not (part := rest // smaller[0]):
            return f"{count} {name}"
        return f"{count} {name} {part} {smaller[1]}"
    return "0 s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was: ``just now`` below two seconds, or of a clock ahead."""
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 2 else f"{span_words(seconds)} ago"


def stamp(moment: datetime, now: datetime) -> str:
    """Return the moment on the clock of ``now``: the date is left out for today."""
    local = moment.astimezone(now.tzinfo)
    form = "%H:%M:%S" if local.date() == now.date() else "%Y-%m-%d %H:%M"
    zone = " UTC" if now.utcoffset() == UTC.utcoffset(None) else ""
    return f"{local.strftime(form)}{zone}"
