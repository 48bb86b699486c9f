"""Metadata as a form: one field a key, with simple values that need no JSON to be typed.

Each change returns a new object and leaves the old one alone. What would lose something without
being asked for (a key that is there already, a text that is no number) raises FieldError instead.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATE = ("team", "role", "location")
"""Keys that most teams use; the search of the table and the examples know them too."""

MAX_KEY = 64
"""Characters of a key that the form takes; the limit of metadata is its size alone."""

MAX_VALUE = 4_096
"""Characters of a text that the form takes."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_SHOWN = 200


class FieldError(ValueError):
    """A change that cannot be made; the message is one line for the person."""


class Kind(StrEnum):
    """What a value is. ``nested``: an object or a list, which is edited as JSON."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes/no"
    NOTHING = "nothing"
    NESTED = "nested"

    def next(self) -> Kind:
        """Return the kind that follows, among those that a form can edit."""
        simple = [kind for kind in Kind if kind is not Kind.NESTED]
        return self if self is Kind.NESTED else simple[(simple.index(self) + 1) % len(simple)]


@dataclass(frozen=True, slots=True)
class Field:
    """A key with its value as they are shown; ``key`` is exact, ``name`` and ``shown`` are safe."""

    key: str
    name: str
    kind: Kind
    shown: str


def kind_of(value: object) -> Kind:
    """Return what a value is."""
    if isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, bool):
        return Kind.YES_NO
    if isinstance(value, int | float):
        return Kind.NUMBER
    return Kind.NOTHING if value is None else Kind.NESTED


def fields_of(metadata: Mapping[str, Any]) -> list[Field]:
    """Return the fields of metadata, in the order of its text."""
    return [
        Field(key, safe_text(key, limit=MAX_KEY) or '""', kind_of(value), shown_value(value))
        for key, value in metadata.items()
    ]


def shown_value(value: object) -> str:
    """Return a value in one safe line: texts as they are, everything else as JSON."""
    text = value if isinstance(value, str) else _words(value)
    return safe_text(text, limit=_SHOWN)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    return json.dumps(value, ensure_ascii=False, default=dict)


def typed(value: object) -> str:
    """Return what stands in the line in which a value is edited.

    Raises FieldError for a text that the line could not give back as it is.
    """
    text = _plain(value)
    if safe_text(text, limit=MAX_VALUE) != text:
        raise FieldError("a text that is long, or does not show as it is, is edited as JSON (f2)")
    return text


def _plain(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _words(value)


def with_value(metadata: Mapping[str, Any], key: str, text: str) -> dict[str, Any]:
    """Return metadata with a value typed by a person, of the kind that it has already."""
    kind = kind_of(metadata[key])
    if kind is Kind.NESTED:
        raise FieldError("an object or a list is edited as JSON (f2)")
    if kind is Kind.NUMBER:
        return {**metadata, key: _number(text)}
    if kind is Kind.YES_NO:
        return {**metadata, key: _yes(text)}
    return {**metadata, key: text}


def with_kind(metadata: Mapping[str, Any], key: str, kind: Kind) -> dict[str, Any]:
    """Return metadata with a value turned into another kind, as well as that can be done."""
    value = metadata[key]
    if Kind.NESTED in (kind, kind_of(value)):
        raise FieldError("an object or a list is edited as JSON (f2)")
    text = _plain(value).strip()
    turned: str | int | float | bool | None = None
    if kind is Kind.TEXT:
        turned = value if isinstance(value, str) else text
    elif kind is Kind.NUMBER:
        turned = _number(text) if _NUMBER.fullmatch(text) else int(value is True)
    elif kind is Kind.YES_NO:
        turned = text.lower() not in ("", "no", "false", "0")
    return {**metadata, key: turned}


def with_name(metadata: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    """Return metadata with a key renamed; it keeps its place."""
    if name == key:
        return dict(metadata)
    _check_name(metadata, name)
    return {name if old == key else old: value for old, value in metadata.items()}


def with_field(metadata: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return metadata with an empty text under a new key."""
    _check_name(metadata, name)
    return {**metadata, name: ""}


def without_field(metadata: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return metadata without a key."""
    return {old: value for old, value in metadata.items() if old != key}


def with_template(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with the usual keys that it has not, each an empty text."""
    return {**metadata, **{name: "" for name in TEMPLATE if name not in metadata}}


def suggested(metadata: Mapping[str, Any]) -> list[str]:
    """Return the usual keys that are not there yet."""
    return [name for name in TEMPLATE if name not in metadata]


def _check_name(metadata: Mapping[str, Any], name: str) -> None:
    if not name.strip():
        raise FieldError("a key needs a name")
    if name in metadata:
        raise FieldError(f"there is a key {safe_text(name, limit=MAX_KEY)!r} already")


def _number(text: str) -> int | float:
    text = text.strip().replace(",", ".")
    if _NUMBER.fullmatch(text):
        value: int | float = json.loads(text)
        if math.isfinite(value):
            return value
    raise FieldError(f"{safe_text(text, limit=40)!r} is not a number (y: another type)")


def _yes(text: str) -> bool:
    word = text.strip().lower()
    if word in ("yes", "y", "true", "1"):
        return True
    if word in ("no", "n", "false", "0"):
        return False
    raise FieldError(f"{safe_text(text, limit=40)!r} is neither yes nor no (y: another type)")
