"""The network between hosts: latency, loss as TCP shows it, bandwidth, cuts.

A link is two pipes, one each way. A pipe delivers in order, as TCP does: a lost segment delays
everything behind it by the retransmission, and a way that is cut holds everything back until it is
whole again, or until the receiver has been silent-tired for so long that it ends the session.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from presence_core.handshake.session import LAN
from tests.simulation.clock import Clock

SEGMENT_BYTES = 1_448
RETRANSMISSION_SECONDS = 0.2
"""Linux's least retransmission timeout; it doubles with each loss in a row."""

MAX_BACKOFF_SECONDS = 3.0
"""How far apart retransmissions are at most, of a connection that is not dead by then."""

PING_SECONDS = 2.25 * LAN.ping_idle
"""How often there is a word on an idle link: who has three links or more pings half as often."""

PING_BYTES = 39
DEAD_SECONDS = LAN.dead

_MOST_LOSSES = 8
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """What links are made of: one-way latency in seconds, from and to; bytes a second each way."""

    latency: tuple[float, float] = (0.002, 0.010)
    bandwidth: float = 1_000_000.0


@dataclass(slots=True)
class _Item:
    number: int
    size: int
    action: Callable[..., None]
    args: tuple[Any, ...]


class Pipe:
    """One direction of a link, from host to host.

    ``silent`` is called when the receiving end has heard nothing for as long as a session lives
    without a word. Pings are not simulated one by one: on a pipe that works there is always one in
    time. Where segments are lost they are, as each may be the one that comes too late.
    """

    def __init__(self, network: Network, source: str, sink: str) -> None:
        self.source = source
        self.sink = sink
        self.silent: Callable[[], None] = _nothing
        self._network = network
        self._clock = network.clock
        self._rng = network.rng
        self._latency = self._rng.uniform(*network.quality.latency)
        self._bandwidth = network.quality.bandwidth
        self._free_at = 0.0
        self._last_arrival = 0.0
        self._sent = 0
        self._held: list[_Item] = []
        self._blocked = not network.joined(source, sink)
        self._blocked_at = self._clock.now
        self._silent_since = _NEVER
        self._silence = 0
        """Number of the silence that an alarm, or the end of it, is about."""
        self._alarm_set = False
        self._closed = False
        self._beating = False
        if self._blocked:
            self._fall_silent(self._clock.now)
        elif network.loss:
            self.lose()

    def send(self, size: int, moment: float, action: Callable[..., None], *args: Any) -> None:
        """Bring ``size`` bytes to the other end, where ``action`` then happens."""
        if self._closed:
            return
        self._sent += 1
        item = _Item(self._sent, size, action, args)
        if self._blocked:
            self._held.append(item)
            return
        self._free_at = max(moment, self._free_at) + size / self._bandwidth
        arrival = self._free_at + self._latency
        if self._network.loss:
            arrival += self._retransmission(size)
        arrival = max(arrival, self._last_arrival)
        if arrival - self._clock.now > DEAD_SECONDS - PING_SECONDS:
            self._stall(arrival)
        self._last_arrival = arrival
        self._clock.at(arrival, self._arrive, item)

    def close(self) -> None:
        """Let nothing more come out of it: its receiving end is gone."""
        self._closed = True
        self._held.clear()
        self._network.forget(self)

    def silent_since(self) -> float:
        """Return since when the receiving end has heard nothing; now if all is well."""
        return min(self._silent_since, self._clock.now)

    def look(self) -> None:
        """See whether the way is cut or whole now."""
        blocked = not self._network.joined(self.source, self.sink)
        if blocked is self._blocked:
            return
        self._blocked = blocked
        if blocked:
            self._blocked_at = self._clock.now
            # The last word may have been a ping of a while ago.
            self._fall_silent(self._clock.now - self._rng.uniform(0.0, PING_SECONDS))
        else:
            self._resume()

    def lose(self) -> None:
        """Simulate pings from now on: segments are lost."""
        if not self._beating and not self._closed:
            self._beating = True
            self._clock.after(self._rng.uniform(0.0, PING_SECONDS), self._beat)

    # -- how

    def _arrive(self, item: _Item) -> None:
        if self._blocked:
            self._held.append(item)  # it was on its way when the way was cut
        elif not self._closed:
            item.action(*item.args)

    def _retransmission(self, size: int) -> float:
        """Return by how much losses delay a message."""
        loss, rng = self._network.loss, self._rng
        worst = 0
        for _ in range(1 + size // SEGMENT_BYTES):
            losses = 0
            while losses < _MOST_LOSSES and rng.random() < loss:
                losses += 1
            worst = max(worst, losses)
        return RETRANSMISSION_SECONDS * (2.0**worst - 1.0)

    def _beat(self) -> None:
        self._beating = bool(self._network.loss) and not self._closed
        if self._beating:
            self.send(PING_BYTES, self._clock.now, _nothing)
            self._clock.after(PING_SECONDS, self._beat)

    def _stall(self, arrival: float) -> None:
        """Have all wait for one segment, perhaps for longer than the session lives."""
        if self._alarm_set:
            return
        now = self._clock.now
        since = max(self._last_arrival, now - self._rng.uniform(0.0, PING_SECONDS))
        self._silence += 1
        self._silent_since = since
        if arrival > since + DEAD_SECONDS:
            self._set_alarm()
        else:
            self._clock.at(arrival, self._heard, self._silence)

    def _fall_silent(self, since: float) -> None:
        if self._alarm_set:
            return
        self._silence += 1
        self._silent_since = min(self._silent_since, since)
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._alarm_set = True
        self._clock.at(self._silent_since + DEAD_SECONDS, self._alarm, self._silence)

    def _resume(self) -> None:
        """Let what was held back come with the next retransmission."""
        now = self._clock.now
        pause = min(now - self._blocked_at, MAX_BACKOFF_SECONDS)
        again = now + self._rng.uniform(0.0, pause)
        if again <= self._silent_since + DEAD_SECONDS:
            self._silence += 1
            self._alarm_set = False
            self._clock.at(again, self._heard, self._silence)
        self._free_at = max(self._free_at, again)
        held, self._held = self._held, []
        for item in sorted(held, key=lambda item: item.number):
            self._free_at += item.size / self._bandwidth
            self._last_arrival = max(self._free_at + self._latency, self._last_arrival)
            self._clock.at(self._last_arrival, self._arrive, item)

    def _heard(self, silence: int) -> None:
        if silence == self._silence:
            self._silent_since = _NEVER

    def _alarm(self, silence: int) -> None:
        if silence == self._silence and not self._closed:
            self.silent()


class Network:
    """Who reaches whom, and how well."""

    def __init__(self, clock: Clock, rng: random.Random, quality: LinkQuality) -> None:
        self.clock = clock
        self.rng = rng
        self.quality = quality
        self.loss = 0.0
        self._groups: Mapping[str, int] = {}
        self._mute: set[str] = set()
        self._deaf: set[tuple[str, str]] = set()
        self._pipes: dict[Pipe, None] = {}

    def pipe(self, source: str, sink: str) -> Pipe:
        """Lay a pipe between two hosts."""
        pipe = Pipe(self, source, sink)
        self._pipes[pipe] = None
        return pipe

    def forget(self, pipe: Pipe) -> None:
        """A pipe is closed."""
        self._pipes.pop(pipe, None)

    def joined(self, one: str, other: str) -> bool:
        """Whether frames get from one host to the other; the way back may be another matter."""
        if one in self._mute or other in self._mute or (one, other) in self._deaf:
            return False
        return self._groups.get(one, 0) == self._groups.get(other, 0)

    def lose(self, share: float) -> None:
        """Lose this share of all segments from now on."""
        self.loss = share
        if share:
            for pipe in tuple(self._pipes):
                pipe.lose()

    def part(self, groups: Mapping[str, int]) -> None:
        """Cut the network into groups of hosts; who is not named is in group 0."""
        self._groups = dict(groups)
        self._look()

    def heal(self) -> None:
        """Take back all cuts. Hosts that are mute stay so."""
        self._deaf.clear()
        self.part({})

    def deafen(self, source: str, sink: str) -> None:
        """Drop all frames from one host to another, and none on the way back."""
        self._deaf.add((source, sink))
        self._look((source,))

    def mute(self, host: str) -> None:
        """Drop all frames from and to a host: its plug is pulled."""
        self._mute.add(host)
        self._look((host,))

    def unmute(self, host: str) -> None:
        """Put the plug back."""
        self._mute.discard(host)
        self._look((host,))

    def _look(self, hosts: Iterable[str] | None = None) -> None:
        named = None if hosts is None else set(hosts)
        for pipe in tuple(self._pipes):
            if named is None or pipe.source in named or pipe.sink in named:
                pipe.look()


def _nothing() -> None:
    pass
