"""Bodies by hash: metadata and tokens, fetched once and checked (protocol §6.6).

Pure; time is passed in. A body is asked for chunk by chunk from one neighbour that is known to
have it; one that is silent or lies is passed over for the next. A body that nobody sends costs
those behind it in the queue a few seconds, not their turn.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from presence_core.gossip.messages import (
    CHUNK_BYTES,
    MIN_CHUNK_BYTES,
    SLOW_CHUNK_BYTES,
    BodyChunk,
)
from presence_core.gossip.record import Body
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FETCHES = 2
MAX_WAITING = 40_000
"""Bodies that wait for their turn: two for each peer of a full table. The oldest gives way."""
MAX_STORED = 64 * 1024 * 1024
CHUNK_SECONDS, SLOW_CHUNK_SECONDS = 5.0, 15.0
"""How long a source may be silent; over Bluetooth as long as its links live. To ask again sends
the same bytes over the same air once more."""
MAX_ASKED = 8
"""Questions of one neighbour that wait for bodies which are not here yet."""

_MAX_SIZES = 4
"""Sizes that one link may claim for one hash; all but one are lies of somebody's record."""
_MAX_LIES = 256
"""Wrong answers that are remembered of one link; beyond, the oldest may be asked for again."""


class _Claim(NamedTuple):
    """That a neighbour has a body of this size. Whose record lies of the size spoils no other."""

    link: int
    size: int


@entity
class _Fetch:
    """A body that is wanted. It always has a claim; the first is the one that is followed."""

    claims: list[_Claim]
    data: bytes = b""
    asked_at: float | None = None
    """When the chunk that is awaited was asked for; None when nothing is awaited."""
    silent: frozenset[_Claim] = frozenset()

    def give_up(self) -> _Claim:
        """Let go of the claim that is followed, and of what came by it."""
        self.data = b""
        self.asked_at = None
        return self.claims.pop(0)


