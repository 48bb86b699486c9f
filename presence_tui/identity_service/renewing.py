"""Waiting for a login, and renewing the token from then on: beside each engine that runs.

Few homes have logged in; the others do not pay for what renewal loads.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from typing import TYPE_CHECKING

from presence_core.engine.home import LOGIN_FILE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

POLL_SECONDS = 10.0
"""How often the files of the home are looked at: somebody may have logged in."""


@contextlib.asynccontextmanager
async def renewing(home: Path) -> AsyncIterator[None]:
    """Renew the token of a home for as long as this lasts."""
    task = asyncio.create_task(_renew(home), name="identity renewal")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _renew(home: Path) -> None:
    path = home / LOGIN_FILE
    while not await asyncio.to_thread(os.path.lexists, path):  # noqa: ASYNC110  others write it
        await asyncio.sleep(POLL_SECONDS)
    there = await asyncio.to_thread(
        importlib.import_module, "presence_tui.identity_service.renewal"
    )
    await there.Renewal(home).run()
