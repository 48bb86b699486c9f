"""``serve``: the dashboard in a browser, for a display on a wall."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from presence_tui import output
from presence_tui.look import look_of
from presence_tui.loopback import is_loopback
from presence_tui.output import EXIT_DONE, EXIT_USAGE, CommandError
from presence_tui.session import engine, run, say_unused
from presence_tui.settings import home_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable

    from presence_tui.wall.server import WallServer

_LEAVE_SECONDS = 5.0


def serve(args: argparse.Namespace) -> int:
    """Serve the dashboard until told to end. Its address is printed when it listens."""
    host, port = _address(args)
    theme = look_of(args).theme
    try:
        from presence_tui.wall.server import WallServer
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("presence_"):
            raise
        raise CommandError(
            "serve needs textual-serve, which is not installed: pip install 'presence-tui[serve]'"
        ) from None
    make = partial(
        WallServer,
        home=home_of(args),
        theme=theme,
        names=frozenset({host.lower()}),
        viewers=args.viewers,
    )
    return run(lambda stop: _serve(args, (host, port), make, stop))


def _address(args: argparse.Namespace) -> tuple[str, int]:
    """Read where to listen: on loopback, unless it is said in words that anybody may look."""
    from presence_core.discovery.static import parse_address

    try:
        host, port = parse_address(args.http)
    except ValueError as error:
        raise CommandError(f"--http: {error}", EXIT_USAGE) from None
    if is_loopback(host):
        return host, port
    if args.control:
        raise CommandError(
            f"--control is for browsers on this device only: there is no login, and whoever "
            f"reaches {host} could speak in this device's name; leave one of the two out",
            EXIT_USAGE,
        )
    if not args.insecure_listen_without_login:
        raise CommandError(
            f"--http {args.http}: there is no login, so whoever reaches that address sees the "
            "whole mesh; say --insecure-listen-without-login too, or use 127.0.0.1 through ssh -L",
            EXIT_USAGE,
        )
    return host, port


async def _serve(
    args: argparse.Namespace,
    address: tuple[str, int],
    make: Callable[[Path], WallServer],
    stop: asyncio.Event,
) -> int:
    from aiohttp import web

    from presence_tui.control.server import serving

    host, port = address
    say_unused(args)
    async with engine(args) as presence, _private_folder() as folder:
        control = folder / "control"
        wall = make(control)
        runner = web.AppRunner(
            await wall.application(), access_log=None, shutdown_timeout=_LEAVE_SECONDS
        )
        try:
            async with serving(presence, control, read_only=not args.control):
                await runner.setup()
                try:
                    await web.TCPSite(runner, host, port).start()
                except OSError as error:
                    why = error.strerror or error
                    raise CommandError(
                        f"cannot listen on {host} port {port}: {why}; choose another --http"
                    ) from None
                output.data(_url(host, runner))
                await stop.wait()
        finally:  # the viewers have ended with the control socket, and with them the connections
            await runner.cleanup()
    return EXIT_DONE


def _url(host: str, runner: object) -> str:
    from aiohttp import web

    assert isinstance(runner, web.AppRunner)
    port = runner.addresses[0][1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextlib.asynccontextmanager
async def _private_folder() -> AsyncIterator[Path]:
    """Make a folder that nobody else can enter; the path of a socket has room for 100 bytes."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="presence-"))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
