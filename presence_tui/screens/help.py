"""The help: every key, and what the signs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from presence_tui.viewmodel.help import help_page
from presence_tui.widgets.sheet import Reader

if TYPE_CHECKING:
    from textual.app import ComposeResult


class HelpScreen(ModalScreen[None]):
    """Shows the help over the main screen; any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,f1", "dismiss", "Close", id="help.close"),
    ]

    def compose(self) -> ComposeResult:
        """Lay out the one page."""
        sheet = Reader(help_page(), id="help")
        sheet.border_title = "Help"
        sheet.border_subtitle = "esc closes"
        yield sheet

    def on_mount(self) -> None:
        """Let the arrow keys scroll at once."""
        self.query_one(Reader).focus()
