"""The pane of a peer's links: the way to it, and who is linked with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.viewmodel.links import MAX_LINKS, links_page
from presence_tui.viewmodel.names import Names
from presence_tui.widgets.peer_page import PeerPage

if TYPE_CHECKING:
    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.page import Page


class LinksPane(PeerPage):
    """Shows how the selected peer is reached, and its links; of this device when none is."""

    HELP = """
## Links

A link between others is **confirmed** when both ends list it in their signed records; what only
one of them says is *one-sided*, and no way leads over it. Links of this device are measured.
"""

    def build(self, graph: PresenceGraph, peer: Peer) -> Page:
        """Return the page about the way to the peer and its links."""
        return links_page(graph, peer, self.now(graph))

    def built_from(self, graph: PresenceGraph, peer: Peer) -> tuple[object, ...]:
        """Return the objects that the page depends on: other peers have names and states too."""
        names = Names(graph)
        ends = [key for c in peer.connections[:MAX_LINKS] for key in (c.peer1, c.peer2)]
        return (
            *super().built_from(graph, peer),
            *(names.peer(key) for key in (*ends, *peer.presence.via)),
        )
