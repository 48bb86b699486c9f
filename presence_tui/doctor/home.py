"""The home: the folder, the key of this device, and the files that an engine reads at its start."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from typing import TYPE_CHECKING

from presence_core.engine.home import MetadataFile
from presence_core.identity.keyfile import IDENTITY_FILE, HomeError, read_epoch, read_identity
from presence_core.identity.keys import peer_key_text, short_id
from presence_core.identity.trust_file import TrustFile
from presence_tui.doctor.finding import Finding, failed, of_error, ok, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from presence_tui.doctor.examination import Case

LITTLE_BYTES = 50 * 1024 * 1024
"""Less room than this is worth a word: identity, journal and log are files too."""

NO_BYTES = 1024 * 1024
_SAMPLE = bytes(4_096)
_ROOM = "make room, run this as the user whose home it is, or choose another --home"
_SOME = 3


def look_at_home(case: Case) -> Sequence[Finding]:
    """Look whether the folder is there, can be written, and is this user's alone."""
    name, home = "home", case.home
    try:
        there = home.stat()
    except FileNotFoundError:
        return [_to_be_made(name, home)]
    except OSError as error:
        said = f"cannot use {home}: {error.strerror or error}"
        return [failed(name, said, "choose another one with --home")]
    if not stat.S_ISDIR(there.st_mode):
        return [failed(name, f"{home} is not a folder", "choose another one with --home")]
    try:
        _write_here(home)
        free = shutil.disk_usage(home).free
    except OSError as error:
        why = error.strerror or error
        return [failed(name, f"cannot write in {home}: {why}", _ROOM)]
    said = f"{home} can be written, {free // 1024**2:,} MiB are free"
    if free < NO_BYTES:
        return [failed(name, f"{said}: too little for anything", "make room on that disk")]
    found = []
    if free < LITTLE_BYTES:
        found.append(warning(name, f"{said}: that is little", "make room on that disk"))
    return [*found, *_owner(name, home, there)] or [ok(name, said)]


def _to_be_made(name: str, home: Path) -> Finding:
    above = next(folder for folder in home.absolute().parents if folder.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return ok(name, f"{home} is not there yet; the first start makes it")
    return failed(
        name, f"{home} cannot be made: {above} is not this user's", "choose another --home"
    )


def _write_here(home: Path) -> None:
    """Write for once: what permissions promise, a full or read-only disk does not keep."""
    with tempfile.TemporaryFile(dir=home) as file:
        file.write(_SAMPLE)
        file.flush()
        os.fsync(file.fileno())


def _owner(name: str, home: Path, there: os.stat_result) -> list[Finding]:
    if os.name != "posix":
        return []
    if there.st_uid not in (os.geteuid(), 0):
        said = f"{home} belongs to another user (number {there.st_uid})"
        return [warning(name, said, "run this as that user, or choose another --home")]
    mode = stat.S_IMODE(there.st_mode)
    if mode & 0o022:
        said = f"others can put files into {home} (mode {mode:04o}), and replace the key"
        return [warning(name, said, f"chmod 700 {home}")]
    return []


def look_at_key(case: Case) -> Sequence[Finding]:
    """Look at the key of this device: whether it is there, good, private, and in use."""
    name, path = "key", case.home / IDENTITY_FILE
    if not path.exists():
        return [ok(name, "this device has no key yet; the first start makes one")]
    try:
        key = read_identity(case.home)
    except HomeError as error:
        return [of_error(name, error)]
    said = f"{short_id(key)} ({peer_key_text(key)[:12]}…) in {path}, readable by its owner only"
    if os.name != "posix":
        said = f"{short_id(key)} ({peer_key_text(key)[:12]}…) in {path}"
    holder = case.running.words
    return [ok(name, f"{said}; {holder}" if holder else said)]


def look_at_files(case: Case) -> Sequence[Finding]:
    """Read what an engine reads at its start, as it would."""
    name, home = "files", case.home
    found: list[Finding] = []
    for read in (_epoch, _metadata, _trust):
        try:
            found += read(name, home)
        except HomeError as error:
            found.append(of_error(name, error))
        except OSError as error:
            found.append(unknown(name, f"cannot look into {home}: {error.strerror or error}"))
    return found or [
        ok(name, "epoch, metadata and known keys can be read, as far as there are any")
    ]


def _epoch(_name: str, home: Path) -> list[Finding]:
    read_epoch(home)
    return []


def _metadata(_name: str, home: Path) -> list[Finding]:
    MetadataFile(home).load()
    return []


def _trust(name: str, home: Path) -> list[Finding]:
    file = TrustFile(home)
    damage = file.load().damage
    if not damage:
        return []
    more = f" and {len(damage) - _SOME} more" if len(damage) > _SOME else ""
    said = f"{file.path}: {'; '.join(damage[:_SOME])}{more}"
    hint = "what stands there is kept but not followed, a block neither: correct it or remove it"
    return [warning(name, said, hint)]
