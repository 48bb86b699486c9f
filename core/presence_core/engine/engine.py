"""The engine: the only place where tasks, clocks and policy meet.

It wires streams to links, links to the node, and the node to the graph. What decides is elsewhere
and mostly pure; what is here waits, carries over, and starts and stops things in order.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presence_core._version import __version__
from presence_core.codec.metadata import MetadataError, encode_metadata
from presence_core.engine import machine
from presence_core.engine.ble import Bluetooth
from presence_core.engine.conditions import Conditions
from presence_core.engine.graph import GraphBuilder
from presence_core.engine.home import MetadataFile, mesh_of
from presence_core.engine.lan import Lan
from presence_core.engine.links import Clock, Links
from presence_core.engine.memory import GIVE_BACK_SECONDS, give_back
from presence_core.engine.node import Node
from presence_core.engine.observers import GraphWatch
from presence_core.engine.own_record import NodeProfile
from presence_core.engine.peering import Peering
from presence_core.engine.reports import Reports
from presence_core.engine.targets import Target, Targets
from presence_core.engine.view import Sight, ViewKeeper
from presence_core.gossip.neighbours import Slots
from presence_core.handshake.events import ByeCode
from presence_core.identity.keyfile import HomeError, KeyFile
from presence_core.model import ConditionState, Mesh, PresenceGraph, ViewState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from presence_core.config import PresenceConfig
    from presence_core.engine.admission import ConnectionRequestHandler
    from presence_core.engine.connections import LinkMeasure
    from presence_core.identity.mesh import MeshKey
    from presence_core.transports.ble.radio import Radio
    from presence_core.transports.stream import Stream

log = logging.getLogger(__name__)

GRAPH_SECONDS = 0.05
"""Graphs are built at most this often, however much happens."""

FILLING_SECONDS = 0.1
"""The same while the view fills: there is much else to do then."""

DIAL_SECONDS = 0.01
"""How soon targets are looked through after something happened; often much happens at once."""

MEASURE_SECONDS = 5.0
"""How often round trips and byte counters of links are shown anew."""

HOUSEKEEPING_SECONDS = 0.5


class Engine:
    """One peer: starts, finds others, keeps the graph current, and leaves in good order.

    Lives in one event loop. ``start`` and ``stop`` are called once each.
    """

    def __init__(
        self,
        config: PresenceConfig,
        handler: ConnectionRequestHandler | None = None,
        radio: Radio | None = None,
    ) -> None:
        self.config = config
        self.started = False
        self.metadata: Mapping[str, Any] = {}
        self.links: Links
        self.watch: GraphWatch
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(random.SystemRandom().getrandbits(64))
        self._clock = Clock(self._loop.time, lambda: time.time_ns() // 1_000_000)
        self._running = False
        self._build_timer: asyncio.TimerHandle | None = None
        self._conditions = Conditions(_utc, self._changed)
        self._reports = Reports(self._conditions)
        self._view = ViewKeeper(_utc)
        self._targets = Targets(self._rng)
        self._metadata_file = MetadataFile(config.home_path)
        self._metadata_lock = asyncio.Lock()
        self._lan = Lan(
            self._targets,
            self._conditions,
            self._reports,
            now=self._clock.now,
            accepted=self._accepted,
            dialled=self._dialled,
            happened=self._dial_soon,
        )
        self._ble = Bluetooth(
            self._conditions,
            self._reports,
            clock=self._clock,
            accepted=self._accepted,
            dialled=self._dialled,
            happened=self._dial_soon,
            radio=radio,
        )
        self._handler = handler
        self._key_file: KeyFile | None = None
        self._mesh: MeshKey
        self._node: Node
        self._peering: Peering
        self._builder: GraphBuilder
        self._measures: dict[int, LinkMeasure] = {}
        self._sequence = 0
        self._housekeeping: asyncio.Task[None] | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._dial_timer: asyncio.TimerHandle | None = None
        self._give_back_timer: asyncio.TimerHandle | None = None
        self._pump_handle: asyncio.Handle | None = None
        self._built_at = float("-inf")
        self._measured_at = float("-inf")

    # -- life

    async def start(self) -> None:
        """Open the home, listen, look for peers.

        Raises HomeError (a file of the home), EngineError (an address that is taken),
        MetadataError or ValueError (configuration), each in one line that says what to do.
        """
        try:
            epoch = await asyncio.to_thread(self._open_home)
            self._build_node(epoch)
            self._running = True
            if self._uses("lan"):
                await self._lan.start(
                    self._mesh,
                    self._peering,
                    instance=self._targets.instance,
                    listen=self.config.listen,
                    interfaces=self.config.interfaces,
                    peers=self.config.peers,
                    wall=time.time,
                )
            if self._uses("ble"):
                self._ble.start(self._peering, asked=self.config.transports is not None)
        except BaseException:
            await self.stop()
            raise
        self._housekeeping = self._loop.create_task(self._keep_house(), name="presence-house")
        self._give_back_timer = self._loop.call_later(GIVE_BACK_SECONDS, give_back)
        self.started = True
        self._pump()

    def _uses(self, transport: str) -> bool:
        return self.config.transports is None or transport in self.config.transports

    def _open_home(self) -> int:
        """Open key, mesh key and metadata (files: not for the event loop); return the epoch."""
        home = self.config.home_path
        self._key_file = KeyFile.open(home)
        self._mesh = mesh_of(self.config, home)
        if self.config.metadata is not None:
            encode_metadata(self.config.metadata)
            self.metadata = dict(self.config.metadata)
            self._metadata_file.save(self.metadata)
        else:
            self.metadata = self._metadata_file.load() or {}
        return self._key_file.next_epoch(self._clock.wall_ms())

    def _build_node(self, epoch: int) -> None:
        assert self._key_file is not None
        identity = self._key_file.identity
        now = self._clock.now()
        self._node = Node(
            identity,
            self._mesh,
            NodeProfile(self.config.name or machine.device_name(), machine.os_name(), __version__),
            epoch=epoch,
            now=now,
            wall_ms=self._clock.wall_ms,
            rng=self._rng,
            metadata=encode_metadata(self.metadata) if self.metadata else None,
            addresses=self._lan.addresses,
        )
        self._targets.instance = self._mesh.instance_name(identity.peer_key, epoch)
        slots, nearby = Slots.of(self.config.max_links), self._ble.book(self._node, self._rng)
        self._peering = Peering(self._node, self._targets, self._rng, slots, nearby)
        self.links = Links(
            identity,
            self._mesh,
            self._node,
            self._peering,
            reports=self._reports,
            clock=self._clock,
            happened=self._pump_soon,
            missed=self._lan.look_again,
            signal=self._ble.signal,
        )
        self.links.handler = self._handler
        self._builder = GraphBuilder(self._node)
        self._view.start(now, networked=self.config.transports != ())
        self.watch = GraphWatch(self._make_graph())

    async def stop(self) -> None:
        """Say goodbye to all neighbours and close everything, in bounded time."""
        if self._running:
            self._running = False
            self._node.leave(self._clock.now())
            self.links.carry_out(self._node.take_output())
            await self.links.close()
        timers = self._tick_timer, self._dial_timer, self._build_timer, self._give_back_timer
        for timer in timers:
            if timer is not None:
                timer.cancel()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            await asyncio.gather(self._housekeeping, return_exceptions=True)
        await self._ble.stop()
        await self._lan.stop()
        if hasattr(self, "watch"):
            self.watch.close()
        if self._key_file is not None:
            await asyncio.to_thread(self._key_file.close)

    def _accepted(self, stream: Stream) -> None:
        self.links.accept(stream)

    def _dialled(self, stream: Stream, target: Target) -> None:
        self.links.dialled(stream, target)

    # -- what programs ask

    def set_handler(self, handler: ConnectionRequestHandler | None) -> None:
        """Set who is asked for every new link; None lets every member of the mesh in."""
        self._handler = handler
        if self.started:
            self.links.handler = handler

    async def set_metadata(self, value: Mapping[str, Any]) -> None:
        """Check, keep and publish metadata.

        Raises MetadataError (and the old value stays), HomeError when it cannot be kept.
        """
        data = encode_metadata(value)
        async with self._metadata_lock:
            await asyncio.to_thread(self._metadata_file.save, dict(value))
            self._publish_metadata(dict(value), data)

    def _publish_metadata(self, value: Mapping[str, Any], data: bytes) -> None:
        self.metadata = value
        self._node.set_metadata(data if value else None, self._clock.now())
        self._pump()

    def fetch_metadata(self, peer_key: bytes) -> None:
        """Fetch the metadata of a peer, however large it is."""
        self._node.ask_metadata(peer_key)
        self._pump()

    # -- the way of the data

    def _pump_soon(self) -> None:
        """Pump when all that has come at once has been taken in."""
        if self._pump_handle is None and self._running:
            self._pump_handle = self._loop.call_soon(self._pump)

    def _dial_soon(self) -> None:
        if self._running:
            self._dial_by(self._clock.now() + DIAL_SECONDS)

    def _pump(self) -> None:
        """Carry out what the node wants, and look when it wants to be called again."""
        if self._pump_handle is not None:
            self._pump_handle.cancel()
            self._pump_handle = None
        if not self._running:
            return
        now = self._clock.now()
        self._node.tick(now)
        self._peering.tick(now)
        self.links.carry_out(self._node.take_output())
        due = self._node.next_time()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
            self._tick_timer = None
        if due != float("inf"):
            self._tick_timer = self._loop.call_at(max(due, now + 0.001), self._pump)
        self._dial_by(now + DIAL_SECONDS)
        if self._node.changed or self._assess_view(now):
            self._changed()

    def _dial_by(self, moment: float) -> None:
        """Look for targets to dial at that moment at the latest."""
        if self._dial_timer is not None:
            if self._dial_timer.when() <= moment:
                return
            self._dial_timer.cancel()
            self._dial_timer = None
        if moment != float("inf"):
            self._dial_timer = self._loop.call_at(moment, self._dial)

    def _dial(self) -> None:
        self._dial_timer = None
        if self._running:
            now = self._clock.now()
            self._lan.dial(self._peering.due(now, self.links.knocking()))
            self._dial_by(max(self._peering.next_time(now), now + DIAL_SECONDS))

    def _changed(self) -> None:
        """Publish a graph soon: at once after a quiet time, else within the building interval."""
        if not self._running or self._build_timer is not None:
            return
        filling = self._view.view.state is ViewState.FILLING
        pause = FILLING_SECONDS if filling else GRAPH_SECONDS
        at = max(self._clock.now(), self._built_at + pause)
        self._build_timer = self._loop.call_at(at, self._build)

    def newest_graph(self) -> PresenceGraph:
        """Return the graph of now, also when the next one would be published a moment later."""
        if self._pump_handle is not None:
            self._pump()
        if self._build_timer is not None:
            self._build_timer.cancel()
            self._build()
        return self.watch.latest

    def _build(self) -> None:
        self._build_timer = None
        if not self._running:
            return
        self._built_at = self._clock.now()
        self.watch.publish(self._make_graph())

    def _make_graph(self) -> PresenceGraph:
        now = self._clock.now()
        self._assess_view(now)
        self._measure(now)
        self._sequence += 1
        return self._builder.build(
            sequence=self._sequence,
            generated_at=_utc(),
            view=self._view.view,
            mesh=Mesh(self._mesh.name, self._mesh.open),
            conditions=self._conditions.all(),
            measures=self._measures,
        )

    def _measure(self, now: float) -> bool:
        """Take measurements over now and then; the first round trip of a link at once.

        Returns whether something is to be shown anew.
        """
        due = now - self._measured_at >= MEASURE_SECONDS
        if due:
            self._measured_at = now
        measures = self.links.measures()
        taken = {
            link_id: new
            if due
            or (known := self._measures.get(link_id)) is None
            or (known.rtt_ms is None and new.rtt_ms is not None)
            else known
            for link_id, new in measures.items()
        }
        changed = any(taken[link_id] is not self._measures.get(link_id) for link_id in taken)
        self._measures = taken
        return changed

    def _assess_view(self, now: float) -> bool:
        busy = not self._view.settled and (
            self.links.busy()
            or self._node.exchange.sync.awaited()
            or self._node.bodies.fetching()
            or self._peering.untried()
        )
        sight = Sight(
            links=len(self.links.admitted),
            heard_at=self.links.heard_at(),
            confirmed_at=self._node.exchange.sync.confirmed_at(),
            busy=busy,
            known_peers=len(self._node.table) - 1,
        )
        return self._view.assess(sight, now)

    # -- what time brings

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(self._house_pause())
            try:
                await self._follow_metadata_file()
                self._look_around()
            except Exception:
                log.exception("housekeeping failed; it goes on")

    def _house_pause(self) -> float:
        """Look more often while the view fills: people and scripts wait for it to be current."""
        return 0.1 if self._view.view.state is ViewState.FILLING else HOUSEKEEPING_SECONDS

    def _look_around(self) -> None:
        now = self._clock.now()
        surplus = self._peering.surplus(now)
        if surplus is not None:
            self.links.end(surplus, ByeCode.SURPLUS, "there are links enough")
        self._lan.set_free_slots(self._peering.free())
        self._node.exchange.strikes.forget(now)
        self._reports.offences(self._node.exchange.strikes, self._name_of)
        self._reports.fade(now)
        self._reports.clocks([link.clock_offset for link in self._node.links.values()])
        if self._measure(now) | self._assess_view(now):
            self._changed()

    def _name_of(self, key: bytes) -> str | None:
        entry = self._node.table.get(key)
        return None if entry is None else entry.record.name

    async def _follow_metadata_file(self) -> None:
        """Publish what somebody else has written into the home's metadata file."""
        async with self._metadata_lock:
            if not await asyncio.to_thread(self._metadata_file.changed):
                return
            try:
                value = await asyncio.to_thread(self._metadata_file.load) or {}
                data = encode_metadata(value)
            except (HomeError, MetadataError) as error:
                self._conditions.set(
                    "home",
                    ConditionState.WARNING,
                    str(error),
                    "the metadata published before stays until then",
                )
                return
            self._conditions.clear("home")
            self._publish_metadata(value, data)


def _utc() -> datetime:
    return datetime.now(UTC)
