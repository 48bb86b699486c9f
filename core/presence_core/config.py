"""What an engine is told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from presence_core.identity.mesh import MeshKey

TRANSPORTS = ("lan",)
"""The transports that this version has."""


def default_home() -> Path:
    """Return where keys, configuration and journal live unless one says otherwise."""
    import platformdirs

    return platformdirs.user_data_path("presence-tui")


@dataclass(frozen=True, slots=True)
class PresenceConfig:
    """How an engine runs. The fields are those of the command line and of the config file.

    ``mesh`` names an open mesh; ``mesh_key`` is the secret of a closed one; with neither, the
    home's own mesh key is used if there is one, else the open mesh ``default``. ``peers`` are
    static addresses ``HOST:PORT``; ``listen`` is ``HOST:PORT`` (port 0: any). ``interfaces``
    limits the LAN to these names. ``transports`` None means all that work here, ``()`` an engine
    that talks to nobody. Raises ValueError, in one line, for what makes no sense.
    """

    mesh: str | None = None
    mesh_key: MeshKey | None = None
    home: Path | None = None
    name: str | None = None
    metadata: Mapping[str, Any] | None = None
    peers: tuple[str, ...] = ()
    listen: str | None = None
    interfaces: tuple[str, ...] = ()
    transports: tuple[str, ...] | None = None
    issuers: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.mesh is not None and self.mesh_key is not None:
            raise ValueError("give either the name of an open mesh or a mesh key, not both")
        if self.mesh is not None and not self.mesh.strip():
            raise ValueError("the name of the mesh is empty")
        for transport in self.transports or ():
            if transport not in TRANSPORTS:
                known = ", ".join(TRANSPORTS)
                raise ValueError(f"unknown transport {transport!r}; this version has: {known}")

    @property
    def home_path(self) -> Path:
        """The home, given or by default."""
        return self.home if self.home is not None else default_home()
