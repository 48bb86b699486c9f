"""How good the local view of the mesh is: ``filling``, ``current``, ``stale`` or ``blind``.

Pure; time is passed in. A cut-off node must never claim that all is well, so everything that is
not known to be good here counts as bad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from presence_core.model import View, ViewState
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from presence_core.engine.dials import Dials
    from presence_core.engine.node import Node

LOOK_SECONDS = 3.0
"""How long a start without any link is called ``filling`` before it is called ``blind``."""

SETTLE_SECONDS = 0.6
"""How long discovery is given at least before the view may be called ``current``."""

FILL_SECONDS = 6.0
"""How long the first exchange may hold the view at ``filling``."""

STALE_SECONDS = 3.0
"""Silence of all neighbours after which the view is ``stale`` (a LAN link dies at 3.5 s)."""


CONFIRM_SECONDS = 180.0
"""How long the table may go without a neighbour that has nothing more; one is asked every 60 s."""


@value_object
class Sight:
    """What the view depends on, at one moment."""

    links: int
    heard_at: float
    """When any neighbour was last heard, on the monotonic clock."""
    confirmed_at: float
    """When a neighbour last had nothing that is missing here; -inf for never."""
    busy: bool
    """Whether a first dial, a handshake, an exchange of tables or a fetch of metadata is still
    under way."""
    known_peers: int

    @classmethod
    def of(
        cls,
        node: Node,
        dials: Dials,
        *,
        links: int,
        heard_at: float,
        joining: bool,
        settled: bool,
    ) -> Self:
        """Look at what a node has. ``joining``: a handshake or an admission is under way.

        ``settled``: it does not matter any more what is.
        """
        busy = not settled and (
            joining or node.exchange.sync.awaited() or node.bodies.fetching() or dials.untried()
        )
        confirmed_at = node.exchange.sync.confirmed_at()
        return cls(links, heard_at, confirmed_at, busy, known_peers=len(node.table) - 1)


class ViewKeeper:
    """Follows the view over time; remembers since when it is as it is."""

    def __init__(self, wall: Callable[[], datetime]) -> None:
        self._wall = wall
        self._started = 0.0
        self._networked = True
        self._linked_since: float | None = None
        self._filled = False
        self.view = View(ViewState.FILLING, wall(), "starting")

    def start(self, now: float, *, networked: bool) -> None:
        """Begin. ``networked`` false: every transport is switched off, there is nobody to see."""
        self._started = now
        self._networked = networked

    @property
    def settled(self) -> bool:
        """Whether what is still under way has no say in the view any more."""
        return self._filled and self._linked_since is not None

    def assess(self, sight: Sight, now: float) -> bool:
        """Judge the view again; True when its state or reason has changed."""
        state, reason = self._judge(sight, now)
        if (state, reason) == (self.view.state, self.view.reason):
            return False
        since = self.view.since if state is self.view.state else self._wall()
        self.view = View(state, since, reason)
        return True

    def _judge(self, sight: Sight, now: float) -> tuple[ViewState, str | None]:
        if not self._networked:
            return ViewState.BLIND, "every transport is switched off"
        if not sight.links:
            never = self._linked_since is None and not self._filled
            self._linked_since = None
            if never and now - self._started < LOOK_SECONDS:
                return ViewState.FILLING, "looking for peers"
            self._filled = True  # from here on, having no link is news, not a beginning
            if sight.known_peers:
                return ViewState.BLIND, "no link to any peer; what is shown is the last known"
            return ViewState.BLIND, "no link to any peer; none has been found yet"
        if self._linked_since is None:
            self._linked_since = now
            self._filled = False
        if now - sight.heard_at > STALE_SECONDS:
            return ViewState.STALE, "no neighbour is answering"
        if not self._filled:
            early = now - self._started < SETTLE_SECONDS
            if (early or sight.busy) and now - self._linked_since < FILL_SECONDS:
                return ViewState.FILLING, "exchanging with the first neighbours"
            self._filled = True
        unconfirmed = now - max(sight.confirmed_at, self._linked_since)
        if unconfirmed > CONFIRM_SECONDS:
            return ViewState.STALE, "no neighbour has confirmed what is shown for some minutes"
        return ViewState.CURRENT, None
