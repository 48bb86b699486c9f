"""The data base of an identity service: one SQLite file that survives kill -9 at any moment.

It holds the private keys of the issuer, so that it is readable by its owner only. What was
committed is on the disk: write-ahead log, and synchronous in full. Commands may change it while
the service runs; every change is one transaction.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

from presence_core.identity.keyfile import HomeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASE_FILE = "identity.sqlite"

VERSION = 1
"""Of the tables below; kept in ``user_version``."""

BUSY_SECONDS = 10.0

_TABLES = """
CREATE TABLE issuer (name TEXT NOT NULL, only INTEGER PRIMARY KEY CHECK (only = 1));
CREATE TABLE keys (
    position INTEGER PRIMARY KEY AUTOINCREMENT, private BLOB NOT NULL UNIQUE, kid BLOB NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0);
CREATE TABLE objects (kind TEXT PRIMARY KEY, number INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE tokens (
    id BLOB PRIMARY KEY, login BLOB NOT NULL, kid BLOB NOT NULL, peer_key BLOB NOT NULL,
    subject TEXT NOT NULL, provider TEXT NOT NULL, logged_in INTEGER NOT NULL,
    login_ends INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX tokens_of_login ON tokens (login);
CREATE INDEX tokens_by_end ON tokens (expires);
CREATE TABLE revoked_tokens (id BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE revoked_peers (peer_key BLOB PRIMARY KEY) WITHOUT ROWID;
"""


def connect(folder: Path, *, create: bool) -> sqlite3.Connection:
    """Open the data base of a service, making folder and file if asked to.

    Raises HomeError: it is not there, others can read it, it is damaged, or from a newer version.
    """
    path = folder / DATABASE_FILE
    try:
        if create:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # private before there is anything in it
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise HomeError(
            f"there is no identity service in {folder}; give its folder with --data, "
            "or start one there with 'presence-tui identity service'"
        ) from None
    except OSError as error:
        raise HomeError(f"cannot use {path}: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise HomeError(
            f"{path} can be read by others (mode {mode:04o}), and it holds the issuer's keys; "
            f"if nobody has copied it: chmod 600 {path}"
        )
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise HomeError(f"cannot use {path}: {error}; restore it from a back-up") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")  # a key that was dropped is gone
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise HomeError(f"{path} is from a newer presence-tui; use that one")
        if version == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing; when this is left, it is on the disk. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
