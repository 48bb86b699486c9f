"""The record of the local peer: what is in it, which version it is, and when it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.gossip.contradictions import INSIST_SECONDS
from presence_core.gossip.pacing import PublishPacer
from presence_core.gossip.record import Body, Edge, Record, sign_record, truncate_name
from presence_core.value_object import value_object

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from presence_core.identity.keys import Identity
    from presence_core.identity.mesh import MeshKey

LIFETIME = 3_600
LINK_UP_PATIENCE = 0.02
"""Links come up in swarms, and both their ends know of them; the others are told of all at once."""

MAX_EPOCH = (1 << 64) - 1
REFRESH_SECONDS = (1_200.0, 1_500.0)


@value_object
class NodeProfile:
    """What the local peer says of itself in every record."""

    name: str
    os: str | None
    version: str | None


class OwnRecord:
    """Makes the versions of one peer's record (protocol §6.1, §6.2, §6.4, §6.5).

    ``epoch`` must be greater than any that this key has used. ``denied`` tells whether a neighbour
    that is listed does not list this peer.
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
        denied: Callable[[], bool] = lambda: False,
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
        self._denied = denied
        self._seq = 0
        self._signed_at = float("-inf")
        self._refresh_at = float("inf")
        self._insist_at = float("inf")
        self._contradicted = False
        """A neighbour has taken back a link that lives, since the last version."""
        self._links = PublishPacer()
        self._words = PublishPacer()
        """What the peer says of itself: a person who changes it does not wait until all links of a
        mesh that starts are up."""

    def change(self, now: float) -> None:
        """Say that what the peer says of itself has changed; see :meth:`PublishPacer.request`."""
        if not self.leaving:
            self._words.request(now)

    def gain(self, now: float) -> None:
        """Say that there is one more link."""
        if not self.leaving:
            self._links.request(now, patience=LINK_UP_PATIENCE)

    def lose(self, now: float) -> None:
        """Say that a link in it is no more."""
        if not self.leaving:
            self._links.urge(now)

    def contradict(self, now: float) -> None:
        """Say that a neighbour has taken back a link that lives; it may list it again meanwhile.

        A version follows soon even so: others may have seen only what denies us.
        """
        self._contradicted = True
        self._insist_at = min(self._insist_at, max(now, self._signed_at + INSIST_SECONDS))

    def outdo(self, record: Record, now: float) -> None:
        """Jump above a record of our own key that is newer than ours.

        It is one that a run with lost state published, or, if it keeps coming, that a copy of
        the key publishes.
        """
        if (record.epoch, record.seq) > (self.epoch, self._seq) and not self.leaving:
            self.epoch = min(record.epoch + 1, MAX_EPOCH)
            self._seq = 0
            self._words.request(now)

    def due(self, now: float) -> bool:
        """Whether a new version is to be published now."""
        if now >= self._refresh_at:
            self._refresh_at = float("inf")
            self._words.request(now)
        if now >= self._insist_at:
            self._insist_at = float("inf")
            if not self.leaving and (self._contradicted or self._denied()):
                self._links.request(now)
        return self._links.due(now) or self._words.due(now)

    def next_time(self) -> float:
        """When a new version will be due."""
        due = (
            self._links.next_time(),
            self._words.next_time(),
            self._refresh_at,
            self._insist_at,
        )
        return min(moment for moment in due if moment is not None)

    def sign(self, edges: Iterable[Edge], now: float) -> Record:
        """Make the next version; the last one, of a peer that leaves, has no edges."""
        edges = tuple(edges)
        self._seq += 1
        for pacer in (self._links, self._words):
            pacer.published(now, heard=bool(edges))
        self._refresh_at = now + self._rng.uniform(*REFRESH_SECONDS)
        self._signed_at, self._contradicted = now, False
        # A neighbour that is new does not list us yet: whether one denies us is looked at then.
        self._insist_at = now + INSIST_SECONDS if self._denied() else float("inf")
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
