"""A page of text: paragraphs with tones and indents, laid out for a width; no Textual.

Panes say *what* they show as a :class:`Page` of :class:`Line`; how wide the screen is and which
colour a tone has are somebody else's business. Two pages that say the same are equal, so that a
screen can leave an unchanged page alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Tone(StrEnum):
    """What a piece of text is, not which colour it has; words carry the meaning without it.

    ``QR`` draws light blocks on dark, ``QR_LIGHT`` makes a blank cell light all over.
    """

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    HEADING = "heading"
    KEY = "key"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    QR = "qr"
    QR_LIGHT = "qr-light"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one tone. The text must be safe to show already."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph.

    ``indent`` and ``hang`` are the columns before its first row and before the rows that
    wrapping adds. ``fixed``: never wrapped (a drawing); cut at the edge instead.
    """

    spans: tuple[Span, ...] = ()
    indent: int = 0
    hang: int = 0
    fixed: bool = False

    @property
    def text(self) -> str:
        """The text of the paragraph without tones and indents."""
        return "".join(span.text for span in self.spans)


Page: TypeAlias = tuple[Line, ...]
Row: TypeAlias = tuple[Span, ...]

BLANK = Line()


def line(*parts: str | Span, indent: int = 0, hang: int | None = None) -> Line:
    """Return a paragraph of texts and spans; ``hang`` is ``indent`` when not given."""
    spans = tuple(Span(part) if isinstance(part, str) else part for part in parts)
    return Line(spans, indent=indent, hang=indent if hang is None else hang)


def heading(text: str) -> Line:
    """Return the heading of a section."""
    return line(Span(text, Tone.HEADING))


def fact(label: str, *parts: str | Span, width: int) -> Line:
    """Return ``label  value`` with the values of one list aligned at column ``width``."""
    return line(Span(label.ljust(width), Tone.DIM), *parts, hang=width)


def unbroken(text: str) -> str:
    """Return a text that wrapping keeps in one piece: its blanks become no-break spaces."""
    return text.replace(" ", "\u00a0")


def lay_out(page: Iterable[Line], width: int) -> list[Row]:
    """Return the rows of a page that is ``width`` cells wide.

    Wrapping is at spaces, and inside a word only when the word is wider than the row. An indent
    never takes more than half of the width, so that deep nesting stays readable when narrow.
    """
    return [row for paragraph in page for row in _wrap(paragraph, max(width, 1))]


def _wrap(paragraph: Line, width: int) -> Iterator[Row]:
    indent = min(paragraph.indent, width // 2)
    hang = min(paragraph.hang, width // 2)
    lead: Row = (Span(" " * indent),) if indent else ()
    if paragraph.fixed or indent + cell_len(paragraph.text) <= width:
        yield (*lead, *paragraph.spans)
        return
    cells = [(char, span.tone) for span in paragraph.spans for char in span.text]
    start, room = 0, width - indent
    while start < len(cells):
        end = _row_end(cells, start, room)
        last = end
        while last > start + 1 and cells[last - 1][0] == " ":
            last -= 1
        yield (*lead, *_join(cells[start:last]))
        start = end
        while start < len(cells) and cells[start][0] == " ":
            start += 1
        lead, room = ((Span(" " * hang),) if hang else ()), width - hang


def _row_end(cells: list[tuple[str, Tone]], start: int, room: int) -> int:
    """Return where the row that begins at ``start`` ends: after at least one character."""
    used = 0
    space = start
    for position in range(start, len(cells)):
        char = cells[position][0]
        used += cell_len(char)
        if used > room and char == " ":
            return position
        if used > room:
            return space if space > start else max(position, start + 1)
        if char == " ":
            space = position + 1
    return len(cells)


def _join(cells: list[tuple[str, Tone]]) -> Row:
    return tuple(
        Span("".join(char for char, _ in group), tone)
        for tone, group in groupby(cells, key=lambda cell: cell[1])
    )
