"""What the panes about one peer have in common: which peer, when to look again, how to show it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from presence_core.codec.text import safe_text
from presence_tui.widgets.sheet import Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from textual import events

    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.page import Page

Clock: TypeAlias = "Callable[[], datetime]"

_LOOK_AGAIN = 10.0


class PeerPage(Reader):
    """A page about the selected peer, or about this device when no peer is selected.

    ``clock``: now, with a time zone; without one, now is when the graph was made. Another peer
    is shown from its first line; the same peer keeps the scroll position.
    """

    DEFAULT_CSS = """
    PeerPage {
        height: 1fr;
        padding: 0 0 0 1;
        &:focus { background-tint: $foreground 3%; }
    }
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._clock = clock
        self._graph: PresenceGraph | None = None
        self._peer: Peer | None = None
        self._built: tuple[object, ...] = ()

    @abstractmethod
    def build(self, graph: PresenceGraph, peer: Peer) -> Page:
        """Return the page about a peer."""

    @property
    def graph(self) -> PresenceGraph | None:
        """The graph that is shown."""
        return self._graph

    @property
    def peer(self) -> Peer | None:
        """The peer that is shown."""
        return self._peer

    @property
    def peer_name(self) -> str:
        """The name of the peer that is shown, safe to show; its short id when it has none."""
        if self._peer is None:
            return ""
        return safe_text(self._peer.device_name) or safe_text(self._peer.short_id)

    def now(self, graph: PresenceGraph) -> datetime:
        """Return the moment that spans of time are counted from."""
        return self._clock() if self._clock is not None else graph.generated_at

    def show(self, graph: PresenceGraph, selected: Peer | None) -> None:
        """Show the selected peer of a graph; cheap when nothing about it is new."""
        peer = selected if selected is not None else graph.local_peer
        other = self._peer is None or peer.peer_key != self._peer.peer_key
        self._graph, self._peer = graph, peer
        self.rebuild()
        if other and self.is_attached:
            self.scroll_home(animate=False)

    def rebuild(self) -> None:
        """Make the page anew if a peer, the second or the room for it changed."""
        graph, peer = self._graph, self._peer
        if graph is None or peer is None or not self.size:
            return
        second = int(self.now(graph).timestamp())
        built = (*self.built_from(graph, peer), second, self.size)
        if built != self._built:
            self._built = built
            self.show_page(self.build(graph, peer))

    def built_from(self, graph: PresenceGraph, peer: Peer) -> tuple[object, ...]:
        """Return the objects that the page depends on; peers compare by identity."""
        return graph.local_peer, peer, graph.view.state

    def on_mount(self) -> None:
        """Begin to look at the clock now and then."""
        if self._clock is not None:
            self.set_interval(_LOOK_AGAIN, self.rebuild)

    def on_resize(self, event: events.Resize) -> None:
        """Make the page for the new size."""
        self.rebuild()

    def forget_page(self) -> None:
        """Make the page anew, whatever is the same as before."""
        self._built = ()
        self.rebuild()
