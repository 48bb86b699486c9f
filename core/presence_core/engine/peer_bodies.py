"""What records name by hash, of every peer: what arrived, what is awaited, what nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.gossip.record import Body
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from presence_core.gossip.bodies import BodyStore
    from presence_core.gossip.record import Record


MAX_AWAITED = 20_000
"""Peers whose bodies are awaited: a full table. The one that has waited longest gives way."""

UNASKED_BYTES = 4_096
"""What is fetched over a slow link although nobody looks at it (protocol §6.8)."""

MAX_SHOWN = 64 * 1024 * 1024
"""Bytes of one kind that are kept of all peers together; beyond it, what comes is not taken."""


@value_object(eq=False)
class PeerBody:
    """A body of a peer: the newest that arrived, kept while a newer one is on its way."""

    value: bytes
    sha256: bytes


class PeerBodies:
    """Follows the bodies of one kind that records name: metadata, or identity tokens.

    ``named`` gives the body of this kind that a record names. One that is larger than ``most``
    bytes is never asked for. ``changed`` is told the key of a peer that has another body now, and
    ``slow`` tells whether a link is one over which only ``unasked`` bytes are fetched unasked.
    """

    def __init__(
        self,
        bodies: BodyStore,
        named: Callable[[Record], Body | None],
        changed: Callable[[bytes], None],
        *,
        most: int = Body.MAX_SIZE,
        unasked: int = UNASKED_BYTES,
        slow: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._bodies = bodies
        self._named = named
        self._changed = changed
        self._most = most
        self._unasked = unasked
        self._slow = slow
        self._asked: set[bytes] = set()
        """Peers whose body somebody wants to see, however large it is."""
        self._of: dict[bytes, PeerBody] = {}
        self._shown: dict[bytes, set[bytes]] = {}
        """Who is shown with a body, by its hash."""
        self._awaited: dict[bytes, set[bytes]] = {}
        """Who waits for a body, by its hash."""
        self._awaits: dict[bytes, bytes] = {}
        """What each peer waits for."""
        self._size = 0
        bodies.used_by(self._needs)

    def _needs(self, sha256: bytes) -> bool:
        return sha256 in self._shown or sha256 in self._awaited

    def _wanted(self, record: Record) -> Body | None:
        """Return what a record names, if it is of a size that is asked for."""
        body = self._named(record)
        return body if body is not None and body.size <= self._most else None

    def get(self, key: bytes) -> PeerBody | None:
        """Return the newest body of a peer that has arrived."""
        return self._of.get(key)

    def follow(self, record: Record, links: Iterable[int]) -> None:
        """Take the body that a record names, now or when it has been fetched.

        ``links`` are those of neighbours that have the record: there it can be asked for.
        """
        wanted = self._wanted(record)
        if wanted is None:
            self.drop(record.key)
            return
        held = self._of.get(record.key)
        if held is not None and held.sha256 == wanted.sha256:
            self._await_nothing(record.key)
            return
        body = self._bodies.get(wanted.sha256)
        if body is not None and len(body) == wanted.size:
            self._take(record.key, PeerBody(body, wanted.sha256))
            self._await_nothing(record.key)
            return
        self._await(wanted.sha256, record.key)
        little = wanted.size <= self._unasked or record.key in self._asked
        for link in links:
            if little or not self._slow(link):
                self._bodies.announce(wanted, link)

    def ask(self, key: bytes) -> bool:
        """Fetch the body of this peer from now on, however large; False: it is so already."""
        new = key not in self._asked
        self._asked.add(key)
        return new

    def _await(self, sha256: bytes, key: bytes) -> None:
        if self._awaits.get(key) == sha256:
            return
        self._await_nothing(key)
        if len(self._awaits) >= MAX_AWAITED:
            self._await_nothing(next(iter(self._awaits)))
        self._awaits[key] = sha256
        self._awaited.setdefault(sha256, set()).add(key)

    def _await_nothing(self, key: bytes) -> None:
        """Stop waiting for what a peer named before, so that one peer keeps one place at most."""
        sha256 = self._awaits.pop(key, None)
        if sha256 is None:
            return
        waiting = self._awaited[sha256]
        waiting.discard(key)
        if not waiting:
            del self._awaited[sha256]
            if sha256 not in self._shown:
                self._bodies.forget(sha256)

    def awaits(self) -> bool:
        """Whether a body of somebody is not here yet."""
        return bool(self._awaits)

    def stuck(self, worth: Callable[[bytes], bool]) -> bytes | None:
        """Return somebody of worth whose body is asked of nobody; another one each time.

        Whoever was known to have it was silent, has lied, or is gone.
        """
        for key, sha256 in self._awaits.items():
            if worth(key) and not self._bodies.wanted(sha256):
                self._awaits[key] = self._awaits.pop(key)
                return key
        return None

    def arrived(self, sha256: bytes, body: bytes, newest: Callable[[bytes], Record | None]) -> None:
        """Take a body that was fetched, for each peer whose record names it.

        ``newest`` gives the newest record of a peer.
        """
        for key in self._awaited.pop(sha256, ()):
            del self._awaits[key]
            record = newest(key)
            if record is not None and self._wanted(record) == Body(sha256, len(body)):
                self._take(key, PeerBody(body, sha256))
        if sha256 not in self._shown:
            self._bodies.forget(sha256)

    def drop(self, key: bytes) -> None:
        """Forget the body of a peer that publishes none, or is gone."""
        self._asked.discard(key)
        self._await_nothing(key)
        old = self._of.pop(key, None)
        if old is not None:
            self._size -= len(old.value)
            self._changed(key)
            self._release(key, old.sha256)

    def _take(self, key: bytes, body: PeerBody) -> None:
        old = self._of.get(key)
        size = self._size + len(body.value) - (len(old.value) if old is not None else 0)
        if size > MAX_SHOWN:
            return
        self._size = size
        self._of[key] = body
        self._shown.setdefault(body.sha256, set()).add(key)
        self._changed(key)
        if old is not None and old.sha256 != body.sha256:
            self._release(key, old.sha256)

    def _release(self, key: bytes, sha256: bytes) -> None:
        """Forget a body that no peer is shown with any more."""
        users = self._shown[sha256]
        users.discard(key)
        if not users:
            del self._shown[sha256]
            self._bodies.forget(sha256)
