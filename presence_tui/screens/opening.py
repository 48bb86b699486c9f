"""What is on the screen before there is anything to show: who this is, and what is going on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.screen import Screen

from presence_core.codec.text import safe_text
from presence_tui.screens.panes import PANES
from presence_tui.viewmodel.page import Span, Tone, line, unbroken
from presence_tui.widgets.bars import KeyHints, PaneBar
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from textual.app import ComposeResult


class OpeningScreen(Screen[None]):
    """The frame of the main screen, with the names in their places and everything else to come.

    ``mesh`` and ``name`` as somebody gave them: they are made safe here. ``painted`` is set when
    it has been shown; what takes long had better wait for that.
    """

    DEFAULT_CSS = """
    OpeningScreen {
        background: $background;
        & #header { dock: top; height: 2; padding: 0 1; background: $panel; }
    }
    """

    def __init__(self, *, mesh: str | None, name: str, doing: str) -> None:
        super().__init__()
        self._mesh = mesh
        self._device = name
        self._doing = doing
        self.painted = asyncio.Event()

    def compose(self) -> ComposeResult:
        """Lay out the lines that the main screen has too."""
        device = Span(unbroken(safe_text(self._device, limit=32)), Tone.STRONG)
        who = line(device)
        if self._mesh is not None:
            mesh = Span(unbroken(safe_text(self._mesh, limit=32)), Tone.HEADING)
            who = line(Span("mesh\u00a0", Tone.DIM), mesh, "  ", device)
        yield Sheet((who, line(Span(self._doing, Tone.DIM))), id="header")
        yield PaneBar(PANES, id="panes")
        yield KeyHints(id="keys")

    def on_mount(self) -> None:
        """Wait for the first frame."""
        self.call_after_refresh(self.painted.set)
