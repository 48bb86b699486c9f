"""The probe of multicast: what it hears of itself and of others, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from zeroconf import DNSIncoming  # type: ignore[attr-defined]  # it does not list all that it offers

from presence_core.discovery import probe as probes
from presence_core.discovery.interfaces import Interface, interfaces
from presence_core.discovery.mdns import MdnsDiscovery
from presence_core.discovery.probe import probe
from presence_core.identity.mesh import MeshKey
from presence_core.model import ConditionState
from tests.support import PATIENCE, loopback_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 1.2


def loopback() -> Interface:
    (found,) = interfaces([loopback_name()])
    return found


@asynccontextmanager
async def announced(mesh: MeshKey) -> AsyncIterator[str]:
    """Announce an engine of a mesh; yields its instance name once it has heard itself."""
    there = asyncio.Event()

    def condition(state: ConditionState, _message: str | None, _hint: str | None) -> None:
        if state is ConditionState.OK:
            there.set()

    instance = mesh.instance_name(bytes(range(1, 33)), time.time_ns())
    ignored: Any = lambda *_: None  # noqa: E731  four callbacks of different kinds
    discovery = MdnsDiscovery(
        mesh=mesh,
        instance=instance,
        port=4_711,
        interfaces=(loopback_name(),),
        free_slots=8,
        wall=time.time,
        on_hint=ignored,
        on_gone=ignored,
        on_other_meshes=ignored,
        on_condition=condition,
    )
    await discovery.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await there.wait()
        yield instance
    finally:
        await discovery.stop()


async def test_a_probe_comes_back_and_finds_who_announces_a_mesh() -> None:
    mesh = MeshKey.generate("field")
    async with announced(mesh) as instance:
        heard = await probe(loopback(), ipv6=False, seconds=SECONDS)
    assert heard.echo
    assert mesh.matches_advert(heard.adverts[instance], time.time())
    assert not MeshKey.generate("other").matches_advert(heard.adverts[instance], time.time())


async def test_a_probe_asks_and_announces_nothing() -> None:
    ear, _ = probes._socket_4(loopback())
    with ear:
        ear.setblocking(False)
        heard = await probe(loopback(), ipv6=False, seconds=0.2)
        packets = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(DNSIncoming(ear.recv(9_000)))
    assert heard.echo
    ours = [packet for packet in packets if any("mesh" in q.name for q in packet.questions)]
    assert ours
    for packet in ours:
        assert packet.is_query()
        assert packet.num_answers == packet.num_authorities == packet.num_additionals == 0


async def test_an_interface_that_is_gone_is_an_error() -> None:
    gone = Interface("gone0", 12_345, ("192.0.2.77",), ("fe80::77",))
    for ipv6 in (False, True):
        with pytest.raises(OSError, match=r"."):
            await probe(gone, ipv6=ipv6, seconds=0.1)


async def test_garbage_and_floods_are_let_go_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes to the port is anybody's; the own question is among it all the same."""
    monkeypatch.setattr(probes, "_MOST_PACKETS", 50)
    listener = probes._Listener("token._presence-mesh._tcp.local.")
    question = probes._question("token._presence-mesh._tcp.local.")
    for data in (b"", b"\x00", b"\xff" * 9_000, question[:-3], bytes(12)):
        listener.datagram_received(data, ("192.0.2.1", 5_353))
    before = listener.heard.echo
    listener.datagram_received(question, ("192.0.2.1", 5_353))
    assert (before, listener.heard.echo) == (False, True)
    for _ in range(60):
        listener.datagram_received(question, ("192.0.2.1", 5_353))
    assert not listener.heard.adverts


def test_the_port_of_mdns_is_shared_or_not() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("", probes.MDNS_PORT))
        assert probes.port_is_shared()


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        (b"", {}),
        (b"\x03v=1\x04m=ab\x01x", {b"v": b"1", b"m": b"ab", b"x": None}),
        (b"\x03v=1\x03v=2", {b"v": b"1"}),
        (b"\x09v=1", {b"v": b"1"}),
        (b"\x00\x00", {b"": None}),
    ],
)
def test_strings_of_a_txt_record(text: bytes, properties: dict[bytes, bytes | None]) -> None:
    assert probes._properties(text) == properties
