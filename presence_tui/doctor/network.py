"""The LAN: interfaces, the port for connections, and the addresses that are given.

What is tried is what an engine does. Whether a firewall keeps others out cannot be seen from
inside, and the findings say so.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from presence_core.discovery.interfaces import Interface, interfaces
from presence_core.discovery.static import parse_address, static_hints
from presence_core.engine.lan import DEFAULT_PORT
from presence_core.transports.tcp import dial, listening_socket
from presence_tui.doctor.examination import in_thread
from presence_tui.doctor.finding import Finding, failed, listed, off, ok, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.config import PresenceConfig
    from presence_tui.doctor.examination import Case

DIAL_SECONDS = 1.5
_SYS_NET = Path("/sys/class/net")


def look_at_interfaces(case: Case) -> Sequence[Finding]:
    """Say over which interfaces others can be found."""
    config = case.config
    if not config.uses("lan"):
        return [off("lan", "switched off by the setting transports (--transport)")]
    found = interfaces(config.interfaces)
    if not found:
        which = f" {', '.join(config.interfaces)}" if config.interfaces else " but loopback"
        said = f"no network interface{which} has an address"
        return [failed("interfaces", said, "connect to a network, or use --transport ble")]
    silent = [one.name for one in found if _has_no_link(one.name)]
    said = listed(f"{one.name} ({_addresses(one, silent)})" for one in found)
    if len(silent) == len(found):
        hint = "plug in the cable, or join a Wi-Fi"
        return [failed("interfaces", f"no interface has a link: {said}", hint)]
    return [ok("interfaces", said), *_missing(config, found), *_ipv6(config, found)]


def _missing(config: PresenceConfig, found: Sequence[Interface]) -> list[Finding]:
    """Say which of the interfaces that are named have no address, or are not there."""
    missing = [name for name in config.interfaces if name not in {one.name for one in found}]
    if not missing:
        return []
    said = f"there is no {listed(missing)} with an address"
    return [warning("interfaces", said, "look at the names: ip address, or ifconfig")]


def _addresses(one: Interface, silent: Sequence[str]) -> str:
    return listed([*one.ipv4, *one.ipv6, *(["no link"] if one.name in silent else [])])


def _has_no_link(name: str) -> bool:
    """Whether an interface is known to be cut off, as Linux tells."""
    try:
        return (_SYS_NET / name / "operstate").read_text().strip() == "down"
    except OSError:
        return False


def _ipv6(config: PresenceConfig, found: Sequence[Interface]) -> list[Finding]:
    """Say whether devices find each other where nobody gives out IPv4 addresses."""
    names = [one.name for one in found if any(a.startswith("fe80:") for a in one.ipv6)]
    if names:
        return [ok("ipv6", f"link-local addresses on {listed(names)}: no DHCP is needed")]
    if config.interfaces:
        return [off("ipv6", "no link-local address on the chosen interfaces")]
    said = "no link-local address: where nobody gives out IPv4 addresses, nobody is found"
    hint = "on Linux: sysctl net.ipv6.conf.all.disable_ipv6=0; without such networks, nothing"
    return [warning("ipv6", said, hint)]


async def look_at_port(case: Case) -> Sequence[Finding]:
    """Try to have the port on which others connect."""
    name, listen = "port", case.config.listen
    if not case.config.uses("lan"):
        return []
    host, port = parse_address(listen, DEFAULT_PORT) if listen else (None, DEFAULT_PORT)
    where = listen or f"port {port} on all interfaces"
    try:
        await in_thread(lambda: _listen(host, port))
    except OSError as error:
        return [_taken(case, name, where, error)]
    said = f"TCP {where} can be listened on"
    return [ok(name, f"{said}; whether a firewall lets others in cannot be seen from here")]


def _listen(host: str | None, port: int) -> None:
    with listening_socket(host, port) as sock:
        sock.listen(1)


def _taken(case: Case, name: str, where: str, error: OSError) -> Finding:
    why = error.strerror or str(error)
    if case.running.graph is not None:
        return ok(name, f"TCP {where}: {why}, by the engine that runs as far as one can see")
    if case.running.locked:
        said = f"TCP {where}: {why}; it may be by the engine that runs, which cannot be asked"
        return unknown(name, said)
    if case.config.listen is not None:
        hint = "choose another address with --listen, or stop the program that uses it"
        return failed(name, f"cannot listen on {where}: {why}", hint)
    said = f"TCP {where}: {why}; an engine takes any other port then"
    hint = "if a firewall lets in this port only: stop the program that uses it, or use --listen"
    return warning(name, said, hint)


async def look_at_addresses(case: Case) -> Sequence[Finding]:
    """Connect to the addresses that are given, and hang up."""
    if not case.config.uses("lan"):
        return []
    hints = static_hints(case.config.peers, DEFAULT_PORT)
    return await asyncio.gather(*(_dialled(hint.name, *hint.addresses[0]) for hint in hints))


async def _dialled(text: str, host: str, port: int) -> Finding:
    name = "peer"
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            # The event loop would wait for the look-up of a name at its end, which takes as long
            # as the name servers are away.
            found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            stream = await dial(str(found[0][4][0]), port, seconds=DIAL_SECONDS)
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        hint = "look whether it is switched on, at that address, and let in by its firewall"
        return warning(name, f"{text} cannot be reached: {why}", hint)
    stream.abort()
    return ok(name, f"{text} takes connections; whether it is of this mesh, only an engine sees")
