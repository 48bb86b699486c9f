"""The files of identity in a home: the own token, and the issuers that are trusted.

Blocking: whoever has an event loop calls it from a thread. ``issuers/NAME.issuer`` holds a key set,
``issuers/NAME.revoked`` a revocation list. Their first line says how they got there:

* ``# kept``: from the mesh, for an issuer whose key set a person has put here. It was checked
  when it came; the key that signed it may be out of use by now.
* ``# learned ROOT``: the same for an issuer that a person trusts by a file elsewhere
  (``--issuer``), of which ROOT is the beginning of the hash. Such a file trusts nobody by itself.
* anything else: from a person.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.engine.home import ISSUERS_FOLDER, TOKEN_FILE
from presence_core.identity.home_file import Stamp, stamp_of
from presence_core.identity.issuer import (
    IssuerObjectError,
    KeySet,
    RevocationList,
    SignedObject,
    object_text,
    parse_object,
    read_object,
)
from presence_core.identity.keyfile import HomeError, atomic_write
from presence_core.identity.token import TokenError, read_token, token_text
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEEP_FILES = 256
"""Files of the folder that are read; more are a mistake."""

RENEWAL_FILE = "renewal.failed"
"""While the own token is not renewed: one line of why. Whoever renews it writes that."""

_MOST_OF_WHY = 500
"""Characters of it that are told."""

_KEY_SET, _REVOKED = ".issuer", ".revoked"
_KEPT, _LEARNED = "# kept", "# learned"


class TokenFile:
    """The token of the local peer, as text; no file, or an empty one, for none."""

    def __init__(self, home: Path) -> None:
        self.path = home / TOKEN_FILE
        self._seen: Stamp | None = None

    def load(self) -> bytes | None:
        """Read the token, good or not. Raises HomeError if there is no telling what it is."""
        self._seen = stamp_of(self.path)
        if self._seen is None:
            return None
        try:
            return read_token(self.path.read_bytes())
        except TokenError as error:
            raise HomeError(
                f"{self.path} holds no identity token: {error}; log in anew or remove it"
            ) from error
        except OSError as error:
            raise HomeError(f"cannot read {self.path}: {error.strerror}") from error

    def save(self, raw: bytes | None) -> None:
        """Replace the token, durably. Raises HomeError when the file cannot be written."""
        try:
            if raw is None:
                self.path.unlink(missing_ok=True)
            else:
                atomic_write(self.path, token_text(raw).encode())
        except OSError as error:
            raise HomeError(f"cannot write {self.path}: {error.strerror}") from error
        self._seen = stamp_of(self.path)

    def changed(self) -> bool:
        """Whether somebody else has replaced the file since it was last read or written here."""
        return stamp_of(self.path) != self._seen


def renewal_failure(home: Path) -> str | None:
    """Return why the own token is not renewed; None when nobody says that it is not."""
    try:
        with (home / RENEWAL_FILE).open("rb") as file:
            said = file.read(4 * _MOST_OF_WHY).decode(errors="replace")
    except OSError:
        return None
    return safe_text(said.strip(), limit=_MOST_OF_WHY) or None


@value_object
class IssuerFile:
    """A signed object in a file, and how it got there."""

    path: Path
    signed: SignedObject
    kept: bool = False
    """It was checked when it came; its signature need not be one of today's keys."""
    root: str | None = None
    """The file elsewhere by which the issuer is trusted: this one trusts nobody."""

    @property
    def trusts(self) -> bool:
        """Whether a person trusts an issuer by this file."""
        return isinstance(self.signed, KeySet) and self.root is None


@value_object
class Folder:
    """What is in the folder of issuers: what can be read, and what is wrong with the others."""

    files: tuple[IssuerFile, ...] = ()
    faults: Mapping[Path, str] = field(default_factory=dict)


def read_issuer_file(path: Path) -> IssuerFile:
    """Read a file of a signed object. Raises HomeError, in one line."""
    try:
        data = path.read_bytes()
        signed = parse_object(read_object(data))
    except IssuerObjectError as error:
        raise HomeError(
            f"{path} is not the key set or revocation list of an issuer: {error}"
        ) from (error)
    except OSError as error:
        raise HomeError(f"cannot read {path}: {error.strerror}") from error
    first = data.partition(b"\n")[0].decode(errors="replace").split()
    mark = " ".join(first[:2])
    root = first[2] if mark == _LEARNED and len(first) > 2 else ""
    return IssuerFile(path, signed, mark in (_KEPT, _LEARNED), root if mark == _LEARNED else None)


