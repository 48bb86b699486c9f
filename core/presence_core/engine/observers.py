"""Who is told of new graphs: at once, then coalesced, each at its own pace."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Self

from presence_core.model import GraphChange, PresenceGraph

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger(__name__)

GraphCallback = Callable[[PresenceGraph], Awaitable[None] | None]


class Observer:
    """A callback that gets whole graphs until :meth:`stop`. Also a context manager.

    Graphs come in order, never two at a time; one that is slow gets the newest when it is ready,
    not a queue. An exception of the callback is logged and harms nobody.
    """

    def __init__(self, watch: GraphWatch, callback: GraphCallback, interval: float) -> None:
        self._watch = watch
        self._callback = callback
        self._interval = interval
        self._stopped = False
        self._calling = False
        graph = watch.latest
        first = self._call(graph)
        self._task = asyncio.get_running_loop().create_task(
            self._run(graph, first), name="presence-observer"
        )

    def _call(self, graph: PresenceGraph) -> Awaitable[None] | None:
        try:
            return self._callback(graph)
        except Exception:
            log.exception("an observer of the presence graph raised")
            return None

    async def _finish(self, answer: Awaitable[None] | None) -> None:
        if not inspect.isawaitable(answer):
            return
        self._calling = True
        try:
            await answer
        except Exception:
            log.exception("an observer of the presence graph raised")
        finally:
            self._calling = False

    async def _run(self, seen: PresenceGraph, first: Awaitable[None] | None) -> None:
        await self._finish(first)
        while not self._stopped:
            newer = await self._watch.newer_than(seen)
            if newer is None or self._stopped:
                return
            seen = newer
            await self._finish(self._call(seen))
            await asyncio.sleep(self._interval)

    def stop(self) -> None:
        """Deliver nothing more; a callback that is running finishes. Safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        self._watch.forget(self)
        if not self._calling:
            self._task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class GraphWatch:
    """The newest graph, and those who wait for a newer one.

    It holds its observers: one lives until it is stopped or the engine is, whether or not the
    caller keeps the handle.
    """

    def __init__(self, first: PresenceGraph) -> None:
        self.latest = first
        self._arrived = asyncio.Event()
        self._observers: set[Observer] = set()
        self._closed = False

    def publish(self, graph: PresenceGraph) -> None:
        """Make a graph the newest and wake all who wait."""
        self.latest = graph
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    async def newer_than(self, seen: PresenceGraph) -> PresenceGraph | None:
        """Wait for a graph other than the one seen last; None when there will be none."""
        while self.latest is seen:
            if self._closed:
                return None
            await self._arrived.wait()
        return self.latest

    def observe(self, callback: GraphCallback, interval: float) -> Observer:
        """Register a callback; it is called with the graph of now before this returns."""
        observer = Observer(self, callback, interval)
        self._observers.add(observer)
        return observer

    def forget(self, observer: Observer) -> None:
        """Drop a stopped observer."""
        self._observers.discard(observer)

    async def changes(self, interval: float) -> AsyncIterator[GraphChange]:
        """Yield the graph of now with no changes, then each newer graph with what changed."""
        from presence_core.changes import changes_between  # its words are not everybody's memory

        seen = self.latest
        yield GraphChange(seen, ())
        while (newer := await self.newer_than(seen)) is not None:
            yield GraphChange(newer, changes_between(seen, newer))
            seen = newer
            await asyncio.sleep(interval)

    def close(self) -> None:
        """Stop all observers and end all iterations."""
        self._closed = True
        for observer in tuple(self._observers):
            observer.stop()
        self._arrived.set()
