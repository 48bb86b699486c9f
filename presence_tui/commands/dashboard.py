"""The dashboard: what ``presence-tui`` does when nothing else is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import sys
from typing import TYPE_CHECKING

from presence_tui.garbage import collect_seldom
from presence_tui.logs import keep_logs
from presence_tui.look import Look, check_keys, look_of
from presence_tui.output import EXIT_DONE, EXIT_USAGE, CommandError
from presence_tui.session import engine, run, say_unused
from presence_tui.settings import home_of, names_of

if TYPE_CHECKING:
    import argparse

    from presence_tui.app import PresenceApp
    from presence_tui.screens.opening import OpeningScreen


def dashboard(args: argparse.Namespace) -> int:
    """Show the mesh until the person quits. A demo without a terminal prints a snapshot."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        if args.demo is not None:
            from presence_tui.commands.export import export

            return export(args)
        raise CommandError(
            "the dashboard needs a terminal; for programs there is --json", EXIT_USAGE
        )
    keep_logs(home_of(args))
    look = look_of(args)
    opening = opening_screen(args)
    say_unused(args)
    return run(lambda stop: _show(args, look, opening, stop))


def opening_screen(args: argparse.Namespace) -> OpeningScreen:
    """Return what is shown first. Raises CommandError for settings that make no sense at a look."""
    from presence_tui.screens.opening import OpeningScreen

    if args.demo is not None:
        doing = f"starting {args.demo} engines on this device…"
        return OpeningScreen(mesh="demo", name="", doing=doing)
    from presence_core.engine.host import device_name

    mesh, name = names_of(args)
    doing = "opening the home, joining the mesh…"
    return OpeningScreen(mesh=mesh, name=name or device_name(), doing=doing)


async def _show(
    args: argparse.Namespace, look: Look, opening: OpeningScreen, stop: asyncio.Event
) -> int:
    from rich.console import Console

    from presence_tui.app import PresenceApp

    home = None if args.demo is not None else home_of(args)
    app = PresenceApp(
        opening,
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
    mesh = asyncio.create_task(_run_mesh(args, look, opening, app))
    mesh.add_done_callback(lambda _: app.exit())  # why is said when the terminal is restored
    try:
        await app.run_async()
    finally:
        told.cancel()
        mesh.cancel()
        await asyncio.wait({mesh})
    if app._exception is not None:  # noqa: SLF001  there is no public way to learn of it
        raise app._exception  # noqa: SLF001
    with contextlib.suppress(asyncio.CancelledError):
        await mesh
    return EXIT_DONE


async def _run_mesh(
    args: argparse.Namespace, look: Look, opening: OpeningScreen, app: PresenceApp
) -> None:
    """Start what is to be shown once the first frame is there; run it until cancelled."""
    await opening.painted.wait()
    rooms = await asyncio.to_thread(importlib.import_module, "presence_tui.rooms")
    check_keys(look.keys, rooms.rooms())
    engine_module = "presence_tui.demo" if args.demo is not None else "presence_core.presence"
    await asyncio.to_thread(importlib.import_module, engine_module)
    async with engine(args) as presence:
        await app.open(presence)
        await collect_seldom(lambda: len(presence.graph.remote_peers))
