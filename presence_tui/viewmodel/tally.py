"""How many peers of which kind, counted as they come and change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from presence_core.model import IdentityStatus, Peer, PresenceState, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable

_Kind: TypeAlias = tuple[PresenceState, bool, bool, bool]


@dataclass(frozen=True, slots=True)
class Tally:
    """Remote peers by kind. ``direct`` and ``verified`` are counted among those online.

    Whoever is blocked here is not verified. ``warned``: those with a key warning, in any state.
    """

    online: int = 0
    direct: int = 0
    verified: int = 0
    lost: int = 0
    left: int = 0
    warned: int = 0


class Tallies:
    """Counts peers without looking at all of them again for each graph."""

    def __init__(self, peers: Iterable[Peer] = ()) -> None:
        self._kinds: Counter[_Kind] = Counter(map(_kind, peers))

    def add(self, peer: Peer) -> None:
        """Count a peer."""
        self._kinds[_kind(peer)] += 1

    def remove(self, peer: Peer) -> None:
        """Count a peer no more."""
        self._kinds[_kind(peer)] -= 1

    def change(self, old: Peer, new: Peer) -> None:
        """Count a peer as what it is now."""
        if (
            old.presence is new.presence
            and old.identity is new.identity
            and old.trust is new.trust
            and old.key_warning == new.key_warning
        ):
            return
        self.remove(old)
        self.add(new)

    @property
    def now(self) -> Tally:
        """How many there are."""
        online = PresenceState.ONLINE
        return Tally(
            online=self._count(online),
            direct=self._count(online, direct=True),
            verified=self._count(online, verified=True),
            lost=self._count(PresenceState.LOST),
            left=self._count(PresenceState.LEFT),
            warned=sum(number for (*_, warned), number in self._kinds.items() if warned),
        )

    def _count(self, state: PresenceState, *, direct: bool = False, verified: bool = False) -> int:
        return sum(
            number
            for (of, near, sure, _), number in self._kinds.items()
            if of is state and near >= direct and sure >= verified
        )


def _kind(peer: Peer) -> _Kind:
    presence = peer.presence
    verified = peer.identity.status is IdentityStatus.VERIFIED and peer.trust is not Trust.BLOCKED
    return presence.state, presence.direct, verified, peer.key_warning is not None
