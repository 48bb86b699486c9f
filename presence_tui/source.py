"""Where the dashboard gets its graphs from: a running engine, or anything shaped like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.model import PresenceGraph, Trust


def shows_only(source: PresenceSource) -> bool:
    """Whether a source says of itself (``read_only``) that it takes no commands."""
    return bool(getattr(source, "read_only", False))


class Watching(Protocol):
    """What :meth:`PresenceSource.observe` returns."""

    def stop(self) -> None:
        """Deliver nothing more."""


class PresenceSource(Protocol):
    """The part of :class:`presence_core.Presence` that a screen needs."""

    @property
    def graph(self) -> PresenceGraph:
        """The newest graph."""

    def observe(
        self, callback: Callable[[PresenceGraph], None], *, interval: float = 0.1
    ) -> Watching:
        """Call back with graphs: at once, then on changes, at most one in ``interval`` seconds."""

    def fetch_peer_metadata(self, peer_key: str) -> None:
        """Fetch metadata that is too large to come over Bluetooth unasked."""

    async def set_peer_metadata_json(self, text: str) -> None:
        """Publish other metadata. Raises with one line for the person when it is refused."""

    async def set_trust(self, peer_key: str, trust: Trust) -> None:
        """Verify or block a peer key. Raises with one line for the person when it cannot."""

    async def forget(self, peer_key: str) -> None:
        """Treat a peer key as one that was never met. Raises as :meth:`set_trust`."""
