"""The conditions pane: what works, what does not, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.viewmodel.conditions import conditions_page
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from presence_core.model import Peer, PresenceGraph


class ConditionsPane(Sheet, can_focus=True):
    """Shows the view and the conditions of a graph, the worst first."""

    HELP = """
## Conditions

What the engine needs and whether it has it: connections, multicast, room, clocks, files. Every
line that is not fine says what to do.
"""
    DEFAULT_CSS = """
    ConditionsPane {
        height: 1fr;
        padding: 0 0 0 1;
        &:focus { background-tint: $foreground 3%; }
    }
    """

    def __init__(self, *, clock: Callable[[], datetime], id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock

    def show(self, graph: PresenceGraph, selected: Peer | None = None) -> None:
        """Show the conditions of a graph."""
        self.show_page(conditions_page(graph, self._clock()))
