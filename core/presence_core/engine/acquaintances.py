"""The keys that an engine meets: what it remembers of them, and what it warns of. Pure.

The engine tells of each peer that it shows (:meth:`Acquaintances.meet`), and of the trust file
whenever that was read (:meth:`Acquaintances.adopt`). What is new to the file is asked for now and
then (:meth:`Acquaintances.notes`): a mesh of ten thousand is one write, not ten thousand.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from presence_core.codec.text import safe_text
from presence_core.engine.claims import Claims
from presence_core.identity.keys import short_id
from presence_core.identity.trust import DECIDED, MAX_ACQUAINTANCES, Acquaintance, TrustBook
from presence_core.model import Identity, IdentityStatus, Trust
from presence_core.value_object import value_object

SEEN_SECONDS = 86_400.0
"""A key that was first met so long ago is ``seen``, also within one run."""

MAX_NEW = MAX_ACQUAINTANCES // 2
"""Keys that one run adds to the file: an invented crowd does not push out all that was there."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_QUOTED = 64


class Standing(NamedTuple):
    """How a peer key stands with this device."""

    trust: Trust
    warning: str | None


@value_object
class Notes:
    """What is to be written: acquaintances as the engine knows them."""

    new: tuple[Acquaintance, ...] = ()
    changed: tuple[Acquaintance, ...] = ()

    def write(self, book: TrustBook) -> None:
        """Bring a book up to date; what people have decided and forgotten there stays."""
        for one in self.new:
            if book.get(one.key) is None:
                book.put(one)
        for one in (*self.new, *self.changed):
            known = book.get(one.key)
            if known is not None and _said(known) != _said(one):
                book.put(_renamed(known, one))
        book.shrink()


