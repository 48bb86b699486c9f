"""Real multicast on loopback: no address but this machine's is spoken to."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Self

import pytest
from zeroconf import DNSOutgoing, DNSService, DNSText  # type: ignore[attr-defined]
from zeroconf._dns import DNSAddress, DNSPointer

from presence_core.discovery import mdns
from presence_core.discovery.hint import DialHint
from presence_core.discovery.interfaces import local_addresses
from presence_core.discovery.mdns import SERVICE_TYPE, MdnsDiscovery
from presence_core.identity.mesh import MeshKey
from presence_core.model import ConditionState
from tests.support import PATIENCE, loopback_name


class Finder:
    """A discovery on loopback that keeps what it is told."""

    def __init__(self, mesh: MeshKey, port: int, **more: Any) -> None:
        self.hints: dict[str, DialHint] = {}
        self.heard: list[str] = []
        self.gone: list[str] = []
        self.others: list[int] = []
        self.conditions: list[tuple[ConditionState, str | None, str | None]] = []
        settings: dict[str, Any] = {
            "mesh": mesh,
            "instance": mesh.instance_name(os.urandom(32), port),
            "port": port,
            "interfaces": (loopback_name(),),
            "free_slots": 5,
            "wall": time.time,
            "on_hint": self._hint,
            "on_gone": self.gone.append,
            "on_other_meshes": self.others.append,
            "on_condition": lambda *condition: self.conditions.append(condition),
        }
        self.discovery = MdnsDiscovery(**(settings | more))

    def _hint(self, hint: DialHint) -> None:
        self.hints[hint.name] = hint
        self.heard.append(hint.name)

    async def __aenter__(self) -> Self:
        await self.discovery.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.discovery.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def mesh() -> MeshKey:
    return MeshKey.generate("test")


async def test_members_find_each_other_with_port_address_and_room(mesh: MeshKey) -> None:
    async with Finder(mesh, 1_001) as one, Finder(mesh, 1_002) as other:
        await until(lambda: bool(one.hints) and bool(other.hints))
        hint = one.hints[other.discovery.instance]
        assert hint.source == "mdns"
        assert hint.addresses[0] == ("127.0.0.1", 1_002)
        assert hint.free_slots == 4
        assert set(other.hints) == {one.discovery.instance}


async def test_the_own_advert_is_not_reported_but_proves_multicast(mesh: MeshKey) -> None:
    async with Finder(mesh, 1_001) as one:
        await until(lambda: bool(one.conditions))
        assert one.conditions[-1][0] is ConditionState.OK
        assert one.hints == {}


async def test_another_mesh_is_counted_and_not_hinted(mesh: MeshKey) -> None:
    async with Finder(mesh, 1_001) as one:
        async with Finder(MeshKey.generate("other"), 1_002) as other:
            await until(lambda: one.others == [1] and other.others == [1])
            assert one.hints == {}
            assert other.hints == {}
        await until(lambda: one.others[-1] == 0)


async def test_a_goodbye_is_told(mesh: MeshKey) -> None:
    async with Finder(mesh, 1_001) as one:
        async with Finder(mesh, 1_002) as other:
            await until(lambda: bool(one.hints))
        await until(lambda: one.gone == [other.discovery.instance])


async def test_asking_anew_hears_known_peers_again(mesh: MeshKey) -> None:
    async with Finder(mesh, 1_001) as one, Finder(mesh, 1_002):
        await until(lambda: bool(one.hints))
        before = len(one.heard)
        await one.discovery.refresh()
        await until(lambda: len(one.heard) > before)
        after = len(one.heard)
        await one.discovery.refresh()  # within half a second: once was enough
        assert len(one.heard) == after


async def test_a_change_of_room_is_announced(
    mesh: MeshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mdns, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(mdns, "REFRESH_SECONDS", 0.05)
    async with Finder(mesh, 1_001) as one, Finder(mesh, 1_002) as other:
        await until(lambda: bool(one.hints))
        other.discovery.set_free_slots(0)
        await until(lambda: one.hints[other.discovery.instance].free_slots == 0)


async def test_at_the_hour_the_tag_changes_and_members_still_know_each_other(
    mesh: MeshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mdns, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(mdns, "REFRESH_SECONDS", 0.05)
    wall = [1_790_000_000.0]
    async with (
        Finder(mesh, 1_001, wall=lambda: wall[0]) as one,
        Finder(mesh, 1_002, wall=lambda: wall[0] + 3_000) as other,
    ):
        await until(lambda: bool(one.hints) and bool(other.hints))
        before = len(one.heard)
        wall[0] += 3_600
        await until(lambda: len(one.heard) > before)
        assert one.others == []


async def test_without_multicast_it_says_what_to_do(
    mesh: MeshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mdns, "ECHO_SECONDS", 0.0)
    monkeypatch.setattr(mdns, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(mdns._Echo, "async_update_records", lambda *_: None)
    async with Finder(mesh, 1_001) as one:
        await until(lambda: bool(one.conditions))
        state, message, hint = one.conditions[-1]
        assert state is ConditionState.WARNING
        assert "multicast" in (message or "")
        assert "--peer" in (hint or "")


async def test_without_an_interface_it_says_so_and_stops_in_order(mesh: MeshKey) -> None:
    async with Finder(mesh, 1_001, interfaces=("no-such-interface",)) as one:
        state, message, _ = one.conditions[-1]
        assert state is ConditionState.FAILED
        assert "no-such-interface" in (message or "")
        await one.discovery.refresh()


def fake_advert(number: int, text: bytes) -> DNSOutgoing:
    """Make the announcement of somebody who does not exist."""
    name = f"fake{number:05}.{SERVICE_TYPE}"
    server = f"fake{number:05}.local."
    out = DNSOutgoing(0x8400)
    out.add_answer_at_time(DNSPointer(SERVICE_TYPE, 12, 1, 120, name), 0)
    out.add_answer_at_time(DNSService(name, 33, 0x8001, 120, 0, 0, 9, server), 0)
    out.add_answer_at_time(DNSText(name, 16, 0x8001, 120, text), 0)
    out.add_answer_at_time(DNSAddress(server, 1, 0x8001, 120, bytes([127, 0, 0, 1])), 0)
    return out


@pytest.mark.parametrize(
    "text", [b"", b"\x00", b"\x03v=1", b"\x03v=2\x0fm=aaaaaaaaaaaaa", b"\x03v=1\x0fm=!!!!!!!!!!!!!",
             b"\x03v=1\x05m=aaa", b"\xffv=1"]
)  # fmt: skip
async def test_nonsense_in_an_advert_is_passed_over(mesh: MeshKey, text: bytes) -> None:
    async with Finder(mesh, 1_001) as one, Finder(mesh, 1_002) as other:
        zeroconf = other.discovery._zeroconf
        assert zeroconf is not None
        zeroconf.zeroconf.async_send(fake_advert(1, text))
        await until(lambda: bool(one.hints))
        assert one.others == []
        assert set(one.hints) == {other.discovery.instance}


async def test_a_flood_of_adverts_is_bounded(
    mesh: MeshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mdns, "MAX_ADVERTS", 20)
    async with Finder(mesh, 1_001) as one, Finder(mesh, 1_002) as other:
        await until(lambda: bool(one.hints))
        zeroconf = other.discovery._zeroconf
        assert zeroconf is not None
        for number in range(60):
            zeroconf.zeroconf.async_send(fake_advert(number, b"\x03v=1\x0fm=aaaaaaaaaaaaa"))
        await until(lambda: bool(one.others) and one.others[-1] == 19)
        assert len(one.discovery._adverts) == 20


def test_loopback_is_used_only_when_it_is_named() -> None:
    assert "127.0.0.1" in local_addresses([loopback_name()]).ipv4
    assert "127.0.0.1" not in local_addresses().ipv4
    assert not local_addresses(["no-such-interface"])
