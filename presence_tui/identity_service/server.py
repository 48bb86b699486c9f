"""The service as a whole: what it is made of, where it listens, how it starts and ends."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import secrets
import socket
import sqlite3
import ssl
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from aiohttp import web

from presence_core.codec import base64url
from presence_core.identity.keyfile import HomeError, atomic_write
from presence_tui.identity_service.app import Api
from presence_tui.identity_service.commits import Commits
from presence_tui.identity_service.guard import REQUEST_SECONDS, Guard
from presence_tui.identity_service.limits import Limits
from presence_tui.identity_service.logins import Logins, Terms
from presence_tui.identity_service.passwords import PasswordThreads
from presence_tui.identity_service.providers import RefusedError
from presence_tui.identity_service.state import State
from presence_tui.identity_service.users import UsersFile, UsersProvider
from presence_tui.identity_service.webhook import SECONDS as WEBHOOK_SECONDS
from presence_tui.identity_service.webhook import WebhookProvider, WebhookTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from presence_tui.identity_service.providers import Provider

DEFAULT_PORT = 47780
ADMIN_FILE = "admin.token"
USERS_PROVIDER = "users"
WEBHOOK_PROVIDER = "webhook"

KEPT_SECONDS = 30 * 86_400
"""How long a token that ran out is still known."""

_HOUR = 3_600.0
_SHUTDOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """How a service is to run.

    ``issuer``: the name of the issuer, None for the one it has, at first the name of this machine.
    ``users``: the file of users, None for no logins by password. ``webhooks``: the names of
    providers that are asked for at a webhook. ``tls`` None listens without TLS, off loopback only
    if ``insecure``. The seconds are for a request to come, and for a webhook to answer.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    issuer: str | None = None
    users: Path | None = None
    webhook: WebhookTarget | None = None
    webhooks: tuple[str, ...] = (WEBHOOK_PROVIDER,)
    terms: Terms = field(default_factory=Terms)
    limits: Limits = field(default_factory=Limits)
    tls: ssl.SSLContext | None = None
    insecure: bool = False
    request_seconds: float = REQUEST_SECONDS
    webhook_seconds: float = WEBHOOK_SECONDS


class IdentityService:
    """A running service: an asynchronous context manager. ``url`` says where it listens.

    Raises HomeError when it cannot start: what is wrong, and what to do.
    """

    def __init__(self, config: ServiceConfig, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.url = ""
        self.issuer = ""
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        config = self.config
        await _refuse_in_the_open(config)
        now = int(self._clock())
        name = _host_name()
        state = await asyncio.to_thread(State.open_or_create, config.data, config.issuer, name, now)
        self.issuer = state.issuer
        commits = Commits(state)
        self._stack.push_async_callback(commits.close)
        admin_token = await asyncio.to_thread(_admin_token, config.data / ADMIN_FILE)
        providers = await self._providers()
        limits = config.limits
        logins = Logins(
            commits, state.issuer, providers, terms=config.terms, limits=limits, clock=self._clock
        )
        guard = Guard(config.request_seconds)
        api = Api(logins, commits, admin_token, guard, limits=limits, clock=self._clock)
        await self._listen(api.application(), guard)
        tidy = asyncio.create_task(self._tidy(commits), name="identity service, tidying")
        self._stack.push_async_callback(_cancel, tidy)

    async def _providers(self) -> Mapping[str, Provider]:
        config = self.config
        providers: dict[str, Provider] = {}
        if config.users is not None:
            threads = PasswordThreads()
            self._stack.callback(threads.close)
            file = UsersFile(config.users)
            await asyncio.to_thread(file.load)  # what is wrong with it is said at the start
            providers[USERS_PROVIDER] = UsersProvider(file, threads)
        if config.webhook is not None:
            webhook = WebhookProvider(
                config.webhook, seconds=config.webhook_seconds, clock=self._clock
            )
            await self._stack.enter_async_context(webhook)
            providers |= dict.fromkeys(config.webhooks, webhook)
        return providers

    async def _listen(self, app: web.Application, guard: Guard) -> None:
        config = self.config
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            # For the answer to be read by who still sends a body that was too large.
            lingering_time=config.request_seconds / 5,
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        try:
            server = await asyncio.get_running_loop().create_server(
                guard.wrap(runner.server),
                config.host,
                config.port,
                ssl=config.tls,
                backlog=512,
                ssl_handshake_timeout=guard.seconds if config.tls is not None else None,
            )
        except OSError as error:
            why = error.strerror or error
            raise HomeError(
                f"cannot listen on {config.host} port {config.port}: {why}; choose another --listen"
            ) from None
        self._stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.url = f"{'https' if config.tls else 'http'}://{host}:{port}"

    async def _tidy(self, commits: Commits) -> None:
        """Forget, each hour, what ran out long ago."""
        while True:
            with contextlib.suppress(sqlite3.Error, RefusedError):  # said already; next time, then
                await commits.do(self._forget_expired)
            await asyncio.sleep(_HOUR)

    def _forget_expired(self, state: State) -> None:
        state.forget_expired(int(self._clock()) - KEPT_SECONDS)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _host_name() -> str:
    return socket.gethostname()[:64] or "identity"


async def _refuse_in_the_open(config: ServiceConfig) -> None:
    """Raise HomeError for passwords that everybody on the network could read."""
    if config.tls is not None or config.insecure:
        return
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise HomeError(f"cannot listen on {config.host}: {error.strerror or error}") from None
    if not all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found):
        raise HomeError(
            f"{config.host} is not this machine alone, and without TLS passwords could be read on "
            "the way: give --tls-cert and --tls-key, or say --insecure-listen-without-tls"
        )


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the TLS settings of a service. Raises HomeError for files that cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise HomeError(f"cannot use {certificate} with {key} for TLS: {why}") from None
    return context


def _no_password() -> str:
    """OpenSSL would ask at the terminal, and wait for ever where there is none."""
    raise ValueError("the key has a password; give one without")


def _admin_token(path: Path) -> str:
    """Return the token that lets its holder revoke; the first time, make it."""
    try:
        if not path.exists():
            atomic_write(path, base64url.encode(secrets.token_bytes(32)).encode() + b"\n")
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise HomeError(f"{path} can be read by others; remove it, a new one will be made")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot use {path}: {getattr(error, 'strerror', error)}") from None
    if len(token) < 32:
        raise HomeError(f"{path} is damaged; remove it, a new one will be made")
    return token
