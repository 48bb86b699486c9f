"""The header: two lines that answer who, over what, how surely, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.viewmodel.header import header_page
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from presence_core.model import PresenceGraph
    from presence_tui.viewmodel.tally import Tally


class HeaderLine(Sheet):
    """Shows the header of a graph; wraps where the terminal is narrow."""

    DEFAULT_CSS = """
    HeaderLine {
        dock: top;
        height: auto;
        max-height: 4;
        padding: 0 1;
        background: $panel;
        overflow-y: hidden;
        scrollbar-size: 0 0;
        scrollbar-gutter: auto;
    }
    """

    def __init__(self, *, clock: Callable[[], datetime], id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock

    def show(self, graph: PresenceGraph, tally: Tally) -> None:
        """Show the header of a graph, with its peers counted."""
        self.show_page(header_page(graph, tally, self._clock()))
