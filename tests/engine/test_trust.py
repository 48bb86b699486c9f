"""Trust in real engines on loopback: blocked peers, the file that is followed, warnings."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from presence_core.engine import trust_keeper
from presence_core.identity import trust_file
from presence_core.identity.keyfile import HomeError, atomic_write
from presence_core.identity.keys import Identity, KeyFormatError, parse_peer_key, peer_key_text
from presence_core.identity.mesh import MeshKey
from presence_core.identity.trust import TrustBook
from presence_core.model import (
    ChangeKind,
    ConditionState,
    IdentityStatus,
    Peer,
    PresenceGraph,
    PresenceState,
    Trust,
)
from presence_core.presence import Presence
from tests.authority import Authority
from tests.support import config, engines, online, until


@pytest.fixture
def mesh() -> MeshKey:
    return MeshKey.generate("test")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines write at once what they meet."""
    monkeypatch.setattr(trust_keeper, "WRITE_SECONDS", 0.0)
    monkeypatch.setattr(trust_keeper, "AGAIN_SECONDS", 0.0)


def named(graph: PresenceGraph, name: str) -> Peer | None:
    return next((p for p in graph.remote_peers if p.device_name == name), None)


def direct(graph: PresenceGraph) -> set[str]:
    return {p.device_name for p in graph.remote_peers if p.presence.direct}


def trust_of(graph: PresenceGraph, name: str) -> Trust | None:
    peer = named(graph, name)
    return None if peer is None else peer.trust


def is_verified(graph: PresenceGraph, name: str) -> bool:
    peer = named(graph, name)
    return peer is not None and peer.identity.status is IdentityStatus.VERIFIED


def says(graph: PresenceGraph, source: str, words: str) -> bool:
    return any(c.source == source and words in (c.message or "") for c in graph.conditions)


def key_of(presence: Presence) -> str:
    return presence.graph.local_peer.peer_key


def in_file(home: Path) -> dict[str, Trust]:
    path = home / "trust"
    book = TrustBook.parse(path.read_text() if path.exists() else "")
    return {peer_key_text(one.key): one.state for one in book}


async def test_to_block_a_neighbour_closes_its_link_and_keeps_it_out(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with engines(tmp_path, mesh, "alice", "bob", "carol") as (alice, bob, carol):
        for presence in (alice, bob, carol):
            await until(presence, lambda g: len(direct(g)) == 2, "a full mesh")
        kinds: list[tuple[ChangeKind, object]] = []

        async def follow() -> None:
            async for change in alice.changes(interval=0.0):
                kinds.extend((c.kind, c.after) for c in change.changes)

        task = asyncio.create_task(follow())
        await alice.set_trust(key_of(bob), Trust.BLOCKED)
        text = (tmp_path / "alice" / "trust").read_text()
        (line,) = [line for line in text.splitlines() if key_of(bob) in line]
        assert 'name="bob" run=' in line  # met just now, and not written until now
        graph = await until(
            alice, lambda g: direct(g) == {"carol"} and trust_of(g, "bob") is Trust.BLOCKED
        )
        # He is in the mesh all the same: others may think otherwise of him, and his records travel.
        graph = await until(alice, lambda g: online(g) == {"bob", "carol"})
        blocked = named(graph, "bob")
        assert blocked is not None
        assert blocked.presence.hops == 2
        await bob.set_peer_metadata({"still": "heard"})
        await until(alice, lambda g: bool((p := named(g, "bob")) and p.peer_metadata))
        await until(bob, lambda g: says(g, "admission", "has blocked this device"))
        await until(bob, lambda g: direct(g) == {"carol"})
        assert (ChangeKind.TRUST_CHANGED, "blocked") in kinds
        # After a restart of either nothing else holds.
        await alice.stop()
        await task
        async with Presence(config(tmp_path / "alice", mesh)) as alice_again:
            await until(alice_again, lambda g: online(g) == {"bob", "carol"})
            assert trust_of(alice_again.graph, "bob") is Trust.BLOCKED
            assert direct(alice_again.graph) == {"carol"}
            await alice_again.forget(key_of(bob))
            await until(alice_again, lambda g: trust_of(g, "bob") is Trust.UNKNOWN)
            await until(alice_again, lambda g: direct(g) == {"bob", "carol"}, "a link with bob")


async def test_who_is_blocked_gets_no_link_when_there_is_nobody_else(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with Presence(config(tmp_path / "alice", mesh)) as alice:
        async with Presence(config(tmp_path / "bob", mesh)) as bob:
            key = key_of(bob)
        await alice.set_trust(key, Trust.BLOCKED)
        async with Presence(config(tmp_path / "bob", mesh)) as bob:
            await until(bob, lambda g: says(g, "admission", "has blocked this device"))
            assert online(bob.graph) == set()
            assert online(alice.graph) == set()
            await alice.set_trust(key, Trust.VERIFIED)
            await until(alice, lambda g: online(g) == {"bob"})
            assert trust_of(alice.graph, "bob") is Trust.VERIFIED


async def test_whom_one_has_met_is_seen_the_next_time(tmp_path: Path, mesh: MeshKey) -> None:
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, _bob):
        graph = await until(alice, lambda g: online(g) == {"bob"})
        assert trust_of(graph, "bob") is Trust.UNKNOWN
    assert list(in_file(tmp_path / "alice").values()) == [Trust.SEEN]
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, _bob):
        graph = await until(alice, lambda g: online(g) == {"bob"})
        assert trust_of(graph, "bob") is Trust.SEEN


