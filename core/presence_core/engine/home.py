"""The files of an engine: its key, its mesh key, its metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from presence_core.codec.metadata import MetadataError, encode_metadata, parse_metadata_json
from presence_core.identity.home_file import Stamp, stamp_of
from presence_core.identity.keyfile import HomeError, atomic_write, read_mesh_key
from presence_core.identity.mesh import MeshKey

if TYPE_CHECKING:
    from pathlib import Path

    from presence_core.config import PresenceConfig

DEFAULT_MESH = "default"

TOKEN_FILE, ISSUERS_FOLDER, LOGIN_FILE = "identity.token", "issuers", "login.json"
"""On what identity rests: the own token, the trusted issuers, and how to log in again."""


def mesh_of(config: PresenceConfig, home: Path) -> MeshKey:
    """Return the mesh to join: given as a key, by name, kept in the home, or the default one.

    Raises HomeError when the home's mesh key file cannot be used.
    """
    if config.mesh_key is not None:
        return config.mesh_key
    if config.mesh is not None:
        return MeshKey.from_name(config.mesh)
    kept = home / "mesh.key"
    return read_mesh_key(kept) if kept.exists() else MeshKey.from_name(DEFAULT_MESH)


class MetadataFile:
    """The local peer's metadata between runs, as JSON.

    It is the truth for whoever changes metadata: a program by the API, a person in the editor, or
    a command beside a running engine, which follows the file.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "metadata.json"
        self._seen: Stamp | None = None

    def load(self) -> dict[str, Any] | None:
        """Read the metadata; None when there is no file.

        Raises HomeError when the file holds something else than valid metadata.
        """
        self._seen = stamp_of(self.path)
        if self._seen is None:
            return None
        try:
            value = parse_metadata_json(self.path.read_text(encoding="utf-8"))
            encode_metadata(value)
        except (MetadataError, UnicodeDecodeError) as error:
            raise HomeError(
                f"{self.path} is not valid metadata ({error}); correct it or remove it"
            ) from error
        except OSError as error:
            raise HomeError(f"cannot read {self.path}: {error.strerror}") from error
        return value

    def save(self, value: dict[str, Any]) -> None:
        """Replace the metadata, durably. Raises HomeError when the file cannot be written."""
        text = json.dumps(value, ensure_ascii=False, indent=2)
        try:
            atomic_write(self.path, text.encode() + b"\n")
        except OSError as error:
            raise HomeError(f"cannot write {self.path}: {error.strerror}") from error
        self._seen = stamp_of(self.path)

    def changed(self) -> bool:
        """Whether somebody else has replaced the file since it was last read or written here."""
        return stamp_of(self.path) != self._seen
