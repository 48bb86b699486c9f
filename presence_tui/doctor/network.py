"""The LAN: interfaces, the port for connections, multicast, who announces a mesh, given addresses.

What is tried is what an engine does: bind, join, send, dial. A firewall shows only by what does not
come back; whether one keeps out others cannot be seen from inside, and the findings say so.
"""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from presence_core.discovery.interfaces import Interface, interfaces
from presence_core.discovery.static import parse_address, static_hints
from presence_core.engine.home import mesh_of
from presence_core.engine.lan import DEFAULT_PORT
from presence_core.identity.keyfile import HomeError, read_epoch, read_identity
from presence_core.transports.tcp import dial, listening_socket
from presence_tui.doctor.examination import in_thread
from presence_tui.doctor.finding import Finding, failed, off, ok, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from presence_core.config import PresenceConfig
    from presence_core.discovery.probe import Heard
    from presence_core.identity.mesh import MeshKey
    from presence_tui.doctor.examination import Case

PROBE_SECONDS = 1.2
"""How long answers are waited for: responders take up to half a second (RFC 6762 §6)."""

DIAL_SECONDS = 1.5
MOST_INTERFACES = 16
"""Interfaces that are tried; a machine with containers may have hundreds."""

_SHOWN = 6
_SYS_NET = Path("/sys/class/net")
_MULTICAST = (
    "allow UDP port 5353 in the firewall, and look for client isolation on the Wi-Fi; "
    "peers can still be given with --peer HOST:PORT"
)


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
    said = _listed(f"{one.name} ({_addresses(one, silent)})" for one in found)
    if len(silent) == len(found):
        hint = "plug in the cable, or join a Wi-Fi"
        return [failed("interfaces", f"no interface has a link: {said}", hint)]
    return [ok("interfaces", said), *_ipv6(config, found)]


def _addresses(one: Interface, silent: Sequence[str]) -> str:
    return _listed([*one.ipv4, *one.ipv6, *(["no link"] if one.name in silent else [])])


def _listed(texts: Iterable[str]) -> str:
    every = list(texts)
    more = f", and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


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
        return [ok("ipv6", f"link-local addresses on {_listed(names)}: no DHCP is needed")]
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


async def look_at_multicast(case: Case) -> Sequence[Finding]:
    """Send a question of our own on each interface, hear it, and hear who answers."""
    if not case.config.uses("lan"):
        return []
    from presence_core.discovery.probe import port_is_shared, probe  # loads zeroconf

    found = await in_thread(lambda: interfaces(case.config.interfaces))
    ways = [(one, False) for one in found if one.ipv4] + [(one, True) for one in found if one.ipv6]
    if not ways:
        return [unknown("multicast", "not tried: there is no interface to try it on")]
    shared = port_is_shared()
    tried = ways[:MOST_INTERFACES]
    results = await asyncio.gather(
        *(probe(one, ipv6=ipv6, seconds=PROBE_SECONDS) for one, ipv6 in tried),
        return_exceptions=True,
    )
    by_way = {_way(*way): result for way, result in zip(tried, results, strict=True)}
    return [*judge_probes(by_way, shared=shared), await in_thread(lambda: _who(case, results))]


def _way(one: Interface, ipv6: bool) -> str:  # noqa: FBT001  one of a pair
    return f"{one.name} by IPv{6 if ipv6 else 4}"


def judge_probes(results: Mapping[str, Heard | BaseException], *, shared: bool) -> list[Finding]:
    """Say on which ways a probe came back, by what it was or raised. ``shared``: port 5353."""
    name = "multicast"
    errors = {way: one for way, one in results.items() if isinstance(one, BaseException)}
    heard = {way: one for way, one in results.items() if not isinstance(one, BaseException)}
    back = [way for way, one in heard.items() if one.echo]
    lost = [way for way, one in heard.items() if not one.echo]
    bad = warning if back else failed
    found = []
    if back:
        beside = ", beside other programs on UDP port 5353" if shared else ""
        said = f"a probe came back on {_listed(back)}{beside}: this machine does not block it"
        found.append(ok(name, said))
    if lost:
        said = f"a probe was sent and did not come back on {_listed(lost)}"
        found.append(bad(name, said, _MULTICAST))
    for why in dict.fromkeys(_why(error) for error in errors.values()):
        ways = _listed(way for way, error in errors.items() if _why(error) == why)
        hint = _MULTICAST
        if "in use" in why.lower():
            hint = "another program holds UDP port 5353 for itself: stop it, or let it share"
        found.append(bad(name, f"cannot be used on {ways}: {why}", hint))
    return found


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _who(case: Case, results: Sequence[Heard | BaseException]) -> Finding:
    """Say whether anybody announces a mesh here, this device's own engine aside."""
    name = "neighbours"
    adverts = {
        instance: tag
        for one in results
        if not isinstance(one, BaseException)
        for instance, tag in one.adverts.items()
    }
    if case.trouble is not None:
        return unknown(name, "who is of this mesh depends on settings that cannot be used")
    try:
        mesh = mesh_of(case.config, case.home)
    except HomeError:
        return unknown(name, "who is of this mesh cannot be told without its key")
    for instance in _own_instances(case, mesh):
        adverts.pop(instance, None)
    now = time.time()
    ours = sum(mesh.matches_advert(tag, now) for tag in adverts.values())
    others = len(adverts) - ours
    if ours:
        beside = f", and {others} of other meshes" if others else ""
        return ok(name, f"{ours} of this mesh answered on this network{beside}")
    if others:
        said = f"{others} of other meshes answered on this network, and nobody of {mesh.name}"
        return warning(name, said, "compare 'presence-tui mesh show' on both devices")
    hint = (
        "if another device of the mesh is here: look for client isolation on the Wi-Fi, for a "
        "firewall there, and whether both are on one network; or give its address with --peer"
    )
    return unknown(name, "nobody answered: nobody is here, or multicast does not get across", hint)


def _own_instances(case: Case, mesh: MeshKey) -> list[str]:
    """Return the name by which an engine of this home announces itself, if one runs."""
    try:
        epoch = read_epoch(case.home)
        return [] if epoch is None else [mesh.instance_name(read_identity(case.home), epoch)]
    except HomeError:
        return []


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
