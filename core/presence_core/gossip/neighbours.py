"""Which links to hold: limits, and what to do when two ends dial each other (protocol §2, §6.11).

In this version every peer links with every other that it discovers, up to the limit; the bounded
random neighbourhood of §6.11 takes this module's place of decision when records travel over
several hops.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINKS = 64
"""Links that one engine holds at most; a record has room for as many edges."""

CROSSING_SECONDS = 5.0
"""Two sessions made within this time of each other count as dialled at the same time."""


@dataclass(frozen=True, slots=True)
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
