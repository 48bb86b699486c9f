"""The help: every key, and what the signs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from presence_tui.viewmodel.help import help_page
from presence_tui.viewmodel.refusals import Refusals
from presence_tui.widgets.sheet import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult


class HelpScreen(ModalScreen[None]):
    """Shows the help over the main screen; any of the usual keys closes it.

    ``keys``: from the names of bindings to the keys that the person gave them. What is refused
    anyway is left out.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,f1", "dismiss", "Close", id="help.close"),
    ]

    def __init__(
        self, keys: Mapping[str, str] | None = None, refusals: Refusals | None = None
    ) -> None:
        super().__init__()
        self._page = help_page(keys or {}, refusals or Refusals())

    def compose(self) -> ComposeResult:
        """Lay out the one page."""
        sheet = Reader(self._page, id="help")
        sheet.border_title = "Help"
        sheet.border_subtitle = "esc closes"
        yield sheet

    def on_mount(self) -> None:
        """Let the arrow keys scroll at once."""
        self.query_one(Reader).focus()
