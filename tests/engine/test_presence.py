"""Real engines on loopback: discovery, handshake, records and metadata as in the field."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from presence_core.codec.metadata import MAX_METADATA_BYTES, MetadataError, metadata_size
from presence_core.errors import EngineError
from presence_core.gossip.neighbours import Slots
from presence_core.identity.keyfile import HomeError
from presence_core.identity.mesh import MeshKey
from presence_core.model import (
    Allow,
    ChangeKind,
    ConditionState,
    ConnectionRequest,
    Deny,
    MetadataState,
    PresenceGraph,
    PresenceState,
    ViewState,
)
from presence_core.presence import Presence
from tests.support import config, engines, online, until


@pytest.fixture
def mesh() -> MeshKey:
    return MeshKey.generate("test")


def sees(graph: PresenceGraph, *, others: set[str]) -> bool:
    return online(graph) == others


def sees_directly(graph: PresenceGraph, *, others: set[str]) -> bool:
    """Whether it has a link to each; before that it may see them over others."""
    direct = {p.device_name for p in graph.remote_peers if p.presence.direct}
    return online(graph) == direct == others


def condition(graph: PresenceGraph, source: str) -> ConditionState:
    return next(c.state for c in graph.conditions if c.source == source)


async def test_three_engines_find_each_other(tmp_path: Path, mesh: MeshKey) -> None:
    async with engines(tmp_path, mesh, "alice", "bob", "carol") as (alice, bob, carol):
        for engine, others in (
            (alice, {"bob", "carol"}),
            (bob, {"alice", "carol"}),
            (carol, {"alice", "bob"}),
        ):
            graph = await until(engine, partial(sees_directly, others=others))
            for peer in graph.remote_peers:
                assert peer.presence.direct
                assert peer.presence.hops == 1
                assert peer.is_compatible is True
                assert graph.local_peer.peer_key in {
                    end for c in peer.connections for end in (c.peer1, c.peer2)
                }
        graph = await until(
            alice,
            lambda g: len(g.connections) == 3 and all(c.confirmed for c in g.connections.values()),
        )
        assert {c.type for c in graph.connections.values()} == {"LAN"}
        await until(alice, lambda g: g.view.state is ViewState.CURRENT)


async def test_metadata_arrives_and_changes_arrive(tmp_path: Path, mesh: MeshKey) -> None:
    async with (
        Presence(config(tmp_path / "alice", mesh, metadata={"role": "medic"})) as alice,
        Presence(config(tmp_path / "bob", mesh)) as bob,
    ):
        graph = await until(bob, lambda g: any(p.peer_metadata for p in g.remote_peers))
        assert dict(graph.remote_peers[0].peer_metadata) == {"role": "medic"}
        await alice.set_peer_metadata({"role": "driver", "seats": [1, 2.5, None]})
        graph = await until(bob, lambda g: g.remote_peers[0].peer_metadata.get("role") == "driver")
        assert dict(graph.remote_peers[0].peer_metadata) == {
            "role": "driver",
            "seats": [1, 2.5, None],
        }
        await alice.set_peer_metadata({})
        await until(bob, lambda g: g.remote_peers[0].peer_metadata_state is MetadataState.NONE)


async def test_metadata_of_the_greatest_size_arrives(tmp_path: Path, mesh: MeshKey) -> None:
    largest = {"x": "y" * (MAX_METADATA_BYTES - 8)}
    while metadata_size(largest) < MAX_METADATA_BYTES:
        largest["x"] += "y"
    assert metadata_size(largest) == MAX_METADATA_BYTES
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(bob, lambda g: online(g) == {"alice"})
        await alice.set_peer_metadata(largest)
        await until(bob, lambda g: dict(g.remote_peers[0].peer_metadata) == largest)
        with pytest.raises(MetadataError, match="131072|131,072"):
            await alice.set_peer_metadata({"x": largest["x"] + "y"})
        assert alice.peer_metadata == largest


async def test_metadata_survives_a_restart_and_follows_its_file(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with Presence(config(tmp_path / "alice", mesh)) as alice:
        await alice.set_peer_metadata_json('{"location": "inside"}')
    async with Presence(config(tmp_path / "alice", mesh)) as alice:
        assert alice.peer_metadata == {"location": "inside"}
        path = tmp_path / "alice" / "metadata.json"
        await asyncio.to_thread(path.write_text, '{"location": "outside"}')
        await until(alice, lambda g: dict(g.local_peer.peer_metadata) == {"location": "outside"})
        await asyncio.to_thread(path.write_text, "{broken")
        await until(
            alice,
            lambda g: any(
                c.source == "home" and c.state is ConditionState.WARNING for c in g.conditions
            ),
        )
        assert alice.peer_metadata == {"location": "outside"}


async def test_refused_metadata_leaves_the_old_value(tmp_path: Path, mesh: MeshKey) -> None:
    deep: Any = {}
    for _ in range(16):
        deep = {"d": deep}
    async with Presence(config(tmp_path / "alice", mesh, metadata={"keep": True})) as alice:
        wrong: list[Any] = [deep, {"n": float("nan")}, {1: 2}, ["no"], {"b": b"x"}]
        for bad in wrong:
            with pytest.raises(MetadataError):
                await alice.set_peer_metadata(bad)
        for text in ('{"a": 1, "a": 2}', "[1]", '{"n": NaN}', "{"):
            with pytest.raises(MetadataError):
                await alice.set_peer_metadata_json(text)
        assert alice.peer_metadata == {"keep": True}


async def test_a_clean_exit_is_left_and_a_return_has_a_higher_epoch(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with Presence(config(tmp_path / "alice", mesh)) as alice:
        async with Presence(config(tmp_path / "bob", mesh)):
            await until(alice, lambda g: online(g) == {"bob"})
        graph = await until(alice, lambda g: g.remote_peers[0].presence.state is PresenceState.LEFT)
        await until(alice, lambda g: g.view.state is ViewState.BLIND)
        key = graph.remote_peers[0].peer_key
        async with Presence(config(tmp_path / "bob", mesh)):
            graph = await until(alice, lambda g: online(g) == {"bob"})
            assert graph.remote_peers[0].peer_key == key


async def test_changes_tell_of_joining_and_leaving(tmp_path: Path, mesh: MeshKey) -> None:
    kinds: list[ChangeKind] = []
    async with Presence(config(tmp_path / "alice", mesh)) as alice:

        async def follow() -> None:
            async for change in alice.changes():
                kinds.extend(c.kind for c in change.changes)

        task = asyncio.create_task(follow())
        async with Presence(config(tmp_path / "bob", mesh)) as bob:
            await until(alice, lambda g: online(g) == {"bob"})
            await bob.set_peer_metadata({"a": 1})
            await until(alice, lambda g: bool(g.remote_peers[0].peer_metadata))
        await until(alice, lambda g: not online(g))
    await task
    order = [kinds.index(kind) for kind in (ChangeKind.PEER_JOINED, ChangeKind.PEER_LEFT)]
    assert order == sorted(order)
    assert {ChangeKind.METADATA_CHANGED, ChangeKind.LINK_UP, ChangeKind.LINK_DOWN} <= set(kinds)


async def test_a_handler_sees_who_asks_and_can_deny(tmp_path: Path, mesh: MeshKey) -> None:
    asked: list[ConnectionRequest] = []

    async def only_medics(request: ConnectionRequest) -> Allow | Deny:
        asked.append(request)
        return Allow() if request.peer_metadata.get("role") == "medic" else Deny("medics only")

    alice = Presence(config(tmp_path / "alice", mesh))
    alice.connection_request_handler = only_medics
    async with (
        alice,
        Presence(config(tmp_path / "bob", mesh, metadata={"role": "medic"})) as bob,
        Presence(config(tmp_path / "carol", mesh)) as carol,
    ):
        await until(bob, lambda g: "alice" in online(g))
        await until(carol, lambda g: condition(g, "admission") is ConditionState.WARNING)
        await until(alice, lambda g: condition(g, "admission") is ConditionState.WARNING)
        await until(
            alice,
            lambda g: {p.device_name for p in g.remote_peers if p.presence.direct} == {"bob"},
        )
        assert {r.peer_key for r in asked} == {
            bob.graph.local_peer.peer_key,
            carol.graph.local_peer.peer_key,
        }


async def test_a_handler_that_raises_denies(tmp_path: Path, mesh: MeshKey) -> None:
    async def broken(_request: ConnectionRequest) -> Allow | Deny:
        raise RuntimeError("a bug of the program")

    alice = Presence(config(tmp_path / "alice", mesh))
    alice.connection_request_handler = broken
    async with alice, Presence(config(tmp_path / "bob", mesh)) as bob:
        await until(bob, lambda g: condition(g, "admission") is ConditionState.WARNING)
        assert not online(alice.graph)


async def test_another_mesh_is_not_joined_but_said(tmp_path: Path, mesh: MeshKey) -> None:
    async with (
        Presence(config(tmp_path / "alice", mesh)) as alice,
        Presence(config(tmp_path / "mallory", MeshKey.generate("other"))) as mallory,
    ):
        for engine in (alice, mallory):
            graph = await until(engine, lambda g: condition(g, "mesh") is ConditionState.WARNING)
            assert graph.remote_peers == ()


async def test_the_engine_of_a_taken_key_says_so(tmp_path: Path, mesh: MeshKey) -> None:
    async with Presence(config(tmp_path / "alice", mesh)):
        with pytest.raises(HomeError, match="already"):
            await Presence(config(tmp_path / "alice", mesh)).start()


async def test_a_taken_port_says_so(tmp_path: Path, mesh: MeshKey) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(EngineError, match=f"127.0.0.1:{port}"):
        await Presence(config(tmp_path / "alice", mesh, listen=f"127.0.0.1:{port}")).start()
    server.close()


async def test_without_transports_an_engine_talks_to_nobody(tmp_path: Path, mesh: MeshKey) -> None:
    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        assert alice.graph.view.state is ViewState.BLIND
        await alice.set_peer_metadata({"a": 1})
        await until(alice, lambda g: dict(g.local_peer.peer_metadata) == {"a": 1})


async def test_observers_get_the_first_graph_at_once_and_the_newest_after(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        seen: list[PresenceGraph] = []
        observer = alice.observe(seen.append, interval=0.0)
        assert len(seen) == 1
        for number in range(50):
            await alice.set_peer_metadata({"n": number})
        await until(alice, lambda g: g.local_peer.peer_metadata.get("n") == 49)
        async with asyncio.timeout(10):
            while seen[-1].local_peer.peer_metadata.get("n") != 49:
                await asyncio.sleep(0)
        sequences = [graph.sequence for graph in seen]
        assert sequences == sorted(set(sequences))
        observer.stop()
        observer.stop()
        count = len(seen)
        await alice.set_peer_metadata({"n": "after"})
        await until(alice, lambda g: g.local_peer.peer_metadata.get("n") == "after")
        assert len(seen) == count


async def test_changes_within_the_interval_are_one_call(tmp_path: Path, mesh: MeshKey) -> None:
    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        seen: list[PresenceGraph] = []
        with alice.observe(seen.append, interval=0.5):
            for number in range(30):
                await alice.set_peer_metadata({"n": number})
            await until(alice, lambda g: g.local_peer.peer_metadata.get("n") == 29)
            async with asyncio.timeout(10):
                while seen[-1].local_peer.peer_metadata.get("n") != 29:
                    await asyncio.sleep(0.01)
        assert len(seen) < 30


async def test_an_observer_that_raises_harms_nobody(
    tmp_path: Path, mesh: MeshKey, caplog: pytest.LogCaptureFixture
) -> None:
    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        arrived = asyncio.Event()

        def broken(_graph: PresenceGraph) -> None:
            raise RuntimeError("a bug of the program")

        def works(graph: PresenceGraph) -> None:
            if graph.local_peer.peer_metadata:
                arrived.set()

        with caplog.at_level(logging.ERROR), alice.observe(broken), alice.observe(works):
            await alice.set_peer_metadata({"a": 1})
            await asyncio.wait_for(arrived.wait(), 10)
        assert "a bug of the program" in caplog.text


async def test_a_slow_observer_gets_the_newest_and_never_two_at_a_time(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        running = 0
        seen: list[object] = []
        gate = asyncio.Event()
        last = asyncio.Event()

        async def slow(graph: PresenceGraph) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await gate.wait()
            seen.append(graph.local_peer.peer_metadata.get("n"))
            running -= 1
            if seen[-1] == 19:
                last.set()

        with alice.observe(slow, interval=0.0):
            for number in range(20):
                await alice.set_peer_metadata({"n": number})
            await until(alice, lambda g: g.local_peer.peer_metadata.get("n") == 19)
            gate.set()
            await asyncio.wait_for(last.wait(), 10)
        assert len(seen) <= 3


async def test_an_observer_lives_on_when_its_handle_is_dropped(
    tmp_path: Path, mesh: MeshKey
) -> None:
    import gc

    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        arrived = asyncio.Event()
        alice.observe(lambda g: arrived.set() if g.local_peer.peer_metadata else None)
        gc.collect()
        await alice.set_peer_metadata({"a": 1})
        await asyncio.wait_for(arrived.wait(), 10)


async def test_who_finds_no_room_anywhere_says_so(
    tmp_path: Path, mesh: MeshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slots, "of", lambda _links: Slots(dial=1, accept=1, spare=0))
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(alice, partial(sees_directly, others={"bob"}))
        await until(bob, partial(sees_directly, others={"alice"}))
        async with Presence(config(tmp_path / "carol", mesh)) as carol:
            await until(carol, lambda g: condition(g, "neighbours") is ConditionState.WARNING)
            assert not online(carol.graph)
            for engine, other in ((alice, "bob"), (bob, "alice")):
                assert sees_directly(engine.graph, others={other})


async def test_where_links_are_few_a_newcomer_gets_in_nevertheless(
    tmp_path: Path, mesh: MeshKey
) -> None:
    # Three may come to be a triangle, in which all are full, or a chain, in which one is.
    names = ("alice", "bob", "carol")
    async with engines(tmp_path, mesh, *names, max_links=2) as first:
        for engine, name in zip(first, names, strict=True):
            await until(engine, partial(sees, others={*names} - {name}))
        async with Presence(config(tmp_path / "dave", mesh, max_links=2)) as dave:
            everybody = {*names, "dave"}
            for engine, name in zip([*first, dave], [*names, "dave"], strict=True):
                graph = await until(engine, partial(sees, others=everybody - {name}))
                assert any(peer.presence.direct for peer in graph.remote_peers)


async def test_a_static_address_is_dialled_and_a_dead_one_is_said(
    tmp_path: Path, mesh: MeshKey
) -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    dead = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    free = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    live = f"127.0.0.1:{free.sockets[0].getsockname()[1]}"
    free.close()
    await free.wait_closed()
    async with (
        Presence(config(tmp_path / "alice", mesh, listen=live)),
        Presence(config(tmp_path / "bob", mesh, peers=(live, dead))) as bob,
    ):
        await until(bob, lambda g: online(g) == {"alice"})
        graph = await until(bob, lambda g: condition(g, "static") is ConditionState.WARNING)
        (said,) = [c for c in graph.conditions if c.source == "static"]
        assert dead in (said.message or "")
        assert live not in (said.message or "")
    server.close()
