"""What the policy of links knows of one session."""

from __future__ import annotations

from dataclasses import dataclass

from presence_core.gossip.neighbours import LinkClaim


@dataclass(slots=True)
class Tie:
    """A session from the moment at which its other end has proven its key."""

    link: int
    key: bytes
    transport: int
    dialled: str | None
    """Name of the target that we dialled; None when the other end did."""
    authenticated_at: float
    session_id: bytes
    addresses: tuple[tuple[str, int], ...] = ()
    """Where the other end can be dialled again."""

    def claim(self) -> LinkClaim:
        """Return what the rule on duplicate sessions needs to know."""
        return LinkClaim(self.dialled is not None, self.authenticated_at, self.session_id)
