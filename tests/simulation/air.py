"""Discovery: who hears whose advert, and when. Multicast is lost like everything else."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from presence_core.discovery.hint import DialHint
from tests.simulation.clock import Clock
from tests.simulation.network import Network

if TYPE_CHECKING:
    from tests.simulation.peer import Peer

PORT = 47_700
ANNOUNCE_AGAIN_SECONDS = 1.0
"""An announcement is made twice (RFC 6762 §8.3)."""

_TRAVEL = (0.001, 0.005)
_ANSWER = (0.02, 0.12)
"""Answers of many to one question are spread (RFC 6762 §6)."""


class Air:
    """The multicast of all hosts. ``ears``: of how many others a peer hears at most; None: all."""

    def __init__(
        self, clock: Clock, network: Network, rng: random.Random, ears: int | None = None
    ) -> None:
        self._clock = clock
        self._network = network
        self._rng = rng
        self._ears = ears
        self._adverts: dict[str, Peer] = {}

    def add(self, peer: Peer) -> None:
        """Add a peer that has started: it answers when others ask."""
        self._adverts[peer.instance] = peer

    def vanish(self, peer: Peer, *, goodbye: bool) -> None:
        """Withdraw an advert; without a goodbye nobody hears of it."""
        self._adverts.pop(peer.instance, None)
        if goodbye:
            for other in self._audience(peer):
                self._later(_TRAVEL, other, peer.instance, None)

    def refresh(self, peer: Peer) -> None:
        """Announce and ask anew."""
        self.announce(peer)
        self._clock.after(ANNOUNCE_AGAIN_SECONDS, self._again, peer)
        for other in self._audience(peer):
            self._later(_ANSWER, peer, other.instance, other)

    def announce(self, peer: Peer) -> None:
        """Tell all that hear it where a peer is, and how many links it would take."""
        for other in self._audience(peer):
            self._later(_TRAVEL, other, peer.instance, peer)

    def tell(self, listener: Peer, advert: Peer) -> None:
        """Let one peer hear one advert now."""
        hint = DialHint("mdns", advert.instance, ((advert.host, PORT),), advert.free_slots())
        listener.hinted(hint)

    def _again(self, peer: Peer) -> None:
        if self._adverts.get(peer.instance) is peer:
            self.announce(peer)

    def _audience(self, peer: Peer) -> list[Peer]:
        others = [other for other in self._adverts.values() if other.host != peer.host]
        if self._ears is not None and len(others) > self._ears:
            others = self._rng.sample(others, self._ears)
        return others

    def _later(
        self, spread: tuple[float, float], listener: Peer, instance: str, advert: Peer | None
    ) -> None:
        if self._network.loss and self._rng.random() < self._network.loss:
            return
        self._clock.after(self._rng.uniform(*spread), self._heard, listener, instance, advert)

    def _heard(self, listener: Peer, instance: str, advert: Peer | None) -> None:
        if not listener.running:
            return
        if advert is None:
            listener.withdrawn(instance)
        elif advert.running and self._network.joined(listener.host, advert.host):
            self.tell(listener, advert)
