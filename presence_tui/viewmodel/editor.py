"""The metadata editor without its screen: text, published value, and what is on its way.

Three values can differ: the *text* that a person edits, the value that is *published* (what
other peers see now), and one that is being *sent*. :class:`Editing` keeps them apart, decides
when the text follows the published value and when it must be left alone, and never drops text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from presence_core.codec.metadata import (
    MAX_METADATA_BYTES,
    WARN_METADATA_BYTES,
    MetadataError,
    encode_metadata,
    metadata_size,
    parse_metadata_json,
)
from presence_core.codec.text import safe_text
from presence_tui.viewmodel.page import Line, Page, Span, Tone, line

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTLING_GRAPHS = 3
"""Graphs that may still show the old value after a send: they were on their way already."""

_NAMED_KEYS = 4
_PUBLISHED_ROWS = 400
_ROW_CHARACTERS = 400
_MARKS_IN_A_ROW = 3
_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n]")


class EditorState(StrEnum):
    """Where the text stands."""

    PUBLISHED = "published"
    EDITED = "edited, not sent"
    INVALID = "invalid"
    SENDING = "sending…"
    FAILED = "failed"


_STATE_MARKS: dict[EditorState, tuple[str, Tone]] = {
    EditorState.PUBLISHED: ("✓", Tone.GOOD),
    EditorState.EDITED: ("*", Tone.WARNING),
    EditorState.INVALID: ("✗", Tone.BAD),
    EditorState.SENDING: ("~", Tone.WARNING),
    EditorState.FAILED: ("✗", Tone.BAD),
}


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What became of validating a text.

    ``encoded``: its deterministic CBOR form, None when it may not be sent. ``size``: bytes of
    that form, also when there are too many; None for a text that is no metadata at all.
    ``position``: row and column, from zero, at which JSON breaks off.
    """

    value: Mapping[str, Any] | None = None
    encoded: bytes | None = None
    size: int | None = None
    error: str | None = None
    position: tuple[int, int] | None = None


def check(text: str) -> Checked:
    """Validate a text as metadata, as the engine will (DESIGN §3); never raises."""
    try:
        value = parse_metadata_json(text)
    except MetadataError as error:
        hint = " (for no metadata write {})" if not text.strip() else ""
        return Checked(error=f"{error}{hint}", position=_break(text))
    try:
        encoded = encode_metadata(value)
    except MetadataError as error:
        return Checked(value=value, size=_size(value), error=str(error))
    return Checked(value, encoded, len(encoded))


def _break(text: str) -> tuple[int, int] | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno - 1, error.colno - 1
    except (ValueError, RecursionError):
        return None
    return None


def _size(value: Mapping[str, Any]) -> int | None:
    try:
        return metadata_size(value)
    except MetadataError:
        return None


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """Return metadata as indented JSON that means exactly the same and is harmless to show."""
    return escape_hidden(json.dumps(metadata, indent=2, ensure_ascii=False, default=dict))


