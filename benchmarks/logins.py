"""How many logins one core of an identity service stands, and what limits them.

The service is a process of its own, bound to one core; who logs in, and the webhook, have the
others. A login is what a device does: ask for a challenge, sign it, send it with the credential,
get a token that is on the disk. Measured is the CPU time that the service spends on one, with all
its threads: its inverse is what a core that does nothing else stands.

Beside it, in the same run: the bare cryptography of a login (verify the proof, sign the token, and
for a renewal verify the old one), the bare HTTP (an aiohttp that answers two requests with a
constant), and a token that is made and written to the data base, with many to a commit. These are
what a login is made of; the rest is JSON, checks, and going from thread to thread. Passwords are
slow on purpose: a hash that is quick to check is quick to guess.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from presence_core.codec import base64url
from presence_core.identity.issuer import IssuerKey
from presence_core.identity.keys import Identity, peer_key_text, verify
from presence_tui.identity_service.database import transaction
from presence_tui.identity_service.limits import Limits, Rate
from presence_tui.identity_service.passwords import PasswordHash
from presence_tui.identity_service.server import IdentityService, ServiceConfig
from presence_tui.identity_service.state import Login, State, new_token_id
from presence_tui.identity_service.users import User, UsersFile
from presence_tui.identity_service.webhook import WebhookTarget
from presence_tui.identity_service.wire import proof

GOAL = 300
PASSWORD = "correct horse battery"
SECRET = b"a secret of sixteen bytes or more"
CORE = 0
AT_ONCE = 64
NO_LIMIT = Rate(1e9, 1e9)


# -- processes


async def serve(kind: str, folder: Path, webhook: str) -> None:
    """Be the service, or what it is compared with, until killed."""
    stop = asyncio.Event()
    if kind == "http":
        print(await listen(answer_constant), flush=True)
        await stop.wait()
    if kind == "webhook":
        print(await listen(approve), flush=True)
        await stop.wait()
    config = ServiceConfig(
        folder,
        port=0,
        issuer="bench",
        users=folder / "users",
        webhook=WebhookTarget(webhook, SECRET) if webhook else None,
        limits=Limits(NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT),
    )
    async with IdentityService(config) as service:
        print(service.url, flush=True)
        await stop.wait()


async def listen(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


async def answer_constant(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"x" * 500, content_type="application/json")


async def approve(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(
        text='{"authenticated":true,"userID":"mina","identityServiceMetadata":{"role":"medic"}}',
        content_type="application/json",
    )


class Process:
    """One of them, on a core; knows what CPU time it has spent."""

    def __init__(self, kind: str, folder: Path, webhook: str, cores: set[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind, str(folder), webhook],
            stdout=subprocess.PIPE,
        )
        os.sched_setaffinity(self._process.pid, cores)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()

    def cpu(self) -> float:
        """Return the CPU seconds of all its threads until now."""
        spent = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


# -- who logs in


class Device:
    """Logs in again and again."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._identity = Identity.generate()
        self._token = ""

    async def log_in(self, provider: str, credential: str) -> None:
        async with self._http.get("/v1/challenge") as response:
            value = await response.json()
        data = proof(base64url.decode(value["challenge"]), value["issuer"])
        body = {
            "provider": provider,
            "credential": credential,
            "peerKey": peer_key_text(self._identity.peer_key),
            "challenge": value["challenge"],
            "signature": base64url.encode(self._identity.sign(data)),
        }
        async with self._http.post("/v1/token", json=body) as response:
            answer = await response.json()
            if response.status != 200:
                raise SystemExit(f"refused: {answer}")
            self._token = answer["token"]

    async def renew(self) -> None:
        await self.log_in("renewal", self._token)

    async def two_requests(self) -> None:
        async with self._http.get("/a") as response:
            await response.read()
        async with self._http.post("/b", data=b"x" * 500) as response:
            await response.read()


