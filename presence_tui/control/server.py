"""The engine's end of the control socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from presence_core.model import Trust
from presence_tui.control.read_only import ReadOnlySource
from presence_tui.control.wire import CONTROL_SCHEMA, MAX_REQUEST, GraphParts, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from presence_core.model import PresenceGraph
    from presence_tui.source import PresenceSource

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 32


@contextlib.asynccontextmanager
async def serving(source: PresenceSource, path: Path, *, read_only: bool) -> AsyncIterator[None]:
    """Let processes of this user look through a source, at a Unix socket that only they can open.

    The folder of ``path`` must be its owner's alone (0700): between the making of the socket and
    its own mode there is a moment. ``read_only``: whatever the other end asks for, nothing is
    changed. Raises OSError when there can be no socket.
    """
    shown = ReadOnlySource(source) if read_only else source
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(tasks) >= MAX_CONNECTIONS:
            writer.close()
            return
        visit = _Visit(shown, reader, writer)
        task = asyncio.create_task(visit.run(read_only=read_only), name="presence-control")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_unix_server(connected, path, limit=MAX_REQUEST)
    try:
        await asyncio.to_thread(path.chmod, 0o600)
        yield
    finally:
        server.close()
        left = tuple(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.to_thread(path.unlink, missing_ok=True)


class _Visit:
    """One process that looks. It gets the newest graph whenever it has taken the one before."""

    def __init__(
        self,
        source: PresenceSource,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._source = source
        self._reader = reader
        self._writer = writer
        self._newest: PresenceGraph | None = None
        self._arrived = asyncio.Event()

    async def run(self, *, read_only: bool) -> None:
        """Serve until the other end goes."""
        self._writer.write(encode({"schema": CONTROL_SCHEMA, "readOnly": read_only}))
        watching = self._source.observe(self._take)
        sending = asyncio.create_task(self._send_graphs(), name="presence-control-graphs")
        try:
            await self._answer_requests()
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            log.warning("a visitor of the control socket is sent away: %s", error)
        finally:
            watching.stop()
            sending.cancel()
            self._writer.transport.abort()  # not close: that waits for one that does not read
            await asyncio.gather(sending, return_exceptions=True)

    def _take(self, graph: PresenceGraph) -> None:
        self._newest = graph
        self._arrived.set()

    async def _send_graphs(self) -> None:
        parts = GraphParts()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            assert self._newest is not None
            # A first graph of 10,000 peers takes a while; the engine is to go on meanwhile.
            self._writer.write(await asyncio.to_thread(_line, parts, self._newest))
            await self._writer.drain()

    async def _answer_requests(self) -> None:
        while line := await self._reader.readline():
            request = decode(line)
            error = await self._do(str(request.get("do")), request.get("with"))
            self._writer.write(encode({"answer": request.get("id"), "error": error}))
            await self._writer.drain()

    async def _do(self, what: str, given: Any) -> str | None:
        """Do what is asked; return why it was not done, None when it was."""
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            return "what goes with a request is a list of texts"
        try:
            match what, given:
                case "fetch_peer_metadata", [peer_key]:
                    self._source.fetch_peer_metadata(peer_key)
                case "set_peer_metadata_json", [text]:
                    await self._source.set_peer_metadata_json(text)
                case "set_trust", [peer_key, trust]:
                    await self._source.set_trust(peer_key, Trust(trust))
                case "forget", [peer_key]:
                    await self._source.forget(peer_key)
                case _:
                    return f"this version cannot do {what!r:.40}"
        except Exception as error:  # noqa: BLE001  whatever it is, whoever asked is told
            return " ".join(str(error).split()) or type(error).__name__
        return None


def _line(parts: GraphParts, graph: PresenceGraph) -> bytes:
    return encode(parts.next(graph))