async def test_a_name_that_reappears_under_another_key_is_warned_of(
    tmp_path: Path, mesh: MeshKey
) -> None:
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(alice, lambda g: online(g) == {"bob"})
        short = bob.graph.local_peer.short_id
    changes: list[tuple[ChangeKind, object]] = []
    async with Presence(config(tmp_path / "alice", mesh)) as alice:

        async def follow() -> None:
            async for change in alice.changes(interval=0.0):
                changes.extend((c.kind, c.after) for c in change.changes)

        task = asyncio.create_task(follow())
        async with Presence(config(tmp_path / "stranger", mesh, name="bob")) as stranger:
            graph = await until(alice, lambda g: online(g) == {"bob"})
            peer = named(graph, "bob")
            assert peer is not None
            assert peer.key_warning is not None
            assert f"{short} (seen)" in peer.key_warning
            await alice.set_trust(key_of(stranger), Trust.VERIFIED)
            graph = await until(alice, lambda g: trust_of(g, "bob") is Trust.VERIFIED)
            peer = named(graph, "bob")
            assert peer is not None
            assert peer.key_warning is None
    await task
    warned = [after for kind, after in changes if kind is ChangeKind.KEY_WARNING]
    assert len(warned) == 1


async def test_a_subject_that_is_vouched_for_under_another_key_is_warned_of(
    tmp_path: Path, mesh: MeshKey
) -> None:
    authority = Authority()
    async with engines(tmp_path, mesh, "alice", "old phone", "new phone") as (alice, old, new):
        await alice.trust_issuer(authority.key_set().raw)
        for presence in (old, new):
            key = parse_peer_key(key_of(presence))
            await presence.set_identity_token(authority.token(key, time.time(), subject="ana"))
            name = presence.graph.local_peer.device_name
            await until(alice, partial(is_verified, name=name))
        graph = alice.graph
        newer, older = named(graph, "new phone"), named(graph, "old phone")
        assert newer is not None
        assert older is not None
        assert older.key_warning is None
        assert newer.key_warning is not None
        assert f"'ana' of {authority.name!r} was met before" in newer.key_warning
        assert older.short_id in newer.key_warning
        assert graph.counts.verified == 2
        await alice.set_trust(older.peer_key, Trust.BLOCKED)
        graph = await until(alice, lambda g: trust_of(g, "old phone") is Trust.BLOCKED)
        newer = named(graph, "new phone")
        assert newer is not None
        assert newer.key_warning is None
        assert graph.counts.verified == 1
    text = (tmp_path / "alice" / "trust").read_text()
    assert text.count('subject="ana" issuer="Harbour Rescue"') == 2


