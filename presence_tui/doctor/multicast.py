"""Multicast: whether it comes back on each interface, and who announces a mesh there.

A firewall shows only by what does not come back.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from presence_core.discovery.interfaces import Interface, interfaces
from presence_core.engine.home import mesh_of
from presence_core.identity.keyfile import HomeError, read_epoch, read_identity
from presence_tui.doctor.examination import in_thread
from presence_tui.doctor.finding import Finding, failed, listed, ok, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from presence_core.discovery.probe import Heard
    from presence_core.identity.mesh import MeshKey
    from presence_tui.doctor.examination import Case

NAME = "multicast"
PROBE_SECONDS = 1.2
"""How long answers are waited for: responders take up to half a second (RFC 6762 §6)."""

MOST_WAYS = 32
"""Interfaces, by IPv4 and by IPv6, that are tried; containers may make hundreds."""

_HINT = (
    "allow UDP port 5353 in the firewall, and look for client isolation on the Wi-Fi; "
    "peers can still be given with --peer HOST:PORT"
)


async def look(case: Case) -> Sequence[Finding]:
    """Send a question of our own on each interface, hear it, and hear who answers."""
    if not case.config.uses("lan"):
        return []
    from presence_core.discovery.probe import port_is_shared, probe  # loads zeroconf

    found = await in_thread(lambda: interfaces(case.config.interfaces))
    ways = [(one, False) for one in found if one.ipv4] + [(one, True) for one in found if one.ipv6]
    if not ways:
        return [unknown(NAME, "not tried: there is no interface to try it on")]
    shared = port_is_shared()
    tried = ways[:MOST_WAYS]
    results = await asyncio.gather(
        *(probe(one, ipv6=ipv6, seconds=PROBE_SECONDS) for one, ipv6 in tried),
        return_exceptions=True,
    )
    by_way = {_way(*way): result for way, result in zip(tried, results, strict=True)}
    judged = judge_probes(by_way, shared=shared)
    if len(ways) > len(tried):
        judged.append(unknown(NAME, f"{len(ways) - len(tried)} more interfaces were not tried"))
    return [*judged, await in_thread(lambda: _who(case, results))]


def _way(one: Interface, ipv6: bool) -> str:  # noqa: FBT001  one of a pair
    return f"{one.name} by IPv{6 if ipv6 else 4}"


def judge_probes(results: Mapping[str, Heard | BaseException], *, shared: bool) -> list[Finding]:
    """Say on which ways a probe came back, by what it was or raised. ``shared``: port 5353."""
    errors = {way: one for way, one in results.items() if isinstance(one, BaseException)}
    heard = {way: one for way, one in results.items() if not isinstance(one, BaseException)}
    back = [way for way, one in heard.items() if one.echo]
    lost = [way for way, one in heard.items() if not one.echo]
    bad = warning if back else failed
    found = []
    if back:
        beside = ", beside other programs on UDP port 5353" if shared else ""
        said = f"a probe came back on {listed(back)}{beside}: this machine does not block it"
        found.append(ok(NAME, said))
    if lost:
        said = f"a probe was sent and did not come back on {listed(lost)}"
        found.append(bad(NAME, said, _HINT))
    for why in dict.fromkeys(_why(error) for error in errors.values()):
        ways = listed(way for way, error in errors.items() if _why(error) == why)
        hint = _HINT
        if "in use" in why.lower():
            hint = "another program holds UDP port 5353 for itself: stop it, or let it share"
        found.append(bad(NAME, f"cannot be used on {ways}: {why}", hint))
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
