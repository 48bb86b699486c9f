"""Peers on the LAN and at static addresses: listening, discovery, dialling."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from presence_core.discovery.static import parse_address, static_hints
from presence_core.errors import EngineError
from presence_core.model import ConditionState
from presence_core.transports.tcp import TcpListener, dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.config import PresenceConfig
    from presence_core.discovery.hint import DialHint
    from presence_core.discovery.mdns import MdnsDiscovery
    from presence_core.engine.conditions import Conditions
    from presence_core.engine.links import Clock
    from presence_core.engine.peering import Peering
    from presence_core.engine.reports import Reports
    from presence_core.engine.targets import Target, Targets
    from presence_core.identity.mesh import MeshKey
    from presence_core.transports.stream import Stream, StreamOpened

log = logging.getLogger(__name__)

DEFAULT_PORT = 47_700
"""Where an engine listens if it can; a second one on a machine takes any free port."""


class Lan:
    """Finds peers on the LAN and opens streams to them.

    ``accepted`` gets streams that others opened, ``dialled`` those that we opened.
    """

    def __init__(
        self,
        targets: Targets,
        conditions: Conditions,
        reports: Reports,
        *,
        clock: Clock,
        accepted: StreamOpened,
        dialled: Callable[[Stream, Target], None],
        happened: Callable[[], None],
    ) -> None:
        self._targets = targets
        self._conditions = conditions
        self._reports = reports
        self._now = clock.now
        self._wall_ms = clock.wall_ms
        self._accepted = accepted
        self._dialled = dialled
        self._happened = happened
        self._peering: Peering
        self._listener: TcpListener | None = None
        self._mdns: MdnsDiscovery | None = None
        self._dials: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port we listen on; 0 before the start."""
        return self._listener.port if self._listener else 0

    @property
    def instance(self) -> str:
        """Our own mDNS instance name; empty without mDNS."""
        return self._mdns.instance if self._mdns else ""

    def addresses(self) -> tuple[str, ...]:
        """Return what a neighbour needs to find us again, or to know our advert for ours."""
        addresses = []
        if self.instance:
            addresses.append(f"mdns:{self.instance}")
        if self.port:
            addresses.append(f"tcp:{self.port}")
        return tuple(addresses)

    async def start(
        self,
        config: PresenceConfig,
        mesh: MeshKey,
        peering: Peering,
    ) -> None:
        """Listen, announce, look.

        Raises EngineError when a configured address cannot be listened on, ValueError when an
        address makes no sense. Whatever else fails becomes a condition.
        """
        self._peering = peering
        for hint in static_hints(config.peers, DEFAULT_PORT):
            peering.dials.hinted(hint, self._now())
        if config.peers:
            self._reports.static_works("")
        await self._listen(config.listen, config.interfaces)
        # zeroconf takes tens of milliseconds to load: only who uses the LAN pays for it.
        from presence_core.discovery.mdns import MdnsDiscovery

        self._mdns = MdnsDiscovery(
            mesh=mesh,
            instance=self._targets.instance,
            port=self.port,
            interfaces=config.interfaces,
            free_slots=peering.free(),
            wall=lambda: self._wall_ms() / 1000,
            on_hint=self._hinted,
            on_gone=self._targets.withdrawn,
            on_other_meshes=self._reports.foreign_adverts,
            on_condition=self._mdns_condition,
        )
        await self._mdns.start()

    async def _listen(self, listen: str | None, interfaces: tuple[str, ...]) -> None:
        host, port = parse_address(listen, DEFAULT_PORT) if listen else (None, DEFAULT_PORT)
        listener = TcpListener(self._accepted, interfaces=interfaces)
        try:
            await listener.start(host, port)
        except OSError as error:
            if listen is not None:
                raise EngineError(
                    f"cannot listen on {listen}: {error.strerror or error}; "
                    "choose another address with --listen, or stop the program that uses it"
                ) from error
            try:
                await listener.start(None, 0)
            except OSError as second:
                self._conditions.set(
                    "lan",
                    ConditionState.FAILED,
                    f"cannot listen for connections: {second.strerror or second}",
                    "this device can still dial others; check the system's limits and firewall",
                )
                return
        self._listener = listener
        self._conditions.set("lan")

    def _mdns_condition(self, state: ConditionState, message: str | None, hint: str | None) -> None:
        self._conditions.set("mdns", state, message, hint)

    def _hinted(self, hint: DialHint) -> None:
        self._peering.dials.hinted(hint, self._now())
        self._happened()

    def dial(self, targets: list[Target]) -> None:
        """Start to dial."""
        for target in targets:
            task = asyncio.get_running_loop().create_task(
                self._dial(target), name=f"presence-dial-{target.name}"
            )
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    async def _dial(self, target: Target) -> None:
        host, port = target.address()
        try:
            stream = await dial(host, port, seconds=target.dial_seconds())
        except OSError as error:
            self._peering.dials.failed(target, self._now())
            if target.source == "static":
                self._reports.static_failed(target.name, _why(error))
            log.debug("dialling %s at %s port %d: %s", target.name, host, port, error)
        else:
            self._dialled(stream, target)
        self._happened()

    def look_again(self) -> None:
        """Ask and announce anew, and dial soon what is missing."""
        self._targets.nudge(self._now())
        if self._mdns is not None:
            task = asyncio.get_running_loop().create_task(
                self._mdns.refresh(), name="presence-mdns-refresh"
            )
            self._dials.add(task)
            task.add_done_callback(self._dials.discard)

    def set_free_slots(self, free: int) -> None:
        """Say in the advert how many more links would be taken."""
        if self._mdns is not None:
            self._mdns.set_free_slots(free)

    async def stop(self) -> None:
        """Withdraw the advert, stop listening and dialling."""
        for task in tuple(self._dials):
            task.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        if self._mdns is not None:
            await self._mdns.stop()
        if self._listener is not None:
            await self._listener.stop()


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return error.strerror or str(error)
