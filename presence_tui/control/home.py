"""The control socket of a home: where commands of its owner look through the engine that runs.

``run/control`` in the home, in a folder that nobody else can enter. Whoever holds the key of the
home has it, so that there is one at most; what a killed process has left there is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from presence_tui.control.client import RemoteSource
    from presence_tui.source import PresenceSource

log = logging.getLogger(__name__)

FOLDER, SOCKET = "run", "control"
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


@contextlib.asynccontextmanager
async def open_to_looks(source: PresenceSource, home: Path) -> AsyncIterator[None]:
    """Let commands look through an engine for as long as this lasts; they can change nothing.

    Where that cannot be, the engine runs without.
    """
    from presence_tui.control.server import serving

    async with contextlib.AsyncExitStack() as stack:
        try:
            folder = await asyncio.to_thread(_make_folder, home)
            path = stack.enter_context(_short(folder))
            await stack.enter_async_context(serving(source, path, read_only=True))
        except (OSError, NotImplementedError, AttributeError) as error:  # Windows has none
            log.warning("commands cannot look through this engine: %s", error)
        yield


@contextlib.asynccontextmanager
async def looking(home: Path) -> AsyncIterator[RemoteSource]:
    """Look through the engine that runs on a home. Raises ControlError when none answers."""
    from presence_tui.control.client import ControlError, attached

    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(_short(home / FOLDER))
        except OSError as error:
            why = error.strerror or error
            raise ControlError(f"it has no control socket in {home / FOLDER}: {why}") from None
        async with attached(path) as source:
            yield source


def _make_folder(home: Path) -> Path:
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix":
        # In a home that others can write in, what has this name may be theirs, or a link elsewhere.
        descriptor = os.open(folder, _FOLDER)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "it belongs to somebody else", str(folder))
            os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)
    return folder


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """Give the path of the socket in a folder; the system has room for some 100 bytes of it.

    Linux reaches the folder by a short name too, however deep it lies.
    """
    if sys.platform != "linux":
        yield folder / SOCKET
        return
    descriptor = os.open(folder, _FOLDER)
    try:
        yield Path(f"/proc/self/fd/{descriptor}") / SOCKET
    finally:
        os.close(descriptor)
