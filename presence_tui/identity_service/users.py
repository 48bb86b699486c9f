"""The embedded provider: a file of users, so that a small team needs nothing else.

One JSON object a line: ``{"user": NAME, "scrypt": HASH, "metadata": {…}}``. Lines that begin with
``#`` are comments.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from presence_core.codec.metadata import MetadataError, encode_metadata
from presence_core.codec.text import safe_text
from presence_core.identity.home_file import Stamp, locked, stamp
from presence_core.identity.keyfile import HomeError, atomic_write
from presence_tui.identity_service.passwords import PasswordHash, PasswordThreads
from presence_tui.identity_service.providers import MAX_SUBJECT, Approved, RefusedError
from presence_tui.identity_service.wire import WireError, json_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

USERS_FILE = "users"
MAX_USERS = 10_000
MAX_FILE = 64 * 1024 * 1024

_HEAD = "# users of the identity service; change them with: presence-tui identity user add|remove\n"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in, and what their tokens say."""

    name: str
    password: PasswordHash = field(repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict)


def check_user_name(name: str) -> str:
    """Return a name that a user can have. Raises ValueError.

    It is text that shows as it is, and without the colon that ends it in a credential.
    """
    if not 1 <= len(name.encode("utf-8", "replace")) <= MAX_SUBJECT:
        raise ValueError(f"a user name has 1 to {MAX_SUBJECT} bytes")
    if ":" in name or name != safe_text(name, limit=MAX_SUBJECT).strip():
        raise ValueError("a user name has no colon, no control characters and no blanks around it")
    return name


class UsersFile:
    """The file of users. Whoever changes it replaces it whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._users: dict[str, User] = {}
        self._seen: Stamp | None = None

    def load(self) -> Mapping[str, User]:
        """Return the users by name; read anew only when the file is another one.

        Raises HomeError, which names the line that cannot be read. No file is no users.
        """
        try:
            status = self.path.stat()
            seen = stamp(status)
            if seen != self._seen:
                if os.name == "posix" and status.st_mode & 0o077:
                    raise HomeError(f"{self.path} can be read by others: chmod 600 {self.path}")
                if status.st_size > MAX_FILE:
                    raise HomeError(f"{self.path} is larger than {MAX_FILE:,} bytes")
                self._users = _parse(self.path, self.path.read_bytes())
                self._seen = seen
        except FileNotFoundError:
            self._users, self._seen = {}, None
        except OSError as error:
            raise HomeError(f"cannot read {self.path}: {error.strerror}") from None
        return self._users

    def add(self, user: User) -> bool:
        """Add a user, or replace the one of this name; return whether it is a new one."""
        with locked(self.path):
            users = dict(self.load())
            new = user.name not in users
            if new and len(users) >= MAX_USERS:
                raise HomeError(f"{self.path} has {MAX_USERS:,} users, which is the limit")
            users[user.name] = user
            self._save(users)
        return new

    def remove(self, name: str) -> bool:
        """Remove a user; return whether there was one."""
        with locked(self.path):
            users = dict(self.load())
            if users.pop(name, None) is None:
                return False
            self._save(users)
        return True

    def _save(self, users: Mapping[str, User]) -> None:
        lines = [_line(user) for user in sorted(users.values(), key=lambda user: user.name)]
        try:
            atomic_write(self.path, (_HEAD + "".join(lines)).encode())
        except OSError as error:
            raise HomeError(f"cannot write {self.path}: {error.strerror}") from None
        self._seen = None


def _line(user: User) -> str:
    value: dict[str, Any] = {"user": user.name, "scrypt": user.password.text()}
    if user.metadata:
        value["metadata"] = dict(user.metadata)
    return json.dumps(value, ensure_ascii=False) + "\n"


def _parse(path: Path, data: bytes) -> dict[str, User]:
    users: dict[str, User] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            user = _user(json_object(line, "the line"))
            if user.name in users:
                raise WireError(f"the user {user.name!r} comes twice")
        except ValueError as error:
            raise HomeError(f"{path}, line {number}: {error}; correct or remove it") from None
        users[user.name] = user
    return users


def _user(value: dict[str, Any]) -> User:
    name, metadata = value.get("user"), value.get("metadata", {})
    if not isinstance(name, str) or not isinstance(metadata, dict):
        raise WireError('a user is {"user": NAME, "scrypt": HASH, "metadata": {…}}')
    try:
        encode_metadata(metadata)
    except MetadataError as error:
        raise WireError(f"its metadata cannot be taken: {error}") from None
    return User(check_user_name(name), PasswordHash.parse(value.get("scrypt")), metadata)


class UsersProvider:
    """Logs in whom the file of users names, with ``NAME:PASSWORD`` as credential."""

    kind = "password"

    def __init__(self, file: UsersFile, threads: PasswordThreads) -> None:
        self._file = file
        self._threads = threads

    def user_of(self, credential: str) -> str | None:
        """Return the name before the colon."""
        name, colon, _ = credential.partition(":")
        return name if colon else None

    async def authenticate(self, name: str, credential: str) -> Approved:
        """Check name and password; a name that is not there takes as long as a wrong password."""
        del name
        user_name, colon, password = credential.partition(":")
        if not colon:
            raise RefusedError(400, "bad_request", "the credential must be NAME:PASSWORD")
        user = (await self._users()).get(user_name)
        if not await self._threads.fits(user.password if user else None, password) or not user:
            raise RefusedError(401, "not_authenticated", "the user name or the password is wrong")
        return Approved(user.name, dict(user.metadata))

    async def renewed(self, subject: str, metadata: dict[str, Any]) -> Approved:
        """Take what the file says of the user now."""
        del metadata
        user = (await self._users()).get(subject)
        if user is None:
            message = "this user is no longer known here; ask whoever runs the service"
            raise RefusedError(403, "renewal_refused", message)
        return Approved(user.name, dict(user.metadata))

    async def _users(self) -> Mapping[str, User]:
        try:
            return await asyncio.to_thread(self._file.load)
        except HomeError as error:
            message = "the service cannot read its users; ask whoever runs it"
            raise RefusedError(503, "users_unreadable", message) from error
