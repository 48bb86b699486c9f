"""Names beside the nodes of a picture: none over another, and as few over lines as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from presence_tui.viewmodel.graph_canvas import Ink, Piece
from presence_tui.viewmodel.table import fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from presence_tui.viewmodel.graph_canvas import Canvas

_SHORTER = (1.0, 0.6, 0.35)
_LEAST = 3
_INWARD, _ASIDE, _FAR_ASIDE, _AMBIGUOUS = 1.0, 2.0, 5.0, 7.0
"""What a place costs, in cells of lines that are covered: on the side of the middle, one or two
rows from its node, beside the sign of another node."""


class Label(NamedTuple):
    """Cells that a label fills."""

    x: int
    y: int
    width: int


class Labels:
    """Finds places for labels on the first ``height`` rows of a canvas, and writes them there."""

    def __init__(self, canvas: Canvas, height: int) -> None:
        self._canvas = canvas
        self._height = height
        self._taken = bytearray(canvas.width * height)
        self._signs: set[tuple[int, int]] = set()
        self.placed: dict[str, Label] = {}

    def take_sign(self, x: int, y: int) -> None:
        """Keep the cell of a node's sign free of labels."""
        self._signs.add((x, y))
        self._take(x, y, 1)

    def _take(self, x: int, y: int, width: int) -> None:
        start = y * self._canvas.width + x
        self._taken[start : start + width] = b"\1" * width

    def place(
        self,
        key: str,
        node: tuple[int, int],
        pieces: Sequence[Piece],
        middle: tuple[int, int],
        most: int,
    ) -> None:
        """Write a label beside a node; with a shorter name, or none, where there is no room.

        ``most``: cells that the name may take. The rest of the label is never cut.
        """
        name, rest = pieces[0], pieces[1:]
        around = sum(cell_len(piece.text) for piece in rest)
        wanted = min(cell_len(name.text), most)
        for part in _SHORTER:
            width = max(min(wanted, _LEAST), int(wanted * part))
            found = self._best(node, width + around, middle)
            if found is not None:
                self._write(key, node, found, [_cut(name, width), *rest])
                return

    def note(self, x: int, y: int, piece: Piece) -> bool:
        """Write some words where nothing is at all; return whether there was room."""
        width = cell_len(piece.text)
        taken = not self._free(x, y, width) or self._lines(x, y, width)
        if taken or self._beside_sign(x, y, width):
            return False
        self._take(x, y, width)
        self._canvas.text(x, y, piece)
        return True

    def _best(self, node: tuple[int, int], width: int, middle: tuple[int, int]) -> Label | None:
        costs = []
        for order, (x, y) in enumerate(_around(node, width)):
            if self._free(x, y, width):
                side = (x + width / 2 - node[0]) * (node[0] - middle[0])
                cost = self._lines(x, y, width) + _INWARD * (side < 0)
                cost += (0.0, _ASIDE, _FAR_ASIDE)[abs(y - node[1])]
                cost += _AMBIGUOUS * self._beside_sign(x, y, width, but=node)
                costs.append((cost, order, Label(x, y, width)))
        return min(costs)[2] if costs else None

    def _beside_sign(
        self, x: int, y: int, width: int, *, but: tuple[int, int] | None = None
    ) -> bool:
        """Whether the sign of a node is so near that a text may be taken for its name."""
        return any(
            (column, y) in self._signs and (column, y) != but
            for column in (x - 3, x - 2, x + width + 1, x + width + 2)
        )

    def _free(self, x: int, y: int, width: int) -> bool:
        """Whether cells are on the canvas and free, with a blank before and behind them."""
        if x < 0 or x + width > self._canvas.width or not 0 <= y < self._height:
            return False
        row = y * self._canvas.width
        start, end = row + max(0, x - 1), row + min(self._canvas.width, x + width + 1)
        return not any(self._taken[start:end])

    def _lines(self, x: int, y: int, width: int) -> int:
        return sum(self._canvas.covered(column, y) for column in range(x, x + width))

    def _write(
        self, key: str, node: tuple[int, int], label: Label, pieces: Sequence[Piece]
    ) -> None:
        """Write a label, with a blank before and behind it."""
        self.placed[key] = label
        for x in (label.x - 1, label.x + label.width):
            if 0 <= x < self._canvas.width and not self._taken[label.y * self._canvas.width + x]:
                chosen = pieces[0].chosen and node in ((x - 1, label.y), (x + 1, label.y))
                self._canvas.text(x, label.y, Piece(" ", Ink.BLANK, chosen=chosen))
        self._take(*label)
        x = label.x
        for piece in pieces:
            self._canvas.text(x, label.y, piece)
            x += cell_len(piece.text)


def _around(node: tuple[int, int], width: int) -> Iterator[tuple[int, int]]:
    """Return where a label may begin, the better places first."""
    x, y = node
    yield x + 2, y
    yield x - 1 - width, y
    yield x - width // 2, y - 1
    yield x - width // 2, y + 1
    for row in (y - 1, y + 1):
        yield x + 1, row
        yield x - width, row
    for row in (y - 2, y + 2):
        yield x - width // 2, row


def _cut(piece: Piece, width: int) -> Piece:
    text = piece.text if cell_len(piece.text) <= width else fit(piece.text, width).rstrip()
    return Piece(text, piece.ink, piece.strong, piece.chosen)
