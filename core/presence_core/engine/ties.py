"""A link as far as the policy of links is concerned, and what it decides on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.gossip.neighbours import LinkClaim
from presence_core.value_object import entity, value_object

if TYPE_CHECKING:
    from collections.abc import Container

    from presence_core.handshake.events import ByeCode


@value_object
class Refusal:
    """Why a link is not let in."""

    code: ByeCode
    why: str


@value_object
class Admission:
    """A link is let in; these others are to be closed for it."""

    drop: tuple[tuple[int, ByeCode, str], ...] = ()


@entity
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


@value_object
class Situation:
    """What decides whether somebody in Bluetooth range is dialled now."""

    linked: Container[bytes]
    """Peers to which there is a Bluetooth link, and ourselves."""
    links: int
    dialled: int
    """Links that we have dialled, with those whose handshake is under way."""
    findable: bool
    """Whether others can dial us; if not it is always our turn."""
    knocking: bool = False
    """Whether somebody has dialled us and is not let in yet: probably who is to dial us."""
    hosts: Container[str] = ()
    """Addresses at the other end of links, also of those that are not authenticated yet."""
