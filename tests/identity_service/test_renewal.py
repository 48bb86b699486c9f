"""Renewal against a real service, under a clock of our own; and once beside a running engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from presence_core.engine.credential_files import RENEWAL_FILE, IssuerFolder, TokenFile
from presence_core.identity.issuer import KeySet
from presence_core.identity.keyfile import KeyFile, load_identity
from presence_core.identity.token import Token, parse_token
from presence_tui.identity_service.database import transaction
from presence_tui.identity_service.login_file import (
    HowToLogin,
    load_login,
    remove_login,
    save_login,
)
from presence_tui.identity_service.logins import Terms
from presence_tui.identity_service.renewal import (
    JITTER,
    LIFE,
    LONGEST_PAUSE,
    LOOK_SECONDS,
    Renewal,
)
from presence_tui.identity_service.renewing import POLL_SECONDS
from presence_tui.identity_service.server import IdentityService, ServiceConfig
from presence_tui.identity_service.sign_in import connect, sign_in
from presence_tui.identity_service.state import State
from presence_tui.identity_service.trusted import trusted_issuers
from presence_tui.identity_service.users import UsersFile
from tests.cli.command import Stream, run
from tests.identity_service.support import PASSWORD, ServiceProcess, add_user

DAY = 86_400
CREDENTIAL = f"mina:{PASSWORD}"


class Clock:
    """Unix time that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A service that can be switched off and on, and the home of a device that logs in there."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.data = folder / "service"
        self.home = folder / "home"
        self.config = ServiceConfig(
            self.data, port=0, issuer="team", users=self.data / "users", terms=Terms(DAY, 3 * DAY)
        )
        self.how = HowToLogin("", "users", "team")

    @asynccontextmanager
    async def on(self) -> AsyncIterator[IdentityService]:
        async with IdentityService(self.config, self.clock) as running:
            port = int(running.url.rpartition(":")[2])
            self.config = replace(self.config, port=port)
            self.how = replace(self.how, service=running.url)
            yield running

    async def log_in(self, credential_file: Path | None = None) -> Token:
        """Log in as the command does, trusting the issuer."""
        self.how = replace(self.how, credential_file=credential_file)
        async with await connect(self.how, self.clock) as client:
            identity = await asyncio.to_thread(load_identity, self.home)
            granted = await sign_in(client, self.how, identity, credential=CREDENTIAL)
        await asyncio.to_thread(TokenFile(self.home).save, granted.token)
        await asyncio.to_thread(save_login, self.home, self.how)
        await asyncio.to_thread(IssuerFolder(self.home).add, granted.key_set)
        return parse_token(granted.token)

    def renewal(self, seed: int = 1) -> Renewal:
        return Renewal(self.home, clock=self.clock, chance=random.Random(seed))

    async def token(self) -> Token:
        raw = await asyncio.to_thread(TokenFile(self.home).load)
        assert raw is not None
        return parse_token(raw)

    @property
    def failure(self) -> str:
        path = self.home / RENEWAL_FILE
        return path.read_text() if path.exists() else ""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    add_user(made.data)
    KeyFile.open(made.home).close()
    return made


async def test_without_a_login_it_only_looks_whether_there_is_one(site: Site) -> None:
    assert await site.renewal().step() == POLL_SECONDS
    assert not site.failure


async def test_a_token_is_renewed_after_two_thirds_of_its_life(site: Site) -> None:
    async with site.on():
        first = await site.log_in()
        renewal = site.renewal()
        await renewal.step()
        site.clock.now = first.not_before + DAY * (LIFE - JITTER) - 1
        await renewal.step()
        assert (await site.token()).token_id == first.token_id
        site.clock.now = first.not_before + DAY * (LIFE + JITTER) + 1
        await renewal.step()
        renewed = await site.token()
        assert renewed.token_id != first.token_id
        assert renewed.expires_at > first.expires_at
        assert renewed.subject == "mina"
        await renewal.step()
        assert (await site.token()).token_id == renewed.token_id


