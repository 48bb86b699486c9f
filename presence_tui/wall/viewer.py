"""The process of one browser: ``python -m presence_tui.wall.viewer SOCKET HOME THEME``.

textual-serve runs it. It looks through the engine of the process that serves, and has none of its
own. What goes wrong is in the log of that home: there is no terminal to say it on.
"""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import Console

import presence_tui
from presence_tui.app import PresenceApp
from presence_tui.control.client import RemoteSource, attached
from presence_tui.control.read_only import ReadOnlyError
from presence_tui.garbage import collect_seldom
from presence_tui.logs import keep_crash
from presence_tui.look import Look
from presence_tui.output import EXIT_CANNOT, EXIT_DONE
from presence_tui.widgets.metadata_editor import MetadataEditor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePath

    from textual.actions import ActionParseResult
    from textual.app import SystemCommand
    from textual.dom import DOMNode
    from textual.screen import Screen

_WRITES = ("export", "elsewhere")
_DECIDES = ("decide", "save", "revert")
_CHANGES = ("Save ", "Revert ", "Verify ", "Block ", "Forget ", "Export ")
"""How the names of commands begin that change something, on the mesh or on this device's disk."""


class WallApp(PresenceApp):
    """The dashboard in a browser: it does not quit, and when it may only show, that is all.

    What a browser must not do is refused at the engine's end of the socket; here it is hidden.
    """

    # Textual looks for style sheets beside the class.
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        Path(presence_tui.__file__).parent / path for path in PresenceApp.CSS_PATH
    ]

    def __init__(self, source: RemoteSource, theme: str) -> None:
        super().__init__(source, look=Look(theme=theme))
        self._shows_only = source.read_only
        self.error_console = Console(file=io.StringIO())

    def on_ready(self) -> None:
        """Let nobody write what would not be taken."""
        if self._shows_only:
            editor = self.screen.query_one(MetadataEditor)
            editor.disabled = True
            for button in editor.query("Button"):
                button.display = False

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Leave out what would write on this device, and when it may only show, say so."""
        name = action.partition("(")[0].rpartition(".")[2] if isinstance(action, str) else action[1]
        if name in _WRITES:
            self.notify("a browser writes no files of this device", markup=False)
            return False
        if self._shows_only and name in _DECIDES:
            self.notify(str(ReadOnlyError()), markup=False)
            return False
        return await super().run_action(action, default_namespace, namespaces)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Do not quit: the browser would come back at once."""
        return action != "quit" and super().check_action(action, parameters)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer what a browser may do."""
        hidden = ("Quit", *(_CHANGES if self._shows_only else ()))
        for command in super().get_system_commands(screen):
            if not command.title.startswith(hidden):
                yield command


async def view(control: Path, theme: str) -> None:
    """Show what the engine at a control socket sees, until the browser goes or the engine ends."""
    async with attached(control) as source:
        app = WallApp(source, theme)

        async def end_with_engine() -> None:
            await source.gone.wait()
            app.exit()

        ending = asyncio.create_task(end_with_engine())
        garbage = asyncio.create_task(collect_seldom(lambda: len(source.graph.remote_peers)))
        try:
            await app.run_async()
        finally:
            ending.cancel()
            garbage.cancel()
        if app._exception is not None:  # noqa: SLF001  there is no public way to learn of it
            raise app._exception  # noqa: SLF001


def main() -> int:
    """Run the viewer; return its exit code."""
    control, home, theme = sys.argv[1:]
    try:
        asyncio.run(view(Path(control), theme))
    except Exception as error:  # noqa: BLE001  the last guard: whatever it is, it is kept
        keep_crash(Path(home), error)
        return EXIT_CANNOT
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