@pytest.mark.usefixtures("soon")
async def test_what_is_forgotten_is_not_written_back_as_it_was(
    tmp_path: Path, mesh: MeshKey
) -> None:
    home = tmp_path / "alice"
    key = peer_key_text((identity := Identity.generate()).peer_key)
    home.mkdir(mode=0o700)
    (home / "trust").write_text(f'{key} seen 2020-01-01T00:00:00Z name="gone" run=1\n')
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(alice, lambda g: online(g) == {"bob"})
        while key_of(bob) not in in_file(home):
            await asyncio.sleep(0.05)
        path = home / "trust"
        old = (await asyncio.to_thread(path.read_text)).replace("2026-", "2021-")
        await asyncio.to_thread(path.write_text, old)  # as if bob had been met long ago
        await until(alice, lambda g: trust_of(g, "bob") is Trust.UNKNOWN)
        for one in (key, key_of(bob)):
            await alice.forget(one)
        await until(alice, lambda g: trust_of(g, "bob") is Trust.UNKNOWN)
        while key_of(bob) not in in_file(home):
            await asyncio.sleep(0.05)
        text = await asyncio.to_thread(path.read_text)
        assert key not in text
        assert " seen 2021-" not in text
    assert parse_peer_key(key) == identity.peer_key


async def test_the_file_is_followed_and_damage_is_said(tmp_path: Path, mesh: MeshKey) -> None:
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(alice, lambda g: direct(g) == {"bob"})
        path = tmp_path / "alice" / "trust"
        line = f"{key_of(bob)} blocked 2026-11-30T16:00:00Z\n"
        await asyncio.to_thread(path.write_text, "# by hand\nnonsense\n" + line)
        await until(alice, lambda g: trust_of(g, "bob") is Trust.BLOCKED and not direct(g))
        graph = await until(alice, lambda g: says(g, "trust", "line 2: not of the form"))
        said = next(c for c in graph.conditions if c.source == "trust")
        assert said.state is ConditionState.WARNING
        assert said.hint
        assert named(graph, "bob") is not None
        await alice.set_trust(key_of(bob), Trust.VERIFIED)
        text = await asyncio.to_thread(path.read_text)
        assert text.startswith("# by hand\nnonsense\n" + key_of(bob))
        await until(alice, lambda g: direct(g) == {"bob"})
        await asyncio.to_thread(path.unlink)
        await until(alice, lambda g: trust_of(g, "bob") is Trust.UNKNOWN)
        await until(
            alice,
            lambda g: all(
                c.state is ConditionState.OK for c in g.conditions if c.source == "trust"
            ),
        )


async def test_a_file_that_cannot_be_read_stops_the_start_but_not_a_running_engine(
    tmp_path: Path, mesh: MeshKey
) -> None:
    path = tmp_path / "alice" / "trust"
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(alice, lambda g: direct(g) == {"bob"})
        await alice.set_trust(key_of(bob), Trust.BLOCKED)
        large = path.with_name("large")
        with large.open("wb") as sparse:
            sparse.truncate(trust_file.MAX_BYTES + 1)
        large.replace(path)
        await until(alice, lambda g: says(g, "trust", f"{path} is too large"))
        assert trust_of(alice.graph, "bob") is Trust.BLOCKED
        with pytest.raises(HomeError, match="too large"):
            await alice.set_trust(key_of(bob), Trust.VERIFIED)
        assert trust_of(alice.graph, "bob") is Trust.BLOCKED
    with pytest.raises(HomeError, match="too large"):
        await Presence(config(tmp_path / "alice", mesh)).start()