class BodyStore:
    """The bodies that are here, and those that are being fetched."""

    def __init__(self) -> None:
        self._stored: dict[bytes, bytes] = {}
        self._size = 0
        self._own: list[bytes] = []
        """Of the local peer; twice what is its metadata and its token."""
        self._users: list[Callable[[bytes], bool]] = []
        self._running: dict[bytes, _Fetch] = {}
        self._waiting: dict[bytes, _Fetch] = {}
        self._lies: dict[int, dict[Body, None]] = {}
        self._asked: dict[int, dict[bytes, int]] = {}
        """What neighbours asked for and is not here yet: link, hash, offset."""
        self._answers: list[tuple[int, BodyChunk]] = []
        self._slow: set[int] = set()

    def get(self, sha256: bytes) -> bytes | None:
        """Return a body that is here."""
        return self._stored.get(sha256)

    def put(self, data: bytes) -> Body:
        """Store a body that came whole, and return its name."""
        body = Body(hashlib.sha256(data).digest(), len(data))
        self._cancel(body.sha256)
        if body.sha256 not in self._stored:
            self._make_room(len(data))
            self._stored[body.sha256] = data
            self._size += len(data)
        self._answer_waiting(body.sha256)
        return body

    def put_own(self, data: bytes) -> Body:
        """Store a body of the local peer, which is kept until it is given up."""
        body = self.put(data)
        self._own.append(body.sha256)
        return body

    def give_up_own(self, body: Body) -> None:
        """Say that a body of the local peer is its own no more."""
        self._own.remove(body.sha256)
        self.forget(body.sha256)

    def used_by(self, user: Callable[[bytes], bool]) -> None:
        """Ask ``user`` from now on whether it needs a body before that is forgotten."""
        self._users.append(user)

    def forget(self, sha256: bytes) -> None:
        """Drop a body that somebody needs no more, unless another does or it is our own."""
        if not any(needs(sha256) for needs in self._users):
            self._cancel(sha256)
            self._drop(sha256)

    def _drop(self, sha256: bytes) -> None:
        if sha256 not in self._own:
            self._size -= len(self._stored.pop(sha256, b""))

    def _cancel(self, sha256: bytes) -> None:
        self._running.pop(sha256, None)
        self._waiting.pop(sha256, None)

    def _make_room(self, size: int) -> None:
        """Drop the oldest bodies until there is room; they are fetched again when needed."""
        if self._size + size <= MAX_STORED:
            return
        for sha256 in list(self._stored):
            self._drop(sha256)
            if self._size + size <= MAX_STORED:
                return

    # -- fetching

    def fetching(self) -> bool:
        """Whether some body is still on its way here."""
        return bool(self._running or self._waiting)

    def wanted(self, sha256: bytes) -> bool:
        """Whether somebody is asked for this body, or will be."""
        return sha256 in self._running or sha256 in self._waiting

    def announce(self, body: Body, link: int) -> None:
        """Say that a body is needed, and that the neighbour on this link knows of it."""
        sha256 = body.sha256
        if sha256 in self._stored or body in self._lies.get(link, ()):
            return
        claim = _Claim(link, body.size)
        fetch = self._waiting.get(sha256) or self._running.get(sha256)
        if fetch is None:
            if len(self._waiting) >= MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[sha256] = _Fetch([claim])
            return
        if claim in fetch.claims:
            return
        others = [known for known in fetch.claims[1:] if known.link == link]
        if len(others) >= _MAX_SIZES:
            fetch.claims.remove(others[0])
        fetch.claims.append(claim)

    def wants(self, now: float) -> list[tuple[int, bytes, int]]:
        """Return what to ask for now, as (link, hash, offset). Each is returned once."""
        for sha256, fetch in tuple(self._running.items()):
            if now >= self._silent_at(fetch):
                self._pass_over_silent(sha256, fetch)
        while self._waiting and len(self._running) < MAX_FETCHES:
            sha256 = next(iter(self._waiting))
            self._running[sha256] = self._waiting.pop(sha256)
        wants = []
        for sha256, fetch in self._running.items():
            if fetch.asked_at is None:
                fetch.asked_at = now
                wants.append((fetch.claims[0].link, sha256, len(fetch.data)))
        return wants

    def next_time(self) -> float:
        """When a source has been silent for too long; infinity when none is awaited."""
        return min(map(self._silent_at, self._running.values()), default=float("inf"))

    def _silent_at(self, fetch: _Fetch) -> float:
        if fetch.asked_at is None:
            return float("inf")
        slow = fetch.claims[0].link in self._slow
        return fetch.asked_at + (SLOW_CHUNK_SECONDS if slow else CHUNK_SECONDS)

    def _pass_over_silent(self, sha256: bytes, fetch: _Fetch) -> None:
        """Queue a fetch again, behind the others.

        A source that is silent a second time probably has the body no more: its peer changed it
        before we came to ask. It is asked again when it names the body anew. The only source goes
        on where it was: over a link that is slow enough a body would begin anew for ever.
        """
        claim = fetch.claims[0]
        if claim in fetch.silent:
            fetch.give_up()
        else:
            fetch.silent |= {claim}
            fetch.asked_at = None
            if len(fetch.claims) > 1:
                fetch.claims.append(fetch.give_up())
        del self._running[sha256]
        if fetch.claims:
            self._waiting[sha256] = fetch

    def _pass_over_liar(self, sha256: bytes, fetch: _Fetch) -> None:
        claim = fetch.give_up()
        lies = self._lies.setdefault(claim.link, {})
        if len(lies) >= _MAX_LIES:
            del lies[next(iter(lies))]
        lies[Body(sha256, claim.size)] = None
        if not fetch.claims:
            del self._running[sha256]

    def receive_chunk(self, link: int, chunk: BodyChunk) -> bytes | None:
        """Take a chunk; return the body when it is whole and its hash is right.

        A chunk that nobody asked for is ignored.
        """
        fetch = self._running.get(chunk.sha256)
        if fetch is None or fetch.asked_at is None or chunk.offset != len(fetch.data):
            return None
        claim = fetch.claims[0]
        if claim.link != link:
            return None
        end = chunk.offset + len(chunk.data)
        if chunk.total != claim.size or (len(chunk.data) < MIN_CHUNK_BYTES and end < claim.size):
            self._pass_over_liar(chunk.sha256, fetch)
            return None
        fetch.data += chunk.data
        fetch.asked_at = None
        fetch.silent -= {claim}
        if end < claim.size:
            return None
        whole = fetch.data
        if hashlib.sha256(whole).digest() != chunk.sha256:
            self._pass_over_liar(chunk.sha256, fetch)
            return None
        self.put(whole)
        return whole

    def drop_link(self, link: int) -> None:
        """Ask this neighbour for nothing more: its link has ended."""
        self._lies.pop(link, None)
        self._asked.pop(link, None)
        self._slow.discard(link)
        for fetches in (self._running, self._waiting):
            for sha256, fetch in tuple(fetches.items()):
                if fetch.claims[0].link == link:
                    fetch.give_up()
                fetch.claims = [claim for claim in fetch.claims if claim.link != link]
                if not fetch.claims:
                    del fetches[sha256]

    # -- answering

    def go_easy(self, link: int) -> None:
        """Send small chunks on this link, and wait longer for them: it is slow.

        Other messages wait behind them.
        """
        self._slow.add(link)

    def ask(self, link: int, sha256: bytes, offset: int) -> None:
        """A neighbour asks for a body. What is not here yet is answered when it has come.

        It may not even be asked for yet: of two neighbours that got a record at the same time, one
        may see a way to its peer, and ask, a moment before the other does.
        """
        if sha256 in self._stored:
            size = SLOW_CHUNK_BYTES if link in self._slow else CHUNK_BYTES
            chunk = self._chunk(sha256, offset, size)
            if chunk is not None:
                self._answers.append((link, chunk))
        else:
            asked = self._asked.setdefault(link, {})
            if len(asked) >= MAX_ASKED:
                del asked[next(iter(asked))]
            asked[sha256] = offset

    def take_answers(self) -> list[tuple[int, BodyChunk]]:
        """Return the chunks that are to be sent, by link, since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def _answer_waiting(self, sha256: bytes) -> None:
        for link, asked in self._asked.items():
            offset = asked.pop(sha256, None)
            if offset is not None:
                self.ask(link, sha256, offset)

    def _chunk(self, sha256: bytes, offset: int, size: int) -> BodyChunk | None:
        data = self._stored[sha256]
        if offset >= len(data):
            return None
        return BodyChunk(sha256, len(data), offset, data[offset : offset + size])