def is_own_word(signed: SignedObject) -> bool:
    """Whether it is a key set that says to be signed by one of its own keys."""
    return isinstance(signed, KeySet) and signed.key(signed.signer) is not None


def root_of(key_set: KeySet) -> str:
    """Return what a learned file calls the key set by which a person trusts the issuer."""
    return hashlib.sha256(key_set.raw).hexdigest()[:16]


class IssuerFolder:
    """The folder of trusted issuers."""

    def __init__(self, home: Path) -> None:
        self.path = home / ISSUERS_FOLDER
        self._seen: dict[Path, Stamp | None] = {}

    def load(self) -> Folder:
        """Read all files. What is wrong with one does not keep the others from being read."""
        self._seen = self._stamps()
        return self._read()

    def _read(self) -> Folder:
        files: list[IssuerFile] = []
        faults: dict[Path, str] = {}
        for path in self._paths():
            try:
                file = read_issuer_file(path)
            except HomeError as error:
                faults[path] = str(error)
                continue
            wanted = KeySet if path.suffix == _KEY_SET else RevocationList
            if isinstance(file.signed, wanted):
                files.append(file)
            else:
                faults[path] = (
                    f"{path} holds something else than its name says; rename or remove it"
                )
        return Folder(tuple(files), faults)

    def changed(self) -> bool:
        """Whether somebody else has changed the folder since it was last read or written here."""
        return self._stamps() != self._seen

    def _stamps(self) -> dict[Path, Stamp | None]:
        return {path: stamp_of(path) for path in self._paths()}

    def _paths(self) -> Iterator[Path]:
        if not self.path.is_dir():
            return
        found = (path for path in self.path.iterdir() if path.suffix in (_KEY_SET, _REVOKED))
        yield from sorted(found)[:KEEP_FILES]

    def _by_person(self, issuer: str) -> IssuerFile | None:
        """Return the file by which a person trusts an issuer."""
        return next((f for f in self._read().files if f.trusts and f.signed.issuer == issuer), None)

    def add(self, key_set: KeySet) -> None:
        """Keep the key set of an issuer that a person trusts. Raises HomeError."""
        mark = "" if is_own_word(key_set) else f"{_KEPT}\n"
        path = self._path(key_set.issuer, _KEY_SET)
        self._write(path, mark + object_text(key_set))

    def keep(self, signed: SignedObject, root: str | None) -> None:
        """Keep what was learned of a trusted issuer, unless there is something newer.

        ``root``: of the file elsewhere by which it is trusted, if it is not by one in the folder.
        Raises HomeError.
        """
        by_person = self._by_person(signed.issuer)
        if by_person is None and root is None:
            return  # somebody has just removed it
        mark = _KEPT if by_person is not None else f"{_LEARNED} {root}"
        suffix = _KEY_SET if isinstance(signed, KeySet) else _REVOKED
        path = self._path(signed.issuer, suffix)
        if by_person is not None:
            path = by_person.path.with_suffix(suffix)
        if not self._is_there(path, signed, None if by_person is not None else root):
            self._write(path, f"{mark}\n{object_text(signed)}")

    def _is_there(self, path: Path, signed: SignedObject, root: str | None) -> bool:
        """Whether a file has what is to be kept, so that it will be believed, or what is newer."""
        try:
            there = read_issuer_file(path)
        except HomeError:
            return False  # there is none, or nothing that could be lost
        if there.signed.raw == signed.raw:
            kept = there.kept and there.root == root
            return kept or (there.trusts and is_own_word(signed))
        return there.signed.number > signed.number and there.root in (None, root)

    def remove(self, issuer: str) -> None:
        """Remove all files of an issuer. Raises HomeError."""
        for file in self._read().files:
            if file.signed.issuer == issuer:
                try:
                    file.path.unlink(missing_ok=True)
                except OSError as error:
                    raise HomeError(f"cannot remove {file.path}: {error.strerror}") from error
                self._seen.pop(file.path, None)

    def _path(self, issuer: str, suffix: str) -> Path:
        slug = hashlib.sha256(issuer.encode()).hexdigest()[:16]
        return self.path / f"{slug}{suffix}"

    def _write(self, path: Path, text: str) -> None:
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            atomic_write(path, text.encode())
        except OSError as error:
            raise HomeError(f"cannot write {path}: {error.strerror}") from error
        self._seen[path] = stamp_of(path)
