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
from typing import TYPE_CHECKING

from presence_core._version import __version__
from presence_core.engine import admission
from presence_core.engine.adapter import Adapter
from presence_core.engine.conditions import Conditions
from presence_core.engine.credential_watch import CredentialWatch
from presence_core.engine.graph import GraphBuilder
from presence_core.engine.graph_pace import SLICE, GraphPace
from presence_core.engine.home import mesh_of
from presence_core.engine.home_watch import HomeWatch
from presence_core.engine.host import device_name, os_name
from presence_core.engine.lan import Lan
from presence_core.engine.links import Clock, Links
from presence_core.engine.measures import Measures
from presence_core.engine.memory import GIVE_BACK_SECONDS, give_back
from presence_core.engine.node import Node
from presence_core.engine.observers import GraphWatch
from presence_core.engine.own_metadata import OwnMetadata
from presence_core.engine.own_record import NodeProfile
from presence_core.engine.peering import Peering
from presence_core.engine.reports import Reports
from presence_core.engine.targets import Target, Targets
from presence_core.engine.trust_keeper import TrustKeeper
from presence_core.engine.view import Sight, ViewKeeper
from presence_core.gossip.neighbours import Slots
from presence_core.handshake.events import ByeCode
from presence_core.identity.keyfile import KeyFile
from presence_core.model import Mesh, PresenceGraph, ViewState

if TYPE_CHECKING:
    from presence_core.config import PresenceConfig
    from presence_core.engine.admission import ConnectionRequestHandler
    from presence_core.engine.ble import Bluetooth
    from presence_core.identity.mesh import MeshKey
    from presence_core.transports.ble.radio import Radio
    from presence_core.transports.stream import Stream

log = logging.getLogger(__name__)

