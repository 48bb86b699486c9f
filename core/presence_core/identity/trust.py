"""Which peer keys were met before, and what the person at this device has decided about them.

The form is a text for people, in the manner of SSH's ``known_hosts``: a line a key, in the order
in which they were met::

    pk1… STATE FIRST-SEEN [VERIFIED] name="…" subject="…" issuer="…" run=N

STATE is ``seen``, ``verified`` or ``blocked``; times are RFC 3339 in UTC; texts are quoted as in
JSON, with all but ASCII escaped. ``run`` is the engine's epoch (protocol §6.2) of the run in which
the key was first met under this name: it grows from run to run whatever the clock does. Comments
and blank lines stay where they are; so do lines and words that this version does not understand.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from presence_core.identity.keys import KeyFormatError, parse_peer_key, peer_key_text
from presence_core.model import Trust
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ACQUAINTANCES = 20_000
"""Beyond it those that were met first are dropped, but never what a person has decided."""

DECIDED = (Trust.VERIFIED, Trust.BLOCKED)
"""The states that only a person gives."""

_FORM = "pk1… STATE DATE [DATE] name=… subject=… issuer=…"
_STATES = {str(state): state for state in (Trust.SEEN, *DECIDED)}
_WEIGHT = {Trust.SEEN: 0, Trust.VERIFIED: 1, Trust.BLOCKED: 2}

_WORD = re.compile(r'\s*([a-z][a-z-]*=(?:"(?:[^"\\]|\\.)*"|[^\s"]+)|[^\s"]+)(?=\s|$)')


@value_object
class Acquaintance:
    """A peer key that was met, or that a person has decided about.

    ``name`` is what it called itself last; ``issuer`` and ``subject`` are those of its last
    verified token. ``more`` is what another version has written behind that, as it stands there.
    """

    key: bytes
    state: Trust
    first_seen: datetime
    verified: datetime | None = None
    name: str | None = None
    subject: str | None = None
    issuer: str | None = None
    run: int = 0
    more: str = ""

    def line(self) -> str:
        """Return its line in the file."""
        words = [peer_key_text(self.key), str(self.state), _time_text(self.first_seen)]
        if self.verified is not None:
            words.append(_time_text(self.verified))
        for label, value in (
            ("name", self.name),
            ("subject", self.subject),
            ("issuer", self.issuer),
        ):
            if value is not None:
                words.append(f"{label}={json.dumps(value)}")
        if self.run:
            words.append(f"run={self.run}")
        if self.more:
            words.append(self.more)
        return " ".join(words)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line. Raises ValueError, in a few words, when it is not one of a key."""
        words = _words(line)
        if len(words) < 3:
            raise ValueError(f"not of the form {_FORM}")
        try:
            key = parse_peer_key(words[0])
        except KeyFormatError as error:
            raise ValueError(str(error)) from None
        state = _STATES.get(words[1])
        if state is None:
            raise ValueError(f"{words[1]!r:.40} is none of {', '.join(_STATES)}")
        facts: dict[str, str] = {}
        times: list[datetime] = []
        more: list[str] = []
        for word in words[2:]:
            label, equals, value = word.partition("=")
            if equals and label in ("name", "subject", "issuer", "run") and label not in facts:
                facts[label] = value
            elif not equals and not facts and not more and len(times) < 2:
                times.append(_time(word))
            else:
                more.append(word)
        if not times:
            raise ValueError("the date on which it was first seen is missing")
        return cls(
            key,
            state,
            times[0],
            times[1] if len(times) > 1 else None,
            _text(facts.get("name")),
            _text(facts.get("subject")),
            _text(facts.get("issuer")),
            _number(facts.get("run", "0")),
            " ".join(more),
        )


def _words(line: str) -> list[str]:
    words, at = [], 0
    line = line.rstrip()
    while at < len(line):
        found = _WORD.match(line, at)
        if found is None:
            raise ValueError(f"not of the form {_FORM}")
        words.append(found[1])
        at = found.end()
    return words


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError  # noqa: TRY301  as if it were no date
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r:.40} is not a date as 2026-11-23T21:41:00Z") from None


