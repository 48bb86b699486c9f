"""Tiny apps around one pane, and how to wait for what it shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual.app import App, ComposeResult
from textual.geometry import Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot
    from textual.widget import Widget

    from presence_tui.widgets.local_peer import LocalPeerPane

PATIENCE = 30.0
"""Seconds after which a test stops waiting; never a bound that is asserted."""


class Host(App[None]):
    """An app with one widget in it; it keeps the requests to save."""

    def __init__(self, pane: Widget) -> None:
        super().__init__()
        self.animation_level = "none"
        self.pane = pane
        self.requests: list[str] = []
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_local_peer_pane_save_requested(self, event: LocalPeerPane.SaveRequested) -> None:
        self.requests.append(event.text)

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)
        super().copy_to_clipboard(text)


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Let the app go on until something is true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await pilot.pause(0.01)


def screen_text(widget: Widget) -> str:
    """Return the rows of a widget as they go to the terminal."""
    strips = widget.render_lines(Region(0, 0, *widget.size))
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
