"""Identity between real engines on loopback, of which the outer two have no link to each other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from presence_core.engine.admission import require_identity
from presence_core.identity.issuer import KeySet, object_text
from presence_core.identity.keyfile import HomeError, KeyFile, atomic_write
from presence_core.identity.keys import peer_key_text
from presence_core.identity.mesh import MeshKey
from presence_core.identity.token import LEEWAY, TokenError, token_text
from presence_core.model import (
    Allow,
    ChangeKind,
    Condition,
    ConditionState,
    ConnectionRequest,
    Deny,
    IdentityStatus,
    Peer,
    PresenceGraph,
)
from presence_core.presence import Presence
from presence_core.schema import graph_to_json
from tests.authority import Authority
from tests.support import config, online, until

NAMES = ("alice", "bob", "carol")


def key_of(home: Path) -> bytes:
    """Return the peer key of a home, which is made if there is none."""
    file = KeyFile.open(home)
    file.close()
    return file.identity.peer_key


def trust(home: Path, key_set: KeySet) -> Path:
    """Put an issuer into a home, as a person does."""
    folder = home / "issuers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "harbour.issuer").write_text(object_text(key_set))
    return folder / "harbour.issuer"


class Line:
    """The homes of alice, bob and carol; alice and carol refuse each other."""

    def __init__(self, folder: Path) -> None:
        self.mesh = MeshKey.generate("test")
        self.authority = Authority()
        self.homes = {name: folder / name for name in NAMES}
        self.keys = {name: key_of(home) for name, home in self.homes.items()}
        for home in self.homes.values():
            trust(home, self.authority.key_set())

    def token(self, name: str, **claims: Any) -> bytes:
        return self.authority.token(self.keys[name], time.time(), **claims)

    def vouch(self, name: str, **claims: Any) -> bytes:
        """Put a token into a home, as a login does."""
        token = self.token(name, **claims)
        (self.homes[name] / "identity.token").write_text(token_text(token))
        return token

    def presence(self, name: str, **more: Any) -> Presence:
        presence = Presence(config(self.homes[name], self.mesh, **more))
        outer = {"alice": "carol", "carol": "alice"}.get(name)
        refused = outer and peer_key_text(self.keys[outer])

        async def in_line(request: ConnectionRequest) -> Allow | Deny:
            return Deny("not in line") if request.peer_key == refused else Allow()

        if refused:
            presence.connection_request_handler = in_line
        return presence

    @contextlib.asynccontextmanager
    async def running(self, *names: str) -> AsyncIterator[list[Presence]]:
        async with contextlib.AsyncExitStack() as stack:
            engines = [
                await stack.enter_async_context(self.presence(name)) for name in names or NAMES
            ]
            for name, engine in zip(names or NAMES, engines, strict=True):
                await until(engine, sees({*(names or NAMES)} - {name}), f"{name} sees all")
            yield engines


def sees(others: set[str]) -> Callable[[PresenceGraph], bool]:
    return lambda graph: online(graph) == others


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def named(graph: PresenceGraph, name: str) -> Peer:
    peers = (graph.local_peer, *graph.remote_peers)
    return next(peer for peer in peers if peer.device_name == name)


def has(name: str, status: IdentityStatus) -> Callable[[PresenceGraph], bool]:
    def look(graph: PresenceGraph) -> bool:
        peers = (graph.local_peer, *graph.remote_peers)
        return any(p.device_name == name and p.identity.status is status for p in peers)

    return look


def said(graph: PresenceGraph, source: str) -> Condition | None:
    return next(
        (c for c in graph.conditions if c.source == source and c.state is not ConditionState.OK),
        None,
    )


async def write(path: Path, text: str) -> None:
    await asyncio.to_thread(atomic_write, path, text.encode())


async def test_a_token_is_verified_where_there_is_no_link_then_replaced_then_gone(
    line: Line,
) -> None:
    line.vouch("alice", subject="alice@harbour", metadata={"role": "medic"})
    async with line.running() as (alice, _, carol):
        graph = await until(carol, has("alice", IdentityStatus.VERIFIED))
        seen = named(graph, "alice")
        assert seen.presence.hops == 2
        assert dict(seen.identity_service_metadata) == {"role": "medic"}
        assert seen.identity.subject == "alice@harbour"
        assert graph.counts.verified == 1
        await until(alice, has("alice", IdentityStatus.VERIFIED))
        assert alice.identity_service_metadata == {"role": "medic"}

        await alice.set_identity_token(line.token("alice", metadata={"role": "driver"}))
        await until(
            carol,
            lambda g: named(g, "alice").identity_service_metadata.get("role") == "driver",
        )
        path = line.homes["alice"] / "identity.token"
        assert await asyncio.to_thread(path.read_text)
        await asyncio.to_thread(path.unlink)
        graph = await until(carol, has("alice", IdentityStatus.MISSING))
        assert named(graph, "alice").identity_service_metadata == {}

        await write(path, token_text(line.token("alice")))
        await until(carol, has("alice", IdentityStatus.VERIFIED))
        await alice.set_identity_token(None)
        await until(carol, has("alice", IdentityStatus.MISSING))
        assert not await asyncio.to_thread(path.exists)


async def test_what_is_no_token_is_refused_and_the_old_one_stays(line: Line) -> None:
    line.vouch("alice")
    async with line.presence("alice", transports=()) as alice:
        with pytest.raises(TokenError):
            await alice.set_identity_token(b"no token")
        path = line.homes["alice"] / "identity.token"
        await write(path, "???\n")
        graph = await until(alice, lambda g: said(g, "identity") is not None)
        condition = said(graph, "identity")
        assert condition is not None
        assert str(path) in (condition.message or "")
        assert named(graph, "alice").identity.status is IdentityStatus.VERIFIED
        await write(path, token_text(line.token("alice")))
        await until(alice, lambda g: said(g, "identity") is None)


async def test_a_stolen_token_is_key_mismatch_and_what_it_says_is_never_shown(line: Line) -> None:
    stolen = line.vouch("alice", metadata={"clearance": "captain"})
    (line.homes["bob"] / "identity.token").write_text(token_text(stolen))
    async with line.running() as (alice, bob, carol):
        for engine in (alice, bob, carol):
            graph = await until(engine, has("bob", IdentityStatus.KEY_MISMATCH))
            thief = named(graph, "bob")
            assert thief.identity_service_metadata == {}
            assert thief.expired_identity_service_metadata is None
        graph = await until(bob, lambda g: said(g, "identity") is not None)
        json = graph_to_json(graph)
        assert "captain" not in str(json["localPeer"])


async def test_changes_tell_of_an_identity(line: Line) -> None:
    kinds: list[ChangeKind] = []
    async with line.running("alice", "bob") as (alice, bob):

        async def follow() -> None:
            async for change in bob.changes():
                kinds.extend(c.kind for c in change.changes)

        task = asyncio.create_task(follow())
        await alice.set_identity_token(line.token("alice"))
        await until(bob, has("alice", IdentityStatus.VERIFIED))
    await task
    assert ChangeKind.IDENTITY_CHANGED in kinds


async def test_new_keys_travel_over_the_mesh_and_are_there_after_a_restart(line: Line) -> None:
    async with line.running() as (alice, _, carol):
        await write(
            line.homes["alice"] / "issuers" / "harbour.issuer",
            object_text(line.authority.rotate(keep=1)),
        )
        await until(carol, lambda _: carol.issuers[0].number == 2)
        await carol.set_identity_token(line.token("carol"))
        await until(alice, has("carol", IdentityStatus.VERIFIED))
    async with line.presence("carol", transports=()) as carol:
        (issuer,) = carol.issuers
        assert (issuer.number, issuer.key_ids) == (2, (line.authority.key.kid.hex(),))
        await until(carol, has("carol", IdentityStatus.VERIFIED))


async def test_a_revocation_crosses_hops_and_an_older_list_undoes_it_nowhere(line: Line) -> None:
    line.vouch("alice")
    older = line.authority.revoke()
    newer = line.authority.revoke(line.keys["alice"])
    async with line.running() as (alice, bob, carol):
        await until(carol, has("alice", IdentityStatus.VERIFIED))
        await write(line.homes["carol"] / "issuers" / "harbour.revoked", object_text(newer))
        for engine in (alice, bob, carol):
            await until(engine, has("alice", IdentityStatus.REVOKED))
        graph = await until(alice, lambda g: said(g, "identity") is not None)
        condition = said(graph, "identity")
        assert condition is not None
        assert "revoked" in (condition.message or "")
    # Bob comes back alone, and so does the old list: in his own folder, and from the mesh.
    async with line.presence("bob", transports=()) as bob:
        assert bob.issuers[0].revocation_number == 2
    (line.homes["bob"] / "issuers" / "older.revoked").write_text(object_text(older))
    for path in (line.homes["carol"] / "issuers").glob("*.revoked"):
        path.write_text(object_text(older))
    async with line.running() as (alice, bob, carol):
        for engine in (alice, bob, carol):
            await until(engine, has("alice", IdentityStatus.REVOKED))
            assert engine.issuers[0].revocation_number == 2


async def test_it_is_expired_at_the_second_without_a_network(line: Line) -> None:
    line.vouch("alice", begin=-3_600, end=-LEEWAY + 2.5)
    async with line.presence("alice", transports=()) as alice:
        graph = await until(alice, has("alice", IdentityStatus.VERIFIED))
        end = named(graph, "alice").identity.expires_at
        assert end is not None
        graph = await until(alice, has("alice", IdentityStatus.EXPIRED))
        assert graph.generated_at.timestamp() >= end.timestamp() + LEEWAY
        seen = named(graph, "alice")
        assert seen.identity_service_metadata == {}
        assert seen.expired_identity_service_metadata == {"role": "medic"}
        await until(alice, lambda g: said(g, "identity") is not None)


async def test_who_trusts_an_issuer_later_learns_what_it_missed(line: Line) -> None:
    line.vouch("alice")
    async with line.running() as (_, bob, carol):
        await until(carol, has("alice", IdentityStatus.VERIFIED))
        (issuer,) = carol.issuers
        assert await carol.distrust_issuer(issuer.name)
        assert not await carol.distrust_issuer(issuer.name)
        assert carol.issuers == ()
        graph = await until(carol, has("alice", IdentityStatus.UNKNOWN_ISSUER))
        assert named(graph, "alice").identity_service_metadata == {}
        folder = line.homes["carol"] / "issuers"
        assert not await asyncio.to_thread(lambda: list(folder.iterdir()))
        await carol.trust_issuer(line.authority.key_set().raw)
        await until(carol, has("alice", IdentityStatus.VERIFIED))
        assert len(await asyncio.to_thread(lambda: list(folder.glob("*.issuer")))) == 1
        assert bob.issuers == carol.issuers


# -- members with an identity only


async def test_who_has_no_identity_is_refused_with_the_reason_and_who_has_one_is_let_in(
    line: Line,
) -> None:
    line.vouch("bob")
    strict = Presence(config(line.homes["alice"], line.mesh, require_identity=True))
    async with (
        strict as alice,
        Presence(config(line.homes["bob"], line.mesh)) as bob,
        Presence(config(line.homes["carol"], line.mesh)) as carol,
    ):
        await until(alice, lambda g: any(p.presence.direct for p in g.remote_peers))
        graph = await until(alice, lambda g: said(g, "admission") is not None)
        condition = said(graph, "admission")
        assert condition is not None
        assert peer_key_text(line.keys["carol"])[:12] in (condition.message or "")
        assert "publishes no identity token" in (condition.message or "")
        await until(carol, lambda g: said(g, "admission") is not None)
        direct = {p.device_name for p in alice.graph.remote_peers if p.presence.direct}
        assert direct == {"bob"}
        await carol.set_identity_token(line.token("carol"))
        await until(bob, has("carol", IdentityStatus.VERIFIED))


async def test_a_neighbour_that_is_revoked_is_let_go(line: Line) -> None:
    line.vouch("alice")
    line.vouch("bob")
    async with (
        Presence(config(line.homes["alice"], line.mesh, require_identity=True)) as alice,
        Presence(config(line.homes["bob"], line.mesh)) as bob,
    ):
        await until(alice, lambda g: any(p.presence.direct for p in g.remote_peers))
        await alice.set_identity_token(line.token("alice"))  # a renewal is no reason to part
        await bob.set_identity_token(line.token("bob", subject="renewed"))
        await until(alice, lambda g: named(g, "bob").identity.subject == "renewed")
        assert named(alice.graph, "bob").presence.direct
        revoked = line.authority.revoke(line.keys["bob"])
        await write(line.homes["alice"] / "issuers" / "harbour.revoked", object_text(revoked))
        await until(alice, lambda g: not any(p.presence.direct for p in g.remote_peers))
        graph = await until(alice, has("bob", IdentityStatus.REVOKED))
        condition = said(graph, "admission")
        assert condition is not None
        assert "revoked" in (condition.message or "")
        await until(bob, lambda g: said(g, "admission") is not None)


async def test_a_handler_of_the_program_sees_the_identity_and_decides_alone(line: Line) -> None:
    line.vouch("bob", metadata={"role": "pilot"})
    asked: list[ConnectionRequest] = []

    async def curious(request: ConnectionRequest) -> Allow | Deny:
        asked.append(request)
        return Allow()

    alice = Presence(config(line.homes["alice"], line.mesh, require_identity=True))
    alice.connection_request_handler = curious
    async with alice:
        async with Presence(config(line.homes["bob"], line.mesh)):
            await until(alice, has("bob", IdentityStatus.VERIFIED))
        async with Presence(config(line.homes["carol"], line.mesh)):
            await until(alice, sees({"carol"}))
    by_key = {request.peer_key: request for request in asked}
    bob = by_key[peer_key_text(line.keys["bob"])]
    assert bob.identity.status is IdentityStatus.VERIFIED
    assert bob.identity_service_metadata == {"role": "pilot"}
    carol = by_key[peer_key_text(line.keys["carol"])]
    assert carol.identity.status is IdentityStatus.MISSING
    assert carol.identity_service_metadata == {}


async def test_the_rule_itself() -> None:
    answer = await require_identity(ConnectionRequest("pk1", "LAN"))
    assert isinstance(answer, Deny)
    assert "publishes no identity token" in answer.reason


async def test_an_issuer_file_that_is_none_says_so_at_start(line: Line, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.issuer"
    wrong.write_text("nonsense!")
    with pytest.raises(HomeError, match="wrong.issuer") as error:
        await line.presence("alice", transports=(), issuers=(wrong,)).start()
    assert "\n" not in str(error.value)