def _text(quoted: str | None) -> str | None:
    if quoted is None:
        return None
    try:
        value = json.loads(quoted)
        if not isinstance(value, str):
            raise TypeError  # noqa: TRY301  as if it could not be read
        value.encode()
    except (ValueError, TypeError):
        raise ValueError(f"{quoted!r:.40} is not a text in double quotes") from None
    return value


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 20:
        raise ValueError(f"{text!r:.40} is not the number of a run")
    return int(text)


class TrustBook:
    """The content of a trust file: acquaintances in the order in which they were met.

    Lines that could not be read are kept where they are.
    """

    def __init__(self) -> None:
        self._rows: dict[bytes | int, Acquaintance | str] = {}
        """By key; what is no acquaintance by the number that its line had."""
        self._lines: dict[bytes, str] = {}
        """How acquaintances stand in the file."""
        self._damage: dict[int, str] = {}

    @classmethod
    def parse(cls, text: str, known: TrustBook | None = None) -> Self:
        """Read the text of a file. Lines that stood in ``known`` too are not read anew."""
        book = cls()
        read = {} if known is None else {line: key for key, line in known._lines.items()}  # noqa: SLF001
        number = 0
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                book._rows[number] = line
                continue
            try:
                key = read.get(line)
                same = known.get(key) if known is not None and key is not None else None
                book._take(same or Acquaintance.parse(line), line)
            except ValueError as error:
                book._rows[number] = line
                book._damage[number] = str(error)
        if book._rows.get(number) == "":
            del book._rows[number]  # behind the last end of line
        return book

    def _take(self, new: Acquaintance, line: str) -> None:
        """Take a line; of two of one key (somebody has joined files) the graver state holds."""
        old = self.get(new.key)
        if old is None:
            self._rows[new.key] = new
            self._lines[new.key] = line
            return
        graver = max(old, new, key=lambda one: _WEIGHT[one.state])
        self.put(replace(graver, first_seen=min(old.first_seen, new.first_seen)))

    def text(self) -> str:
        """Return the text of the file."""
        lines = []
        for row in self._rows.values():
            if isinstance(row, str):
                lines.append(row)
                continue
            line = self._lines.get(row.key)
            if line is None:
                line = self._lines[row.key] = row.line()
            lines.append(line)
        return "".join(f"{line}\n" for line in lines)

    @property
    def damage(self) -> tuple[str, ...]:
        """Which lines could not be read, and why."""
        if not self._damage:
            return ()
        return tuple(
            f"line {number}: {self._damage[row]}"
            for number, row in enumerate(self._rows, 1)
            if isinstance(row, int) and row in self._damage
        )

    def copy(self) -> TrustBook:
        """Return a book of its own with the same content."""
        book = TrustBook()
        book._rows = self._rows.copy()
        book._damage = self._damage
        book._lines = self._lines.copy()
        return book

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Acquaintance]:
        return (row for row in self._rows.values() if isinstance(row, Acquaintance))

    def get(self, key: bytes) -> Acquaintance | None:
        """Return what is known of a key; None when it was never met."""
        row = self._rows.get(key)
        return row if isinstance(row, Acquaintance) else None

    def put(self, acquaintance: Acquaintance) -> None:
        """Add an acquaintance at the end, or change it where it stands."""
        self._rows[acquaintance.key] = acquaintance
        self._lines.pop(acquaintance.key, None)

    def drop(self, key: bytes) -> bool:
        """Forget a key; False when it was not known."""
        self._lines.pop(key, None)
        return self._rows.pop(key, None) is not None

    def decide(self, key: bytes, state: Trust, at: datetime, name: str | None = None) -> None:
        """Note what a person has decided. Raises ValueError for a state that nobody decides."""
        if state not in DECIDED:
            raise ValueError(f"a key can be verified, blocked or forgotten, not made {state}")
        known = self.get(key) or Acquaintance(key, state, at, name=name)
        self.put(replace(known, state=state, verified=at if state is Trust.VERIFIED else None))

    def shrink(self, most: int = MAX_ACQUAINTANCES) -> None:
        """Drop those that were met first, down to ``most``; never what a person has decided."""
        over = len(self) - most
        if over <= 0:
            return
        for row in [row for row in self if row.state not in DECIDED][:over]:
            self.drop(row.key)
