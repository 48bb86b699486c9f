"""The bodies of one node: its own, those of all others, and what is said about them.

Pure; time is passed in. :mod:`presence_core.gossip.bodies` fetches, and
:mod:`presence_core.engine.peer_bodies` knows whom a body is for.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from presence_core.engine.peer_bodies import PeerBodies
from presence_core.gossip.bodies import BodyStore
from presence_core.gossip.messages import MAX_INLINE_BODIES, BodyChunk, BodyWant
from presence_core.handshake.events import MessageType
from presence_core.identity.verdict import MAX_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from presence_core.gossip.messages import Hello
    from presence_core.gossip.record import Body, Record

ASK_AGAIN_SECONDS = 10.0
"""How often a body that no neighbour gave is asked for once more."""


class NodeBodies:
    """Metadata and tokens as they go from peer to peer.

    ``newest`` gives the newest record of a peer. ``metadata_changed`` and ``token_changed`` are
    told the key of a peer that has another one now. ``slow`` tells whether a link is a slow one:
    over those, large metadata is fetched only when somebody wants to see it. Tokens are: who a
    peer is, is wanted at once.
    """

    def __init__(
        self,
        newest: Callable[[bytes], Record | None],
        *,
        metadata_changed: Callable[[bytes], None],
        token_changed: Callable[[bytes], None],
        slow: Callable[[int], bool],
        now: float,
    ) -> None:
        self.store = BodyStore()
        self.metadata = PeerBodies(self.store, lambda r: r.metadata, metadata_changed, slow=slow)
        self.tokens = PeerBodies(self.store, lambda r: r.token, token_changed, most=MAX_TOKEN)
        self.own_metadata: Body | None = None
        self.own_token: Body | None = None
        self._kinds = [self.metadata, self.tokens]
        self._newest = newest
        self._ask_again_at = now + ASK_AGAIN_SECONDS

    # -- our own

    def set_metadata(self, data: bytes | None) -> bool:
        """Have other metadata; False when it is the same."""
        old = self.own_metadata
        self.own_metadata = self._put_own(data, instead_of=old)
        return self.own_metadata != old

    def set_token(self, data: bytes | None) -> bool:
        """Have another token; False when it is the same."""
        old = self.own_token
        self.own_token = self._put_own(data, instead_of=old)
        return self.own_token != old

    def _put_own(self, data: bytes | None, *, instead_of: Body | None) -> Body | None:
        body = None if data is None else self.store.put_own(data)
        if instead_of is not None:
            self.store.give_up_own(instead_of)
        return body

    def inline(self, own: Record, most: int = MAX_INLINE_BODIES) -> tuple[bytes, ...]:
        """Return what goes into a Hello beside the own record: what that names, if there is room.

        ``most`` bytes together. The token comes first: by it one may be let in.
        """
        chosen: list[bytes] = []
        for body in (own.token, own.metadata):
            data = None if body is None else self.store.get(body.sha256)
            if data is not None and sum(map(len, chosen)) + len(data) <= most:
                chosen.append(data)
        return tuple(chosen)

    # -- what records name

    def take_inline(self, hello: Hello, record: Record) -> None:
        """Store what came with a Hello, if its record names it."""
        for named in (record.metadata, record.token):
            data = None if named is None else inline_body(hello, named)
            if data is not None:
                self.store.put(data)

    def follow(self, record: Record, links: Collection[int]) -> None:
        """Take what a record names, now or when it has been fetched from one of the links."""
        for kind in self._kinds:
            kind.follow(record, links)

    def ask_metadata(self, key: bytes, links: Iterable[int]) -> bool:
        """Fetch a peer's metadata from these links, however large; False: it is done already."""
        new, record = self.metadata.ask(key), self._newest(key)
        if new and record is not None:
            self.metadata.follow(record, links)
        return new

    def drop(self, key: bytes) -> None:
        """Forget what a peer had that is gone."""
        for kind in self._kinds:
            kind.drop(key)

    # -- messages

    def asked(self, link: int, body: bytes) -> None:
        """Take a BodyWant. Raises MessageError."""
        want = BodyWant.decode(body)
        self.store.ask(link, want.sha256, want.offset)

    def came(self, link: int, body: bytes) -> None:
        """Take a BodyChunk. Raises MessageError."""
        chunk = BodyChunk.decode(body)
        whole = self.store.receive_chunk(link, chunk)
        if whole is not None:
            for kind in self._kinds:
                kind.arrived(chunk.sha256, whole, self._newest)

    def drop_link(self, link: int) -> None:
        """Ask this neighbour for nothing more: its link has ended."""
        self.store.drop_link(link)

    def messages(self, now: float) -> list[tuple[int, MessageType, bytes]]:
        """Return what is to be said now: link, type, body."""
        wants = [
            (link, MessageType.BODY_WANT, BodyWant(sha256, offset).encode())
            for link, sha256, offset in self.store.wants(now)
        ]
        answers = [
            (link, MessageType.BODY_CHUNK, chunk.encode())
            for link, chunk in self.store.take_answers()
        ]
        return wants + answers

    # -- time

    def ask_again(self, now: float, worth: Callable[[bytes], bool], links: Iterable[int]) -> None:
        """Ask all neighbours, now and then, for what those who should have it did not give.

        One thing at a time, and only when nothing else is under way: it may be a body that nobody
        has, named to keep others waiting. ``worth``: whether a peer is worth the question.
        """
        if now < self._ask_again_at or not self._await():
            return
        self._ask_again_at = now + ASK_AGAIN_SECONDS
        if self.store.fetching():
            return
        self._kinds.reverse()  # so that neither waits for the other
        for kind in self._kinds:
            key = kind.stuck(worth)
            record = None if key is None else self._newest(key)
            if record is not None:
                kind.follow(record, links)
                return

    def _await(self) -> bool:
        return any(kind.awaits() for kind in self._kinds)

    def next_time(self) -> float:
        """When there is something to do; infinity for never."""
        ask_again_at = self._ask_again_at if self._await() else float("inf")
        return min(self.store.next_time(), ask_again_at)


def inline_body(hello: Hello, named: Body) -> bytes | None:
    """Return a body that came with a Hello."""
    for data in hello.bodies:
        if len(data) == named.size and hashlib.sha256(data).digest() == named.sha256:
            return data
    return None
