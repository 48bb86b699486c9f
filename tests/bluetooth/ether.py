"""The air as a process: each connection to it is a controller of its own. Until stdin ends.

The first line that a client sends names its controller, ``node/role``; HCI follows. Commands come
on stdin: ``part A B``, ``join A B``. Prints the path of its socket: one in a folder, so that it is
reached from every network namespace, as radio waves are.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from bumble.controller import Controller
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from tests.bluetooth.air import Air


class _Wire(StreamPacketSource):
    """A client: its name first, then HCI packets."""

    def __init__(self, air: Air) -> None:
        super().__init__()
        self._air = air
        self._name = bytearray()
        self._node = ""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._node:
            self._name += data
            name, end, rest = self._name.partition(b"\n")
            if not end:
                return
            data = bytes(rest)
            self._node = name.decode().partition("/")[0]
            Controller(
                name.decode(),
                host_source=self,
                host_sink=StreamPacketSink(self._transport),
                link=self._air,
            )
        if data:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._node:
            self._air.take_away(self._node)


async def main() -> None:
    air = Air()
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="air") as folder:
        path = Path(folder) / "socket"
        server = await loop.create_unix_server(lambda: _Wire(air), path)
        print(path, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, one, other = line.split()
            {"part": air.part, "join": air.join}[command](one, other)
            print("done", flush=True)
        server.close()


if __name__ == "__main__":
    asyncio.run(main())