DIAL_SECONDS = 0.01
"""How soon targets are looked through after something happened; often much happens at once."""

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
        self.links: Links
        self.trust: TrustKeeper
        self.watch: GraphWatch
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(random.SystemRandom().getrandbits(64))
        self._clock = Clock(self._loop.time, lambda: time.time_ns() // 1_000_000)
        self._running = False
        self._build_timer: asyncio.Handle | None = None
        self._conditions = Conditions(_utc, self._changed)
        self._reports = Reports(self._conditions)
        self._view = ViewKeeper(_utc)
        self._targets = Targets(self._rng)
        self.metadata = OwnMetadata(config.home_path, self._conditions, self._publish_metadata)
        self.credentials = CredentialWatch(
            config.home_path,
            config.issuers,
            self._conditions,
            publish=self._publish_token,
            tell=self._tell_issuer,
        )
        self._lan = Lan(
            self._targets,
            self._conditions,
            self._reports,
            clock=self._clock,
            accepted=self._accepted,
            dialled=self._dialled,
            happened=self._dial_soon,
        )
        self._adapter = Adapter(self._conditions, self._bring_up, radio)
        self._handler = handler
        self._default_handler = admission.require_identity if config.require_identity else None
        self._key_file: KeyFile | None = None
        self._mesh: MeshKey
        self._node: Node
        self._peering: Peering
        self._builder: GraphBuilder
        self._measures: Measures
        self._sequence = 0
        self._housekeeping: asyncio.Task[None] | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._dial_timer: asyncio.TimerHandle | None = None
        self._give_back_timer: asyncio.TimerHandle | None = None
        self._pump_handle: asyncio.Handle | None = None
        self._pace = GraphPace()

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
            if self.config.uses("lan"):
                await self._lan.start(self.config, self._mesh, self._peering)
            if self.config.uses("ble"):
                self._adapter.start(asked=self.config.transports is not None)
        except BaseException:
            await self.stop()
            raise
        self._housekeeping = self._loop.create_task(self._keep_house(), name="presence-house")
        self._give_back_timer = self._loop.call_later(GIVE_BACK_SECONDS, give_back)
        self.started = True
        self._pump()

    def _open_home(self) -> int:
        """Open the files of the home (not for the event loop); return the epoch."""
        home = self.config.home_path
        self._key_file = KeyFile.open(home)
        self._mesh = mesh_of(self.config, home)
        self.metadata.open(self.config.metadata)
        self.credentials.open()
        epoch = self._key_file.next_epoch(self._clock.wall_ms())
        self.trust = TrustKeeper(
            home,
            self._key_file.identity.peer_key,
            epoch,
            self._conditions,
            changed=self._changed,
            blocking=self._blocking,
        )
        self.trust.open()
        self._home = HomeWatch(self._clock.now, self.metadata, self.trust, self.credentials)
        return epoch

    def _build_node(self, epoch: int) -> None:
        assert self._key_file is not None
        identity = self._key_file.identity
        now = self._clock.now()
        self._node = Node(
            identity,
            self._mesh,
            NodeProfile(self.config.name or device_name(), os_name(), __version__),
            epoch=epoch,
            now=now,
            wall_ms=self._clock.wall_ms,
            rng=self._rng,
            metadata=self.metadata.encoded(),
            token=self.credentials.token,
            issuers=self.credentials.issuers,
            addresses=self._lan.addresses,
        )
        self._targets.instance = self._mesh.instance_name(identity.peer_key, epoch)
        self._peering = Peering(
            self._node,
            self._targets,
            self._rng,
            Slots.of(self.config.max_links),
            blocked=self.trust.acquaintances.blocked,
        )
        self.links = Links(
            identity,
            self._mesh,
            self._node,
            self._peering,
            reports=self._reports,
            clock=self._clock,
            happened=self._pump_soon,
            missed=self._lan.look_again,
            signal=self._adapter.signal,
        )
        self.set_handler(self._handler)
        self._measures = Measures(self.links.measures)
        self._builder = GraphBuilder(self._node, self.trust.acquaintances)
        self._view.start(now, networked=self.config.transports != ())
        self.watch = GraphWatch(self._make_graph())

    def _bring_up(self, radio: Radio) -> Bluetooth:
        from presence_core.engine.ble import Bluetooth  # half a megabyte, for who has an adapter

        return Bluetooth(
            radio,
            self._node,
            self._peering,
            self._conditions,
            self._reports,
            rng=self._rng,
            clock=self._clock,
            accepted=self._accepted,
            dialled=self._dialled,
            happened=self._dial_soon,
            asked=self.config.transports is not None,
        )

    async def stop(self) -> None:
        """Say goodbye to all neighbours and close everything, in bounded time."""
        if self._running:
            self._running = False
            self._node.leave(self._clock.now())
            self.links.carry_out(self._node.take_output())
            self.credentials.learned(self._node.learned)
            await self.links.close()
        timers = self._tick_timer, self._dial_timer, self._build_timer, self._give_back_timer
        for timer in timers:
            if timer is not None:
                timer.cancel()
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            await asyncio.gather(self._housekeeping, return_exceptions=True)
            await self._home.stop()
            await self.credentials.close()
        await self._adapter.stop()
        await self._lan.stop()
        if hasattr(self, "watch"):
            self.watch.close()
        if hasattr(self, "trust"):
            await self.trust.close()
        if self._key_file is not None:
            await asyncio.to_thread(self._key_file.close)

    def _accepted(self, stream: Stream) -> None:
        if self._running:
            self.links.accept(stream)
        else:
            stream.abort()  # it came while we say goodbye: nobody would close it

    def _dialled(self, stream: Stream, target: Target) -> None:
        if self._running:
            self.links.dialled(stream, target)
        else:
            stream.abort()

    def _blocking(self, key: bytes) -> None:
        """Part with a peer that is blocked from now on, or look for one that is no more."""
        if key in self.trust.acquaintances.blocked:
            self.links.part_with(key)
        else:
            self._targets.again(key, self._clock.now())
            self._dial_soon()

    # -- what programs ask

    def set_handler(self, handler: ConnectionRequestHandler | None) -> None:
        """Set who is asked for every new link; None for what the configuration requires."""
        self._handler = handler
        if hasattr(self, "links"):
            self.links.handler = handler or self._default_handler

    def _publish_metadata(self, data: bytes | None) -> None:
        self._node.set_metadata(data, self._clock.now())
        self._pump()

    def fetch_metadata(self, peer_key: bytes) -> None:
        """Fetch the metadata of a peer, however large it is."""
        if self._node.ask_metadata(peer_key):  # the screen asks again with every graph
            self._pump()

    def _publish_token(self, raw: bytes | None) -> None:
        self._node.set_token(raw, self._clock.now())
        self._pump()

    def _tell_issuer(self, name: str) -> None:
        self._node.tell_issuer(name)
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
        self._peering.dials.tick(now)
        self.links.carry_out(self._node.take_output())
        self._sift()
        due = self._node.next_time()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
            self._tick_timer = None
        if due != float("inf"):
            self._tick_timer = self._loop.call_at(max(due, now + 0.001), self._pump)
        self._dial_by(now + DIAL_SECONDS)
        if self._node.changed or self._assess_view(now):
            self._changed()

    def _sift(self) -> None:
        """Keep what neighbours have said of issuers, and let go whom that proves wrong."""
        if self._node.learned:
            self.credentials.learned(self._node.learned)
            self._node.learned = set()
        if self.links.handler is admission.require_identity:
            for link, key, why in admission.unverified(self._node):
                self._reports.denied(key, why)
                self.links.end(link, ByeCode.DENIED, why)

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
            self._lan.dial(self._peering.dials.due(now, self.links.knocking()))
            self._dial_by(max(self._peering.dials.next_time(now), now + DIAL_SECONDS))

    def _changed(self) -> None:
        """Publish a graph soon: at once after a quiet time, else within the building interval."""
        if self._running and self._build_timer is None:
            at = max(self._clock.now(), self._pace.next_at)
            self._build_timer = self._loop.call_at(at, self._build)

    def newest_graph(self) -> PresenceGraph:
        """Return the graph of now, also when the next one would be published a moment later."""
        if self._pump_handle is not None:
            self._pump()
        if self._build_timer is not None:
            self._build_timer.cancel()
            self._build(whole=True)
        return self.watch.latest

    def _build(self, *, whole: bool = False) -> None:
        """Make the next graph; when it is much work, a slice of it, so that nobody waits."""
        if self._pump_handle is not None:
            self._pump()  # who has just come is shown with the way to it, not as lost
        self._build_timer = None
        if not self._running:
            return
        began = self._clock.now()
        made = whole or self._builder.prepare(SLICE) or self._pace.late(began)
        if made:
            self.watch.publish(self._make_graph())
        ended = self._clock.now()
        self._pace.worked(began, ended)
        if made:
            self._pace.made(ended, filling=self._filling())
        else:
            self._build_timer = self._loop.call_soon(self._build)

    def _make_graph(self) -> PresenceGraph:
        now = self._clock.now()
        self._assess_view(now)
        self._measures.take(now)
        self._sequence += 1
        self.trust.acquaintances.tick(now, _utc())
        return self._builder.build(
            sequence=self._sequence,
            generated_at=_utc(),
            view=self._view.view,
            mesh=Mesh(self._mesh.name, self._mesh.open),
            conditions=self._conditions.all(),
            measures=self._measures.shown,
        )

    def _assess_view(self, now: float) -> bool:
        sight = Sight.of(
            self._node,
            self._peering.dials,
            links=len(self.links.admitted),
            heard_at=self.links.heard_at(),
            joining=self.links.busy(),
            settled=self._view.settled,
        )
        return self._view.assess(sight, now)

    # -- what time brings

    async def _keep_house(self) -> None:
        while True:
            # More often while the view fills: people and scripts wait for it to be current.
            await asyncio.sleep(0.1 if self._filling() else HOUSEKEEPING_SECONDS)
            try:
                self._home.look()
                self._look_around()
            except Exception:
                log.exception("housekeeping failed; it goes on")

    def _filling(self) -> bool:
        return self._view.view.state is ViewState.FILLING

    def _look_around(self) -> None:
        now = self._clock.now()
        if (surplus := self._peering.surplus(now)) is not None:
            self.links.end(surplus, ByeCode.SURPLUS, "there are links enough")
        self._lan.set_free_slots(self._peering.free())
        self._node.exchange.strikes.forget(now)
        self._reports.offences(self._node.exchange.strikes, self.name_of)
        self._reports.fade(now)
        own = self._node.identities.of(self._node.key)
        self.credentials.report(own, self._clock.wall_ms() / 1000)
        if self._node.identities.wait() == 0.0:  # the clock was set
            self._pump_soon()
        self._reports.clocks([link.clock_offset for link in self._node.links.values()])
        if self._measures.take(now) | self._assess_view(now):
            self._changed()

    def name_of(self, key: bytes) -> str | None:
        """Return what a peer calls itself, None for one that is not known."""
        return self._node.table.name_of(key)


def _utc() -> datetime:
    return datetime.now(UTC)
