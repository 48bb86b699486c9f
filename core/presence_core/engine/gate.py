"""Limits before authentication (protocol §2.3): who may open a handshake.

Pure; time is passed in.
"""

from __future__ import annotations

import ipaddress
from collections import deque

MAX_HALF_OPEN = 64
MAX_HALF_OPEN_PER_HOST = 8
MAX_FAILURES_PER_MINUTE = 10
MAX_HOSTS = 4_096


class HandshakeGate:
    """Counts half-open handshakes and failures by host; a loopback host has no limit of its own.

    Whoever sits on this machine already can do worse, and a whole demo mesh lives there.
    """

    def __init__(self) -> None:
        self._half_open: dict[str, int] = {}
        self._failures: dict[str, deque[float]] = {}

    def enter(self, host: str, now: float) -> bool:
        """Ask whether this host may start a handshake; if so it counts as half open."""
        if sum(self._half_open.values()) >= MAX_HALF_OPEN:
            return False
        if not is_loopback(host):
            if self._half_open.get(host, 0) >= MAX_HALF_OPEN_PER_HOST:
                return False
            if self._recent_failures(host, now) >= MAX_FAILURES_PER_MINUTE:
                return False
        self._half_open[host] = self._half_open.get(host, 0) + 1
        return True

    def leave(self, host: str, now: float, *, failed: bool) -> None:
        """Note that a handshake which was let in has ended."""
        left = self._half_open.get(host, 0) - 1
        if left > 0:
            self._half_open[host] = left
        else:
            self._half_open.pop(host, None)
        if not failed:
            return
        if host not in self._failures and len(self._failures) >= MAX_HOSTS:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(host, deque(maxlen=MAX_FAILURES_PER_MINUTE)).append(now)

    def _recent_failures(self, host: str, now: float) -> int:
        times = self._failures.get(host)
        if times is None:
            return 0
        while times and now - times[0] > 60:
            times.popleft()
        if not times:
            del self._failures[host]
        return len(times)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
