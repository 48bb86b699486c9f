"""The help: every key, and what the signs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from presence_tui.viewmodel.help import help_page
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from textual.app import ComposeResult


class HelpSheet(Sheet, can_focus=True):
    """The text of the help; arrow keys scroll it."""

    @property
    def text_width(self) -> int:
        """Columns that a row may fill: one stays free before the scroll bar."""
        return super().text_width - 1


class HelpScreen(ModalScreen[None]):
    """Shows the help over the main screen; any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,f1", "dismiss", "Close", id="help.close"),
    ]

    def compose(self) -> ComposeResult:
        """Lay out the one page."""
        sheet = HelpSheet(help_page(), id="help")
        sheet.border_title = "Help"
        sheet.border_subtitle = "esc closes"
        yield sheet

    def on_mount(self) -> None:
        """Let the arrow keys scroll at once."""
        self.query_one(HelpSheet).focus()
