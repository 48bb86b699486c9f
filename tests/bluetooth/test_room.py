"""Engines that have nothing but Bluetooth: they find each other, and notice what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from presence_core.gossip.messages import SLOW_CHUNK_BYTES
from presence_core.model import (
    Allow,
    Change,
    ChangeKind,
    ConnectionRequest,
    Deny,
    MetadataState,
    PresenceGraph,
    PresenceState,
    ViewState,
)
from presence_core.presence import Presence
from presence_core.transports import LAN
from presence_core.transports.ble.channel import WINDOW
from presence_core.transports.ble.fragments import DEFAULT_FRAGMENT, HEADER_BYTES
from presence_core.transports.ble.stream import BleStream
from tests.bluetooth.room import Room, peer, room_in, state, types
from tests.support import PATIENCE, online, until


@pytest.fixture
async def room(no_task_left: None, tmp_path: Path) -> AsyncIterator[Room]:
    async with room_in(tmp_path) as room:
        yield room


def shows(graph: PresenceGraph, name: str, metadata: dict[str, str]) -> bool:
    found = peer(graph, name)
    return (
        found is not None
        and found.peer_metadata_state is MetadataState.PRESENT
        and found.peer_metadata == metadata
    )


def linked(graph: PresenceGraph, name: str, kinds: set[str]) -> bool:
    return types(graph, name) == kinds


async def sees(presence: Presence, *names: str) -> PresenceGraph:
    """Wait until just these are online."""
    return await until(presence, lambda g: online(g) == set(names), f"{names} online")


async def test_two_find_each_other_and_see_each_other_over_bluetooth(room: Room) -> None:
    small, large = {"note": "x" * 180}, {"note": "y" * 4_060}
    alice = await room.enter("alice", metadata=small)
    bob = await room.enter("bob", metadata=large)
    graph = await until(alice, lambda g: shows(g, "bob", large), "4 KiB from bob")
    assert online(graph) == {"bob"}
    assert types(graph, "bob") == {"Bluetooth"}
    await until(bob, lambda g: shows(g, "alice", small), "200 B from alice")
    measured = await until(
        bob, lambda g: any(c.rssi is not None for c in g.connections.values()), "a signal"
    )
    assert {c.rssi for c in measured.connections.values()} == {-50}
    update = {"note": "z" * 4_000}
    await bob.set_peer_metadata(update)
    await until(alice, lambda g: shows(g, "bob", update), "the update")


async def test_a_quiet_mesh_on_bluetooth_alone_stays_current(room: Room) -> None:
    """Until the first ping there is nothing to hear for longer than a LAN link would live."""
    alice = await room.enter("alice")
    await room.enter("bob")
    await until(alice, lambda g: g.view.state is ViewState.CURRENT, "current")
    states = set()
    async for change in alice.changes(interval=0.0):
        states.add(change.graph.view.state)
        if any(c.rtt_ms is not None for c in change.graph.connections.values()):
            break
    assert states == {ViewState.CURRENT}
    assert online(alice.graph) == {"bob"}


async def test_six_become_one_mesh(room: Room) -> None:
    names = {f"peer{n}" for n in range(6)}
    engines = [await room.enter(name, metadata={"of": name}) for name in sorted(names)]
    for engine in engines:
        others = names - {engine.graph.local_peer.device_name}
        graph = await sees(engine, *others)
        for name in others:
            await until(engine, partial(shows, name=name, metadata={"of": name}), "metadata")
        assert {c.type for c in graph.connections.values()} == {"Bluetooth"}


async def test_who_is_killed_is_lost(room: Room) -> None:
    alice, bob = await room.enter("alice"), await room.enter("bob")
    for engine, other in ((alice, "bob"), (bob, "alice")):
        await sees(engine, other)
    room.kill("bob")
    await until(alice, lambda g: state(g, "bob") is PresenceState.LOST, "bob lost")


async def test_who_leaves_has_left_and_is_back_when_it_is_started_again(room: Room) -> None:
    alice, bob = await room.enter("alice"), await room.enter("bob")
    await sees(alice, "bob")
    await sees(bob, "alice")
    await room.leave("bob")
    await until(alice, lambda g: state(g, "bob") is PresenceState.LEFT, "bob left")
    await room.enter("bob")
    await until(alice, lambda g: state(g, "bob") is PresenceState.ONLINE, "bob back")


async def test_who_leaves_before_it_has_let_in_the_other_end_has_left(room: Room) -> None:
    """Whoever dials is online at the other end before its own program has said yes."""
    asked, never = asyncio.Event(), asyncio.Event()

    async def think(request: ConnectionRequest) -> Allow | Deny:
        asked.set()
        await never.wait()
        return Allow()

    alice = await room.enter("alice")
    bob = await room.enter("bob", peripheral=False)  # so that it is bob who dials
    bob.connection_request_handler = think
    await sees(alice, "bob")
    await asyncio.wait_for(asked.wait(), PATIENCE)
    assert online(bob.graph) == set()
    await room.leave("bob")
    await until(alice, lambda g: state(g, "bob") is PresenceState.LEFT, "bob left")


async def test_out_of_range_there_is_a_way_through_the_middle(room: Room) -> None:
    room.air.part("alice", "carol")
    alice, _bob, carol = [await room.enter(name) for name in ("alice", "bob", "carol")]
    for engine, far in ((alice, "carol"), (carol, "alice")):
        graph = await sees(engine, "bob", far)
        seen = peer(graph, far)
        middle = peer(graph, "bob")
        assert seen is not None
        assert middle is not None
        assert (seen.presence.direct, seen.presence.hops) == (False, 2)
        assert seen.presence.via == (middle.peer_key,)
    room.air.part("alice", "bob")
    await until(alice, lambda g: online(g) == set(), "alice alone")
    room.air.join("alice", "bob")
    await until(alice, lambda g: online(g) == {"bob", "carol"}, "alice back")


async def test_who_cannot_be_found_finds_the_others(room: Room) -> None:
    alice = await room.enter("alice", peripheral=False)
    bob = await room.enter("bob")
    await until(alice, lambda g: online(g) == {"bob"}, "bob online")
    await until(bob, lambda g: online(g) == {"alice"}, "alice online")
    said = next(c for c in alice.graph.conditions if c.source == "ble")
    assert said.message == "this Bluetooth adapter cannot be found by others"
    assert said.hint


async def test_who_loses_the_lan_stays_online_over_bluetooth(room: Room) -> None:
    alice, bob = [await room.enter(name, transports=("lan", "ble")) for name in ("alice", "bob")]
    for engine, other in ((alice, "bob"), (bob, "alice")):
        await until(engine, partial(linked, name=other, kinds={"LAN", "Bluetooth"}), "both links")
        await until(engine, lambda g: g.view.state is ViewState.CURRENT, "a current view")
    changes = alice.changes(interval=0.0)
    seen: list[Change] = []

    async def watch() -> None:
        async for change in changes:
            seen.extend(change.changes)
            if linked(change.graph, "bob", {"Bluetooth"}):
                return

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    for engine in (alice, bob):
        await cut_lan(engine)
    await asyncio.wait_for(watching, PATIENCE)
    await bob.set_peer_metadata({"still": "here"})
    await until(alice, partial(shows, name="bob", metadata={"still": "here"}), "an update")
    assert ChangeKind.LINK_DOWN in {change.kind for change in seen}
    frightening = {ChangeKind.PEER_LOST, ChangeKind.PEER_LEFT, ChangeKind.VIEW_CHANGED}
    assert not [change for change in seen if change.kind in frightening]
    assert online(alice.graph) == {"bob"}


async def cut_lan(presence: Presence) -> None:
    """Take the network away from an engine."""
    engine = presence._running()
    await engine._lan.stop()
    for link in tuple(engine.links.admitted.values()):
        if link.stream.transport == LAN:
            link.stream.abort()


async def test_what_is_large_comes_when_it_is_asked_for_and_holds_nothing_up(room: Room) -> None:
    """Nothing waits behind more fragments than a window has, whatever else is on its way."""
    large = {"note": "l" * 130_000}
    bob = await room.enter("bob", metadata=large)
    alice = await room.enter("alice")
    await sees(alice, "bob")
    await until(bob, partial(linked, name="alice", kinds={"Bluetooth"}), "the link")
    ahead: list[int] = []
    streams = [link.stream for link in bob._running().links.admitted.values()]
    assert len(streams) == 1
    for stream in streams:
        assert isinstance(stream, BleStream)
        count_ahead(stream, ahead)
    assert state_of_metadata(alice, "bob") is MetadataState.PENDING
    found = peer(alice.graph, "bob")
    assert found is not None
    alice.fetch_peer_metadata(found.peer_key)
    for number in range(10):  # meanwhile others have something to say
        await alice.set_peer_metadata({"number": str(number)})
        await bob.set_peer_metadata(large | {"number": str(number)})
    await until(alice, partial(shows, name="bob", metadata=large | {"number": "9"}), "128 KiB")
    assert len(ahead) > 130_000 / SLOW_CHUNK_BYTES
    assert max(ahead) <= WINDOW


def count_ahead(stream: BleStream, ahead: list[int]) -> None:
    """Note for each message of a stream behind how many fragments it has to wait."""
    write, channel = stream.write, stream._channel
    most = DEFAULT_FRAGMENT - HEADER_BYTES

    def counted(data: bytes) -> None:
        ahead.append(len(channel._flying) + -(-channel.queued // most))
        write(data)

    stream.write = counted  # type: ignore[method-assign]


def state_of_metadata(presence: Presence, name: str) -> MetadataState | None:
    found = peer(presence.graph, name)
    return None if found is None else found.peer_metadata_state
