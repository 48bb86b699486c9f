"""A mesh of real engines on this machine: the field team of a relief convoy.

Each has a key, a home and a session of its own; they find each other by mDNS on loopback and
speak the same protocol as in the field. Nothing here is staged but names, metadata, the churn, and
who fares how at the identity service.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import random
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from presence_core.config import PresenceConfig
from presence_core.identity.mesh import MeshKey
from presence_core.presence import Presence

if TYPE_CHECKING:
    from types import TracebackType

QUIET_SECONDS = 15.0
"""Nobody leaves before: whoever opens the demo first sees the whole team."""

MAX_LINKS = 3
"""Fewer than in the field, so that a small team has peers that are several hops away too."""

_TROUBLES = {3: "expired", 4: "none", 5: "foreign", 6: "revoked", 7: "copied"}
"""Whose identity is not verified, and why; see :mod:`presence_tui.demo_identities`."""

CHURN_SECONDS = (4.0, 9.0)
AWAY_SECONDS = (5.0, 10.0)

_TEAM: tuple[tuple[str, dict[str, Any]], ...] = (
    ("command-post", {"role": "lead", "team": "alpha", "location": "school gym"}),
    ("triage-tent", {"role": "medic", "team": "medical", "location": "sector 2", "beds": 12}),
    ("field-hospital", {"role": "surgeon", "team": "medical", "location": "sector 1", "beds": 30}),
    ("water-truck-1", {"role": "driver", "team": "supply", "litres": 8000, "fuel": 71}),
    ("supply-depot", {"role": "logistics", "team": "supply", "location": "harbour", "pallets": 46}),
    ("drone-survey", {"role": "pilot", "team": "scout", "battery": 88}),
    (
        "bridge-watch",
        {"role": "scout", "team": "scout", "location": "north bridge", "level_cm": 214},
    ),
    ("radio-relay", {"role": "signals", "team": "alpha", "location": "hill 402", "battery": 64}),
    ("search-team-a", {"role": "rescue", "team": "rescue", "location": "sector 4", "people": 6}),
    ("search-team-b", {"role": "rescue", "team": "rescue", "location": "sector 5", "people": 5}),
    ("kitchen", {"role": "cook", "team": "supply", "location": "school yard", "meals": 320}),
    ("ambulance-7", {"role": "driver", "team": "medical", "location": "sector 2", "fuel": 48}),
)


def loopback_interface() -> str:
    """Return the name of the loopback interface of this machine."""
    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in names if name in ("lo", "lo0")), "lo")


class DemoMesh:
    """``n`` engines in this process. ``presence`` is the one that a person looks through.

    ``churn`` False keeps the mesh as it is. Members log in to an identity service: while a person
    sees the mesh already, or before it starts if ``identities_first``. The homes are made in a
    folder of their own, which is removed at the end, or in ``home`` if given.
    """

    presence: Presence

    def __init__(
        self,
        n: int = 8,
        *,
        churn: bool = True,
        identities_first: bool = False,
        home: Path | None = None,
    ) -> None:
        self._n = n
        self._churn = churn
        self._identities_first = identities_first
        self._given_home = home
        self._home: Path
        self._mesh = MeshKey.generate("demo")
        self._rng = random.Random(20_261_124)
        self._others: dict[int, Presence] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._home = self._given_home or Path(await asyncio.to_thread(_make_folder))
        try:
            if self._identities_first:
                await self._identify()
            self.presence = await self._start(0)
            for number in range(1, self._n):
                self._others[number] = await self._start(number)
        except BaseException:
            await self._stop()
            raise
        if not self._identities_first:
            self._tasks.append(asyncio.create_task(self._identify(), name="presence-demo-logins"))
        if self._churn:
            self._tasks.append(asyncio.create_task(self._keep_changing(), name="presence-demo"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        engines = [*self._others.values()]
        if hasattr(self, "presence"):
            engines.append(self.presence)
        await asyncio.gather(*(engine.stop() for engine in engines), return_exceptions=True)
        await self._stack.aclose()
        if self._given_home is None:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)

    async def _identify(self) -> None:
        """Let the members log in; what can go wrong with that is among it."""
        # What it loads takes a moment, in which the screen is to go on.
        there = await asyncio.to_thread(importlib.import_module, "presence_tui.demo_identities")
        identities = there.DemoIdentities(self._home / "identity-services")
        await self._stack.enter_async_context(identities)
        members = []
        for number in range(self._n):
            name, metadata = _member(number)
            vouched = {"unit": metadata["team"], "role": metadata["role"]}
            lot = there.Lot(_TROUBLES.get(number, "verified"))
            members.append(there.Member(self._home_of(number), name, vouched, lot))
        await identities.give(members)

    def _home_of(self, number: int) -> Path:
        return self._home / f"{number:02}-{_member(number)[0]}"

    async def _start(self, number: int) -> Presence:
        name, metadata = _member(number)
        home = self._home_of(number)
        returns = await asyncio.to_thread((home / "metadata.json").exists)
        presence = Presence(
            PresenceConfig(
                home=home,
                mesh_key=self._mesh,
                name=name,
                metadata=None if returns else metadata,
                listen="127.0.0.1:0",
                interfaces=(loopback_interface(),),
                max_links=MAX_LINKS,
                transports=("lan",),
            )
        )
        await presence.start()
        return presence

    # -- churn

    async def _keep_changing(self) -> None:
        started = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(self._rng.uniform(*CHURN_SECONDS))
            early = asyncio.get_running_loop().time() - started < QUIET_SECONDS
            with contextlib.suppress(OSError):
                if early or self._rng.random() < 0.7:
                    await self._change_somebody()
                else:
                    await self._send_somebody_away()

    async def _change_somebody(self) -> None:
        presence = self._others[self._rng.choice(sorted(self._others))]
        metadata = dict(presence.peer_metadata)
        numbers = [key for key, value in metadata.items() if isinstance(value, int)]
        if numbers:
            key = self._rng.choice(numbers)
            metadata[key] = max(0, metadata[key] + self._rng.randint(-4, 3))
        else:
            metadata["status"] = self._rng.choice(("ready", "busy", "moving", "resting"))
        await presence.set_peer_metadata(metadata)

    async def _send_somebody_away(self) -> None:
        number = self._rng.choice(sorted(self._others))
        await self._others[number].stop()
        await asyncio.sleep(self._rng.uniform(*AWAY_SECONDS))
        self._others[number] = await self._start(number)


def _member(number: int) -> tuple[str, dict[str, Any]]:
    name, metadata = _TEAM[number % len(_TEAM)]
    turn = number // len(_TEAM)
    return (f"{name}-{turn + 1}" if turn else name), metadata


def _make_folder() -> str:
    return tempfile.mkdtemp(prefix="presence-demo-")