async def test_who_logged_in_together_do_not_renew_together(site: Site) -> None:
    async with site.on():
        first = await site.log_in()
        due = []
        for seed in range(8):
            renewal = site.renewal(seed)
            await renewal.step()
            due.append(renewal._due - first.not_before)
    assert len(set(due)) == 8
    assert all(DAY * (LIFE - JITTER) <= at <= DAY * (LIFE + JITTER) for at in due)


async def test_offline_it_tries_again_less_and_less_often(site: Site) -> None:
    async with site.on():
        first = await site.log_in()
        renewal = site.renewal()
        await renewal.step()
    site.clock.now = first.not_before + DAY * 0.72
    pauses = []
    for _ in range(10):
        before = site.clock.now
        await renewal.step()
        assert "cannot reach the identity service" in site.failure
        assert renewal._due > before
        pauses.append(renewal._due - before)
        site.clock.now = renewal._due
    nominal = [min(LONGEST_PAUSE, 30.0 * 2**n) for n in range(10)]
    for pause, most in zip(pauses, nominal, strict=True):
        assert most / 2 <= pause <= most
    assert (await site.token()).token_id == first.token_id
    async with site.on():
        await renewal.step()
        assert (await site.token()).token_id != first.token_id
        assert not site.failure


async def test_a_short_life_allows_no_long_pauses(site: Site) -> None:
    site.config = replace(site.config, terms=Terms(120, DAY))
    async with site.on():
        first = await site.log_in()
        renewal = site.renewal()
    site.clock.now = first.not_before + 90
    for _ in range(5):
        await renewal.step()
        assert renewal._due - site.clock.now <= 10


async def test_who_is_refused_does_not_ask_again_until_somebody_logs_in(site: Site) -> None:
    async with site.on():
        first = await site.log_in()
        renewal = site.renewal()
        await asyncio.to_thread(UsersFile(site.data / "users").remove, "mina")
        site.clock.now = first.not_before + DAY * 0.72
        await renewal.step()
        assert "no longer known" in site.failure
        await asyncio.to_thread(add_user, site.data)
        site.clock.now += DAY * 0.1
        await renewal.step()
        assert (await site.token()).token_id == first.token_id
        second = await site.log_in()
        site.clock.now = second.not_before + DAY * 0.72
        await renewal.step()
        assert (await site.token()).token_id not in (first.token_id, second.token_id)
        assert not site.failure


