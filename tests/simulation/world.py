"""A whole mesh under one clock: devices, the network between them, and who watches."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from presence_core.gossip import exchange
from presence_core.gossip.neighbours import ACCEPT, Slots
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from tests.simulation.air import Air
from tests.simulation.clock import Clock, Trace
from tests.simulation.device import Device
from tests.simulation.network import LinkQuality, Network
from tests.simulation.office import Office
from tests.simulation.parsing import SharedParsing, shared_parsing
from tests.simulation.peer import Peer

Watcher = Callable[[Peer], None]


class World:
    """Everything of one simulation. The same seed makes the same world."""

    def __init__(
        self,
        seed: int,
        parsing: SharedParsing,
        *,
        quality: LinkQuality | None = None,
        ears: int | None = None,
        trace: Trace | None = None,
        graphs: bool = False,
        max_links: int = ACCEPT,
    ) -> None:
        self.rng = random.Random(seed)
        self.parsing = parsing
        self.trace = trace
        self.clock = Clock()
        self.network = Network(self.clock, self._dice(), quality or LinkQuality())
        self.air = Air(self.clock, self.network, self._dice(), ears)
        self.mesh = MeshKey(self.rng.randbytes(32), "simulation")
        self.office = Office(self._dice())
        self.devices: list[Device] = []
        self.by_key: dict[bytes, Device] = {}
        self.invented: dict[bytes, Device] = {}
        """Keys of peers that do not exist, and who invented them."""
        self.watchers: list[Watcher] = []
        self.slots = Slots.of(max_links)
        self._graphs = graphs
        self._hosts: dict[str, Device] = {}

    def _dice(self) -> random.Random:
        return random.Random(self.rng.getrandbits(64))

    def add(self, kind: type[Device] = Device) -> Device:
        """Bring a device, which is off."""
        identity = Identity.from_private_bytes(self.rng.randbytes(32))
        device = kind(self, len(self.devices), identity)
        self.devices.append(device)
        self.by_key[device.key] = device
        self._hosts[device.host] = device
        return device

    def peers(self) -> list[Peer]:
        """Return the peers that run."""
        return [device.peer for device in self.devices if device.peer is not None]

    def listener(self, host: str) -> Peer | None:
        """Return who listens on a host."""
        return self._hosts[host].peer

    def graphs_of(self, device: Device) -> bool:
        """Whether this device's graph is built all the time, as it is for a screen."""
        return self._graphs

    def happened(self, peer: Peer) -> None:
        """Something happened at a peer."""
        for watcher in self.watchers:
            watcher(peer)


@contextmanager
def world(
    seed: int,
    *,
    quality: LinkQuality | None = None,
    ears: int | None = None,
    trace: Trace | None = None,
    graphs: bool = False,
    max_links: int = ACCEPT,
    pull: bool | None = None,
) -> Iterator[World]:
    """Make a world in which records are verified once for all.

    ``max_links``: how many links a peer accepts, as in its configuration. ``pull``: whether records
    are offered and asked for, or sent unasked, whatever the size of the mesh.
    """
    with shared_parsing() as parsing, ExitStack() as stack:
        if pull is not None:
            limit = 0 if pull else sys.maxsize
            stack.enter_context(mock.patch.object(exchange, "LARGE_MESH", limit))
        yield World(
            seed,
            parsing,
            quality=quality,
            ears=ears,
            trace=trace,
            graphs=graphs,
            max_links=max_links,
        )
