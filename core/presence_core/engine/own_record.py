"""The record of the local peer: what is in it, which version it is, and when it is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from presence_core.gossip.pacing import PublishPacer
from presence_core.gossip.record import Body, Edge, Record, sign_record, truncate_name

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from presence_core.identity.keys import Identity
    from presence_core.identity.mesh import MeshKey

LIFETIME = 3_600
MAX_EPOCH = (1 << 64) - 1
REFRESH_SECONDS = (1_200.0, 1_500.0)


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """What the local peer says of itself in every record."""

    name: str
    os: str | None
    version: str | None


class OwnRecord:
    """Makes the versions of one peer's record (protocol §6.1, §6.2, §6.5).

    ``epoch`` must be greater than any that this key has used.
    """

    def __init__(
        self,
        identity: Identity,
        mesh: MeshKey,
        profile: NodeProfile,
        *,
        epoch: int,
        wall_ms: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self.epoch = epoch
        self.metadata: Body | None = None
        self.token: Body | None = None
        self.leaving = False
        self._identity = identity
        self._mesh = mesh
        self._profile = profile
        self._wall_ms = wall_ms
        self._rng = rng
        self._seq = 0
        self._refresh_at = float("inf")
        self._pacer = PublishPacer()

    def change(self, now: float, *, patience: float = 0.0) -> None:
        """Say that what is in it has changed; see :meth:`PublishPacer.request`."""
        if not self.leaving:
            self._pacer.request(now, patience=patience)

    def lose(self, now: float) -> None:
        """Say that a link in it is no more."""
        if not self.leaving:
            self._pacer.urge(now)

    def outdo(self, record: Record, now: float) -> None:
        """Jump above a record of our own key that is newer than ours.

        It is one that a run with lost state published, or, if it keeps coming, that a copy of
        the key publishes.
        """
        if (record.epoch, record.seq) > (self.epoch, self._seq) and not self.leaving:
            self.epoch = min(record.epoch + 1, MAX_EPOCH)
            self._seq = 0
            self._pacer.request(now)

    def due(self, now: float) -> bool:
        """Whether a new version is to be published now."""
        if now >= self._refresh_at:
            self._refresh_at = float("inf")
            self._pacer.request(now)
        return self._pacer.due(now)

    def next_time(self) -> float:
        """When a new version will be due."""
        due = self._pacer.next_time()
        return self._refresh_at if due is None else min(due, self._refresh_at)

    def sign(self, edges: Iterable[Edge], now: float) -> Record:
        """Make the next version; the last one, of a peer that leaves, has no edges."""
        edges = tuple(edges)
        self._seq += 1
        self._pacer.published(now, heard=bool(edges))
        self._refresh_at = now + self._rng.uniform(*REFRESH_SECONDS)
        return sign_record(
            self._identity,
            self._mesh,
            epoch=self.epoch,
            seq=self._seq,
            issued_at=self._wall_ms() // 1000,
            lifetime=LIFETIME,
            name=truncate_name(self._profile.name),
            os=self._profile.os,
            version=self._profile.version,
            metadata=self.metadata,
            token=self.token,
            edges=() if self.leaving else edges,
            leaving=self.leaving,
        )
