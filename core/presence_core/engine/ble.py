"""Peers in Bluetooth range: advertising, scanning, dialling, and what becomes of the adapter."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from presence_core.discovery.ble_advert import (
    VERSION,
    Advert,
    advert_uuid,
    is_of,
    quarter_of,
    read_advert,
)
from presence_core.engine.ble_troubles import say_trouble
from presence_core.engine.nearby import FORGET_SECONDS, Nearby, TagIndex
from presence_core.transports import BLUETOOTH
from presence_core.transports.ble.dialler import dial
from presence_core.transports.ble.listener import Listener
from presence_core.transports.ble.radio import RadioError, Trouble

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from presence_core.engine.conditions import Conditions
    from presence_core.engine.link import Link
    from presence_core.engine.links import Clock
    from presence_core.engine.node import Node
    from presence_core.engine.peering import Peering
    from presence_core.engine.reports import Reports
    from presence_core.engine.targets import Target
    from presence_core.transports.ble.radio import Heard, Radio
    from presence_core.transports.ble.stream import BleStream
    from presence_core.transports.stream import Stream, StreamOpened

log = logging.getLogger(__name__)

STEP_SECONDS = 0.5
"""How often it is looked whether there is something to do."""
RETRY_SECONDS = 15.0
"""How long after something was refused it is tried again."""
CONNECT_SECONDS = 12.0
"""How long a connection may take: BlueZ waits for an advert, up to some seconds."""
REFUSALS, AGAIN_SECONDS = 8, 1.0
"""How often, and how soon after each other, both are tried at once before it is done in turns."""
TURNS_SECONDS = 30.0
"""How long it is done in turns before both are tried at once again."""
SLICE_SECONDS = 5.0
"""How long an adapter that cannot do both advertises, and then scans."""
ASLEEP_SECONDS = 10.0
"""A wall clock that has run ahead of the other one by so much: the machine was asleep."""
STOP_SECONDS = 2.0
MAX_FOREIGN = 256


class Bluetooth:
    """Finds peers in range and opens streams to them; the counterpart of ``engine/lan.py``.

    ``accepted`` gets streams that others opened, ``dialled`` those that we opened. ``asked``:
    somebody wants Bluetooth by name, not only if there is some.
    """

    def __init__(
        self,
        radio: Radio,
        node: Node,
        peering: Peering,
        conditions: Conditions,
        reports: Reports,
        *,
        rng: random.Random,
        clock: Clock,
        accepted: StreamOpened,
        dialled: Callable[[Stream, Target], None],
        happened: Callable[[], None],
        asked: bool,
    ) -> None:
        self._radio = radio
        self._node = node
        self._peering = peering
        self._index = TagIndex(node.mesh)
        self._nearby = peering.dials.nearby = Nearby(self._index, node.topology.reachable, rng)
        self._conditions = conditions
        self._reports = reports
        self._now = clock.now
        self._clock = clock
        self._accepted = accepted
        self._dialled = dialled
        self._happened = happened
        self._asked = asked
        self._listener: Listener | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._streams: set[BleStream] = set()
        self._news = asyncio.Event()
        self._serving = False
        self._advertised: int | None = None
        """The quarter of an hour whose advert is on the air; None while there is none."""
        self._advert_trouble: RadioError | None = None
        self._scanning = False
        self._slicing = False
        """Whether it advertises and scans in turns, after so many refusals to do both."""
        self._refusals = 0
        self._turns_end = float("inf")
        self._slice_ends = float("inf")
        self._advert_at = float("-inf")
        self._retry_at = float("-inf")
        """When what was refused is tried again: to be found, and everything."""
        self._drift = 0.0
        self._foreign: dict[bytes, float] = {}
        self._signals: dict[str, tuple[int | None, float]] = {}
        """How strongly, and when, addresses were heard to which there is a link."""

    # -- life

    async def live(self) -> None:
        """Do what there is to do, until cancelled."""
        radio = self._radio
        while not await self._open(radio):  # noqa: ASYNC110  nothing tells when it may work
            await asyncio.sleep(RETRY_SECONDS)
        self._drift = self._wall() - self._now()
        while True:
            self._news.clear()
            try:
                await self._step(radio)
            except RadioError as error:
                log.info("Bluetooth: %s", error)
                say_trouble(self._conditions, error.trouble, str(error), asked=self._asked)
                self._retry_at = self._now() + RETRY_SECONDS
            except Exception:
                log.exception("Bluetooth failed; it goes on")
                self._retry_at = self._now() + RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STEP_SECONDS):
                    await self._news.wait()

    async def stop(self) -> None:
        """Withdraw the advert, close what is open, when :meth:`live` is cancelled.

        Never raises, takes a few seconds at most.
        """
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        streams = self._all_streams()
        for stream in streams:
            stream.close()
        if streams:
            await asyncio.wait([stream.ended for stream in streams], timeout=STOP_SECONDS)
        for stream in streams:
            stream.ended.cancel()
        await asyncio.gather(*(stream.ended for stream in streams), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._radio.central.stop_scan()
                if self._radio.peripheral is not None:
                    await self._radio.peripheral.close()
                await self._radio.close()

    def signal(self, link: Link) -> int | None:
        """Return how strongly the other end of a Bluetooth link is heard, in dBm."""
        key, now = link.session.peer_key, self._now()
        if link.stream.transport != BLUETOOTH or key is None:
            return None
        rssi, at = self._signals.get(link.stream.host, (None, float("-inf")))
        return rssi if now - at <= FORGET_SECONDS else self._nearby.rssi(key, now)

    async def _open(self, radio: Radio) -> bool:
        try:
            await radio.open(self._changed)
        except RadioError as error:
            say_trouble(self._conditions, error.trouble, str(error), asked=self._asked)
            return False
        return True

    def _wall(self) -> float:
        return self._clock.wall_ms() / 1000

    def _changed(self) -> None:
        """Learn of something about the adapter; what was registered may be lost with it."""
        if self._radio.trouble is not None:
            self._forget_what_runs()
            for stream in self._all_streams():
                stream.lost("Bluetooth does not work any more")
        self._advert_at = self._retry_at = float("-inf")
        self._news.set()

    def _all_streams(self) -> set[BleStream]:
        return {*self._streams, *(self._listener.streams() if self._listener else ())}

    def _forget_what_runs(self) -> None:
        self._serving = self._scanning = self._slicing = False
        self._refusals = 0
        self._advertised = None

    # -- one step

    async def _step(self, radio: Radio) -> None:
        now = self._now()
        self._notice_sleep(now)
        if radio.trouble is not None:
            say_trouble(self._conditions, radio.trouble, asked=self._asked)
            return
        self._nearby.forget(now)
        self._index.follow(self._node.table.entries(), self._wall())
        self._index.work()
        self._forget_who_is_not_heard(now)
        if self._slicing and now >= self._turns_end:
            self._slicing = False
            self._refusals = REFUSALS - 1  # one more is enough
        if now >= self._advert_at:
            await self._be_found(radio, now)
        if now >= self._retry_at:
            await self._look(radio, now)
            self._say()
        self._dial(radio, now)

    def _notice_sleep(self, now: float) -> None:
        drift = self._wall() - now
        if drift - self._drift > ASLEEP_SECONDS:
            log.info("the machine was asleep: Bluetooth begins anew")
            self._forget_what_runs()
        self._drift = drift

    async def _be_found(self, radio: Radio, now: float) -> None:
        """Offer the service and advertise, under another name each quarter of an hour."""
        peripheral = radio.peripheral
        if peripheral is None:
            self._advert_trouble = RadioError(Trouble.NO_PERIPHERAL, "")
            return
        if self._listener is None:
            self._listener = Listener(peripheral, self._accepted)
        quarter = quarter_of(self._wall())
        self._nearby.tag = self._node.mesh.nearby_peer_tag(self._node.key, quarter)
        try:
            if not self._serving:
                await peripheral.serve(self._listener)
                self._serving = True
            if self._slicing and self._scanning and now < self._slice_ends:
                return
            if self._advertised != quarter:
                if self._slicing:
                    await radio.central.stop_scan()
                    self._scanning = False
                    self._slice_ends = now + SLICE_SECONDS
                await peripheral.advertise(advert_uuid(self._node.mesh, self._node.key, quarter))
                self._advertised = quarter
            self._advert_trouble = None
        except RadioError as error:
            self._advertised = None
            self._take_refusal(error)

    async def _look(self, radio: Radio, now: float) -> None:
        if self._scanning or self._connecting is not None:
            return
        if self._slicing and self._advertised is not None:
            if now < self._slice_ends:
                return
            assert radio.peripheral is not None
            await radio.peripheral.silence()
            self._advertised = None
            self._slice_ends = now + SLICE_SECONDS
        try:
            await radio.central.scan(self._heard)
            self._scanning = True
            if self._advertised is not None:
                self._refusals = 0
        except RadioError as error:
            if error.trouble is not Trouble.NOT_AT_ONCE:
                raise
            self._take_refusal(error)

    def _take_refusal(self, error: RadioError) -> None:
        """Do one after the other what cannot be done at once; try again later what is refused.

        Once or twice means nothing: an adapter may be busy with something that passes.
        """
        if error.trouble is Trouble.NOT_AT_ONCE and not self._slicing:
            self._refusals += 1
            self._slicing = self._refusals >= REFUSALS
            self._turns_end = self._now() + TURNS_SECONDS
            self._slice_ends = self._now() + SLICE_SECONDS
            self._advert_at = self._retry_at = self._now() + AGAIN_SECONDS
            return
        self._advert_trouble = error
        self._advert_at = self._now() + RETRY_SECONDS

    def _say(self) -> None:
        trouble = self._advert_trouble
        if trouble is not None:
            say_trouble(self._conditions, trouble.trouble, str(trouble), asked=self._asked)
        else:
            slicing = Trouble.NOT_AT_ONCE if self._slicing else None
            say_trouble(self._conditions, slicing, asked=self._asked)

    # -- hearing others

    def _heard(self, heard: Heard) -> None:
        adverts = [
            advert
            for advert in map(read_advert, heard.uuids)
            if advert is not None and advert.version == VERSION
        ]
        ours = [advert for advert in adverts if is_of(advert, self._node.mesh, self._wall())]
        now = self._now()
        if heard.address in {stream.host for stream in self._all_streams()}:
            self._signals[heard.address] = heard.rssi, now
        for advert in ours:
            if not self._nearby.heard(advert.peer_tag, heard.address, heard.rssi, now):
                self._news.set()
        if not ours:  # systems may tell what somebody advertised before along with what it does now
            self._note_foreign(adverts, now)

    def _note_foreign(self, adverts: list[Advert], now: float) -> None:
        for advert in adverts:
            if len(self._foreign) < MAX_FOREIGN or advert.peer_tag in self._foreign:
                self._foreign[advert.peer_tag] = now

    def _forget_who_is_not_heard(self, now: float) -> None:
        for tag, at in tuple(self._foreign.items()):
            if now - at > FORGET_SECONDS:
                del self._foreign[tag]
        self._reports.foreign_nearby(len(self._foreign))
        for address, (_, at) in tuple(self._signals.items()):
            if now - at > FORGET_SECONDS:
                del self._signals[address]

    # -- dialling

    def _dial(self, radio: Radio, now: float) -> None:
        """Dial somebody, if it is somebody's turn: one at a time, an adapter can do no more."""
        if self._connecting is not None:
            return
        findable = self._advertised is not None or self._slicing
        opened = [s.host for s in self._listener.streams()] if self._listener is not None else []
        hosts = {stream.host for stream in self._streams}
        situation = self._peering.nearby(findable=findable, opened=opened, hosts=hosts)
        target = self._nearby.due(now, situation)
        if target is not None:
            log.info("dialling %s", target.name)
            self._connecting = asyncio.get_running_loop().create_task(
                self._connect(radio, target), name=f"presence-dial-{target.name}"
            )

    async def _connect(self, radio: Radio, target: Target) -> None:
        address, _ = target.address()
        try:
            await radio.central.stop_scan()
            self._scanning = False
            stream = await dial(radio.central, address, seconds=CONNECT_SECONDS)
        except RadioError as error:
            log.info("dialling %s at %s: %s", target.name, address, error)
            self._peering.dials.failed(target, self._now())
        except BaseException:
            self._peering.dials.failed(target, self._now())
            raise
        else:
            self._streams.add(stream)
            stream.ended.add_done_callback(lambda _: self._streams.discard(stream))
            self._dialled(stream, target)
        finally:
            self._connecting = None
            self._news.set()
            self._happened()
