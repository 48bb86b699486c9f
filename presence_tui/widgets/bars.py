"""Two bars of one line: the panes to choose from, and the keys that do something now.

Textual's own footer leaks widgets at each change of focus, and it has no room for words at 80
columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events


class Bar(Widget):
    """One line of parts that can be clicked."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"bar--key", "bar--label", "bar--active"}
    DEFAULT_CSS = """
    Bar {
        height: 1;
        background: $panel;
        & .bar--key { color: $text-accent; background: $panel; text-style: bold; }
        & .bar--label { color: $text-muted; background: $panel; }
        & .bar--active { color: $text; background: $primary; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._parts: list[tuple[str, str, str]] = []
        self._places: list[tuple[int, int, str]] = []

    def set_parts(self, parts: list[tuple[str, str, str]]) -> None:
        """Show parts, each a text, the name of its style, and what a click on it means."""
        if parts == self._parts:
            return
        self._parts = parts
        self._places = []
        at = 0
        for text, _, meaning in parts:
            end = at + cell_len(text)
            self._places.append((at, end, meaning))
            at = end
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        segments = [
            Segment(text, self.get_component_rich_style(f"bar--{style}"))
            for text, style, _ in self._parts
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Tell which part was clicked."""
        for start, end, meaning in self._places:
            if start <= event.x < end and meaning:
                self.chosen(meaning)
                return

    def chosen(self, meaning: str) -> None:
        """Do what a click on a part means."""


class PaneBar(Bar):
    """The panes, with the key of each; the active one stands out."""

    @dataclass
    class Chosen(Message):
        """A pane was clicked."""

        pane: str

    def show_panes(self, panes: Sequence[tuple[str, str]], active: str, note: str) -> None:
        """Show (id, title) of each pane and a note at the end."""
        parts = []
        for number, (pane, title) in enumerate(panes, 1):
            style = "active" if pane == active else "label"
            parts += [(f" {number} {title} ", style, pane)]
        if note:
            parts.append((f"  {note}", "key", ""))
        self.set_parts(parts)

    def chosen(self, meaning: str) -> None:
        """Tell that a pane was clicked."""
        self.post_message(self.Chosen(meaning))


class KeyHints(Bar):
    """The keys that do something where the focus is, as far as there is room."""

    DEFAULT_CSS = "KeyHints { dock: bottom; }"

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.show_bindings())
        self.show_bindings()

    def on_resize(self) -> None:
        """Show as many as fit."""
        self.show_bindings()

    def show_bindings(self) -> None:
        """Show the active bindings that have something to say."""
        if not self.is_attached:
            return
        parts: list[tuple[str, str, str]] = []
        used = 0
        shown = [
            active.binding
            for active in self.screen.active_bindings.values()
            if active.binding.show and active.enabled
        ]
        for binding in shown:
            key = self.app.get_key_display(binding)
            width = cell_len(key) + cell_len(binding.description) + 3
            if used + width > self.size.width:
                continue
            used += width
            parts += [
                (f" {key} ", "key", binding.action),
                (f"{binding.description} ", "label", binding.action),
            ]
        self.set_parts(parts)

    def chosen(self, meaning: str) -> None:
        """Run the action of the key that was clicked: one of our own bindings, always."""
        focused = self.screen.focused
        self.run_worker(
            self.app.run_action(meaning, default_namespace=focused or self.screen), exclusive=True
        )
