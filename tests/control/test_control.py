"""Looking through the engine of another process."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from presence_core.identity.mesh import MeshKey
from presence_core.model import PresenceGraph
from presence_core.presence import Presence
from presence_core.schema import dumps, graph_to_json
from presence_tui.control.client import ControlError, RemoteSource, attached
from presence_tui.control.server import MAX_CONNECTIONS, serving
from presence_tui.control.wire import MAX_REQUEST, GraphAssembly, GraphParts, decode, encode
from tests import canned
from tests.support import PATIENCE, config, online, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def seen(source: RemoteSource, condition: Callable[[PresenceGraph], bool]) -> PresenceGraph:
    """Wait until the other end has a graph that fulfils a condition."""
    there = asyncio.Event()
    with source.observe(lambda graph: there.set() if condition(graph) else None, interval=0.0):
        async with asyncio.timeout(PATIENCE):
            await there.wait()
    return source.graph


def same(one: PresenceGraph, other: PresenceGraph) -> bool:
    return dumps(graph_to_json(one)) == dumps(graph_to_json(other))


def through_the_wire(parts: GraphParts, assembly: GraphAssembly, graph: PresenceGraph) -> bytes:
    line = encode(parts.next(graph))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert same(assembly.next(decode(line)), graph)
    return line


def test_graphs_are_whole_at_the_other_end_and_cost_what_has_changed() -> None:
    source = canned.CannedSource(canned.many())
    parts, assembly = GraphParts(), GraphAssembly()
    first = through_the_wire(parts, assembly, source.graph)
    source.change(5, device_name="renamed")
    change = through_the_wire(parts, assembly, source.graph)
    assert len(change) * 5 < len(first)
    fewer = source.graph.remote_peers[:3] + source.graph.remote_peers[4:]
    id_ = next(iter(source.graph.connections))
    links = {key: link for key, link in source.graph.connections.items() if key != id_}
    through_the_wire(parts, assembly, replace(source.graph, remote_peers=fewer, connections=links))
    through_the_wire(parts, assembly, source.graph)
    through_the_wire(parts, assembly, canned.hostile())


def test_what_has_not_changed_stays_the_same_object() -> None:
    """A table of 10,000 peers finds what changed by that."""
    source = canned.CannedSource(canned.many())
    parts, assembly = GraphParts(), GraphAssembly()
    before = assembly.next(decode(encode(parts.next(source.graph))))
    source.change(5, device_name="renamed")
    after = assembly.next(decode(encode(parts.next(source.graph))))
    changed = [p.device_name for p in after.remote_peers if p not in set(before.remote_peers)]
    assert changed == ["renamed"]
    assert all(after.connections[id_] is link for id_, link in before.connections.items())


async def test_a_real_engine_is_seen_and_changed_from_outside(tmp_path: Path) -> None:
    mesh = MeshKey.generate("field")
    path = tmp_path / "control"
    async with (
        Presence(config(tmp_path / "here", mesh)) as here,
        Presence(config(tmp_path / "there", mesh)) as there,
        serving(here, path, read_only=False),
        attached(path) as source,
    ):
        assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o600
        assert source.graph.local_peer.peer_key == here.graph.local_peer.peer_key
        await seen(source, lambda graph: online(graph) == {"there"})
        await source.set_peer_metadata_json('{"location": "gate 4"}')
        assert here.peer_metadata == {"location": "gate 4"}
        await until(
            there,
            lambda graph: any(p.peer_metadata == here.peer_metadata for p in graph.remote_peers),
        )
        with pytest.raises(ControlError, match="line 1"):
            await source.set_peer_metadata_json("{")
        assert here.peer_metadata == {"location": "gate 4"}
    assert not await asyncio.to_thread(path.exists)


async def test_nothing_can_be_changed_through_a_read_only_socket(tmp_path: Path) -> None:
    engine = canned.CannedSource(canned.team())
    async with (
        serving(engine, tmp_path / "control", read_only=True),
        attached(tmp_path / "control") as source,
    ):
        assert source.read_only
        with pytest.raises(ControlError, match="only shows"):
            await source.set_peer_metadata_json("{}")
    assert not engine.taken


async def test_two_look_at_once_and_one_that_does_not_read_harms_nobody(tmp_path: Path) -> None:
    engine = canned.CannedSource(canned.many())
    path = tmp_path / "control"
    async with serving(engine, path, read_only=False), attached(path) as one:
        _, silent = await asyncio.open_unix_connection(path)
        async with attached(path) as other:
            for number in range(200):
                engine.change(1, device_name=f"name {number} " + "x" * 500)
                await asyncio.sleep(0)
            await seen(one, lambda graph: same(graph, engine.graph))
            await seen(other, lambda graph: same(graph, engine.graph))
        silent.close()
        await silent.wait_closed()
    assert engine.watchers == 0


@pytest.mark.parametrize(
    "line", [b"\xff\n", b"[]\n", b"{\n", b"x" * (MAX_REQUEST + 10) + b"\n"], ids=range(4)
)
async def test_nonsense_is_sent_away_and_the_rest_goes_on(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "control"
    engine = canned.CannedSource(canned.team())
    async with serving(engine, path, read_only=False), attached(path) as source:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        async with asyncio.timeout(PATIENCE):
            while await reader.read(65_536):
                pass
        writer.close()
        await source.set_peer_metadata_json('{"still": "here"}')
    assert engine.taken == ['{"still": "here"}']


@pytest.mark.parametrize(
    "request_", [{"do": "exec", "with": ["x"]}, {"do": "set_peer_metadata_json", "with": [{}]}, {}]
)
async def test_what_is_not_known_is_refused(tmp_path: Path, request_: dict[str, object]) -> None:
    engine = canned.CannedSource(canned.team())
    async with serving(engine, tmp_path / "control", read_only=False):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "control", limit=1 << 24)
        writer.write(encode({"id": 7, **request_}))
        async with asyncio.timeout(PATIENCE):
            while "answer" not in (answer := decode(await reader.readline())):
                pass
        assert answer["answer"] == 7
        assert answer["error"]
        writer.close()
        await writer.wait_closed()


async def test_more_than_there_is_room_for_are_turned_away(tmp_path: Path) -> None:
    engine = canned.CannedSource(canned.make_graph())
    path = tmp_path / "control"
    async with serving(engine, path, read_only=True):
        visits = [await asyncio.open_unix_connection(path) for _ in range(MAX_CONNECTIONS)]
        for reader, _ in visits:
            assert await reader.readline()
        with pytest.raises(ControlError, match="cannot be understood"):
            async with attached(path):
                pass
        for _, writer in visits:
            writer.close()
            await writer.wait_closed()


async def test_the_end_of_the_engine_is_noticed(tmp_path: Path) -> None:
    engine = canned.CannedSource(canned.team())
    path = tmp_path / "control"
    async with serving(engine, path, read_only=False):
        attaching = attached(path)
        source = await attaching.__aenter__()
    async with asyncio.timeout(PATIENCE):
        await source.gone.wait()
    with pytest.raises(ControlError, match="ended"):
        await source.set_peer_metadata_json("{}")
    await attaching.__aexit__(None, None, None)
    with pytest.raises(ControlError, match="no engine answers"):
        async with attached(path):
            pass
