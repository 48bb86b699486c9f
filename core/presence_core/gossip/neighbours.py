"""Which links to hold: how many, which to let go, and what to do when two ends dial each other.

Pure (protocol §2, §6.11). A few random neighbours make a mesh that holds together when a fifth of
it dies, and in which everybody is a few hops away, however large it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


DIAL, ACCEPT = 3, 8


@value_object
class Slots:
    """How many links an engine holds. ``spare`` are for peers that no other way leads to."""

    dial: int = DIAL
    accept: int = ACCEPT
    spare: int = 4

    @classmethod
    def of(cls, links: int) -> Slots:
        """Return the slots of an engine that is to accept so many links; it dials fewer itself."""
        return cls(dial=min(DIAL, max(1, links - 1)), accept=links)


NEARBY_SLOTS = Slots(dial=2, accept=4, spare=2)
"""Of Bluetooth. An adapter holds from seven links on; the spare ones are for who comes from
elsewhere."""

CROSSING_SECONDS = 5.0
"""Two sessions made within this time of each other count as dialled at the same time."""


@value_object
class LinkClaim:
    """What matters of one of two sessions with the same peer over the same transport."""

    dialled_by_us: bool
    authenticated_at: float
    session_id: bytes
    """The handshake hash: the same at both ends."""


def keep_new(own_key: bytes, peer_key: bytes, old: LinkClaim, new: LinkClaim) -> bool:
    """Decide between an existing session and a new one with the same peer; True keeps the new.

    When both ends dialled at once, each keeps the session dialled by the smaller key; when one end
    dialled twice at once, each keeps the smaller session id: so they agree whatever came first.
    Otherwise the new one wins: a peer dials again only when it has lost the old session, which a
    restarted or long muted peer does before this end can know.
    """
    if new.authenticated_at - old.authenticated_at >= CROSSING_SECONDS:
        return True
    if old.dialled_by_us == new.dialled_by_us:
        return new.session_id < old.session_id
    return new.dialled_by_us == (own_key < peer_key)


def most_redundant(
    links: Iterable[tuple[int, bytes]], degree: Callable[[bytes], int]
) -> int | None:
    """Return the link whose end has most other links, so that it will be missed least.

    ``links`` are link ids with the peers they lead to. None when each end has only this one.
    """
    spare = [(degree(key), link) for link, key in links if degree(key) > 1]
    return max(spare)[1] if spare else None
