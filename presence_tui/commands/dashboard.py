"""The dashboard: what ``presence-tui`` does when nothing else is asked for."""

from __future__ import annotations

import argparse
import asyncio
import sys

from presence_tui import output
from presence_tui.output import EXIT_DONE, EXIT_USAGE, CommandError
from presence_tui.session import engine, run, unless_stopped
from presence_tui.settings import home_of


def dashboard(args: argparse.Namespace) -> int:
    """Show the mesh until the person quits. A demo without a terminal prints a snapshot."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        if args.demo is not None:
            from presence_tui.commands.export import export  # noqa: PLC0415

            return export(args)
        raise CommandError(
            "the dashboard needs a terminal; for programs there is --json", EXIT_USAGE
        )
    return run(lambda stop: _show(args, stop))


async def _show(args: argparse.Namespace, stop: asyncio.Event) -> int:
    async with engine(args) as presence:
        from presence_tui.app import PresenceApp  # noqa: PLC0415  textual loads while peers answer

        draft = None if args.demo is not None else home_of(args) / "metadata.draft"
        app = PresenceApp(presence, draft=draft)
        if not await unless_stopped(app.run_async(), stop):
            app.exit()
        if app.return_code:
            output.say("the dashboard ended with an error")
            return app.return_code
    return EXIT_DONE
