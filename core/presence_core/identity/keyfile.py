"""The key files of a home: private, locked while in use, never half written."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
import sys
from typing import IO, TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from presence_core.identity.keys import KEY_BYTES, Identity, KeyFormatError, check_peer_key
from presence_core.identity.mesh import MeshKey

if TYPE_CHECKING:
    from pathlib import Path

_PEM_BEGIN, _PEM_END = b"-----BEGIN PRIVATE KEY-----\n", b"\n-----END PRIVATE KEY-----\n"
_PKCS8_HEAD = bytes.fromhex("302e020100300506032b657004220420")
"""All of the PKCS #8 form of an Ed25519 key but the key itself."""

IDENTITY_FILE = "identity.key"
EPOCH_FILE = "epoch"
MESH_FILE = "mesh.key"

_LAST_EPOCH = 2**64 - 1

_POSIX = os.name == "posix"


class HomeError(Exception):
    """A file of the home cannot be used: which, why, and what to do, in one line."""


def atomic_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file so that a crash at any moment leaves the old content or the new.

    Raises OSError.
    """
    temporary = _beside(path)
    try:
        _write_new(temporary, data, mode)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _beside(path: Path) -> Path:
    """Name a new file beside another. By chance: containers that share a home share process ids."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")


def _write_new(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if not _POSIX:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class KeyFile:
    """The identity of a home, held under a lock: one key, one engine."""

    def __init__(self, path: Path, identity: Identity, lock: IO[bytes]) -> None:
        self.path = path
        self.identity = identity
        self._lock = lock

    @classmethod
    def open(cls, home: Path) -> KeyFile:
        """Open the home's key, making folder and key when they are missing.

        Raises HomeError when others can read the key, when it is damaged, when another engine
        holds it, or when the home cannot be written.
        """
        path = home / IDENTITY_FILE
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _create_identity(path)
            _refuse_if_shared(path)
            lock = _open_to_lock(path)
        except OSError as error:
            raise HomeError(_cannot("use", path, error)) from None
        try:
            lock_file(lock)
            for name in (IDENTITY_FILE, EPOCH_FILE):
                sweep(home / name)
            return cls(path, _load_identity(path, lock.read()), lock)
        except BlockingIOError:
            lock.close()
            raise HomeError(
                f"another presence-tui already runs with the key {path}; "
                "stop it, or use another --home"
            ) from None
        except OSError as error:
            lock.close()
            raise HomeError(_cannot("lock", path, error)) from None
        except BaseException:
            lock.close()
            raise

    def next_epoch(self, wall_ms: int) -> int:
        """Return an epoch greater than any before it; it is on disk before this returns.

        Protocol §6.2. Raises HomeError when it cannot be stored.
        """
        path = self.path.with_name(EPOCH_FILE)
        epoch = max((read_epoch(self.path.parent) or 0) + 1, wall_ms)
        try:
            atomic_write(path, f"{epoch}\n".encode())
        except OSError as error:
            raise HomeError(_cannot("write", path, error)) from None
        return epoch

    def close(self) -> None:
        """Let another engine have the key. Safe to call twice."""
        self._lock.close()


def read_epoch(home: Path) -> int | None:
    """Return the epoch of the last run of a home; None before the first. Raises HomeError."""
    path = home / EPOCH_FILE
    try:
        stored = int(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HomeError(_cannot("read", path, error)) from None
    except ValueError:
        stored = -1
    if not 0 <= stored < _LAST_EPOCH:
        raise HomeError(f"{path} is damaged; remove it, a new epoch will be taken")
    return stored


def read_identity(home: Path) -> bytes:
    """Return the peer key of a home without locking it. Raises HomeError."""
    return load_identity(home).peer_key


def load_identity(home: Path) -> Identity:
    """Return the identity of a home, to sign beside an engine that runs with it.

    Without the lock: whoever uses this publishes no records. Raises HomeError.
    """
    path = home / IDENTITY_FILE
    try:
        _refuse_if_shared(path)
        return _load_identity(path, path.read_bytes())
    except FileNotFoundError:
        raise HomeError(
            f"there is no key in {home} yet; it is made when the engine first starts"
        ) from None
    except OSError as error:
        raise HomeError(_cannot("read", path, error)) from None


def read_mesh_key(path: Path) -> MeshKey:
    """Read a mesh key file: ``mk1…`` on a line of its own, ``# mesh: NAME`` before it if named.

    Raises HomeError.
    """
    try:
        _refuse_if_shared(path)
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise HomeError(f"there is no mesh key file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(_cannot("read", path, error)) from None
    names = [line[1:].strip().removeprefix("mesh:").strip() for line in lines if _names_mesh(line)]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1:
        raise HomeError(f"{path} must hold one mesh key (mk1…) on a line of its own")
    try:
        return MeshKey.parse(keys[0], names[0] if names else path.stem)
    except KeyFormatError as error:
        raise HomeError(f"{path}: {error}") from None


def _names_mesh(line: str) -> bool:
    return line.startswith("#") and line[1:].strip().startswith("mesh:")


def write_mesh_key(path: Path, mesh: MeshKey) -> None:
    """Write a new mesh key file, readable by its owner only. Raises HomeError if it exists."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = " ".join(mesh.name.split())
        _write_new(path, f"# mesh: {name}\n{mesh.text()}\n".encode(), 0o600)
        _sync_folder(path.parent)
    except FileExistsError:
        raise HomeError(
            f"{path} exists already; move it away first, its mesh would be lost"
        ) from None
    except OSError as error:
        raise HomeError(_cannot("write", path, error)) from None


def _create_identity(path: Path) -> None:
    """Make a key. Two processes may do so at once: the file appears whole, and one of them wins."""
    pem = private_key_pem(Ed25519PrivateKey.generate())
    temporary = _beside(path)
    try:
        _write_new(temporary, pem, 0o600)
        # Unlike a rename, a link never replaces a key that is there. Whoever was first may also
        # have swept our file away.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def sweep(path: Path) -> None:
    """Remove what a killed process left behind of a file: whoever holds the lock alone writes."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        left.unlink(missing_ok=True)


def private_key_pem(private: Ed25519PrivateKey) -> bytes:
    """Return a key as unencrypted PKCS #8 in PEM (RFC 8410 §7, RFC 7468), as others read it."""
    text = base64.b64encode(_PKCS8_HEAD + private.private_bytes_raw())
    return _PEM_BEGIN + text + _PEM_END


def _plain_key(pem: bytes) -> Ed25519PrivateKey | None:
    """Read a key in the form in which they are written here; None for every other."""
    if not (pem.startswith(_PEM_BEGIN) and pem.endswith(_PEM_END)):
        return None
    try:
        der = base64.b64decode(pem[len(_PEM_BEGIN) : -len(_PEM_END)], validate=True)
    except ValueError:
        return None
    if not der.startswith(_PKCS8_HEAD) or len(der) != len(_PKCS8_HEAD) + KEY_BYTES:
        return None
    return Ed25519PrivateKey.from_private_bytes(der[len(_PKCS8_HEAD) :])


def _any_key(pem: bytes) -> object:
    """Read a key that some other tool has written; None when it cannot be read."""
    # Half a megabyte in each engine, for a form that nearly nobody has.
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        return None


def _load_identity(path: Path, pem: bytes) -> Identity:
    private = _plain_key(pem) or _any_key(pem)
    if not isinstance(private, Ed25519PrivateKey):
        raise HomeError(f"{path} holds no Ed25519 key; restore it from a copy, or move it away")
    identity = Identity(private)
    check_peer_key(identity.peer_key)
    return identity


def _refuse_if_shared(path: Path) -> None:
    if not _POSIX:
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise HomeError(
            f"{path} can be read by others (mode {mode:04o}); "
            f"if nobody has copied it: chmod 600 {path}"
        )


def _open_to_lock(path: Path) -> IO[bytes]:
    """Open for writing where that is allowed: an exclusive lock over NFS demands it."""
    try:
        return path.open("r+b")
    except PermissionError:
        return path.open("rb")


def lock_file(file: IO[bytes]) -> None:
    """Lock a file until it is closed. Raises BlockingIOError when somebody else has it locked."""
    if sys.platform == "win32":
        import msvcrt

        try:
            file.seek(1 << 20)  # beyond the content: a locked byte cannot be read by others
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from None
        finally:
            file.seek(0)
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """Whether somebody holds a file by :func:`lock_file`, as an engine does its key.

    There is no asking but by locking: for a moment, and not exclusively where that can be. Raises
    OSError.
    """
    with _open_to_lock(path) as file:
        try:
            if sys.platform == "win32":
                lock_file(file)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _cannot(what: str, path: Path, error: Any) -> str:
    return f"cannot {what} {path}: {getattr(error, 'strerror', None) or error}"
