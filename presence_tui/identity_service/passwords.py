"""Passwords as scrypt hashes (RFC 7914), and the threads that compute them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from presence_core.codec import base64url
from presence_tui.identity_service.providers import RefusedError
from presence_tui.identity_service.wire import to_bytes

COST, BLOCK, LANES = 1 << 15, 8, 3
"""32 MiB and about a quarter of a second of one core for each try."""

MAX_MEMORY = 128 * 1024 * 1024
MAX_WORK = 8 * COST * BLOCK * LANES
SALT_BYTES = 16
HASH_BYTES = 32

MAX_WAITING = 256
"""Logins that wait for a core, half a minute for the last of them; who comes then is put off."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hashed password, with what it takes to hash another one alike."""

    cost: int
    block: int
    lanes: int
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """Hash a new password; takes a while."""
        blank = cls(COST, BLOCK, LANES, secrets.token_bytes(SALT_BYTES), b"")
        return replace(blank, hash=blank.digest(password))

    @classmethod
    def parse(cls, text: object) -> PasswordHash:
        """Read ``cost$block$lanes$salt$hash``. Raises ValueError, also for absurd parameters."""
        parts = text.split("$") if isinstance(text, str) else []
        if len(parts) != 5:
            raise ValueError("a hash is cost$block$lanes$salt$hash")
        cost, block, lanes = (int(part) for part in parts[:3])
        power_of_two = cost > 1 and cost & (cost - 1) == 0
        if not power_of_two or min(block, lanes) < 1 or cost * block * lanes > MAX_WORK:
            raise ValueError("the parameters of a hash make no sense, or cost too much")
        if 128 * block * (cost + lanes) > MAX_MEMORY:
            raise ValueError("a hash takes too much memory")
        salt, digest = (to_bytes(part, "salt and hash", limit=256) for part in parts[3:])
        if len(salt) < 8 or len(digest) != HASH_BYTES:
            raise ValueError("salt or hash are too short")
        return cls(cost, block, lanes, salt, digest)

    def text(self) -> str:
        """Return what :meth:`parse` reads."""
        numbers = f"{self.cost}${self.block}${self.lanes}"
        return f"{numbers}${base64url.encode(self.salt)}${base64url.encode(self.hash)}"

    def fits(self, password: str) -> bool:
        """Whether this is the password; takes a while, the same while whether it is or not."""
        return hmac.compare_digest(self.digest(password), self.hash)

    def digest(self, password: str) -> bytes:
        """Hash a password as this one was; takes a while."""
        return hashlib.scrypt(
            password.encode(),
            salt=self.salt,
            n=self.cost,
            r=self.block,
            p=self.lanes,
            maxmem=2 * MAX_MEMORY,
            dklen=HASH_BYTES,
        )


class PasswordThreads:
    """Checks passwords beside the event loop: as many at once as there are cores."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="scrypt")
        self._waiting = 0
        self._nobody = PasswordHash(COST, BLOCK, LANES, bytes(SALT_BYTES), bytes(HASH_BYTES))

    async def fits(self, hashed: PasswordHash | None, password: str) -> bool:
        """Whether the password is the hashed one.

        Without a hash, of a user who is not there, it takes as long to say no. Raises RefusedError
        when too many wait.
        """
        if self._waiting >= MAX_WAITING:
            raise RefusedError(
                503, "busy", "too many log in at once; try again soon", retry_after=10
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            check = (hashed or self._nobody).fits
            return await loop.run_in_executor(self._threads, check, password) and bool(hashed)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let what is being checked end, and drop what waits."""
        self._threads.shutdown(wait=False, cancel_futures=True)
