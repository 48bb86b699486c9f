"""The network interfaces of this machine that discovery can use."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import ifaddr

from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Iterable


@value_object
class Interface:
    """A network interface with an address that discovery can use. ``index`` None: not known."""

    name: str
    index: int | None
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]


@value_object
class LocalAddresses:
    """The addresses to announce, and the interfaces to speak on.

    ``ipv4`` and ``ipv6`` are what others dial; ``ipv6_indexes`` the interfaces with IPv6.
    """

    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    ipv6_indexes: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.ipv4 or self.ipv6_indexes)


def interfaces(names: Iterable[str] = ()) -> tuple[Interface, ...]:
    """Return the named interfaces, or all but loopback when none is named, as far as usable."""
    wanted = frozenset(names)
    found = []
    for adapter in ifaddr.get_adapters():
        if wanted and adapter.name not in wanted:
            continue
        ipv4: list[str] = []
        ipv6: list[str] = []
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.is_loopback and not wanted:
                continue
            if address.version == 4:
                ipv4.append(str(address))
            elif not address.is_loopback:  # there is no multicast on ::1
                ipv6.append(str(address))
        if ipv4 or ipv6:
            found.append(Interface(adapter.name, adapter.index, tuple(ipv4), tuple(ipv6)))
    return tuple(found)


def local_addresses(names: Iterable[str] = ()) -> LocalAddresses:
    """Return the addresses of the named interfaces, or of all but loopback when none is named."""
    found = interfaces(names)
    indexes = (one.index for one in found if one.ipv6 and one.index is not None)
    return LocalAddresses(
        tuple(address for one in found for address in one.ipv4),
        tuple(address for one in found for address in one.ipv6),
        tuple(dict.fromkeys(indexes)),
    )
