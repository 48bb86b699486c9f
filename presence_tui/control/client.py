"""The other end of the control socket: a source of graphs that another process's engine makes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

from presence_core.engine.observers import GraphWatch
from presence_tui.control.wire import CONTROL_SCHEMA, MAX_ANSWER, GraphAssembly, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from presence_core.engine.observers import Observer
    from presence_core.model import PresenceGraph, Trust


class ControlError(Exception):
    """The engine at the other end cannot be asked, or has said no: why, in one line."""


@contextlib.asynccontextmanager
async def attached(path: Path) -> AsyncIterator[RemoteSource]:
    """Attach to an engine through its control socket, once the first graph is here.

    Raises ControlError when there is none, or one that speaks another version.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=MAX_ANSWER)
    except OSError as error:
        raise ControlError(f"no engine answers at {path}: {error.strerror or error}") from None
    try:
        source = await RemoteSource.greeted(reader, writer)
        try:
            yield source
        finally:
            await source.release()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class RemoteSource:
    """Graphs and commands over a control socket; shaped as :class:`PresenceSource`.

    ``read_only``: the engine's end does nothing that is asked. ``gone`` is set when it has ended.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        read_only: bool,
        assembly: GraphAssembly,
        first: PresenceGraph,
    ) -> None:
        self.read_only = read_only
        self.gone = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._assembly = assembly
        self._watch = GraphWatch(first)
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._fetched: set[str] = set()
        self._task = asyncio.create_task(self._read(), name="presence-attached")

    @classmethod
    async def greeted(
        cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> RemoteSource:
        """Read what the engine says first. Raises ControlError."""
        assembly = GraphAssembly()
        try:
            hello = decode(await reader.readline())
            first = assembly.next(decode(await reader.readline()))
        except (OSError, ValueError) as error:
            raise ControlError(f"the engine cannot be understood: {error}") from None
        if hello.get("schema") != CONTROL_SCHEMA:
            raise ControlError(f"the engine cannot be understood: it speaks no {CONTROL_SCHEMA}")
        read_only = bool(hello.get("readOnly"))
        return cls(reader, writer, read_only=read_only, assembly=assembly, first=first)

    @property
    def graph(self) -> PresenceGraph:
        """The newest graph."""
        return self._watch.latest

    def observe(
        self, callback: Callable[[PresenceGraph], None], *, interval: float = 0.1
    ) -> Observer:
        """Call back with graphs: at once, then on changes, at most one in ``interval`` seconds."""
        return self._watch.observe(callback, interval)

    def fetch_peer_metadata(self, peer_key: str) -> None:
        """Fetch metadata that is too large to come over Bluetooth unasked; asked for once."""
        if peer_key not in self._fetched and not self.gone.is_set():
            self._fetched.add(peer_key)
            request = {"id": next(self._ids), "do": "fetch_peer_metadata", "with": [peer_key]}
            self._writer.write(encode(request))  # nobody waits for the answer

    async def set_peer_metadata_json(self, text: str) -> None:
        """Publish other metadata of the engine's peer. Raises ControlError."""
        await self._ask("set_peer_metadata_json", text)

    async def set_trust(self, peer_key: str, trust: Trust) -> None:
        """Verify or block a peer key. Raises ControlError."""
        await self._ask("set_trust", peer_key, str(trust))

    async def forget(self, peer_key: str) -> None:
        """Treat a peer key as one that was never met. Raises ControlError."""
        await self._ask("forget", peer_key)

    async def release(self) -> None:
        """Take nothing more from the engine."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ask(self, what: str, *given: str) -> None:
        if self.gone.is_set():
            raise ControlError("the engine has ended")
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(encode({"id": number, "do": what, "with": list(given)}))
            error = await answer
        finally:
            del self._waiting[number]
        if error is not None:
            raise ControlError(error)

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(decode(line))
        except (OSError, ValueError):
            pass  # it is as good as gone
        finally:
            self.gone.set()
            self._watch.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ControlError("the engine has ended"))

    def _take(self, value: dict[str, Any]) -> None:
        if "graph" in value:
            self._watch.publish(self._assembly.next(value))
            return
        answer = self._waiting.get(value.get("answer", 0))
        if answer is not None and not answer.done():
            error = value.get("error")
            answer.set_result(None if error is None else str(error))
