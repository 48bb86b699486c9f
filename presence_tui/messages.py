"""Messages between the source of graphs and the screens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from presence_core.model import PresenceGraph
    from presence_tui.source import PresenceSource


@dataclass
class GraphArrived(Message):
    """A newer graph. Of several that wait, only the newest is handled."""

    graph: PresenceGraph

    def can_replace(self, message: Message) -> bool:
        """Whether this takes the place of a message that waits."""
        return isinstance(message, GraphArrived)


@dataclass
class SourceOpened(Message):
    """There is a source now."""

    source: PresenceSource
