"""Sessions over TCP, for peers on the same LAN and for static addresses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from typing import TYPE_CHECKING, cast

import ifaddr

from presence_core.transports import LAN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from presence_core.transports.stream import Stream, StreamOpened, StreamUser

MAX_QUEUED = 4 * 1024 * 1024
"""Bytes that may wait for a peer that does not read; beyond it the stream is aborted."""

_BACKLOG = 128
_TCP_THIN_LINEAR_TIMEOUTS = 16


class TcpStream(asyncio.Protocol):
    """One TCP connection as a :class:`~presence_core.transports.stream.Stream`."""

    transport = LAN

    def __init__(self, opened: StreamOpened | None = None) -> None:
        self.remote = ""
        self.host = ""
        self.local_host = ""
        self._opened = opened
        self._user: StreamUser | None = None
        self._early: list[bytes] = []
        self._ended: tuple[Exception | None] | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the socket up for many small messages, and hand the stream over."""
        self._wire = cast("asyncio.Transport", transport)
        host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self.host = _plain(host)
        self.remote = f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"
        self.local_host = _plain((transport.get_extra_info("sockname") or ("?",))[0])
        _tune(transport.get_extra_info("socket"))
        if self._opened is not None:
            self._opened(self)

    def attach(self, user: StreamUser) -> None:
        """See :meth:`Stream.attach`."""
        self._user = user
        early, self._early = self._early, []
        for data in early:
            user.data_received(data)
        if self._ended is not None:
            user.stream_closed(self._ended[0])

    def data_received(self, data: bytes) -> None:
        """Pass bytes of the peer on."""
        if self._user is None:
            self._early.append(data)
        else:
            self._user.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the end on."""
        self._wire = None
        if self._user is None:
            self._ended = (exc,)
        else:
            self._user.stream_closed(exc)

    def pause(self) -> None:
        """See :meth:`Stream.pause`."""
        if self._wire is not None:
            self._wire.pause_reading()

    def resume(self) -> None:
        """See :meth:`Stream.resume`."""
        if self._wire is not None:
            self._wire.resume_reading()

    def write(self, data: bytes) -> None:
        """See :meth:`Stream.write`."""
        wire = self._wire
        if wire is None or wire.is_closing():
            return
        if wire.get_write_buffer_size() + len(data) > MAX_QUEUED:
            wire.abort()
            return
        wire.write(data)

    def close(self) -> None:
        """See :meth:`Stream.close`."""
        if self._wire is not None:
            self._wire.close()

    def abort(self) -> None:
        """See :meth:`Stream.abort`."""
        if self._wire is not None:
            self._wire.abort()


def _plain(host: str) -> str:
    """Write an IPv4 address that came through a dual-stack socket the way people do."""
    return host.removeprefix("::ffff:")


def _tune(sock: socket.socket | None) -> None:
    """Send small messages at once, and retransmit them at an even pace on a lossy link.

    Without linear time-outs four lost packets in a row silence a healthy Wi-Fi neighbour for
    three seconds, and it would be taken for dead.
    """
    if sock is None:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_THIN_LINEAR_TIMEOUTS, 1)


async def dial(host: str, port: int, *, seconds: float) -> Stream:
    """Connect to an address within ``seconds``.

    Raises OSError (TimeoutError among them) when that fails. An IPv6 link-local host carries its
    scope (``fe80::1%eth0``).
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        _, stream = await loop.create_connection(TcpStream, host, port)
    return stream


class TcpListener:
    """Accepts connections on one port, on all interfaces or on named ones.

    ``host`` None listens on every interface, IPv4 and IPv6. ``interfaces`` then limits by name
    who is let in; it is looked at per connection, as interfaces come and go.
    """

    def __init__(self, opened: StreamOpened, *, interfaces: Sequence[str] = ()) -> None:
        self._opened = opened
        self._interfaces = tuple(interfaces)
        self._server: asyncio.Server | None = None
        self._local = _LocalAddresses(self._interfaces)
        self.port = 0

    async def start(self, host: str | None, port: int) -> None:
        """Listen; ``port`` 0 takes a free one. Raises OSError when the address can't be had."""
        loop = asyncio.get_running_loop()
        sock = listening_socket(host, port)
        try:
            self._server = await loop.create_server(
                lambda: TcpStream(self._accept), sock=sock, backlog=_BACKLOG
            )
        except BaseException:
            sock.close()
            raise
        self.port = sock.getsockname()[1]

    def _accept(self, stream: Stream) -> None:
        if self._interfaces and not self._local.has(cast("TcpStream", stream).local_host):
            stream.abort()
            return
        self._opened(stream)

    async def stop(self) -> None:
        """Stop listening; accepted streams live on. Safe to call twice."""
        if self._server is not None:
            self._server.close()
            self._server = None


def listening_socket(host: str | None, port: int) -> socket.socket:
    """Bind the socket: dual-stack for every interface, or one family for a given host.

    Blocks when the host is a name that has to be looked up. Raises OSError.
    """
    if host is not None:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _bound(family, address)
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return _bound(socket.AF_INET6, ("::", port), dualstack=True)
    return _bound(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104  a LAN service is for the LAN


def _bound(
    family: int, address: tuple[str | int, ...] | tuple[int, bytes], *, dualstack: bool = False
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dualstack else 1)
        sock.bind(address)
        sock.setblocking(False)  # noqa: FBT003  what the socket module calls for
    except BaseException:
        sock.close()
        raise
    return sock


class _LocalAddresses:
    """The addresses of named interfaces, read again when they are older than two seconds."""

    def __init__(self, names: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._names = frozenset(names)
        self._clock = clock
        self._known: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    def has(self, host: str) -> bool:
        host = host.partition("%")[0]
        if host not in self._known and self._clock() - self._read_at > 2:
            self._read_at = self._clock()
            self._known = frozenset(
                str(ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip)
                for adapter in ifaddr.get_adapters()
                if adapter.name in self._names
                for ip in adapter.ips
            )
        return host in self._known
