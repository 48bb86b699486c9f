"""When the dashboard looks for garbage: not while somebody waits for a key to be answered.

Python looks through all that lives whenever enough has been made. At 10,000 peers that takes a
tenth of a second and happens every few seconds, in the middle of whatever goes on. Nearly all
that is made here is immutable and is gone with its last reference; what only the collector finds
is little, and can wait.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

YOUNG = 2_000
"""Objects made between two looks at the young ones, which take a millisecond or two.

Ten times as many would cost less in all, but a look would take as long as a frame.
"""

_OLDER = 2
"""Looks at the young ones between two at those that stayed: some milliseconds."""

FEW_PEERS = 1_000
"""With so many a look at everything takes no longer than a frame."""

FEW_SECONDS = 60.0
MANY_SECONDS = 3_600.0


async def collect_seldom(peers: Callable[[], int]) -> None:
    """Look through everything once a minute in a small mesh, once an hour in a big one.

    What lives by now, the program itself above all, is never looked at again. Runs until cancelled.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, _OLDER, 1_000_000)
    waited = 0.0
    while True:
        await asyncio.sleep(FEW_SECONDS)
        waited += FEW_SECONDS
        if waited >= MANY_SECONDS or peers() <= FEW_PEERS:
            gc.collect()
            waited = 0.0
