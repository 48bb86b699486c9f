"""Metadata as an indented tree of lines: bounded, literal, and honest about types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.page import Line, Page, Span, Tone, line

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TREE_LINES = 400
"""Lines of one tree; whoever needs more reads ``presence-tui show``."""

_VALUE_CHARACTERS = 256
_KEY_CHARACTERS = 64
_STEP = 2
_LOOKS_LIKE_OTHER_TYPE = re.compile(r"|true|false|null|-?[0-9][0-9.eE+-]*|[\[{\"].*|\s.*|.*\s")


def metadata_tree(
    metadata: Mapping[str, Any], *, indent: int = 0, tone: Tone | None = None
) -> Page:
    """Return metadata as lines, keys in their own order, at most :data:`MAX_TREE_LINES`.

    Every text in it passes ``safe_text``. A text that could be taken for another type
    (``"5"``, ``""``) stands in quotes. With ``tone`` the whole tree has that tone.
    """
    lines: list[Line] = []
    for entry in _entries(metadata, indent):
        if len(lines) == MAX_TREE_LINES:
            lines.append(line(Span("… and more: see presence-tui show", Tone.DIM), indent=indent))
            break
        lines.append(entry)
    if tone is None:
        return tuple(lines)
    return tuple(
        Line((Span(entry.text, tone),), indent=entry.indent, hang=entry.hang) for entry in lines
    )


def _entries(value: Mapping[str, Any] | list[Any], indent: int) -> Iterator[Line]:
    if isinstance(value, Mapping):
        labelled = ((safe_text(key, limit=_KEY_CHARACTERS), child) for key, child in value.items())
    else:
        labelled = ((f"[{index}]", child) for index, child in enumerate(value))
    for label, child in labelled:
        key = Span(label, Tone.KEY)
        if isinstance(child, Mapping | list | tuple) and child:
            yield line(key, indent=indent, hang=indent + _STEP)
            yield from _entries(child, indent + _STEP)  # type: ignore[arg-type]
        else:
            yield line(key, "  ", _scalar(child), indent=indent, hang=indent + _STEP)


def _scalar(value: object) -> Span:
    match value:
        case str():
            return Span(_text(value))
        case bool():
            return Span("true" if value else "false", Tone.STRONG)
        case None:
            return Span("null", Tone.STRONG)
        case Mapping():
            return Span("{}", Tone.DIM)
        case list() | tuple():
            return Span("[]", Tone.DIM)
        case _:
            return Span(safe_text(str(value), limit=_VALUE_CHARACTERS), Tone.STRONG)


def _text(value: str) -> str:
    shown = safe_text(value[: 4 * _VALUE_CHARACTERS], limit=_VALUE_CHARACTERS)
    if len(value) > _VALUE_CHARACTERS:
        shown = f"{shown} ({len(value):,} characters)"
    return f'"{shown}"' if _LOOKS_LIKE_OTHER_TYPE.fullmatch(shown) else shown
