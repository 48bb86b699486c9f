"""Where a peer can be dialled again, by what it says itself or another says of it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presence_core.gossip.messages import Hello


def address_text(host: str, port: int) -> str:
    """Write an address as ``HOST:PORT``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def addresses_of(hello: Hello, host: str) -> tuple[tuple[str, int], ...]:
    """Return where a peer that is seen at ``host`` can be dialled again, by what it says.

    Nowhere if that is no IP address: by Bluetooth nobody has been seen on a network.
    """
    if not _is_ip_address(host):
        return ()
    ports = (text.removeprefix("tcp:") for text in hello.addresses if text.startswith("tcp:"))
    return tuple(
        (host, int(port))
        for port in ports
        if port.isascii() and port.isdecimal() and 0 < int(port) < 65_536
    )


def host_and_port(text: str, *, local: bool) -> tuple[str, int] | None:
    """Read ``HOST:PORT`` with a literal address; None for anything else.

    Nobody elsewhere sends us to a port of this machine.
    """
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 65_536:
        return None
    usable = not (address.is_multicast or address.is_unspecified or address.is_link_local)
    return (str(address), int(port)) if usable and address.is_loopback <= local else None


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
