"""The search line: filters the table while one types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from presence_core.codec.text import safe_text

if TYPE_CHECKING:
    from textual.events import Hide


class SearchLine(Input):
    """One line, shown while it is needed; what is pasted into it is made safe to show."""

    @dataclass
    class Moved(Message):
        """The person wants the next peer (1) or the one before (-1) without leaving the line."""

        rows: int

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep", key_display="enter", id="search.keep"),
        Binding("escape", "screen.back", "Clear", id="search.clear"),
        Binding("up", "move(-1)", "Up", show=False, id="search.up"),
        Binding("down", "move(1)", "Down", show=False, id="search.down"),
    ]
    DEFAULT_CSS = """
    SearchLine {
        display: none;
        height: 1;
        border: none;
        padding: 0 1;
        background: $surface;
        &:focus { border: none; background: $surface; }
        &.-open { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            placeholder="search: a name, a key, state:lost, hops:>1, role=medic, !type:lan",
            id=id,
            select_on_focus=False,
            max_length=200,
        )

    @property
    def open(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-open")

    def on_hide(self, event: Hide) -> None:
        """Keep the keyboard when it was closed and is open again before it came to know."""
        if self.open:
            event.prevent_default()

    def replace(self, text: str, start: int, end: int) -> None:
        """Put text in the place of other text (all that is typed or pasted comes this way)."""
        super().replace(safe_text(text, limit=200), start, end)

    def action_move(self, rows: int) -> None:
        """Move through the peers that were found."""
        self.post_message(self.Moved(rows))
