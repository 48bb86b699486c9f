"""The dashboard: what ``presence-tui`` does when nothing else is asked for."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING

from presence_tui.garbage import collect_seldom
from presence_tui.look import Look, check_keys, look_of
from presence_tui.output import EXIT_DONE, EXIT_USAGE, CommandError
from presence_tui.session import engine, run
from presence_tui.settings import home_of

if TYPE_CHECKING:
    import argparse


def dashboard(args: argparse.Namespace) -> int:
    """Show the mesh until the person quits. A demo without a terminal prints a snapshot."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        if args.demo is not None:
            from presence_tui.commands.export import export

            return export(args)
        raise CommandError(
            "the dashboard needs a terminal; for programs there is --json", EXIT_USAGE
        )
    look = look_of(args)
    return run(lambda stop: _show(args, look, stop))


async def _show(args: argparse.Namespace, look: Look, stop: asyncio.Event) -> int:
    async with engine(args) as presence:
        from rich.console import Console

        from presence_tui.app import PresenceApp, rooms

        check_keys(look.keys, rooms())
        home = None if args.demo is not None else home_of(args)
        app = PresenceApp(
            presence,
            draft=home and home / "metadata.draft",
            layout_file=home and home / "dashboard.json",
            look=look,
        )
        # Textual would print a traceback with every local variable; ours goes to the log.
        app.error_console = Console(file=io.StringIO())

        async def leave_when_told() -> None:
            await stop.wait()
            app.exit()  # as if the person had quit: drafts are kept, the terminal is restored

        told = asyncio.create_task(leave_when_told())
        garbage = asyncio.create_task(
            collect_seldom(lambda: len(presence.graph.remote_peers)), name="presence-garbage"
        )
        try:
            await app.run_async()
        finally:
            told.cancel()
            garbage.cancel()
        if app._exception is not None:  # noqa: SLF001  there is no public way to learn of it
            raise app._exception  # noqa: SLF001
    return EXIT_DONE
