"""Choosing columns, order and groups of the table, which shows each change at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from presence_tui.viewmodel.page import Line, Span, Tone
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from presence_tui.viewmodel.layout import Columns, Layout

_HINTS = (
    ("space", "show, hide"),
    ("J K", "down, up"),
    ("← →", "width"),
    ("s", "sort"),
    ("a", "then by"),
    ("g", "group"),
    ("x", "as usual"),
    ("esc", "done"),
)


class ColumnsScreen(ModalScreen[None]):
    """A list of all columns. ``changed`` is called with each new layout."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "show", "Show", id="columns.toggle", priority=True),
        Binding("J,shift+down", "move(1)", "Down", id="columns.down"),
        Binding("K,shift+up", "move(-1)", "Up", id="columns.up"),
        Binding("right,plus", "resize(1)", "Wider", id="columns.wider"),
        Binding("left,minus", "resize(-1)", "Narrower", id="columns.narrower"),
        Binding("s", "sort(False)", "Sort", id="columns.sort"),
        Binding("a", "sort(True)", "Then by", id="columns.also"),
        Binding("g", "group", "Group", id="columns.group"),
        Binding("x", "reset", "As usual", id="columns.reset"),
        Binding("escape,q,c", "dismiss", "Done", id="columns.done"),
    ]

    def __init__(self, columns: Columns, width: int, changed: Callable[[Layout], None]) -> None:
        super().__init__()
        self._columns = columns
        self._width = width
        self._changed = changed

    def compose(self) -> ComposeResult:
        """Lay out the list above its keys."""
        with Vertical(id="columns") as box:
            box.border_title = "Columns"
            yield OptionList(id="column-list")
            yield Sheet(
                (
                    Line(
                        tuple(
                            span
                            for key, words in _HINTS
                            for span in (
                                Span(key.replace(" ", "\u00a0"), Tone.KEY),
                                Span(f"\u00a0{words.replace(' ', chr(0xA0))}  ", Tone.DIM),
                            )
                        )
                    ),
                )
            )

    def on_mount(self) -> None:
        """Show all columns."""
        self._fill(self._columns.keys[0])

    @property
    def _chosen(self) -> str:
        at = self.query_one(OptionList).highlighted or 0
        return self._columns.keys[at]

    def _fill(self, chosen: str) -> None:
        listed = self.query_one(OptionList)
        lines = map(self._columns.line, self._columns.keys)
        listed.set_options(Option(Text("".join(s.text for s in line))) for line in lines)
        listed.highlighted = self._columns.keys.index(chosen)
        listed.focus()

    def _tell(self, chosen: str) -> None:
        self._fill(chosen)
        self._changed(self._columns.layout)

    def action_show(self) -> None:
        """Show the column, or leave it out."""
        key = self._chosen
        self._columns.toggle(key)
        self._tell(key)

    def action_move(self, step: int) -> None:
        """Move the column."""
        key = self._chosen
        self._columns.move(key, step)
        self._tell(key)

    def action_resize(self, step: int) -> None:
        """Make the column wider or narrower."""
        key = self._chosen
        self._columns.resize(key, step)
        self._tell(key)

    def action_sort(self, also: bool) -> None:  # noqa: FBT001  actions take no keywords
        """Sort by the column, alone or after others."""
        key = self._chosen
        self._columns.sort(key, also=also)
        self._tell(key)

    def action_group(self) -> None:
        """Keep rows together by the column, or no longer."""
        key = self._chosen
        self._columns.group(key)
        self._tell(key)

    def action_reset(self) -> None:
        """Go back to the usual columns and order."""
        self._columns.reset(self._width)
        self._tell(self._columns.keys[0])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show or hide a column that was clicked."""
        event.stop()
        self.action_show()
