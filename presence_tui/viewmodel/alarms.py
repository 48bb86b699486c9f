"""What a person must not miss, told in few words and never in a storm.

What happens together is told together, and of each kind at most once in :data:`REST_SECONDS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import ChangeKind, IdentityStatus, ViewState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from presence_core.model import PresenceGraph
    from presence_tui.viewmodel.timeline import Event

GATHER_SECONDS = 1.0
"""So long after the first of its kind others may join it: who hung on it is lost with it."""

REST_SECONDS = 10.0
"""So long after something was told nothing more of its kind is; it is gathered."""

_NAMED = 3
_LOST, _WARNING, _EXPIRED, _REVOKED = "lost", "key warning", "identity expired", "identity revoked"
_KINDS = (_WARNING, _REVOKED, _LOST, _EXPIRED)
_SEVERE = frozenset({_WARNING, _REVOKED})
_HERE = (ChangeKind.PEER_JOINED, ChangeKind.PEER_RETURNED, ChangeKind.PEER_LEFT)
_ENDS = {IdentityStatus.EXPIRED: _EXPIRED, IdentityStatus.REVOKED: _REVOKED}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to tell at once. ``severe``: somebody may be deceiving us."""

    words: str
    severe: bool


@dataclass(slots=True)
class _Gathered:
    names: dict[str, str] = field(default_factory=dict)
    detail: str = ""
    since: datetime | None = None
    told: datetime | None = None


class Alarms:
    """Gathers what must not be missed. Feed it with :meth:`hear`, ask :meth:`due` now and then."""

    def __init__(self) -> None:
        self._gathered = {kind: _Gathered() for kind in _KINDS}

    def hear(self, events: Iterable[Event], graph: PresenceGraph, now: datetime) -> None:
        """Take what has happened.

        In a blind view nobody else is lost: it is this device. Who is back already, or says goodbye
        after all, need not be told of.
        """
        for event in events:
            change = event.change
            if change.kind is ChangeKind.VIEW_CHANGED and graph.view.state is ViewState.BLIND:
                self._gathered[_LOST].names.clear()
                continue
            if change.kind in _HERE:
                self._gathered[_LOST].names.pop(change.peer_key or "", None)
                continue
            kind, detail = _kind(event)
            if kind is None or (kind is _LOST and graph.view.state is ViewState.BLIND):
                continue
            gathered = self._gathered[kind]
            gathered.since = gathered.since if gathered.names and gathered.since else now
            gathered.names[change.peer_key or ""] = event.name
            gathered.detail = detail

    def due(self, now: datetime) -> Iterator[Alarm]:
        """Yield what is to be told now, and forget it."""
        for kind, gathered in self._gathered.items():
            if not gathered.names or not _passed(gathered.since, now, GATHER_SECONDS):
                continue
            if not _passed(gathered.told, now, REST_SECONDS):
                continue
            yield Alarm(
                _words(kind, list(gathered.names.values()), gathered.detail), kind in _SEVERE
            )
            self._gathered[kind] = _Gathered(told=now)


def _passed(since: datetime | None, now: datetime, seconds: float) -> bool:
    """Whether so many seconds have passed; yes for a clock that was set back."""
    return since is None or not 0 <= (now - since).total_seconds() < seconds


def _kind(event: Event) -> tuple[str | None, str]:
    change = event.change
    if change.kind is ChangeKind.PEER_LOST:
        return _LOST, ""
    if change.kind is ChangeKind.KEY_WARNING:
        return _WARNING, safe_text(change.after, limit=160)
    if change.kind is ChangeKind.IDENTITY_CHANGED and change.before["status"] == "verified":
        status = IdentityStatus(change.after["status"])
        return _ENDS.get(status), safe_text(change.after["reason"], limit=160)
    return None, ""


def _words(kind: str, names: list[str], detail: str) -> str:
    if len(names) == 1:
        return f"{names[0]}: {kind}{detail and ': '}{detail}"
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    what = {
        _LOST: f"{len(names):,} peers lost",
        _WARNING: f"{len(names):,} key warnings",
        _EXPIRED: f"{len(names):,} identities expired",
        _REVOKED: f"{len(names):,} identities revoked",
    }
    return f"{what[kind]}: {shown}{more}"
