"""A raster of braille dots with texts over it, or of plain characters where those must do.

A cell of a terminal holds two by four dots and one colour; of lines that share a cell the one
with the highest rank gives it. Coordinates of lines are dots, those of texts are cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len

from presence_tui.viewmodel.ascii import to_ascii

if TYPE_CHECKING:
    from collections.abc import Iterator

DOTS_X, DOTS_Y = 2, 4
"""Dots of a cell, side by side and on top of each other."""

_BLANK = 0x2800
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


class Ink(StrEnum):
    """What is drawn, not in which colour."""

    BLANK = "blank"
    RING = "ring"
    LAN = "lan"
    BLUETOOTH = "bluetooth"
    WEBSOCKET = "websocket"
    SERVER = "server"
    OTHER = "other"
    OWN = "own"
    ONLINE = "online"
    LAST_KNOWN = "last-known"
    LOST = "lost"
    LEFT = "left"
    NEAR = "near"
    FAR = "far"
    GOOD = "good"
    COUNT = "count"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a line looks: ``pattern`` of dots along it (``#`` or blank), ``rails`` beside each other.

    ``ticks``: a bar across after so many dots, 0 for none. ``plain``: its character where there
    are no dots; "" takes one that follows the direction.
    """

    pattern: str = "#"
    rails: tuple[int, ...] = (0,)
    ticks: int = 0
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some cells of a row in one ink. ``strong``: on the way; ``chosen``: the peer in focus."""

    text: str
    ink: Ink
    strong: bool = False
    chosen: bool = False


Rows: TypeAlias = tuple[tuple[Piece, ...], ...]


class Canvas:
    """Cells to draw on, all of them inside ``width`` by ``height``; what is outside is dropped."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._dots = [0] * (width * height)
        self._inks = [Ink.BLANK] * (width * height)
        self._ranks = [0] * (width * height)
        self._texts: dict[int, Piece] = {}

    def covered(self, x: int, y: int) -> bool:
        """Whether a line goes through a cell, rings apart."""
        return self._ranks[y * self.width + x] > 1

    def dot(self, x: int, y: int, ink: Ink, rank: int) -> None:
        """Set a dot."""
        column, row = x // DOTS_X, y // DOTS_Y
        if 0 <= column < self.width and 0 <= row < self.height:
            cell = row * self.width + column
            if rank > self._ranks[cell]:
                self._ranks[cell] = rank
                self._inks[cell] = ink
            self._dots[cell] |= _BITS[x % DOTS_X][y % DOTS_Y]

    def line(
        self, start: tuple[int, int], end: tuple[int, int], stroke: Stroke, ink: Ink, rank: int
    ) -> None:
        """Draw a line between two dots."""
        (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
        length = max(abs(dx), abs(dy))
        steps = length or 1
        flat = abs(dx) >= abs(dy)
        pattern = [mark == "#" for mark in stroke.pattern]
        for step in range(length + 1):
            along_x, along_y = x + round(dx * step / steps), y + round(dy * step / steps)
            tick = stroke.ticks and step % stroke.ticks == stroke.ticks // 2
            if not (tick or pattern[step % len(pattern)]):
                continue
            for rail in (-2, -1, 0, 1) if tick else stroke.rails:
                if flat:
                    self.dot(along_x, along_y + rail, ink, rank)
                else:
                    self.dot(along_x + rail, along_y, ink, rank)

    def text(self, x: int, y: int, piece: Piece) -> None:
        """Write a text over whatever is there; it has to fit into its row."""
        at = y * self.width + x
        for char in piece.text:
            wide = cell_len(char)
            if not wide and at - 1 in self._texts:  # a mark on the character before
                before = self._texts[at - 1]
                self._texts[at - 1] = replace(before, text=before.text + char)
                continue
            self._texts[at] = replace(piece, text=char)
            for more in range(1, wide):
                self._texts[at + more] = replace(piece, text="")
            at += wide

    def rows(self, strong_from: int) -> Rows:
        """Return what is drawn; lines of that rank or above are strong."""
        return tuple(tuple(self._row(y, strong_from)) for y in range(self.height))

    def _row(self, y: int, strong_from: int) -> Iterator[Piece]:
        pending: list[str] = []
        last = Piece("", Ink.BLANK)
        for cell in range(y * self.width, (y + 1) * self.width):
            piece = self._texts.get(cell) or self._line_piece(cell, strong_from)
            same = (piece.ink, piece.strong, piece.chosen) == (last.ink, last.strong, last.chosen)
            if not same and pending:
                yield Piece("".join(pending), last.ink, last.strong, last.chosen)
                pending = []
            pending.append(piece.text)
            last = piece
        if pending:
            yield Piece("".join(pending), last.ink, last.strong, last.chosen)

    def _line_piece(self, cell: int, strong_from: int) -> Piece:
        if not self._ranks[cell]:
            return _NOTHING
        return Piece(self._mark(cell), self._inks[cell], self._ranks[cell] >= strong_from)

    def _mark(self, cell: int) -> str:
        return chr(_BLANK + self._dots[cell])


class PlainCanvas(Canvas):
    """The same with the characters of ASCII: each line has a character that tells its type."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height)
        self._marks: dict[int, str] = {}

    def dot(self, x: int, y: int, ink: Ink, rank: int) -> None:
        """Set a dot: all that is left of a ring."""
        self._set(x // DOTS_X, y // DOTS_Y, ".", ink, rank)

    def line(
        self, start: tuple[int, int], end: tuple[int, int], stroke: Stroke, ink: Ink, rank: int
    ) -> None:
        """Draw a line between two dots, cell by cell."""
        x, y = start[0] // DOTS_X, start[1] // DOTS_Y
        dx, dy = end[0] // DOTS_X - x, end[1] // DOTS_Y - y
        length = max(abs(dx), abs(dy))
        mark = stroke.plain or _slope(dx, dy)
        for step in range(length + 1):
            if stroke.pattern.endswith("  ") and step % 2:
                continue
            at = step / (length or 1)
            self._set(x + round(dx * at), y + round(dy * at), mark, ink, rank)

    def text(self, x: int, y: int, piece: Piece) -> None:
        """Write a text in ASCII."""
        super().text(x, y, replace(piece, text=to_ascii(piece.text)))

    def _set(self, column: int, row: int, mark: str, ink: Ink, rank: int) -> None:
        if 0 <= column < self.width and 0 <= row < self.height:
            cell = row * self.width + column
            if rank > self._ranks[cell]:
                self._ranks[cell], self._inks[cell] = rank, ink
                self._marks[cell] = mark

    def _mark(self, cell: int) -> str:
        return self._marks[cell]


_NOTHING = Piece(" ", Ink.BLANK)


def _slope(dx: int, dy: int) -> str:
    """Return the character that leans like a line; a cell is twice as high as it is wide."""
    if abs(dx) > 4 * abs(dy):
        return "-"
    if 2 * abs(dy) > 3 * abs(dx):
        return "|"
    return "\\" if (dx > 0) == (dy > 0) else "/"