async def test_a_mesh_that_comes_up_is_one_write(
    tmp_path: Path, mesh: MeshKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def counting(path: Path, data: bytes) -> None:
        written.append(path)
        atomic_write(path, data)

    monkeypatch.setattr(trust_file, "atomic_write", counting)
    names = ("alice", "bob", "carol", "dave")
    async with engines(tmp_path, mesh, *names) as (alice, *_):
        await until(alice, lambda g: online(g) == {"bob", "carol", "dave"})
    path = tmp_path / "alice" / "trust"
    assert written.count(path) == 1
    assert len(in_file(path.parent)) == 3
    async with engines(tmp_path, mesh, *names) as (alice, *_):
        await until(alice, lambda g: online(g) == {"bob", "carol", "dave"})
    assert written.count(path) == 1  # nobody new, nothing to write


async def test_a_full_disk_is_said_and_what_was_met_is_written_later(
    tmp_path: Path, mesh: MeshKey, monkeypatch: pytest.MonkeyPatch, soon: None
) -> None:
    full = [True]

    def write(path: Path, data: bytes) -> None:
        if full and path.parent.name == "alice":
            raise OSError(28, "No space left on device")
        atomic_write(path, data)

    monkeypatch.setattr(trust_file, "atomic_write", write)
    async with engines(tmp_path, mesh, "alice", "bob") as (alice, bob):
        await until(alice, lambda g: says(g, "trust", "No space left on device"))
        with pytest.raises(HomeError, match="No space left"):
            await alice.set_trust(key_of(bob), Trust.BLOCKED)
        assert direct(alice.graph) == {"bob"}
        full.clear()
        await until(
            alice, lambda g: not says(g, "trust", "No space left"), "the end of the condition"
        )
        assert key_of(bob) in in_file(tmp_path / "alice")


async def test_an_engine_that_talks_to_nobody_writes_nothing(tmp_path: Path) -> None:
    async with Presence(config(tmp_path / "alone", MeshKey.generate("x"), transports=())) as alone:
        assert alone.graph.remote_peers == ()
    assert {path.name for path in (tmp_path / "alone").iterdir()} == {"identity.key", "epoch"}


async def test_what_makes_no_sense_is_refused(tmp_path: Path, mesh: MeshKey) -> None:
    key = peer_key_text(Identity.generate().peer_key)
    async with Presence(config(tmp_path / "alice", mesh, transports=())) as alice:
        for wrong in (Trust.UNKNOWN, Trust.SEEN):
            with pytest.raises(ValueError, match="verified, blocked or forgotten"):
                await alice.set_trust(key, wrong)
        with pytest.raises(ValueError, match="this device itself"):
            await alice.set_trust(key_of(alice), Trust.BLOCKED)
        for text in ("", "pk1nonsense", key[:-1]):
            with pytest.raises(KeyFormatError):
                await alice.set_trust(text, Trust.BLOCKED)
            with pytest.raises(KeyFormatError):
                await alice.forget(text)
        await alice.forget(key)  # whom one does not know is forgotten already
        await alice.set_trust(key.upper(), Trust.BLOCKED)  # whom one does not know can be blocked
        await alice.forget(key)
    assert in_file(tmp_path / "alice") == {}


async def test_a_peer_that_is_lost_stays_who_it_was(tmp_path: Path, mesh: MeshKey) -> None:
    async with Presence(config(tmp_path / "alice", mesh)) as alice:
        async with Presence(config(tmp_path / "bob", mesh)) as bob:
            await until(alice, lambda g: online(g) == {"bob"})
            await alice.set_trust(key_of(bob), Trust.VERIFIED)
        graph = await until(
            alice, lambda g: (p := named(g, "bob")) is not None and not p.presence.direct
        )
        gone = named(graph, "bob")
        assert gone is not None
        assert gone.presence.state is PresenceState.LEFT
        assert gone.trust is Trust.VERIFIED
