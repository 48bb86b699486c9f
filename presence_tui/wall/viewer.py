"""The process of one browser: ``python -m presence_tui.wall.viewer SOCKET HOME THEME``.

textual-serve runs it. It looks through the engine of the process that serves, and has none of its
own. What goes wrong is in the log of that home: there is no terminal to say it on.
"""

from __future__ import annotations

import asyncio
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console

import presence_tui
from presence_tui.app import PresenceApp
from presence_tui.control.client import attached
from presence_tui.garbage import collect_seldom
from presence_tui.logs import keep_crash
from presence_tui.look import Look
from presence_tui.output import EXIT_CANNOT, EXIT_DONE

if TYPE_CHECKING:
    from pathlib import PurePath

    from presence_tui.source import PresenceSource


class WallApp(PresenceApp):
    """The dashboard in a browser: it does not quit, and writes nothing on this device's disk.

    What a browser must not change is refused at the engine's end of the socket; here it is not
    offered.
    """

    # Textual looks for style sheets beside the class.
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        Path(presence_tui.__file__).parent / path for path in PresenceApp.CSS_PATH
    ]

    def __init__(self, source: PresenceSource, theme: str) -> None:
        super().__init__(source, look=Look(theme=theme))
        self.refusals = replace(self.refusals, no_files=True)
        self.error_console = Console(file=io.StringIO())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Do not quit: the browser would come back at once."""
        return action != "quit" and super().check_action(action, parameters)


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
