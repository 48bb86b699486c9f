"""The checks: all at once, each bounded in time, and none able to spoil the others."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from presence_core.config import PresenceConfig
from presence_tui.doctor.finding import Finding, unknown
from presence_tui.output import CommandError
from presence_tui.settings import config_of_flags, home_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from presence_tui.doctor.running import Running

_T = TypeVar("_T")

CHECK_SECONDS = 2.0
"""How long a check may take."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is examined: a home, what an engine on it would be told, and one that runs already.

    ``trouble``: why the settings cannot be used; ``config`` is then what the flags alone say.
    ``screen``: what is wrong with those that only the dashboard has.
    """

    home: Path
    config: PresenceConfig
    trouble: Finding | None
    screen: Finding | None
    running: Running


async def in_thread(work: Callable[[], _T]) -> _T:
    """Do what may wait for a disk or another program.

    In a thread that nobody waits for: a home on a network disk that is gone may keep it for ever.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(answer: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("_T", answer))

    def run() -> None:
        answer, error = None, None
        try:
            answer = work()
        except BaseException as raised:  # noqa: BLE001  it is raised where it is waited for
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, answer, error)

    threading.Thread(target=run, name="presence-doctor", daemon=True).start()
    return await done


async def bounded(
    name: str, check: Callable[[], Awaitable[Sequence[Finding]]]
) -> Sequence[Finding]:
    """Do a check. Whatever becomes of it, there is an answer, and soon."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return (unknown(name, f"no answer within {CHECK_SECONDS:.0f} s", _SLOW),)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return (unknown(name, f"cannot look: {where}{error.strerror or error}"),)
    except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
        why = " ".join(str(error).split()) or "no reason given"
        return (unknown(name, f"the check itself failed: {type(error).__name__}: {why}", _BUG),)


_SLOW = "something that is waited for does not answer: a disk, another program; then try again"
_BUG = "please report this; the other findings hold"


async def examine(args: argparse.Namespace) -> tuple[Finding, ...]:
    """Look at everything. Raises CommandError for options that make no sense."""
    from presence_tui.doctor.checks import CHECKS

    case = await _case(args)
    if case.config.uses("lan"):  # loading it takes a while, which is not the network's
        await in_thread(lambda: importlib.import_module("presence_core.discovery.probe"))
    found = await asyncio.gather(
        *(bounded(check.name, partial(check.look, case)) for check in CHECKS)
    )
    return tuple(finding for findings in found for finding in findings)


async def _case(args: argparse.Namespace) -> Case:
    from presence_tui.doctor.configuration import GO_ON, read_settings
    from presence_tui.doctor.running import Running, find_running

    home = home_of(args)
    config, trouble, screen = PresenceConfig(home=home), None, None
    refused: CommandError | None = None
    running = Running()

    async def settings() -> Sequence[Finding]:
        nonlocal config, trouble, screen, refused
        try:
            config = await in_thread(lambda: config_of_flags(args))  # whatever the rest does
            config, trouble, screen = await in_thread(lambda: read_settings(args, config))
        except CommandError as error:
            refused = error
        return ()

    async def engine() -> Sequence[Finding]:
        nonlocal running
        running = await in_thread(lambda: find_running(home))
        return ()

    late, unseen = await asyncio.gather(bounded("settings", settings), bounded("engine", engine))
    if refused is not None:
        raise refused
    for finding in late:
        trouble = replace(finding, hint=f"{finding.hint}; {GO_ON}")
    for finding in unseen:
        running = Running(problem=finding.found)
    return Case(home, config, trouble, screen, running)
