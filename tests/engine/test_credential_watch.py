"""A home in which there is nothing of identity, and then there is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from presence_core.engine.conditions import Conditions
from presence_core.engine.credential_watch import CredentialWatch
from presence_core.identity.issuer import object_text
from presence_core.identity.keys import Identity
from presence_core.identity.token import token_text
from presence_core.identity.verdict import MISSING
from presence_core.model import ConditionState, IdentityStatus
from tests.authority import Authority

NOW = 1_790_000_000.0
ME = Identity.generate().peer_key


class Watched:
    """A home, and what an engine is told of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.mkdir()
        self.authority = Authority()
        self.published: list[bytes | None] = []
        self.told: list[str] = []
        self.conditions = Conditions(lambda: datetime.now(UTC), lambda: None)

    async def watch(self, *given: Path) -> CredentialWatch:
        watch = CredentialWatch(
            self.path, given, self.conditions, publish=self.published.append, tell=self.told.append
        )
        await asyncio.to_thread(watch.open)
        return watch


@pytest.fixture
def home(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "home")


async def test_in_an_empty_home_there_is_nothing_to_follow(home: Watched) -> None:
    watch = await home.watch()
    assert not await asyncio.to_thread(watch.changed)
    assert not watch.due(NOW)
    assert watch.token is None
    assert watch.trusted() == ()
    watch.report(MISSING, NOW)
    watch.learned(())
    await watch.close()
    assert home.conditions.all() == ()
    assert watch._held is None


async def test_a_token_that_comes_later_is_published(home: Watched) -> None:
    watch = await home.watch()
    raw = home.authority.token(ME, now=NOW)
    (home.path / "identity.token").write_text(token_text(raw))
    assert await asyncio.to_thread(watch.changed)
    await watch.follow(NOW)
    assert (home.published, watch.token) == ([raw], raw)
    assert not await asyncio.to_thread(watch.changed)
    (home.path / "identity.token").unlink()
    assert await asyncio.to_thread(watch.changed)
    await watch.follow(NOW)
    assert (home.published, watch.token) == ([raw, None], None)


async def test_an_issuer_that_comes_later_is_trusted(home: Watched) -> None:
    watch = await home.watch()
    issuers, raw = watch.issuers, home.authority.token(ME, now=NOW)
    assert issuers.check(raw, ME, NOW).identity.status is IdentityStatus.UNKNOWN_ISSUER
    (home.path / "issuers").mkdir()
    (home.path / "issuers" / "a.issuer").write_text(object_text(home.authority.key_set()))
    assert await asyncio.to_thread(watch.changed)
    await watch.follow(NOW)
    assert home.told == [home.authority.name]
    assert issuers.check(raw, ME, NOW).identity.status is IdentityStatus.VERIFIED
    assert [issuer.name for issuer in watch.trusted()] == home.told


async def test_after_a_login_the_token_is_missed(home: Watched) -> None:
    watch = await home.watch()
    (home.path / "login.json").write_text("{}")
    assert await asyncio.to_thread(watch.changed)
    await watch.follow(NOW)
    watch.report(MISSING, NOW)
    (condition,) = home.conditions.all()
    assert condition.state is ConditionState.WARNING
    assert "publishes no identity token" in (condition.message or "")


async def test_what_a_program_sets_is_kept(home: Watched) -> None:
    watch = await home.watch()
    raw = home.authority.token(ME, now=NOW)
    await watch.set_token(raw)
    await watch.trust(home.authority.key_set().raw)
    assert (await home.watch()).token == watch.token == raw
    assert watch.issuers.check(raw, ME, NOW).identity.status is IdentityStatus.VERIFIED
    assert await watch.distrust(home.authority.name)
    assert (await home.watch()).trusted() == watch.trusted() == ()


async def test_a_file_that_is_given_is_read_at_once(home: Watched, tmp_path: Path) -> None:
    given = tmp_path / "given.issuer"
    given.write_text(object_text(home.authority.key_set()))
    assert [issuer.name for issuer in (await home.watch(given)).trusted()] == [home.authority.name]