def escape_hidden(text: str) -> str:
    r"""Return JSON text with every character that does not print as a ``\u`` escape.

    Control characters, bidi overrides, zero-width and unassigned characters would reach the
    terminal from an editor as they are; inside a JSON string the escape is the same value.
    Line ends become ``\n``; marks beyond three on one character are escaped too.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and _NOT_PLAIN.search(text) is None:
        return text
    marks = 0
    shown = []
    for char in text:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        shown.append(char if _shows(char) and marks <= _MARKS_IN_A_ROW else _escape(char))
    return "".join(shown)


@lru_cache(maxsize=4096)
def _shows(char: str) -> bool:
    """Return whether a character may reach a terminal, by the one rule there is for that."""
    return char in "\n\t" or safe_text(f"x{char}") == unicodedata.normalize("NFC", f"x{char}")


def _escape(char: str) -> str:
    return json.dumps(char)[1:-1] if char != "\x7f" else "\\u007f"


class Editing:
    """Where the text, the published value and the one being sent stand to each other.

    The owner tells it what happens (:meth:`publish`, :meth:`edited`, :meth:`checked`,
    :meth:`send`, :meth:`saved`, :meth:`failed`) and asks :attr:`state` and :attr:`unsent`.
    """

    def __init__(self) -> None:
        self._published = Checked()
        self._seen: Mapping[str, Any] | None = None
        self._text = Checked()
        self._dirty = False
        self._sending: Checked | None = None
        self._failure: str | None = None
        self._drifted = False
        self._before_send: bytes | None = None
        self._settling = 0

    @property
    def published(self) -> Mapping[str, Any]:
        """The value that other peers see now."""
        return self._published.value or {}

    @property
    def last_check(self) -> Checked:
        """The newest result of validation."""
        return self._text

    @property
    def dirty(self) -> bool:
        """Whether the text was changed after the newest check."""
        return self._dirty

    @property
    def unsent(self) -> bool:
        """Whether the text holds anything that is not published."""
        return self._dirty or self._text.encoded != self._published.encoded

    @property
    def state(self) -> EditorState:
        """Where the text stands, by the newest check."""
        if self._sending is not None:
            return EditorState.SENDING
        if self._failure is not None:
            return EditorState.FAILED
        if self._text.error is not None:
            return EditorState.INVALID
        return EditorState.EDITED if self.unsent else EditorState.PUBLISHED

    @property
    def drifted(self) -> bool:
        """Whether the published value changed while the text was something else."""
        return self._drifted

    def publish(self, metadata: Mapping[str, Any]) -> str | None:
        """Take the published value of a graph; return the text to show, or None to leave it.

        The text follows only when it said the same as the value that was published before.
        """
        if metadata is self._seen:
            return None
        encoded = encode_metadata(metadata)
        if self._settling and encoded == self._before_send:
            self._settling -= 1
            return None
        self._seen = metadata
        self._settling = 0
        if encoded == self._published.encoded:
            return None
        follow = not self.unsent
        self._published = Checked(metadata, encoded, len(encoded))
        if not self.unsent:
            self._drifted = False
        elif follow:
            self._text = self._published
            return metadata_text(metadata)
        elif self._sending is None or encoded != self._sending.encoded:
            self._drifted = True
        return None

    def edited(self) -> None:
        """Take note that the text was changed and has not been checked yet."""
        self._dirty = True
        self._failure = None

    def checked(self, result: Checked) -> None:
        """Take the result of checking the newest text."""
        self._text = result
        self._dirty = False
        if not self.unsent:
            self._drifted = False

    def send(self) -> bool:
        """Begin to send the checked text; False when there is nothing to send or one is sent."""
        if self._sending is not None or self._text.encoded is None or not self.unsent:
            return False
        self._sending = self._text
        self._failure = None
        return True

    def saved(self) -> None:
        """Take note that what was being sent is published now.

        Graphs that were under way still show the value before; a few of them are passed over,
        so that the text does not jump back to it.
        """
        sent, self._sending = self._sending, None
        if sent is None or sent.encoded == self._published.encoded:
            return
        self._before_send, self._settling = self._published.encoded, _SETTLING_GRAPHS
        self._published, self._seen = sent, None
        self._drifted = False

    def failed(self, reason: str) -> None:
        """Take note that what was being sent was refused; the text is what it was."""
        self._sending = None
        self._failure = safe_text(reason, limit=512)

    @property
    def failure(self) -> str | None:
        """Why sending failed, until the text is changed or sent again."""
        return self._failure


def state_line(state: EditorState) -> Line:
    """Return the state as a mark and words."""
    mark, tone = _STATE_MARKS[state]
    return line(Span(f"{mark} {state.value}", tone))


def counter(size: int | None) -> Span:
    """Return the byte counter: against 4,096 up to there, then against 131,072."""
    limit = WARN_METADATA_BYTES if size is None or size <= WARN_METADATA_BYTES else None
    shown = "–" if size is None else f"{size:,}"
    if limit is not None:
        return Span(f"{shown} / {limit:,} B", Tone.DIM)
    over = size is not None and size > MAX_METADATA_BYTES
    return Span(f"{shown} / {MAX_METADATA_BYTES:,} B", Tone.BAD if over else Tone.WARNING)


def details(editing: Editing, *, note: str = "") -> Page:
    """Return what there is to say beneath the text, the most pressing first."""
    lines: list[Line] = []
    checked = editing.last_check
    if editing.failure is not None:
        lines.append(line(Span(editing.failure, Tone.BAD), hang=2))
    if checked.error is not None:
        lines.append(line(Span(safe_text(checked.error, limit=512), Tone.BAD), hang=2))
    if editing.drifted:
        words = "published changed meanwhile: revert takes it, save replaces it"
        lines.append(line(Span(words, Tone.WARNING), hang=2))
    if note:
        lines.append(line(Span(safe_text(note), Tone.WARNING), hang=2))
    if checked.error is None and (checked.size or 0) > WARN_METADATA_BYTES:
        words = f"over {WARN_METADATA_BYTES:,} B: costs on Bluetooth, and other SDKs refuse it"
        lines.append(line(Span(words, Tone.WARNING), hang=2))
    lines.append(line(Span("others see  ", Tone.DIM), _amount(editing.published), hang=2))
    if editing.unsent and checked.error is None and checked.value is not None:
        change = key_changes(editing.published, checked.value)
        lines.append(
            line(Span("will send   ", Tone.DIM), f"{_amount(checked.value)}{change}", hang=2)
        )
    return tuple(lines)


def published_page(metadata: Mapping[str, Any]) -> Page:
    """Return what other peers see now, as JSON that can stand beside the edited text."""
    rows = metadata_text(metadata).splitlines()
    shown = [line(Span(row[:_ROW_CHARACTERS], Tone.DIM), hang=2) for row in rows[:_PUBLISHED_ROWS]]
    if len(rows) > _PUBLISHED_ROWS:
        shown.append(line(Span(f"… and {len(rows) - _PUBLISHED_ROWS:,} lines more", Tone.DIM)))
    return (line(Span("others see now", Tone.HEADING)), *shown)


def _amount(value: Mapping[str, Any]) -> str:
    if not value:
        return "{} (nothing)"
    return f"{len(value):,} key{'' if len(value) == 1 else 's'}"


def key_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return which top-level keys differ: ``: + added, ~ changed, - removed``; "" for none."""
    marked = [f"+ {_name(key)}" for key in after if key not in before]
    marked += [
        f"~ {_name(key)}"
        for key in after
        if key in before and _canonical(after[key]) != _canonical(before[key])
    ]
    marked += [f"- {_name(key)}" for key in before if key not in after]
    more = len(marked) - _NAMED_KEYS
    if more > 0:
        marked[_NAMED_KEYS:] = [f"{more:,} more"]
    return f": {', '.join(marked)}" if marked else ""


def _name(key: str) -> str:
    return safe_text(key, limit=24)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=dict)
