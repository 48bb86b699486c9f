"""Whether multicast works on a network interface, tried without joining the mesh.

A question that only asks, and has a name in it that nobody else would think of: when it comes
back, this machine lets multicast out and in again. What others answer shows who announces a mesh
here. Nothing is announced, and nobody learns who asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import sys
from dataclasses import field
from typing import TYPE_CHECKING, Any

from zeroconf import (  # type: ignore[attr-defined]  # it does not list all that it offers
    DNSIncoming,
    DNSOutgoing,
    DNSQuestion,
    DNSText,
)

from presence_core.discovery.mdns import MAX_ADVERTS, SERVICE_TYPE, tag_of
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presence_core.discovery.interfaces import Interface

MDNS_PORT = 5353
"""RFC 6762 §2."""

_GROUP_4, _GROUP_6 = "224.0.0.251", "ff02::fb"
"""RFC 6762 §3."""

_QUERY, _TYPE_PTR, _TYPE_TXT, _CLASS_IN = 0x0000, 12, 16, 1
_MOST_PACKETS = 2_000
"""Packets that are looked at; a flood beyond them is ignored."""

_IP_MULTICAST_ALL, _IPV6_MULTICAST_ALL = 49, 29
"""Linux, ``<linux/in.h>`` and ``<linux/in6.h>``: no groups but those that this socket joined."""


@entity
class Heard:
    """What came back on one interface. ``adverts``: the tags of announced instances, by name."""

    echo: bool = False
    adverts: dict[str, bytes] = field(default_factory=dict)


def port_is_shared() -> bool:
    """Whether another program uses the port of mDNS too, which is as it should be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        try:
            alone.bind(("", MDNS_PORT))
        except OSError:
            return True
    return False


async def probe(interface: Interface, *, ipv6: bool, seconds: float) -> Heard:
    """Ask on one interface who announces a mesh, and listen for ``seconds``.

    Raises OSError when the group cannot be joined there, or nothing can be sent.
    """
    loop = asyncio.get_running_loop()
    token = f"{secrets.token_hex(10)}.{SERVICE_TYPE}"
    sock, group = _socket_6(interface) if ipv6 else _socket_4(interface)
    with _closed_on_failure(sock):
        sock.setblocking(False)  # noqa: FBT003  what the socket module calls for
        question = _question(token)
        sock.sendto(question, group)
        listener = _Listener(token)
        transport, _ = await loop.create_datagram_endpoint(lambda: listener, sock=sock)
    try:
        await asyncio.sleep(seconds)
    finally:
        transport.close()
    return listener.heard


def _question(token: str) -> bytes:
    out = DNSOutgoing(_QUERY)
    out.add_question(DNSQuestion(SERVICE_TYPE, _TYPE_PTR, _CLASS_IN))
    out.add_question(DNSQuestion(token, _TYPE_TXT, _CLASS_IN))
    (packet,) = out.packets()
    return packet


@contextlib.contextmanager
def _closed_on_failure(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _socket_4(interface: Interface) -> tuple[socket.socket, tuple[Any, ...]]:
    sock = _bound(socket.AF_INET, ("", MDNS_PORT))
    with _closed_on_failure(sock):
        own = socket.inet_aton(interface.ipv4[0])
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(_GROUP_4) + own
        )
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    return sock, (_GROUP_4, MDNS_PORT)


def _socket_6(interface: Interface) -> tuple[socket.socket, tuple[Any, ...]]:
    index = interface.index or socket.if_nametoindex(interface.name)
    sock = _bound(socket.AF_INET6, ("::", MDNS_PORT))
    with _closed_on_failure(sock):
        there = index.to_bytes(4, sys.byteorder)
        group = socket.inet_pton(socket.AF_INET6, _GROUP_6)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + there)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, there)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    return sock, (_GROUP_6, MDNS_PORT, 0, index)


def _bound(family: int, address: tuple[str, int]) -> socket.socket:
    """Bind beside the other programs that use this port, as all of them do (RFC 6762 §15.1)."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    with _closed_on_failure(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    return sock


class _Listener(asyncio.DatagramProtocol):
    """Reads what comes. All of it is hostile until it is checked, and proves nothing then."""

    def __init__(self, token: str) -> None:
        self.heard = Heard()
        self._token = token
        self._packets = 0

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:  # noqa: ARG002
        """Look for our own question, and for adverts."""
        self._packets += 1
        if self._packets > _MOST_PACKETS:
            return
        packet = DNSIncoming(data)
        if not packet.valid:
            return
        if packet.is_query():
            self.heard.echo |= any(one.name == self._token for one in packet.questions)
            return
        for record in packet.answers():
            instance = record.name.removesuffix(f".{SERVICE_TYPE}")
            if isinstance(record, DNSText) and instance != record.name and record.ttl:
                tag = tag_of(_properties(record.text))
                if tag is not None and len(self.heard.adverts) < MAX_ADVERTS:
                    self.heard.adverts[instance] = tag


def _properties(text: bytes) -> dict[bytes, bytes | None]:
    """Read the strings of a TXT record (RFC 6763 §6.3); what is cut off is left out."""
    properties: dict[bytes, bytes | None] = {}
    at = 0
    while at < len(text):
        end = at + 1 + text[at]
        name, sign, value = text[at + 1 : end].partition(b"=")
        properties.setdefault(name, value if sign else None)
        at = end
    return properties
