"""Renewing the own token in time, beside a running engine, for as long as the login counts.

The engine follows the files that are written here. Offline, a token stays what it is; renewal is
tried again, less and less often, and never holds up anything else.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presence_core.engine.credential_files import RENEWAL_FILE, IssuerFolder, TokenFile
from presence_core.identity.keyfile import HomeError, atomic_write, load_identity
from presence_core.identity.token import LEEWAY, Token, TokenError, parse_token
from presence_core.identity.verdict import Taken
from presence_tui.identity_service.login_file import HowToLogin, load_login
from presence_tui.identity_service.renewing import POLL_SECONDS
from presence_tui.identity_service.trusted import GENUINE, learn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from presence_tui.identity_service.client import ServiceClient

LIFE = 2 / 3
"""A token is renewed when so much of its life is over …"""

JITTER = 0.05
"""… give or take so much of it, so that those who logged in together do not renew together."""

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 900.0

LOOK_SECONDS = 600.0
"""How often the service is asked for new keys and revocations, give or take a fifth."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the files of the home say: how to log in, and the token, if it is one."""

    how: HowToLogin | None = None
    raw: bytes | None = None
    token: Token | None = None


class Renewal:
    """Looks after the token of one home. ``clock`` gives Unix seconds."""

    def __init__(
        self,
        home: Path,
        *,
        clock: Callable[[], float] = time.time,
        chance: random.Random | None = None,
    ) -> None:
        self._home = home
        self._clock = clock
        self._chance = chance or random.Random()
        self._file = TokenFile(home)
        self._folder = IssuerFolder(home)
        self._before: tuple[HowToLogin | None, bytes | None] = (None, None)
        self._due = math.inf
        self._look_due = 0.0
        self._failures = 0

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            pause = LONGEST_PAUSE
            try:
                pause = await self.step()
            except Exception:
                log.exception("renewing the identity token failed")
            await asyncio.sleep(max(1.0, min(pause, POLL_SECONDS)))

    async def step(self) -> float:
        """Do what is due; return the seconds until something is, unless the files change."""
        try:
            found = await asyncio.to_thread(self._read)
        except HomeError as error:
            await self._say(str(error))
            return POLL_SECONDS
        if (found.how, found.raw) != self._before:
            self._before = (found.how, found.raw)
            self._failures = 0
            self._due = self._due_of(found.token)
            await self._say(None)
        if found.how is None:
            return POLL_SECONDS
        if self._clock() >= self._due:
            await self._renew(found, found.how)
        if self._clock() >= self._look_due:
            self._look_due = self._clock() + LOOK_SECONDS * self._chance.uniform(0.8, 1.2)
            await self._look(found.how)
        return min(self._due, self._look_due) - self._clock()

    def _read(self) -> _Found:
        how = load_login(self._home)
        if how is None:
            return _Found()
        raw = self._file.load()
        try:
            return _Found(how, raw, parse_token(raw) if raw is not None else None)
        except TokenError:
            return _Found(how, raw)

    def _due_of(self, token: Token | None) -> float:
        if token is None:
            return self._clock()
        life = token.expires_at - token.not_before
        return token.not_before + life * (LIFE + self._chance.uniform(-JITTER, JITTER))

    # -- the token

    async def _renew(self, found: _Found, how: HowToLogin) -> None:
        from presence_tui.identity_service.client import ServiceError  # loads aiohttp

        try:
            raw = await self._ask(found, how)
            if await asyncio.to_thread(self._file.changed):
                return  # somebody has logged in or out meanwhile: that counts
            await asyncio.to_thread(self._file.save, raw)
        except ServiceError as error:
            self._due = self._clock() + self._pause(found.token) if error.again else math.inf
            await self._say(str(error))
        except HomeError as error:
            self._due = self._clock() + self._pause(found.token)
            await self._say(str(error))
        else:
            await self._say(None)

    async def _ask(self, found: _Found, how: HowToLogin) -> bytes:
        """Ask for a new token: for the old one, or with the credential. Raises ServiceError."""
        from presence_tui.identity_service.client import ServiceError
        from presence_tui.identity_service.sign_in import connect, read_credential, sign_in

        identity = await asyncio.to_thread(load_identity, self._home)
        async with await connect(how, self._clock) as client:
            token = found.token
            if token is not None and self._clock() < token.expires_at + LEEWAY:
                try:
                    assert found.raw is not None
                    return (await sign_in(client, how, identity, renew=found.raw)).token
                except ServiceError as error:
                    if error.again or how.credential_file is None:
                        raise
            if how.credential_file is None:
                raise ServiceError("the identity token ran out: presence-tui identity login")
            credential = await asyncio.to_thread(read_credential, how.credential_file)
            return (await sign_in(client, how, identity, credential=credential)).token

    def _pause(self, token: Token | None) -> float:
        """Return how long to wait after another failure."""
        self._failures += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16))
        if token is not None:  # a short life allows no long pauses
            pause = min(pause, max(1.0, (token.expires_at - token.not_before) / 12))
        return pause * self._chance.uniform(0.5, 1.0)

    async def _say(self, trouble: str | None) -> None:
        """Keep what goes wrong where the engine and commands find it, and once in the log."""

        def write() -> bool:
            path = self._home / RENEWAL_FILE
            if trouble is None:
                path.unlink(missing_ok=True)
                return False
            line = f"{trouble}\n".encode()
            if path.exists() and path.read_bytes() == line:
                return False
            atomic_write(path, line)
            return True

        try:
            if await asyncio.to_thread(write):
                log.warning("the identity token is not renewed: %s", trouble)
        except OSError as error:
            log.warning("the identity token is not renewed: %s (%s)", trouble, error)

    # -- keys and revocations

    async def _look(self, how: HowToLogin) -> None:
        """Carry new keys and revocations of the issuer from the service into the mesh."""
        from presence_tui.identity_service.client import ServiceError
        from presence_tui.identity_service.sign_in import connect

        try:
            async with await connect(how, self._clock) as client:
                for path in ("/v1/keys", "/v1/revoked"):
                    await self._learn(client, path, how)
        except ServiceError as error:
            log.info("no news of the issuer: %s", error)
        except HomeError as error:
            log.warning("news of the issuer cannot be kept: %s", error)

    async def _learn(self, client: ServiceClient, path: str, how: HowToLogin) -> None:
        signed = await client.signed(path)
        taken, why = await asyncio.to_thread(learn, self._folder, signed)
        if taken not in GENUINE and taken is not Taken.UNKNOWN_ISSUER:
            log.warning("what the identity service %s says is not taken: %s", how.service, why)
