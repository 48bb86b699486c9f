"""A device of the mesh: what outlives the runs of its peer, and what it has ever said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.identity.keys import Identity
from tests.simulation.clock import START, Clock
from tests.simulation.meter import Meter
from tests.simulation.office import Kept
from tests.simulation.peer import Peer

if TYPE_CHECKING:
    from tests.simulation.world import World

WALL_MS = 1_790_000_000_000
"""What a clock that is right says when a simulation begins."""


class Device:
    """A key, a host on the network, a clock that may be wrong, and perhaps a running peer."""

    def __init__(self, world: World, number: int, identity: Identity) -> None:
        self.world = world
        self.name = f"p{number}"
        self.host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        self.identity = identity
        self.meter = Meter()
        self.metadata: bytes | None = None
        self.token: bytes | None = None
        self.kept = Kept(world.office)
        self.skew_ms = 0
        self.peer: Peer | None = None
        self.values: set[bytes] = set()
        """All metadata that was ever published under this key."""
        self._clock: Clock = world.clock
        self._stored_epoch = 0

    @property
    def key(self) -> bytes:
        """The peer key."""
        return self.identity.peer_key

    @property
    def running(self) -> Peer:
        """The peer that runs here now."""
        assert self.peer is not None, f"{self.name} is off"
        return self.peer

    def wall_ms(self) -> int:
        """Return what this device's clock says."""
        return WALL_MS + self.skew_ms + int((self._clock.now - START) * 1000)

    def said(self, metadata: bytes | None) -> None:
        """Note what is published under this key."""
        if metadata is not None:
            self.values.add(metadata)

    def start(self, *, keep_epoch: bool = True, silently: bool = False) -> Peer:
        """Start the peer. Without its epoch file it has only the clock to begin from.

        ``silently``: it does not announce itself, nor look for others, before it is told to.
        """
        assert self.peer is None, f"{self.name} runs already"
        self._stored_epoch = max(self._stored_epoch + 1 if keep_epoch else 0, self.wall_ms())
        self.said(self.metadata)
        self.peer = self._new_peer(self._stored_epoch)
        self.world.air.add(self.peer)
        if not silently:
            self.world.air.refresh(self.peer)
            self.peer.start()
        return self.peer

    def _new_peer(self, epoch: int) -> Peer:
        return Peer(self.world, self, epoch)

    def leave(self) -> None:
        """Stop the peer in good order."""
        self.running.leave()
        self.peer = None

    def kill(self) -> None:
        """Kill the peer; the system closes its connections."""
        self.running.kill()
        self.peer = None

    def power_off(self) -> None:
        """Pull the plug: nothing more comes from here, not even the end of a connection."""
        self.world.network.mute(self.host)
        self.kill()

    def power_on(self, *, keep_epoch: bool = True) -> Peer:
        """Put the plug back and start."""
        self.world.network.unmute(self.host)
        return self.start(keep_epoch=keep_epoch)
