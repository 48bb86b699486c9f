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


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: its text, the name of its style, and what a click on it means."""

    text: str
    style: str
    meaning: str = ""


class Bar(Widget):
    """One line of parts that can be clicked, and a note at its right end."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "bar--key",
        "bar--label",
        "bar--active",
        "bar--note",
    }
    DEFAULT_CSS = """
    Bar {
        height: 1;
        background: $panel;
        & .bar--key { color: $text-accent; background: $panel; text-style: bold; }
        & .bar--label { color: $text-muted; background: $panel; }
        & .bar--active { color: $text-primary; background: $primary 25%; text-style: bold; }
        & .bar--note { color: $text-accent; background: $panel; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._parts: tuple[Part, ...] = ()

    def set_parts(self, parts: Sequence[Part], note: str = "") -> None:
        """Show parts from the left, and a note at the right."""
        used = sum(cell_len(part.text) for part in parts)
        room = self.size.width - used - cell_len(note)
        shown = [*parts, Part(" " * max(0, room), "label")]
        if note and room >= 0:
            shown.append(Part(note, "note"))
        if tuple(shown) != self._parts:
            self._parts = tuple(shown)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        segments = [
            Segment(part.text, self.get_component_rich_style(f"bar--{part.style}"))
            for part in self._parts
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Do what the part that was clicked means."""
        end = 0
        for part in self._parts:
            end += cell_len(part.text)
            if event.x < end:
                if part.meaning:
                    self.chosen(part.meaning)
                return

    def chosen(self, meaning: str) -> None:
        """Do what a click on a part means."""


_NOTE = 6
"""Cells that the titles of the panes leave for a note, if they can by being shorter."""


class PaneBar(Bar):
    """The panes, with the key of each; the active one stands out. At the right: what is shown."""

    @dataclass
    class Chosen(Message):
        """A pane was clicked."""

        pane: str

    def __init__(self, panes: Sequence[tuple[str, str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._panes = panes
        self._active = ""
        self._notes: Sequence[str] = ("",)

    def show(self, active: str, notes: Sequence[str]) -> None:
        """Mark a pane, and show the first of the notes (from long to short) that has room."""
        self._active, self._notes = active, notes
        parts = self._titles(" {} {} ")
        if sum(cell_len(part.text) for part in parts) > self.size.width - _NOTE:
            parts = self._titles("{} {} ", short=True)
        room = self.size.width - sum(cell_len(part.text) for part in parts) - 1
        self.set_parts(parts, next((f"{note} " for note in notes if cell_len(note) < room), ""))

    def _titles(self, form: str, *, short: bool = False) -> list[Part]:
        return [
            Part(
                form.format(number, title.split()[-1].capitalize() if short else title),
                "active" if pane == self._active else "label",
                pane,
            )
            for number, (pane, title) in enumerate(self._panes, 1)
        ]

    def on_resize(self) -> None:
        """Choose the note for the new width."""
        self.show(self._active, self._notes)

    def chosen(self, meaning: str) -> None:
        """Tell that a pane was clicked."""
        self.post_message(self.Chosen(meaning))


_ALWAYS = ("back", "screen.back", "quit", "help", "command_palette")


def _cells(parts: Sequence[Part]) -> int:
    return sum(cell_len(part.text) for part in parts)


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
        """Show the active bindings that have something to say, each once."""
        if not self.is_attached:
            return
        hints: list[tuple[bool, list[Part]]] = []
        seen: set[str] = set()
        focused = self.screen.focused
        for key, active in self.screen.active_bindings.items():
            binding = active.binding
            if not (binding.show and active.enabled) or binding.action in seen:
                continue
            if self._refused(binding.action):
                continue
            # a text that is edited takes "/" for itself; of other characters Textual knows
            sign = binding.key_display or ""
            if focused and len(sign) == 1 and focused.check_consume_key(key, sign):
                continue
            seen.add(binding.action)
            hint = [
                Part(f" {self.app.get_key_display(binding)} ", "key", key),
                Part(f"{binding.description} ", "label", key),
            ]
            hints.append((binding.action in _ALWAYS, hint))
        self.set_parts(self._fitting(hints))

    def _refused(self, action: str) -> bool:
        refusals = getattr(self.app, "refusals", None)
        return refusals is not None and refusals.why(action) is not None

    def _fitting(self, hints: list[tuple[bool, list[Part]]]) -> list[Part]:
        """Return the hints that there is room for: first of all those that lead to all others."""
        left = self.size.width - sum(_cells(hint) for always, hint in hints if always)
        parts: list[Part] = []
        for always, hint in hints:
            if always or _cells(hint) <= left:
                parts += hint
            left -= 0 if always else _cells(hint)  # none after one that did not fit
        return parts

    def chosen(self, meaning: str) -> None:
        """Do what the key that was clicked does."""
        active = self.screen.active_bindings.get(meaning)
        if active is not None:
            action = self.app.run_action(active.binding.action, active.node)
            self.run_worker(action, exclusive=True, exit_on_error=False)
