"""Connections to the service are few, and none is held for long by who sends or reads slowly."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REQUEST_SECONDS = 10.0
"""From one answer, or the beginning of the connection, to the end of the next request's head; and
from there to the end of its body."""

MAX_CONNECTIONS = 1_000
MAX_PER_ADDRESS = 400

log = logging.getLogger(__name__)


class Guard:
    """Counts connections, and ends those that keep the service waiting.

    The time of a request runs from before its first byte: a head that trickles in is as late as
    none at all.
    """

    def __init__(self, seconds: float = REQUEST_SECONDS) -> None:
        self.seconds = seconds
        self._open: dict[asyncio.BaseTransport, Guarded] = {}
        self._addresses: Counter[str] = Counter()
        self._full = False

    def wrap(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return what makes the guarded form of a protocol."""
        return lambda: Guarded(self, make())

    def admit(self, transport: asyncio.BaseTransport, guarded: Guarded) -> bool:
        """Count a new connection, if there is room for it."""
        address = network_of(address_of(transport))
        if len(self._open) >= MAX_CONNECTIONS or self._addresses[address] >= MAX_PER_ADDRESS:
            if not self._full:  # said once, and not for each of a flood
                log.warning("no room for more connections from %s", address)
            self._full = True
            return False
        self._full = False
        self._open[transport] = guarded
        self._addresses[address] += 1
        return True

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection no more."""
        if self._open.pop(transport, None) is not None:
            address = network_of(address_of(transport))
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def answering(self, transport: asyncio.BaseTransport | None) -> None:
        """Stop the time: the request is here, and how long its answer takes is up to us."""
        if transport is not None and transport in self._open:
            self._open[transport].stop()

    def answered(self, transport: asyncio.BaseTransport | None) -> None:
        """Let the time for the next request begin."""
        if transport is not None and transport in self._open:
            self._open[transport].start()


class Guarded(asyncio.Protocol):
    """A connection: the protocol inside does the work, this looks at the time."""

    def __init__(self, guard: Guard, inner: asyncio.Protocol) -> None:
        self._guard = guard
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._admitted = False

    def start(self) -> None:
        """Let the time for a request begin."""
        self.stop()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._guard.seconds, self._late)

    def stop(self) -> None:
        """Stop the time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or close it at once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._admitted = self._guard.admit(transport, self)
        if self._admitted:
            self.start()
            self._inner.connection_made(transport)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.stop()
        if self._admitted and self._transport is not None:
            self._guard.leave(self._transport)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._admitted:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """The other end sends no more."""
        return self._inner.eof_received() if self._admitted else None

    def pause_writing(self) -> None:
        """The other end does not read as fast as we write."""
        if self._admitted:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The other end has caught up."""
        if self._admitted:
            self._inner.resume_writing()


def address_of(transport: Any) -> str:
    """Return the address of the other end, without its port."""
    name = transport.get_extra_info("peername") if transport is not None else None
    return str(name[0]) if name else "unknown"


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str:
    """Return whom an address is counted as: of IPv6 everybody has a network, not one address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
