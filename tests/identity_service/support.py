"""A service and a webhook as processes, and devices that log in there."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from presence_core.codec import base64url
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.identity.token import Token, parse_token
from presence_tui.identity_service.passwords import PasswordHash
from presence_tui.identity_service.users import User, UsersFile
from presence_tui.identity_service.wire import proof
from tests.cli.command import COMMAND, environment
from tests.identity_service.webhook_process import SECRET
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PASSWORD = "correct horse battery"


def add_user(data: Path, name: str = "mina", metadata: Mapping[str, Any] | None = None) -> None:
    """Add a user with a cheap hash: what scrypt costs is tested elsewhere."""
    blank = PasswordHash(16, 1, 1, os.urandom(16), b"")
    hashed = replace(blank, hash=blank.digest(PASSWORD))
    UsersFile(data / "users").add(User(name, hashed, metadata or {"role": "medic"}))


def add_users(data: Path, names: Iterable[str]) -> None:
    """Add many users with one password, as whoever writes the file with a tool of their own."""
    blank = PasswordHash(16, 1, 1, os.urandom(16), b"")
    text = replace(blank, hash=blank.digest(PASSWORD)).text()
    lines = [json.dumps({"user": name, "scrypt": text}) for name in names]
    path = data / "users"
    path.write_text(path.read_text() + "\n".join(lines) + "\n")


def first_line(process: subprocess.Popen[bytes], log: Path | None = None) -> str:
    """Wait for the line with which a process says that it is ready."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline().decode().strip() if ready else ""
    if not line:
        said = log.read_text() if log is not None else ""
        raise AssertionError(f"it did not start: {process.poll()}; {said}")
    return line


class ServiceProcess:
    """``identity service`` as a process on loopback. A context manager, which ends it."""

    def __init__(self, data: Path, *options: str | Path) -> None:
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        self.process, self.url = self._start("127.0.0.1:0", *options)
        self._options = options

    def _start(self, listen: str, *options: str | Path) -> tuple[subprocess.Popen[bytes], str]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [
                    *COMMAND,
                    "identity",
                    "service",
                    "--data",
                    self.data,
                    "--listen",
                    listen,
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
            )
        return process, first_line(process, self.log)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        self._gone()

    def restart(self) -> None:
        """Start it again at the same address."""
        self.process, self.url = self._start(self.url.rpartition("//")[2], *self._options)

    def end(self) -> int:
        """Tell it to end; return its exit code."""
        self.process.terminate()
        return self._gone()

    def _gone(self) -> int:
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def peak_memory(self) -> int:
        """Return the most memory that it ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


@contextmanager
def webhook() -> Iterator[str]:
    """Run a webhook; yield its URL."""
    script = Path(__file__).with_name("webhook_process.py")
    process = subprocess.Popen([sys.executable, script, "0"], stdout=subprocess.PIPE)
    try:
        yield f"http://127.0.0.1:{first_line(process)}/"
    finally:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


def secret_file(folder: Path) -> Path:
    """Write the secret of the webhook to a file."""
    path = folder / "webhook.secret"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


@dataclass
class Answer:
    """What the service has answered."""

    status: int
    value: dict[str, Any]

    @property
    def error(self) -> str:
        assert self.status >= 400, self
        message = self.value["message"]
        assert message
        assert "\n" not in message
        return str(self.value["error"])

    @property
    def raw(self) -> bytes:
        assert self.status == 200, self
        return base64url.decode(self.value["token"])

    @property
    def token(self) -> Token:
        return parse_token(self.raw)


@dataclass
class Device:
    """Something that logs in, over plain HTTP, so that it can do everything wrong."""

    http: aiohttp.ClientSession
    identity: Identity = field(default_factory=Identity.generate)

    async def challenge(self) -> dict[str, Any]:
        async with self.http.get("/v1/challenge") as response:
            assert response.status == 200
            value: dict[str, Any] = await response.json()
            return value

    async def request(self, provider: str, credential: str) -> dict[str, str]:
        """Make a request for a token, with a fresh challenge that is signed as it should be."""
        value = await self.challenge()
        data = proof(base64url.decode(value["challenge"]), value["issuer"])
        return {
            "provider": provider,
            "credential": credential,
            "peerKey": peer_key_text(self.identity.peer_key),
            "challenge": value["challenge"],
            "signature": base64url.encode(self.identity.sign(data)),
        }

    async def post(self, body: Any, path: str = "/v1/token", **more: Any) -> Answer:
        data = body if isinstance(body, bytes) else None
        json = None if isinstance(body, bytes) else body
        async with self.http.post(path, data=data, json=json, **more) as response:
            return Answer(response.status, await response.json())

    async def log_in(self, credential: str = "", provider: str = "users") -> Answer:
        return await self.post(await self.request(provider, credential or f"mina:{PASSWORD}"))

    async def renew(self, token: bytes) -> Answer:
        return await self.log_in(base64url.encode(token), "renewal")
