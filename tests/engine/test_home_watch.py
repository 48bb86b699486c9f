"""What others change in the home is noticed, by one look at all of it that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presence_core.engine.home_watch import HomeWatch
from presence_core.identity.issuer import object_text
from presence_core.identity.keyfile import load_identity
from presence_core.identity.mesh import MeshKey
from presence_core.identity.token import token_text
from presence_core.model import ConditionState, IdentityStatus, PresenceGraph
from presence_core.presence import Presence
from tests.authority import Authority
from tests.support import PATIENCE, config, until

MESH = MeshKey(b"h" * 32, "home")


def said(source: str) -> Callable[[PresenceGraph], bool]:
    def look(graph: PresenceGraph) -> bool:
        return any(
            c.source == source and c.state is ConditionState.WARNING for c in graph.conditions
        )

    return look


async def write(path: Path, text: str) -> None:
    await asyncio.to_thread(path.parent.mkdir, exist_ok=True)
    await asyncio.to_thread(path.write_text, text)


async def test_each_file_that_others_change_is_noticed(tmp_path: Path) -> None:
    home, authority = tmp_path / "alice", Authority("Harbour")
    async with Presence(config(home, MESH, transports=())) as alice:
        await write(home / "metadata.json", '{"berth": 4}')
        await until(alice, lambda g: dict(g.local_peer.peer_metadata) == {"berth": 4})
        await write(home / "trust", "who knows\n")
        await until(alice, said("trust"))
        await write(home / "login.json", "{}")
        await until(alice, said("identity"), "that there is a login and no token")
        own = await asyncio.to_thread(load_identity, home)
        token = authority.token(own.peer_key, time.time())
        await write(home / "identity.token", token_text(token))
        await until(alice, lambda g: g.local_peer.identity.status is IdentityStatus.UNKNOWN_ISSUER)
        await write(home / "issuers" / "harbour.issuer", object_text(authority.key_set()))
        await until(alice, lambda g: g.local_peer.identity.status is IdentityStatus.VERIFIED)
        await asyncio.to_thread((home / "issuers" / "harbour.issuer").unlink)
        await until(alice, lambda g: g.local_peer.identity.status is IdentityStatus.UNKNOWN_ISSUER)


async def test_an_engine_at_rest_goes_into_a_thread_once_for_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: Counter[str] = Counter()
    looked = asyncio.Event()
    to_thread = asyncio.to_thread

    async def counted(function: Callable[..., Any], *args: Any) -> Any:
        hops[function.__qualname__] += 1
        if hops.total() == 5:
            looked.set()
        return await to_thread(function, *args)

    async with Presence(config(tmp_path / "alice", MESH, transports=())):
        monkeypatch.setattr(asyncio, "to_thread", counted)
        await asyncio.wait_for(looked.wait(), PATIENCE)
        assert set(hops) == {"HomeWatch._changed"}


class File:
    """Something that is followed, in our hands."""

    def __init__(self, *, fails: bool = False) -> None:
        self.looks = 0
        self.followed = asyncio.Event()
        self.answers = threading.Event()
        self._fails = fails

    def changed(self) -> bool:
        self.looks += 1
        assert self.answers.wait(PATIENCE)
        if self._fails:
            raise PermissionError("not for you")
        return True

    def due(self, now: float) -> bool:
        return now < 0

    async def follow(self, now: float) -> None:
        assert now == 7.0
        self.followed.set()


async def test_a_disk_that_does_not_answer_holds_nobody_up_and_is_asked_once() -> None:
    file = File()
    watch = HomeWatch(lambda: 7.0, file)
    for _ in range(10):
        watch.look()
        await asyncio.sleep(0)
    assert not file.followed.is_set()
    file.answers.set()
    await asyncio.wait_for(file.followed.wait(), PATIENCE)
    assert file.looks == 1
    await watch.stop()


async def test_one_file_that_fails_does_not_keep_the_others_from_being_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad, good = File(fails=True), File()
    watch = HomeWatch(lambda: 7.0, bad, good)
    for file in (bad, good):
        file.answers.set()
    watch.look()
    await asyncio.wait_for(good.followed.wait(), PATIENCE)
    assert not bad.followed.is_set()
    assert "not for you" in caplog.text
    await watch.stop()