async def measure(
    process: Process,
    count: int,
    act: Callable[[Device], Awaitable[None]],
    before: Callable[[Device], Awaitable[None]] | None = None,
) -> tuple[float, float]:
    """Return CPU seconds and wall seconds of one act, of ``count`` by many devices at once."""
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(process.url, connector=connector) as http:
        devices = [Device(http) for _ in range(min(AT_ONCE, count))]
        if before is not None:
            await asyncio.gather(*(before(device) for device in devices))
        each = max(1, count // len(devices))

        async def work(device: Device) -> None:
            for _ in range(each):
                await act(device)

        spent, began = process.cpu(), time.perf_counter()
        await asyncio.gather(*(work(device) for device in devices))
        passed = time.perf_counter() - began
        done = each * len(devices)
        return (process.cpu() - spent) / done, passed / done


def bare(renewal: bool, rounds: int = 500) -> float:
    """Return the CPU seconds of the cryptography of one login, and nothing else."""
    peer, issuer = Identity.generate(), IssuerKey.generate()
    data = b"x" * 64
    signature, token = peer.sign(data), issuer.sign(data * 4)
    key = issuer.public_key
    began = time.process_time()
    for _ in range(rounds):
        verify(peer.peer_key, signature, data)
        issuer.sign(data * 4)
        if renewal:
            key.verify(token, data * 4)
    return (time.process_time() - began) / rounds


def kept(folder: Path, rounds: int = 20) -> float:
    """Return the CPU seconds of a token that is made and kept, when as many share a commit."""
    state = State.open_or_create(folder / "alone", "bench", "bench", 1_800_000_000)
    peer_key = Identity.generate().peer_key
    began = time.process_time()
    for _ in range(rounds):
        with transaction(state.connection):
            for _ in range(AT_ONCE):
                token_id = new_token_id()
                state.issue(
                    login=Login(token_id, "mina", "webhook", 1_800_000_000, 1_800_600_000),
                    token_id=token_id,
                    peer_key=peer_key,
                    metadata={"role": "medic"},
                    now=1_800_000_000,
                    expires_at=1_800_086_400,
                )
    spent = (time.process_time() - began) / rounds / AT_ONCE
    state.close()
    return spent


def scrypt_seconds() -> float:
    hashed = PasswordHash.of(PASSWORD)
    began = time.process_time()
    for _ in range(3):
        hashed.fits(PASSWORD)
    return (time.process_time() - began) / 3


# -- the table


async def run(options: argparse.Namespace) -> None:
    count = 256 if options.short else 6_400
    cores = os.sched_getaffinity(0)
    others = cores - {CORE} or cores
    os.sched_setaffinity(0, others)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        UsersFile(folder / "users").add(User("mina", PasswordHash.of(PASSWORD)))
        with (
            Process("webhook", folder, "", others) as hook,
            Process("service", folder, hook.url, {CORE}) as service,
            Process("http", folder, "", {CORE}) as http,
        ):
            crypto, crypto_renewal = bare(False), bare(True)
            token = kept(folder)
            plain = await measure(http, count, Device.two_requests)

            async def by_webhook(device: Device) -> None:
                await device.log_in("webhook", "token")

            async def by_password(device: Device) -> None:
                await device.log_in("users", f"mina:{PASSWORD}")

            webhook = await measure(service, count, by_webhook)
            renewal = await measure(service, count, Device.renew, by_webhook)
            passwords = await measure(service, 8 if options.short else 32, by_password)
    print("on one core              CPU ms   a second   in this run   / cryptography   / bare HTTP")
    line("bare cryptography", (crypto, crypto), crypto, plain[0])
    line("bare HTTP, 2 requests", plain, crypto, plain[0])
    line("token made and kept", (token, token), crypto, plain[0])
    line("renewal", renewal, crypto_renewal, plain[0])
    line("login by webhook", webhook, crypto, plain[0])
    line("login by password", passwords, crypto, plain[0])
    hashing = scrypt_seconds()
    print(
        f"one scrypt hash: {hashing * 1_000:.0f} ms, {hashing / passwords[0]:.0%} of such a login"
    )
    for name, figures in (("renewals", renewal), ("logins by webhook", webhook)):
        met = "met" if 1 / figures[0] >= GOAL else "missed"
        print(f"goal: {GOAL} {name} a second on one core: {met}")


def line(name: str, figures: tuple[float, float], crypto: float, plain: float) -> None:
    cpu, wall = figures
    print(
        f"{name:22} {cpu * 1_000:8.2f} {1 / cpu:10.0f} {1 / wall:13.0f} "
        f"{cpu / crypto:15.1f}x {cpu / plain:11.1f}x"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="few logins: shows that it runs")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        kind, folder, webhook = options.serve
        asyncio.run(serve(kind, Path(folder), webhook))
    else:
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
