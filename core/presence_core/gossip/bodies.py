"""Bodies by hash: metadata and tokens, fetched once and checked (protocol §6.8).

Pure; time is passed in. A body is asked for chunk by chunk from one neighbour that is known to
have it; one that is silent or lies is passed over for the next.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from presence_core.gossip.messages import CHUNK_BYTES, BodyChunk
from presence_core.gossip.record import Body

MAX_FETCHES = 2
MAX_STORED = 64 * 1024 * 1024
CHUNK_SECONDS = 5.0


@dataclass(slots=True)
class _Fetch:
    """A body on its way."""

    body: Body
    sources: list[int] = field(default_factory=list)
    """Links to ask, the first one now."""
    data: bytearray = field(default_factory=bytearray)
    asked_at: float | None = None
    """When the chunk that is awaited was asked for; None when nothing is awaited."""
    liars: set[int] = field(default_factory=set)

    def next_source(self, *, lied: bool) -> None:
        """Give up on the source that was asked; start over with the next."""
        link = self.sources.pop(0)
        if lied:
            self.liars.add(link)
        else:
            self.sources.append(link)
        self.data.clear()
        self.asked_at = None


class BodyStore:
    """The bodies that are here, and those that are being fetched."""

    def __init__(self) -> None:
        self._stored: dict[bytes, bytes] = {}
        self._size = 0
        self._own: bytes | None = None
        self._fetches: dict[bytes, _Fetch] = {}

    def get(self, sha256: bytes) -> bytes | None:
        """Return a body that is here."""
        return self._stored.get(sha256)

    def put(self, data: bytes) -> Body:
        """Store a body that came whole, and return its name."""
        body = Body(hashlib.sha256(data).digest(), len(data))
        if body.sha256 not in self._stored:
            self._fetches.pop(body.sha256, None)
            self._make_room(len(data))
            self._stored[body.sha256] = data
            self._size += len(data)
        return body

    def put_own(self, data: bytes) -> Body:
        """Store a body of the local peer; it takes the place of the one before."""
        body = self.put(data)
        old, self._own = self._own, body.sha256
        if old is not None and old != body.sha256:
            self.forget(old)
        return body

    def forget(self, sha256: bytes) -> None:
        """Drop a body that no record names any more; the local peer's own stays."""
        self._fetches.pop(sha256, None)
        if sha256 != self._own:
            self._size -= len(self._stored.pop(sha256, b""))

    def _make_room(self, size: int) -> None:
        """Drop the oldest bodies until there is room; they are fetched again when needed."""
        for sha256 in list(self._stored):
            if self._size + size <= MAX_STORED:
                return
            self.forget(sha256)

    # -- fetching

    def announce(self, body: Body, link: int) -> None:
        """Say that a body is needed, and that the neighbour on this link knows of it."""
        if body.sha256 in self._stored:
            return
        fetch = self._fetches.setdefault(body.sha256, _Fetch(body))
        if link not in fetch.sources and link not in fetch.liars:
            fetch.sources.append(link)

    def wants(self, now: float) -> list[tuple[int, bytes, int]]:
        """Return what to ask for now, as (link, hash, offset). Each is returned once."""
        for fetch in self._fetches.values():
            if fetch.asked_at is not None and now - fetch.asked_at >= CHUNK_SECONDS:
                fetch.next_source(lied=False)
        wants = []
        running = 0
        for sha256, fetch in self._fetches.items():
            if running >= MAX_FETCHES:
                break
            if not fetch.sources:
                continue
            running += 1
            if fetch.asked_at is None:
                fetch.asked_at = now
                wants.append((fetch.sources[0], sha256, len(fetch.data)))
        return wants

    def next_time(self) -> float:
        """When a source has been silent for too long; infinity when none is awaited."""
        return min(
            (f.asked_at + CHUNK_SECONDS for f in self._fetches.values() if f.asked_at is not None),
            default=float("inf"),
        )

    def receive_chunk(self, link: int, chunk: BodyChunk) -> bytes | None:
        """Take a chunk; return the body when it is whole and its hash is right.

        A chunk that nobody asked for is ignored.
        """
        fetch = self._fetches.get(chunk.sha256)
        if fetch is None or not fetch.sources or fetch.sources[0] != link:
            return None
        if fetch.asked_at is None or chunk.offset != len(fetch.data):
            return None
        if chunk.total != fetch.body.size or not chunk.data:
            fetch.next_source(lied=True)
            return None
        fetch.data += chunk.data
        fetch.asked_at = None
        if len(fetch.data) < fetch.body.size:
            return None
        whole = bytes(fetch.data)
        if hashlib.sha256(whole).digest() != chunk.sha256:
            fetch.next_source(lied=True)
            return None
        self.put(whole)
        return whole

    def drop_link(self, link: int) -> None:
        """Ask this neighbour for nothing more: its link has ended."""
        for sha256, fetch in tuple(self._fetches.items()):
            fetch.liars.discard(link)
            if link in fetch.sources:
                if fetch.sources[0] == link:
                    fetch.data.clear()
                    fetch.asked_at = None
                fetch.sources.remove(link)
            if not fetch.sources:
                del self._fetches[sha256]

    # -- answering

    def answer(self, sha256: bytes, offset: int) -> BodyChunk | None:
        """Return the chunk that a neighbour asks for; None when it is not here."""
        data = self._stored.get(sha256)
        if data is None or offset >= len(data):
            return None
        return BodyChunk(sha256, len(data), offset, data[offset : offset + CHUNK_BYTES])
