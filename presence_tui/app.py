"""The dashboard: a Textual app over any source of presence graphs.

It can be shown before there is a source. Screens and what they need are loaded when they are first
wanted: next to nothing comes before the first frame (``benchmarks/first_frame.py``).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.screen import Screen

from presence_tui.look import Look
from presence_tui.messages import GraphArrived, SourceOpened
from presence_tui.source import shows_only
from presence_tui.themes import NAMES, THEMES, theme_after
from presence_tui.type_ahead import TypeAhead, typed
from presence_tui.viewmodel.refusals import Refusals
from presence_tui.widgets.ascii_filter import AsciiFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path, PurePath

    from textual.actions import ActionParseResult
    from textual.app import SystemCommand
    from textual.dom import DOMNode
    from textual.events import Event
    from textual.filter import LineFilter

    from presence_core.model import PresenceGraph
    from presence_tui.screens.main import MainScreen
    from presence_tui.source import PresenceSource, Watching


_USUAL = Look()
_NEED_SOURCE = ("help", "command_palette")


def local_now() -> datetime:
    """Return now, in the time zone of this device."""
    return datetime.now().astimezone()


class PresenceApp(App[int]):
    """Shows the graphs of a source until the person quits.

    ``source`` may be a screen that is shown until :meth:`open` brings one.
    ``now`` is the clock of everything on the screen; ``draft`` the file that keeps an unfinished
    metadata text, ``layout_file`` the one that keeps the columns and the order of the table.
    ``look``: theme, ASCII or not, and keys other than the usual ones.
    """

    TITLE = "presence-tui"
    ENABLE_COMMAND_PALETTE = True
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "screens/main.tcss",
        "screens/help.tcss",
        "screens/confirm.tcss",
        "screens/columns.tcss",
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", id="app.help"),
        Binding("f1", "help", "Help", id="app.help-anywhere"),
        Binding("ctrl+p", "command_palette", "Commands", key_display="^p", id="app.commands"),
        Binding("t", "toggle_theme", "Theme", show=False, id="app.theme"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+q", "quit", "Quit", id="app.quit-anywhere"),
    ]

    def __init__(
        self,
        source: PresenceSource | Screen[None],
        *,
        now: Callable[[], datetime] = local_now,
        draft: Path | None = None,
        layout_file: Path | None = None,
        look: Look = _USUAL,
    ) -> None:
        super().__init__()
        self._clock = now
        self._draft = draft
        self._layout_file = layout_file
        self._toasts = look.toasts
        self.refusals = Refusals()
        self._watching: Watching | None = None
        self._main: MainScreen | None = None
        self._opened = asyncio.Event()
        if isinstance(source, Screen):
            self._first = source
        else:
            self._first = self._main = self._main_screen(source)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = NAMES[look.theme].name
        self.ascii_only = look.ascii_only
        self._ascii = AsciiFilter()
        self._type_ahead = TypeAhead(self, super().on_event)
        self.keys = dict(look.keys)
        self.set_keymap(self.keys)

    def _main_screen(self, source: PresenceSource) -> MainScreen:
        from presence_tui.screens.main import MainScreen

        self._source = source
        self.refusals = replace(self.refusals, shows_only=shows_only(source))
        return MainScreen(
            source,
            clock=self._clock,
            draft=self._draft,
            layout_file=self._layout_file,
            toasts=self._toasts,
        )

    def get_default_screen(self) -> Screen[None]:
        """Return the main screen, or the one that is shown before there is a source."""
        return self._first

    def on_mount(self) -> None:
        """Begin to follow the source, if there is one."""
        if self._main is not None:
            self._follow()

    async def on_event(self, event: Event) -> None:
        """Take what happens; keys one after the other, and none while it ends."""
        if isinstance(event, Key | Paste) and (self._exit or not self.screen_stack):
            return
        if typed(event):
            await self._type_ahead.take(event)
        else:
            await super().on_event(event)

    @property
    def typed_at(self) -> float:
        """When the key that was handled last was typed; some keys lie in a queue for a while."""
        return self._type_ahead.typed_at

    async def open(self, source: PresenceSource) -> None:
        """Show the main screen, with what a source says, in place of the first one; wait for it."""
        self.post_message(SourceOpened(source))  # screens are made in the context of the app
        await self._opened.wait()

    async def on_source_opened(self, message: SourceOpened) -> None:
        """Put the main screen over the first one, in one step for the eye."""
        with self.batch_update():
            self._main = self._main_screen(message.source)
            await self.push_screen(self._main)
        self._follow()
        self.call_after_refresh(self._opened.set)

    def _follow(self) -> None:
        self._watching = self._source.observe(self._arrived)

    def _arrived(self, graph: PresenceGraph) -> None:
        self.post_message(GraphArrived(graph))

    def on_unmount(self) -> None:
        """Stop following."""
        if self._watching is not None:
            self._watching.stop()

    def on_graph_arrived(self, message: GraphArrived) -> None:
        """Show a newer graph."""
        if self._main is not None and not self._exit:
            self._main.show(message.graph)

    # -- commands

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key asks for, or say why not."""
        why = self.refusals.why(action if isinstance(action, str) else action[1])
        if why is None:
            return await super().run_action(action, default_namespace, namespaces)
        self.notify(why, markup=False)
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions do something now: without a source there is nothing to command."""
        if self._main is None and action in _NEED_SOURCE:
            return False
        return super().check_action(action, parameters)

    def action_help(self) -> None:
        """Show every key and sign."""
        from presence_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.keys, self.refusals))

    def action_toggle_theme(self) -> None:
        """Change to the next theme."""
        self.theme = theme_after(self.theme).name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line passes on its way to the terminal."""
        filters = super().get_line_filters()
        return [*filters, self._ascii] if self.ascii_only else filters

    def toggle_ascii(self) -> None:
        """Show nothing but ASCII, or everything."""
        self.ascii_only = not self.ascii_only
        if self._main is not None:
            self._main.show_ascii(only=self.ascii_only)
        self.refresh_css()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """Offer every action by name."""
        from presence_tui.system_commands import system_commands

        return system_commands(self, self._main) if self._main is not None else ()
