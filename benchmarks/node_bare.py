"""An event loop that waits for its standard input to end, with the packages it is told to load."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time


async def main() -> None:
    print("ready", time.monotonic(), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


for name in sys.argv[1:]:
    importlib.import_module(name)
asyncio.run(main())
