"""Who vouches for the members of the demo: real identity services, and whatever can go wrong.

A service of the team runs while the demo does; most members log in to it as they would in the
field. The others show what else there is: a token that ran out (its service had the clock of the
day before yesterday), a revoked one, one that was copied from another member, one of an issuer that
nobody in the team trusts, and none at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

from presence_core.engine.credential_files import IssuerFolder, TokenFile
from presence_core.identity.keyfile import IDENTITY_FILE, KeyFile, load_identity
from presence_tui.identity_service.client import ServiceClient
from presence_tui.identity_service.database import transaction
from presence_tui.identity_service.login_file import HowToLogin
from presence_tui.identity_service.passwords import PasswordHash
from presence_tui.identity_service.server import USERS_PROVIDER, IdentityService, ServiceConfig
from presence_tui.identity_service.sign_in import sign_in
from presence_tui.identity_service.state import State
from presence_tui.identity_service.users import User, UsersFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from presence_core.identity.issuer import KeySet, SignedObject

TEAM_ISSUER = "relief-convoy"
OTHER_ISSUER = "harbour-authority"

TWO_DAYS = 2 * 86_400


class Lot(Enum):
    """What becomes of a member of the demo at the identity service."""

    VERIFIED = "verified"
    EXPIRED = "expired"
    REVOKED = "revoked"
    COPIED = "copied"
    FOREIGN = "foreign"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the demo: the home, who the team says it is, and the lot."""

    home: Path
    name: str
    vouched: Mapping[str, Any]
    lot: Lot


class DemoIdentities:
    """The services of a demo, in a folder. An asynchronous context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._password = secrets.token_urlsafe()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def give(self, members: Sequence[Member]) -> None:
        """Let each member log in, or not, and write what it has then into its home.

        Engines that run follow their homes; those that start later find it there.
        """
        for member in members:
            await asyncio.to_thread(_make_key, member.home)
        await self._enrol(members)
        of: dict[Lot, list[Member]] = {lot: [] for lot in Lot}
        for member in members:
            of[member.lot].append(member)
        if of[Lot.EXPIRED]:
            async with self._service(TEAM_ISSUER, late=TWO_DAYS) as service:
                await self._log_in(service, of[Lot.EXPIRED], late=TWO_DAYS)
        team = await self._stack.enter_async_context(self._service(TEAM_ISSUER))
        key_set = await self._log_in(team, [*of[Lot.VERIFIED], *of[Lot.REVOKED]])
        if of[Lot.FOREIGN]:
            async with self._service(OTHER_ISSUER) as service:
                await self._log_in(service, of[Lot.FOREIGN])
        for thief in of[Lot.COPIED]:
            await asyncio.to_thread(_copy_token, of[Lot.VERIFIED][-1].home, thief.home)
        for member in of[Lot.REVOKED]:
            identity = await asyncio.to_thread(load_identity, member.home)
            await asyncio.to_thread(self._revoke, identity.peer_key)
        await self._spread(team, key_set, members)

    async def _enrol(self, members: Sequence[Member]) -> None:
        password = await asyncio.to_thread(PasswordHash.of, self._password)
        users = UsersFile(self._folder / "users")
        for member in members:
            user = User(member.name, password, member.vouched)
            await asyncio.to_thread(users.add, user)

    def _service(self, issuer: str, *, late: float = 0.0) -> IdentityService:
        """Return a service of an issuer, with a clock that is so many seconds late."""
        config = ServiceConfig(
            self._folder / issuer, port=0, issuer=issuer, users=self._folder / "users"
        )
        return IdentityService(config, lambda: time.time() - late)

    async def _log_in(
        self, service: IdentityService, members: Sequence[Member], *, late: float = 0.0
    ) -> KeySet:
        """Log members in, at the time that the service has; return the keys of its issuer."""
        how = HowToLogin(service.url, USERS_PROVIDER, service.issuer)
        async with ServiceClient(service.url, clock=lambda: time.time() - late) as client:
            for member in members:
                identity = await asyncio.to_thread(load_identity, member.home)
                credential = f"{member.name}:{self._password}"
                granted = await sign_in(client, how, identity, credential=credential)
                await asyncio.to_thread(TokenFile(member.home).save, granted.token)
            return await client.key_set()

    def _revoke(self, peer_key: bytes) -> None:
        """Take back what a member has, as ``identity revoke`` does beside a running service."""
        state = State.open(self._folder / TEAM_ISSUER)
        try:
            with transaction(state.connection):
                state.revoke_peer(peer_key, int(time.time()))
        finally:
            state.close()

    async def _spread(
        self, team: IdentityService, key_set: KeySet, members: Sequence[Member]
    ) -> None:
        """Have all trust the team's issuer; one hears of revocations, and the mesh tells others."""
        for member in members:
            await asyncio.to_thread(IssuerFolder(member.home).add, key_set)
        async with ServiceClient(team.url) as client:
            revoked = await client.signed("/v1/revoked")
        await asyncio.to_thread(_keep, members[-1].home, revoked)


def _make_key(home: Path) -> None:
    if not (home / IDENTITY_FILE).exists():
        KeyFile.open(home).close()


def _copy_token(source: Path, target: Path) -> None:
    TokenFile(target).save(TokenFile(source).load())


def _keep(home: Path, signed: SignedObject) -> None:
    IssuerFolder(home).keep(signed, None)
