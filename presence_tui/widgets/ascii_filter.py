"""The last thing on the way to a terminal that knows ASCII only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from presence_tui.viewmodel.ascii import to_ascii

if TYPE_CHECKING:
    from textual.color import Color


class AsciiFilter(LineFilter):
    """Replaces every character that is not ASCII, frames and scroll bars too."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), *segment[1:])
            for segment in segments
        ]
