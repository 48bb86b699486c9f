"""A source of graphs that shows everything and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.viewmodel.refusals import ONLY_SHOWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.model import PresenceGraph, Trust
    from presence_tui.source import PresenceSource, Watching


class ReadOnlyError(Exception):
    """Somebody wants to change something through a source that only shows."""

    def __init__(self) -> None:
        super().__init__(ONLY_SHOWS)


class ReadOnlySource:
    """Passes on what a source shows; refuses with ReadOnlyError whatever would change something."""

    read_only = True

    def __init__(self, source: PresenceSource) -> None:
        self._source = source

    @property
    def graph(self) -> PresenceGraph:
        """The newest graph."""
        return self._source.graph

    def observe(
        self, callback: Callable[[PresenceGraph], None], *, interval: float = 0.1
    ) -> Watching:
        """Call back with graphs, as the source does."""
        return self._source.observe(callback, interval=interval)

    def fetch_peer_metadata(self, peer_key: str) -> None:
        """Fetch metadata that is too large to come over Bluetooth unasked, as the source does."""
        self._source.fetch_peer_metadata(peer_key)

    async def set_peer_metadata_json(self, text: str) -> None:  # noqa: ARG002  refused unread
        """Refuse."""
        raise ReadOnlyError

    async def set_trust(self, peer_key: str, trust: Trust) -> None:  # noqa: ARG002  as above
        """Refuse."""
        raise ReadOnlyError

    async def forget(self, peer_key: str) -> None:  # noqa: ARG002  as above
        """Refuse."""
        raise ReadOnlyError