class Acquaintances:
    """What one engine knows of peer keys. ``own`` is its own, ``run`` the epoch of this run."""

    def __init__(self, own: bytes, run: int) -> None:
        self.blocked: set[bytes] = set()
        """The keys that are blocked; the same set as long as this lives."""
        self.changed: set[bytes] = set()
        """Keys that stand otherwise since a reader took this."""
        self._own = own
        self._run = run
        self._now = 0.0
        self._utc = _LONG_AGO
        self._known: dict[bytes, Acquaintance] = {}
        self._new: dict[bytes, Acquaintance] = {}
        self._renewed: dict[bytes, Acquaintance] = {}
        self._met: dict[bytes, float] = {}
        """When keys were met that nobody knew before this run (monotonic)."""
        self._ageing: deque[tuple[float, bytes]] = deque()
        self._noted = 0
        self._names: Claims[str] = Claims()
        self._subjects: Claims[tuple[str, str]] = Claims()

    # -- what time brings

    def tick(self, now: float, utc: datetime) -> None:
        """Tell what time it is; some keys have been here for long enough to be ``seen``."""
        self._now, self._utc = now, utc
        while self._ageing and now - self._ageing[0][0] >= SEEN_SECONDS:
            met, key = self._ageing.popleft()
            if self._met.get(key) == met:
                del self._met[key]
                self._restated(key)

    # -- what the file says

    def adopt(self, book: TrustBook) -> set[bytes]:
        """Take over what the file says now; return the keys that are blocked now or no more.

        Of keys that were taken out of it nothing stays; whoever is still here is met anew.
        """
        known = {one.key: one for one in book if one.key != self._own}
        for key in self._new.keys() & known.keys():
            self._renewed[key] = self._new.pop(key)
        renewed = [(key, one) for key, one in self._renewed.items() if key in known]
        self._renewed = {key: one for key, one in renewed if _said(known[key]) != _said(one)}
        for key, one in self._renewed.items():
            known[key] = _renamed(known[key], one)
        before, self._known = self._known, known | self._new
        blocked = self.blocked.copy()
        for key in before.keys() - self._known.keys():
            self._met.pop(key, None)
            self._stands(key, before[key], None)
        for key, one in self._known.items():
            if (old := before.get(key)) is not one:
                self._stands(key, old, one)
        return blocked ^ self.blocked

    def _stands(self, key: bytes, old: Acquaintance | None, new: Acquaintance | None) -> None:
        """Follow what changed about a key in all that is kept beside it."""
        blocked = new is not None and new.state is Trust.BLOCKED
        (self.blocked.add if blocked else self.blocked.discard)(key)
        verified = new is not None and new.state is Trust.VERIFIED
        name = _eye_form(new.name) if new is not None and not blocked else None
        subject = _subject(new) if new is not None and not blocked else None
        run = new.run if new is not None else 0
        self.changed |= self._names.note(key, name, (not verified, run))
        self.changed |= self._subjects.note(key, subject, (not verified, 0))
        if old is None or new is None or old.state is not new.state:
            self._restated(key)

    def _restated(self, key: bytes) -> None:
        """Note that a key is trusted otherwise: warnings of others say how far it is."""
        self.changed.add(key)
        self.changed |= self._names.followers(key) | self._subjects.followers(key)

    def forget(self, key: bytes) -> None:
        """Forget a key that may not be in the file yet; the next file to adopt is without it."""
        self._new.pop(key, None)

    # -- who is here

    def meet(self, key: bytes, name: str, identity: Identity, *, here: bool) -> Standing:
        """Tell of a peer as it is shown; return how it stands. ``here``: it can be reached.

        Only who is here is remembered: anybody can hand on the record of somebody gone.
        """
        if key == self._own:
            return Standing(Trust.UNKNOWN, None)
        if here:
            self._note(key, name, identity)
        trust = self.trust(key)
        warning = None if trust in DECIDED else self._warning(key, name, identity)
        return Standing(trust, warning)

    def trust(self, key: bytes) -> Trust:
        """Return how far a key is trusted."""
        known = self._known.get(key)
        if known is None:
            return Trust.UNKNOWN
        return Trust.UNKNOWN if known.state is Trust.SEEN and key in self._met else known.state

    def _note(self, key: bytes, name: str, identity: Identity) -> None:
        known = self._known.get(key)
        verified = identity.status is IdentityStatus.VERIFIED
        if known is None:
            if self._noted >= MAX_NEW:
                return
            self._noted += 1
            met = Acquaintance(
                key,
                Trust.SEEN,
                self._utc.replace(microsecond=0),
                name=name,
                subject=identity.subject if verified else None,
                issuer=identity.issuer if verified else None,
                run=self._run,
            )
            self._met[key] = self._now
            self._ageing.append((self._now, key))
            self._keep(None, met)
            return
        says = known
        if known.name != name:
            says = replace(says, name=name, run=self._run)
        if verified and (known.subject, known.issuer) != (identity.subject, identity.issuer):
            says = replace(says, subject=identity.subject, issuer=identity.issuer)
        if says is not known:
            self._keep(known, says)

    def _keep(self, old: Acquaintance | None, new: Acquaintance) -> None:
        key = new.key
        self._known[key] = new
        (self._new if old is None or key in self._new else self._renewed)[key] = new
        self._stands(key, old, new)
        self.changed.discard(key)  # it is being looked at just now

    # -- what is warned of

    def _warning(self, key: bytes, name: str, identity: Identity) -> str | None:
        if identity.status is IdentityStatus.VERIFIED and identity.subject and identity.issuer:
            other = self._subjects.best((identity.issuer, identity.subject))
            if other is not None and other != key:
                who = safe_text(identity.subject, limit=_QUOTED)
                issuer = safe_text(identity.issuer, limit=_QUOTED)
                return (
                    f"{who!r} of {issuer!r} was met before under another key, "
                    f"{self._other(other)}: another device of theirs, or a new key; ask them"
                )
        known = self._known.get(key)
        same = known is not None and known.name == name
        other = self._names.best((self._names.of(key) if same else _eye_form(name)) or "")
        if other is None or other == key:
            return None
        theirs = self._known[other]
        if theirs.state is not Trust.VERIFIED and theirs.run == (known.run if known else self._run):
            return None  # two devices that were given the same name, and no sign of more
        return (
            f"the name {safe_text(name, limit=_QUOTED)!r} was met before under another key, "
            f"{self._other(other)}: compare the safety number before you believe it"
        )

    def _other(self, key: bytes) -> str:
        return f"{short_id(key)} ({self.trust(key)})"

    # -- what is to be written

    @property
    def noteworthy(self) -> bool:
        """Whether something is to be written."""
        return bool(self._new or self._renewed)

    def notes(self) -> Notes:
        """Return what is to be written; it is, once the file that is adopted has it."""
        return Notes(tuple(self._new.values()), tuple(self._renewed.values()))


def _said(one: Acquaintance) -> tuple[str | None, str | None, str | None, int]:
    return one.name, one.subject, one.issuer, one.run


def _renamed(known: Acquaintance, says: Acquaintance) -> Acquaintance:
    return replace(known, name=says.name, subject=says.subject, issuer=says.issuer, run=says.run)


def _subject(one: Acquaintance) -> tuple[str, str] | None:
    return (one.issuer, one.subject) if one.issuer and one.subject else None


def _eye_form(name: str | None) -> str | None:
    """Return a name as eyes tell it from others; None where they see none."""
    plain = name or ""
    if not (plain.isascii() and plain.isprintable()):  # most names are, and there are thousands
        plain = unicodedata.normalize("NFKC", safe_text(plain))
    return " ".join(plain.casefold().split()) or None