async def test_a_login_counts_for_so_long_and_a_credential_begins_another(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "credential"
    file.write_text(CREDENTIAL)
    file.chmod(0o600)
    for credential_file in (None, file):
        async with site.on():
            token = first = await site.log_in(credential_file)
            renewal = site.renewal()
            ends = first.not_before + 3 * DAY
            while token.expires_at < ends:
                site.clock.now = token.not_before + (token.expires_at - token.not_before) * 0.72
                await renewal.step()
                token = await site.token()
            assert token.expires_at == ends
            site.clock.now = ends - 10.0
            await renewal.step()
            if credential_file is None:
                assert (await site.token()).token_id == token.token_id
                assert "log in again" in site.failure
            else:
                assert (await site.token()).expires_at > ends
                assert not site.failure


async def test_what_ran_out_offline_needs_a_person_or_a_credential(
    site: Site, tmp_path: Path
) -> None:
    async with site.on():
        first = await site.log_in()
        site.clock.now = first.expires_at + DAY
        renewal = site.renewal()
        await renewal.step()
        assert "ran out: presence-tui identity login" in site.failure
        file = tmp_path / "credential"
        file.write_text(CREDENTIAL)
        file.chmod(0o600)
        await asyncio.to_thread(save_login, site.home, replace(site.how, credential_file=file))
        await renewal.step()
        assert (await site.token()).expires_at == int(site.clock.now) + DAY
        assert not site.failure


async def test_a_credential_that_others_can_read_is_not_used(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "credential"
    file.write_text(CREDENTIAL)
    file.chmod(0o644)
    async with site.on():
        first = await site.log_in(file)
        site.clock.now = first.expires_at + DAY
        await site.renewal().step()
    assert f"chmod 600 {file}" in site.failure


async def test_who_logs_out_stays_logged_out(site: Site) -> None:
    async with site.on():
        first = await site.log_in()
        renewal = site.renewal()
        await renewal.step()
        await asyncio.to_thread(remove_login, site.home)
        await asyncio.to_thread(TokenFile(site.home).save, None)
        site.clock.now = first.not_before + DAY * 0.72
        assert await renewal.step() == POLL_SECONDS
    assert await asyncio.to_thread(TokenFile(site.home).load) is None
    assert await asyncio.to_thread(load_login, site.home) is None


async def test_a_damaged_file_is_said(site: Site) -> None:
    (site.home / "login.json").write_text('{"service": 3}')
    await site.renewal().step()
    assert "login.json is damaged" in site.failure
    assert "log in again" in site.failure


# -- keys and revocations


def change(data: Path, now: float) -> tuple[int, int]:
    """Rotate, and revoke a peer, as the commands do; return both numbers."""
    state = State.open(data)
    with transaction(state.connection):
        number = state.rotate(int(now)).number
        revoked = state.revoke_peer(b"p" * 32, int(now)).number
    state.close()
    return number, revoked


async def test_news_of_the_issuer_comes_into_the_home(site: Site) -> None:
    async with site.on():
        await site.log_in()
        renewal = site.renewal()
        await renewal.step()
        numbers = await asyncio.to_thread(change, site.data, site.clock.now)
        site.clock.now += LOOK_SECONDS * 1.2 + 1
        await renewal.step()
        issuers = await asyncio.to_thread(trusted_issuers, IssuerFolder(site.home))
        keys, revoked = issuers.key_set("team"), issuers.revocations("team")
        assert keys is not None
        assert revoked is not None
        assert (keys.number, revoked.number) == numbers
        assert revoked.peer_keys == {b"p" * 32}


async def test_an_issuer_that_nobody_trusts_here_stays_outside(site: Site) -> None:
    async with site.on():
        await site.log_in()
        await asyncio.to_thread(IssuerFolder(site.home).remove, "team")
        await site.renewal().step()
    assert (
        await asyncio.to_thread(IssuerFolder(site.home).load)
        == type(await asyncio.to_thread(IssuerFolder(site.home).load))()
    )


async def test_keys_of_another_service_are_not_taken(site: Site, tmp_path: Path) -> None:
    async with site.on():
        await site.log_in()
    issuers = await asyncio.to_thread(trusted_issuers, IssuerFolder(site.home))
    before = issuers.key_set("team")
    impostor = Site(tmp_path / "impostor")
    await asyncio.to_thread(add_user, impostor.data)
    impostor.config = replace(impostor.config, port=site.config.port)
    async with impostor.on():
        await asyncio.to_thread(change, impostor.data, site.clock.now)
        await site.renewal().step()
    issuers = await asyncio.to_thread(trusted_issuers, IssuerFolder(site.home))
    assert issuers.key_set("team") == before
    assert isinstance(before, KeySet)


# -- beside a real engine


def test_a_running_engine_has_its_token_renewed(data: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ServiceProcess(data, "--issuer-name", "team", "--lifetime", "6s") as service:
        done = run(
            *("identity", "login", "--home", home, "--service", service.url, "--trust-issuer"),
            stdin=CREDENTIAL,
        )
        assert done.code == 0
        before = parse_token(TokenFile(home).load() or b"")
        with Stream("--home", home, "--transport", "none", "--json", "--watch") as stream:
            told = stream.until(
                lambda line: (
                    line.get("kind") == "identity_changed"
                    and line["after"]["status"] == "verified"
                    and parse_token(TokenFile(home).load() or b"").token_id != before.token_id
                )
            )
        assert told["after"]["subject"] == "mina"
