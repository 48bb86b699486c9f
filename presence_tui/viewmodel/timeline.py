"""What has happened, as far as this screen has seen it: bounded, newest first; no Textual.

Every graph is compared with the one before it (:func:`presence_core.changes.changes_between`).
What happens often has a ring of its own, so that the links of a big mesh never push out that
somebody was lost.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING

from presence_core.changes import changes_between
from presence_core.differing import Differing, differing
from presence_core.model import Change, ChangeKind, ViewState
from presence_tui.viewmodel.names import Names, peer_name
from presence_tui.viewmodel.timeline_folds import Folding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from presence_core.model import PresenceGraph


class Topic(StrEnum):
    """Kinds of changes that people look for together."""

    PEERS = "peers"
    IDENTITY = "identity"
    METADATA = "metadata"
    LINKS = "links"
    DEVICE = "this device"


_TOPICS = {
    ChangeKind.PEER_JOINED: Topic.PEERS,
    ChangeKind.PEER_RETURNED: Topic.PEERS,
    ChangeKind.PEER_LEFT: Topic.PEERS,
    ChangeKind.PEER_LOST: Topic.PEERS,
    ChangeKind.LINK_UP: Topic.LINKS,
    ChangeKind.LINK_DOWN: Topic.LINKS,
    ChangeKind.METADATA_CHANGED: Topic.METADATA,
    ChangeKind.IDENTITY_CHANGED: Topic.IDENTITY,
    ChangeKind.TRUST_CHANGED: Topic.IDENTITY,
    ChangeKind.KEY_WARNING: Topic.IDENTITY,
    ChangeKind.CONDITION_CHANGED: Topic.DEVICE,
    ChangeKind.VIEW_CHANGED: Topic.DEVICE,
}

KEPT = {
    Topic.PEERS: 2_000,
    Topic.IDENTITY: 1_000,
    Topic.METADATA: 700,
    Topic.LINKS: 1_000,
    Topic.DEVICE: 300,
}
"""Events that are kept of each topic: 5,000 in all."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A change, with the names that peers had then.

    ``number`` grows with each event; of one graph the first change has the greatest. ``fold``: the
    number of the first of those that can be told together with it. ``other`` and ``other_name``:
    the second end of a link, None for everything else.
    """

    number: int
    change: Change
    name: str
    fold: int
    other: str | None = None
    other_name: str | None = None

    @property
    def topic(self) -> Topic:
        """What it is about."""
        return _TOPICS[self.change.kind]

    def concerns(self, peer_key: str) -> bool:
        """Whether it is about a peer, at either end."""
        return peer_key in (self.change.peer_key, self.other)


@dataclass(frozen=True, slots=True)
class Only:
    """Which events are shown: of one topic, about one peer; None is all."""

    topic: Topic | None = None
    peer_key: str | None = None

    def next_topic(self) -> Only:
        """Return the filter with the topic that follows; after the last one all of them."""
        order: list[Topic | None] = [None, *Topic]
        return Only(order[(order.index(self.topic) + 1) % len(order)], self.peer_key)

    def lets_through(self, event: Event) -> bool:
        """Whether an event is shown."""
        return (self.topic is None or event.topic is self.topic) and (
            self.peer_key is None or event.concerns(self.peer_key)
        )


class Timeline:
    """The events of a screen. Feed it with :meth:`take`; :attr:`shown` is newest first.

    While it is paused, :attr:`shown` stays what it was, and :attr:`waiting` counts what has come
    since; nothing is lost that the rings hold.
    """

    def __init__(self) -> None:
        self._graph: PresenceGraph | None = None
        self._rings: dict[Topic, deque[Event]] = {
            topic: deque(maxlen=kept) for topic, kept in KEPT.items()
        }
        self._number = 0
        self._folding = Folding()
        self._only = Only()
        self._paused_at: int | None = None
        self._shown: list[Event] | None = []

    @property
    def only(self) -> Only:
        """Which events are shown."""
        return self._only

    @property
    def paused(self) -> bool:
        """Whether what comes is held back."""
        return self._paused_at is not None

    @property
    def waiting(self) -> int:
        """How many events have come since it was paused."""
        return 0 if self._paused_at is None else self._number - self._paused_at

    @property
    def shown(self) -> list[Event]:
        """The events that are shown, the newest first; do not change it."""
        if self._shown is None:
            rings = [self._rings[self._only.topic]] if self._only.topic else self._rings.values()
            newest_first = merge(*map(reversed, rings), key=attrgetter("number"), reverse=True)
            self._shown = list(filter(self._only.lets_through, newest_first))
        return self._shown

    def take(self, graph: PresenceGraph, found: Differing | None = None) -> list[Event]:
        """Take a newer graph; return what is new in it.

        ``found``: in what its remote peers differ from those of the graph before, if that is known.

        The first graph is where it begins. What the first exchange brings has not happened now: it
        was there already, so of a view that was filling only its end is told, and key warnings.
        """
        before, self._graph = self._graph, graph
        if before is None or before is graph:
            return []
        filling = before.view.state is ViewState.FILLING
        found = found or differing(before.remote_peers, graph.remote_peers)
        changes = changes_between(before, graph, found)
        if filling:
            changes = tuple(c for c in changes if _told_while_filling(c.kind))
        events = self._named(_newest(changes), before, graph, found) if changes else []
        for event in events:
            self._rings[event.topic].append(event)
        if events and self._paused_at is None:
            self._shown = None
        return events

    def show_only(self, only: Only) -> None:
        """Show other events; what was paused goes on."""
        if only != self._only:
            self._only = only
            self.resume()
            self._shown = None

    def pause(self) -> None:
        """Let what is shown stay as it is."""
        if self._paused_at is None:
            _ = self.shown
            self._paused_at = self._number

    def resume(self) -> None:
        """Show what has come meanwhile, and what comes."""
        if self._paused_at is not None:
            if self.waiting:
                self._shown = None
            self._paused_at = None

    def _named(
        self,
        changes: Iterable[Change],
        before: PresenceGraph,
        graph: PresenceGraph,
        found: Differing,
    ) -> list[Event]:
        now, then = Names(graph), Names(before)
        own = graph.local_peer.peer_key
        changed = {
            peer.peer_key: peer for _, peer in found.pairs
        }  # whom nearly all changes are about

        def name(peer_key: str | None) -> str:
            if peer_key is None or peer_key == own:
                return "this device"
            peer = changed.get(peer_key) or now.peer(peer_key) or then.peer(peer_key)
            return then.name(peer_key) if peer is None else peer_name(peer)

        events = []
        for change in reversed([*changes]):  # what is told first stands on top
            self._number += 1
            other = _other_end(change)
            events.append(
                Event(
                    self._number,
                    change,
                    name(change.peer_key),
                    self._folding.fold(change, self._number),
                    other,
                    name(other) if other is not None else None,
                )
            )
        return events


def _told_while_filling(kind: ChangeKind) -> bool:
    return kind is ChangeKind.KEY_WARNING or _TOPICS[kind] is Topic.DEVICE


def _newest(changes: tuple[Change, ...]) -> Iterable[Change]:
    """Return changes without those that would not stay in their ring anyway."""
    if len(changes) <= min(KEPT.values()):
        return changes
    room = dict(KEPT)
    kept = []
    for change in reversed(changes):
        topic = _TOPICS[change.kind]
        if room[topic]:
            room[topic] -= 1
            kept.append(change)
    kept.reverse()
    return kept


def _other_end(change: Change) -> str | None:
    """Return the key of the peer at the other end of a link."""
    if _TOPICS[change.kind] is not Topic.LINKS:
        return None
    link = change.after if change.after is not None else change.before
    ends: list[str] = [link["peer1"], link["peer2"]]
    return next((end for end in ends if end != change.peer_key), None)
