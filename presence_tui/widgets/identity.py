"""The pane of a peer's identity: whether it is verified, why, and what it is said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.viewmodel.identity import identity_page
from presence_tui.viewmodel.links import where_line
from presence_tui.viewmodel.names import Names
from presence_tui.widgets.peer_page import PeerPage

if TYPE_CHECKING:
    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.page import Page


class IdentityPane(PeerPage):
    """Shows what is known about who the selected peer (or this device) is, and how surely."""

    HELP = """
## Identity

What an **issuer** says about a peer is shown only when every step of the check passed. What a
peer says **about itself** is never verified, whatever it claims.
"""

    def build(self, graph: PresenceGraph, peer: Peer) -> Page:
        """Return the page about the peer's identity."""
        own = peer.peer_key == graph.local_peer.peer_key
        where = () if own else (where_line(graph, peer),)
        return identity_page(peer, self.now(graph), own=own, where=where)

    def built_from(self, graph: PresenceGraph, peer: Peer) -> tuple[object, ...]:
        """Return the objects that the page depends on: it names those who lead to the peer."""
        names = Names(graph)
        return (*super().built_from(graph, peer), *map(names.peer, peer.presence.via))
