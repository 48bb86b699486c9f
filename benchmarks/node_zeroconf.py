"""One host for the LAN benchmark that registers and browses with stock zeroconf, and no more."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import Any

from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE = "_presence-bench._tcp.local."


def say(*words: object) -> None:
    print(*words, time.monotonic(), flush=True)


async def main(name: str, address: str) -> None:
    say("ready")
    opened = AsyncZeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
    others: set[str] = set()

    def changed(
        zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            others.discard(name)
        elif name != own:
            others.add(name)
        say("sees", len(others))

    own = f"{name}.{SERVICE}"
    info = AsyncServiceInfo(
        SERVICE, own, port=1, addresses=[socket.inet_aton(address)], server=f"{name}.local."
    )
    browser = AsyncServiceBrowser(opened.zeroconf, SERVICE, handlers=[changed])
    await opened.async_register_service(info)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    await browser.async_cancel()
    await opened.async_close()


asyncio.run(main(*sys.argv[1:]))
