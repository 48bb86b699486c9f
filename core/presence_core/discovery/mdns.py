"""Finding peers on the LAN by multicast DNS (RFC 6762, 6763; protocol §7).

An advert names no person and no device: a random instance, and a tag that only members of the mesh
recognise. What it says is a hint of whom to dial, never trusted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any

from zeroconf import (  # type: ignore[attr-defined]  # it does not list all that it offers
    DNSOutgoing,
    DNSQuestion,
    IPVersion,
    RecordUpdate,
    RecordUpdateListener,
    ServiceStateChange,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from presence_core.codec import base32
from presence_core.discovery.hint import DialHint
from presence_core.discovery.interfaces import LocalAddresses, local_addresses
from presence_core.identity.mesh import ADVERT_TAG_BYTES, MeshKey
from presence_core.model import ConditionState

log = logging.getLogger(__name__)
# zeroconf warns of foreign nonsense on the network; on a terminal that would be on the screen.
logging.getLogger("zeroconf").addHandler(logging.NullHandler())

SERVICE_TYPE = "_presence-mesh._tcp.local."
MAX_ADVERTS = 2_000
"""Adverts remembered at once; a flood beyond it is ignored."""

MAX_ADDRESSES = 8
WATCH_SECONDS = 2.0
ECHO_SECONDS = 3.0
"""How long our own announcement may take to come back before multicast counts as blocked."""

REFRESH_SECONDS = 0.5
_RESOLVE_MS = 1_500
_HOST_TTL = 120
_OTHER_TTL = 1_200
_HOUR = 3_600

_QUERY, _TYPE_PTR, _CLASS_IN = 0x0000, 12, 1
"""RFC 1035 §4.1.1, §3.2.2, §3.2.4."""

OnCondition = Callable[[ConditionState, str | None, str | None], None]


class MdnsDiscovery:
    """Announces one engine and reports the others. Callbacks run on the event loop.

    ``on_hint`` gets adverts of this mesh, ``on_gone`` the instance names of those withdrawn,
    ``on_other_meshes`` how many adverts of other meshes there are, ``on_condition`` how well
    multicast works.
    """

    def __init__(
        self,
        *,
        mesh: MeshKey,
        instance: str,
        port: int,
        interfaces: tuple[str, ...] = (),
        free_slots: int,
        wall: Callable[[], float],
        on_hint: Callable[[DialHint], None],
        on_gone: Callable[[str], None],
        on_other_meshes: Callable[[int], None],
        on_condition: OnCondition,
    ) -> None:
        self.instance = instance
        self._mesh = mesh
        self._port = port
        self._interfaces = interfaces
        self._free_slots = _coarse(free_slots)
        self._wall = wall
        self._on_hint = on_hint
        self._on_gone = on_gone
        self._on_other_meshes = on_other_meshes
        self._on_condition = on_condition
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._info: AsyncServiceInfo | None = None
        self._local = LocalAddresses((), (), ())
        self._adverts: dict[str, bool] = {}
        """Instances that are announced now, and whether they are of this mesh."""
        self._resolving: dict[str, asyncio.Task[None]] = {}
        self._echo_due: float | None = None
        self._repeats: asyncio.Future[Any] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._refreshed_at = float("-inf")
        self._hour = 0

    # -- life

    async def start(self) -> None:
        """Announce and look; what does not work becomes a condition, and is tried again."""
        await self._look_at_interfaces()
        self._watch = asyncio.get_running_loop().create_task(
            self._keep_watch(), name="presence-mdns-watch"
        )

    async def stop(self) -> None:
        """Withdraw the advert and close. Never raises, never takes long."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        for task in self._resolving.values():
            task.cancel()
        await self._close()

    async def _open(self) -> None:
        version, interfaces = self._speak_on()
        self._zeroconf = AsyncZeroconf(interfaces=interfaces, ip_version=version)
        zeroconf = self._zeroconf.zeroconf
        await zeroconf.async_wait_for_start()
        zeroconf.async_add_listener(_Echo(self._full_name, self._heard_echo), None)
        self._browser = AsyncServiceBrowser(zeroconf, SERVICE_TYPE, handlers=[self._changed])
        self._info = self._make_info()
        self._announce(
            await self._zeroconf.async_register_service(self._info, cooperating_responders=True)
        )
        self._expect_echo()

    async def _close(self) -> None:
        opened, self._zeroconf = self._zeroconf, None
        if opened is None:
            return
        zeroconf = opened.zeroconf
        self._announce(None)  # nothing is announced once more after the goodbye
        with contextlib.suppress(Exception):
            goodbye = zeroconf.generate_unregister_all_services()
            if goodbye is not None:
                zeroconf.async_send(goodbye)
                await asyncio.sleep(0)
            # It has been said: without this, closing says it twice more and takes its time.
            zeroconf.registry.async_remove(zeroconf.registry.async_get_service_infos())
        if self._browser is not None:
            with contextlib.suppress(Exception):
                await self._browser.async_cancel()
            self._browser = None
        with contextlib.suppress(Exception):
            await opened.async_close()

    # -- interfaces

    def _speak_on(self) -> tuple[IPVersion, list[str | int]]:
        local = self._local
        if local.ipv4 and local.ipv6_indexes:
            version = IPVersion.All
        else:
            version = IPVersion.V4Only if local.ipv4 else IPVersion.V6Only
        return version, [*local.ipv4, *local.ipv6_indexes]

    async def _look_at_interfaces(self) -> None:
        """Follow interfaces that come and go."""
        local = local_addresses(self._interfaces)
        if local == self._local and (self._zeroconf is not None or not local):
            if not local:
                self._say_no_interface()
            return
        self._local = local
        if not local:
            await self._close()
            self._say_no_interface()
            return
        try:
            if self._zeroconf is None:
                await self._open()
            else:
                version, interfaces = self._speak_on()
                await self._zeroconf.async_update_interfaces(interfaces, version)
                await self._announce_anew()
                self._expect_echo()
        except (OSError, RuntimeError) as error:
            await self._close()
            reason = getattr(error, "strerror", None) or str(error)
            self._on_condition(
                ConditionState.FAILED,
                f"multicast DNS does not work: {reason}",
                "another program may hold UDP port 5353 for itself; peers can still be given "
                "with --peer HOST:PORT",
            )

    def _say_no_interface(self) -> None:
        which = f" {', '.join(self._interfaces)}" if self._interfaces else ""
        self._on_condition(
            ConditionState.FAILED,
            f"no network interface{which} has an address",
            "connect to a network; peers are looked for as soon as there is one",
        )

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS if self._echo_due is None else REFRESH_SECONDS)
            try:
                await self._look_at_interfaces()
                self._judge_echo()
                if self._zeroconf is not None and self._hour != int(self._wall() // _HOUR):
                    await self._announce_anew()
            except Exception:
                log.exception("watching the interfaces failed; it goes on")

    # -- announcing

    @property
    def _full_name(self) -> str:
        return f"{self.instance}.{SERVICE_TYPE}"

    def _make_info(self) -> AsyncServiceInfo:
        self._hour = int(self._wall() // _HOUR)
        tag = base32.encode(self._mesh.advert_tag(self._hour))
        return AsyncServiceInfo(
            SERVICE_TYPE,
            self._full_name,
            port=self._port,
            properties={"v": "1", "m": tag, "f": str(self._free_slots)},
            server=f"{self.instance}.local.",
            addresses=[ip_address(a).packed for a in (*self._local.ipv4, *self._local.ipv6)],
            host_ttl=_HOST_TTL,
            other_ttl=_OTHER_TTL,
        )

    async def _announce_anew(self) -> None:
        if self._zeroconf is not None:
            self._info = self._make_info()
            self._announce(await self._zeroconf.async_update_service(self._info))

    def _announce(self, repeats: Awaitable[Any] | None) -> None:
        """Keep hold of zeroconf's repeats of an announcement; the newest end those before."""
        if self._repeats is not None:
            self._repeats.cancel()
        self._repeats = None if repeats is None else asyncio.ensure_future(repeats)

    def set_free_slots(self, free: int) -> None:
        """Say in the advert how many more links would be taken, roughly."""
        coarse = _coarse(free)
        if coarse != self._free_slots:
            self._free_slots = coarse
            self._hour = -1  # the watch announces anew

    async def refresh(self) -> None:
        """Announce and ask once more: something was lost, or a network came back."""
        now = asyncio.get_running_loop().time()
        if self._zeroconf is None or now - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = now
        zeroconf = self._zeroconf.zeroconf
        if self._info is not None:
            zeroconf.async_send(zeroconf.generate_service_broadcast(self._info, None))
        question = DNSOutgoing(_QUERY)
        question.add_question(DNSQuestion(SERVICE_TYPE, _TYPE_PTR, _CLASS_IN))
        zeroconf.async_send(question)
        # What is announced is worth a dial again, even if nothing about it has changed.
        for instance, ours in tuple(self._adverts.items()):
            if ours:
                self._resolve(zeroconf, f"{instance}.{SERVICE_TYPE}", instance)

    # -- hearing ourselves

    def _expect_echo(self) -> None:
        self._echo_due = asyncio.get_running_loop().time() + ECHO_SECONDS

    def _heard_echo(self) -> None:
        self._echo_due = None
        self._on_condition(ConditionState.OK, None, None)

    def _judge_echo(self) -> None:
        if self._echo_due is None or asyncio.get_running_loop().time() < self._echo_due:
            return
        self._echo_due = None
        self._on_condition(
            ConditionState.WARNING,
            "our own multicast announcement does not come back: multicast is blocked here",
            "allow UDP port 5353 in the firewall, and look for client isolation on the Wi-Fi; "
            "peers can still be given with --peer HOST:PORT",
        )

    # -- hearing others

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        """Take what the browser tells (its keyword names are zeroconf's)."""
        instance = name[: -len(service_type) - 1]
        if name == self._full_name:
            return
        if state_change is ServiceStateChange.Removed:
            was_ours = self._adverts.pop(instance, None)
            if was_ours:
                self._on_gone(instance)
            elif was_ours is False:
                self._count_others()
            return
        self._resolve(zeroconf, name, instance)

    def _resolve(self, zeroconf: Zeroconf, name: str, instance: str) -> None:
        """Read the advert from what came along with it; ask only for what did not."""
        info = AsyncServiceInfo(SERVICE_TYPE, name)
        if info.load_from_cache(zeroconf):
            self._read(instance, info)
        elif instance not in self._resolving and len(self._resolving) < 64:
            task = asyncio.get_running_loop().create_task(
                self._ask(zeroconf, instance, info), name="presence-mdns-resolve"
            )
            self._resolving[instance] = task
            task.add_done_callback(lambda _: self._resolving.pop(instance, None))

    async def _ask(self, zeroconf: Zeroconf, instance: str, info: AsyncServiceInfo) -> None:
        with contextlib.suppress(Exception):  # zeroconf was closed, or the advert is nonsense
            if await info.async_request(zeroconf, _RESOLVE_MS):
                self._read(instance, info)

    def _read(self, instance: str, info: AsyncServiceInfo) -> None:
        if instance not in self._adverts and len(self._adverts) >= MAX_ADVERTS:
            return
        tag = tag_of(info.properties)
        if tag is None or not info.port:
            return
        ours = self._mesh.matches_advert(tag, self._wall())
        was = self._adverts.get(instance)
        self._adverts[instance] = ours
        if ours:
            addresses = tuple(
                (address, info.port) for address in _best_first(info.parsed_scoped_addresses())
            )
            if addresses:
                self._on_hint(DialHint("mdns", instance, addresses, _free_slots(info)))
        if was is not ours and (was is False or not ours):
            self._count_others()

    def _count_others(self) -> None:
        self._on_other_meshes(sum(not ours for ours in self._adverts.values()))


class _Echo(RecordUpdateListener):
    """Notices our own records coming back from the network."""

    def __init__(self, name: str, heard: Callable[[], None]) -> None:
        super().__init__()
        self._name = name
        self._heard = heard

    def async_update_records(
        self,
        zc: Zeroconf,  # noqa: ARG002  zeroconf calls it with all three
        now: float,  # noqa: ARG002
        records: list[RecordUpdate],
    ) -> None:
        """Look through what came."""
        if any(update.new.name == self._name for update in records):
            self._heard()


def _coarse(free: int) -> int:
    """Round the free slots down, so that the advert does not change with every link."""
    return max((step for step in (0, 1, 2, 4, 8) if step <= free), default=0)


def tag_of(properties: Mapping[bytes, bytes | None]) -> bytes | None:
    """Return the tag of an advert by its TXT record; None for what is none of this version."""
    text = properties.get(b"m")
    if properties.get(b"v") != b"1" or text is None or len(text) != 13:
        return None
    try:
        tag = base64.b32decode(text.upper() + b"===")
    except ValueError:
        return None
    return tag if len(tag) == ADVERT_TAG_BYTES else None


def _free_slots(info: AsyncServiceInfo) -> int | None:
    text = info.properties.get(b"f")
    return int(text) if text is not None and text.isdigit() and len(text) <= 4 else None


def _best_first(addresses: list[str]) -> list[str]:
    """IPv4 first, then global IPv6, then link-local with its scope; not more than a few."""

    def rank(text: str) -> int:
        address = ip_address(text.partition("%")[0])
        if address.version == 4:
            return 0
        return 2 if address.is_link_local else 1

    usable = [a for a in addresses if rank(a) < 2 or "%" in a]
    return sorted(usable, key=rank)[:MAX_ADDRESSES]
