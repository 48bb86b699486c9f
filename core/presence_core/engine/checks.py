"""Signatures of many records at once are checked beside everything else, on all processors.

A first sync brings thousands of records, and to check their signatures is more than half of what
it costs. ``cryptography`` lets go of the interpreter meanwhile, so threads do gain here, and nobody
waits for them. Nothing is taken out of its order: what comes over the same link after such a
message waits, and the link is not read from until then.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING

from presence_core.gossip.messages import MessageError, Records
from presence_core.gossip.record import parse_records
from presence_core.handshake.events import MessageType
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from presence_core.engine.node import Node
    from presence_core.transports.stream import Stream

    class Line(Protocol):
        """What is needed of a link."""

        @property
        def id(self) -> int:
            """Its number in the engine."""

        @property
        def stream(self) -> Stream:
            """Where its bytes come from."""


MANY = 8
"""Records from which on it is worth the way to another thread and back; a check takes 0.1 ms."""

MANY_BYTES = 1_500
"""A message that is shorter cannot have so many."""


@entity
class _Batch:
    """A message of a link that is being checked, and what has come over the link since."""

    link: Line
    records: Records
    task: asyncio.Task[None] | None = None
    later: deque[tuple[int, bytes]] = field(default_factory=deque)


class Checks:
    """Hands the messages of admitted links to the node, those with many records when checked.

    ``happened`` is called when the node has been given something. ``processors`` is how many
    threads share one message; with a single one nothing is gained, and nothing is put off.
    """

    def __init__(
        self,
        node: Node,
        *,
        clock: Callable[[], float],
        happened: Callable[[], None],
        processors: int | None = None,
    ) -> None:
        self._node = node
        self._clock = clock
        self._happened = happened
        self._processors = usable_processors() if processors is None else processors
        self._batches: dict[int, _Batch] = {}

    def message(self, link: Line, kind: int, body: bytes) -> None:
        """Take a message of an admitted link."""
        batch = self._batches.get(link.id)
        if batch is not None:
            batch.later.append((kind, body))
            return
        maybe = kind == MessageType.RECORDS and len(body) >= MANY_BYTES and self._processors > 1
        if not (maybe and self._records(link, body)):
            self._node.message(link.id, kind, body, self._clock())
            self._happened()

    def finish(self, link: Line) -> None:
        """Hand over at once what is put off of a link: it has ended, these are its last words."""
        batch = self._batches.pop(link.id, None)
        if batch is None:
            return
        if batch.task is not None:
            batch.task.cancel()
        now = self._clock()
        self._node.take_records(link.id, batch.records, {}, now)
        for kind, body in batch.later:
            self._node.message(link.id, kind, body, now)
        self._happened()

    def _records(self, link: Line, body: bytes) -> bool:
        """Take records, or begin to check them if many are unknown; False: they cannot be read."""
        try:
            records = Records.decode(body)
        except MessageError:
            return False  # the node says what is wrong with it
        unknown = self._node.exchange.unknown(records)
        if len(unknown) < MANY:
            self._node.take_records(link.id, records, {}, self._clock())
            self._happened()
            return True
        batch = self._batches[link.id] = _Batch(link, records)
        link.stream.pause()
        batch.task = asyncio.get_running_loop().create_task(
            self._check(batch, unknown), name=f"presence-checks-{link.id}"
        )
        return True

    async def _check(self, batch: _Batch, raws: list[bytes]) -> None:
        loop, share = asyncio.get_running_loop(), -(-len(raws) // self._processors)
        parts = [raws[at : at + share] for at in range(0, len(raws), share)]
        parsed = await asyncio.gather(
            *(loop.run_in_executor(None, parse_records, part, self._node.mesh) for part in parts)
        )
        checked = dict(zip(raws, chain.from_iterable(parsed), strict=True))
        link = batch.link
        del self._batches[link.id]
        self._node.take_records(link.id, batch.records, checked, self._clock())
        self._happened()
        while batch.later:
            self.message(link, *batch.later.popleft())
            if (next_batch := self._batches.get(link.id)) is not None:
                next_batch.later.extend(batch.later)
                return
        link.stream.resume()


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
