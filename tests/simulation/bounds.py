"""(4) What a correct peer may hold and send, whatever the others do.

What is held is linear in the peers that were ever heard of, here at most those that exist and those
that hostile devices invent, and in the links. What is sent is linear in time and links.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.hostile import HostileDevice
from tests.simulation.peer import Peer
from tests.simulation.world import World

MESSAGES_A_SECOND = 8
BYTES_A_SECOND = 6_000
"""What each hostile member can make a correct peer send on one link, in the mean over a quiet
minute in which nobody else says anything. (To pass on its record once a second is 1 and 500, or 3
and 600 where it is offered, asked for and sent.)"""


class Bounds:
    """Watches the size of everything that could grow, and the messages sent."""

    def __init__(self, mesh: World) -> None:
        self._mesh = mesh
        self._calm_at = float("inf")
        self.most_messages = 0.0
        self.most_bytes = 0.0

    def calm(self) -> None:
        """Count messages from now on: nothing happens any more but what hostile peers do."""
        self._calm_at = self._mesh.clock.now
        for device in self._mesh.devices:
            device.meter.reset()

    def check(self) -> Iterator[str]:
        """Look at what the correct peers hold now."""
        known = len(self._mesh.devices) + len(self._mesh.invented)
        for peer in self._correct():
            for what, size, most in _sizes(peer, known):
                if size > most:
                    yield (
                        f"(4) {peer.device.name} holds {size} {what}; "
                        f"with {known} peers {most} are in order"
                    )

    def final(self) -> list[str]:
        """Look at what was sent since it is calm."""
        seconds = self._mesh.clock.now - self._calm_at
        hostile = sum(isinstance(device, HostileDevice) for device in self._mesh.devices)
        found: list[str] = []
        for peer in self._correct():
            meter, links = peer.device.meter, max(1, len(peer.admitted))
            messages = meter.messages / seconds / links / hostile
            sent = meter.bytes / seconds / links / hostile
            self.most_messages = max(self.most_messages, messages)
            self.most_bytes = max(self.most_bytes, sent)
            if messages > MESSAGES_A_SECOND or sent > BYTES_A_SECOND:
                found.append(
                    f"(4) {peer.device.name} sent {messages:.1f} messages and {sent:.0f} bytes "
                    "a second, link and hostile member when nothing else happened"
                )
        return found

    def _correct(self) -> Iterator[Peer]:
        for device in self._mesh.devices:
            if not isinstance(device, HostileDevice) and device.peer is not None:
                yield device.peer


def _sizes(peer: Peer, known: int) -> Iterator[tuple[str, int, int]]:
    """Return what grows, how large it is, and how large it may be with so many peers."""
    node, exchange = peer.node, peer.node.exchange
    links = len(peer.admitted)
    slots = peer.peering.slots
    yield "links", links, slots.accept + slots.spare
    yield "records", len(node.table), known
    yield "floors", len(node.table._floors), known
    yield "sightings", len(node.sightings), known
    yield "listed peers", len(node.topology._listed), known
    yield "news that waits", len(exchange.spread), known * links
    yield "records that are wanted", len(exchange.pulls), known
    told = sum(len(queue.rates) for queue in exchange.spread._queues.values())
    yield "counts of versions sent", told, (2 * known + 4_096) * links
    yield "counts of versions taken", len(exchange._versions), 2 * known * links + 4_096
    yield "offenders", len(exchange.strikes.offenders), known
    yield "bodies that are fetched", len(node.bodies._running), 2
    yield "bodies that wait", len(node.bodies._waiting), 2 * known
    yield "bodies", len(node.bodies._stored), 2 * known
    yield "verdicts", len(node.identities._judged), known
    yield "verdicts that wait", len(node.identities._waiting), known
    yield "times at which a verdict changes", len(node.identities._alarms), 2 * known + 1_025
    yield "neighbours that hear of issuers", len(node._issuer_gossip._lines), links
    yield "targets", len(peer.targets._targets), 3 * known
    yield "outputs that wait", len(node._output), 0
    yield "messages that wait for the processor", peer.waiting(), 2_000
