"""What an engine is told before it starts."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from presence_core.discovery.static import parse_address, static_hints
from presence_core.gossip.neighbours import ACCEPT
from presence_core.value_object import public_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from presence_core.identity.mesh import MeshKey

TRANSPORTS = ("lan", "ble")
"""The transports that this version has."""

MAX_LINKS = 32
"""More would not fit with the spare ones into the record, and a mesh does not need them."""

_ANY_PORT = 1
"""Stands for the engine's own default where an address is only checked."""


def default_home() -> Path:
    """Return where keys, configuration and journal live unless one says otherwise."""
    import platformdirs  # only needed when no home is given

    return platformdirs.user_data_path("presence-tui")


@public_value
class PresenceConfig:
    """How an engine runs. The fields are those of the command line and of the config file.

    ``mesh`` names an open mesh; ``mesh_key`` is the secret of a closed one; with neither, the
    home's own mesh key is used if there is one, else the open mesh ``default``. ``peers`` are
    static addresses ``HOST:PORT``; ``listen`` is ``HOST:PORT`` (port 0: any). ``interfaces``
    limits the LAN to these names. ``transports`` None means all that work here, ``()`` an engine
    that talks to nobody. ``issuers`` are files of key sets, trusted for this run;
    ``require_identity`` lets only those link whose identity is verified, unless the program has a
    connection request handler of its own. ``max_links`` is how many links are accepted,
    1 to 32. Raises ValueError, in one line, for what makes no sense; the metadata is checked when
    the engine starts.
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
    require_identity: bool = False
    max_links: int = ACCEPT

    def __post_init__(self) -> None:
        if self.mesh is not None and self.mesh_key is not None:
            raise ValueError("give either the name of an open mesh or a mesh key, not both")
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                check_setting(field.name, value)

    def uses(self, transport: str) -> bool:
        """Whether a transport may be on."""
        return self.transports is None or transport in self.transports

    @property
    def home_path(self) -> Path:
        """The home, given or by default."""
        return self.home if self.home is not None else default_home()


def check_setting(field: str, value: Any) -> None:
    """Check the value of one field of PresenceConfig. Raises ValueError, in one line."""
    check = _CHECKS.get(field)
    if check is not None:
        check(value)


def _check_text(value: Any, what: str) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a text")  # noqa: TRY004  a bad setting, whatever is bad
    if not value.strip():
        raise ValueError(f"{what} is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not valid Unicode") from None


def _check_texts(values: Any, what: str) -> tuple[str, ...]:
    if not isinstance(values, tuple | list):  # a single text would be taken letter by letter
        raise ValueError(f"{what} must be a list of texts")  # noqa: TRY004  as above
    for value in values:
        _check_text(value, f"one of {what}")
    return tuple(values)


def _check_listen(value: Any) -> None:
    _check_text(value, "the address to listen on")
    parse_address(value, _ANY_PORT)


def _check_peers(values: Any) -> None:
    static_hints(_check_texts(values, "the addresses of peers"), _ANY_PORT)


def _check_transports(values: Any) -> None:
    for value in _check_texts(values, "the transports"):
        if value not in TRANSPORTS:
            known = ", ".join(TRANSPORTS)
            raise ValueError(f"unknown transport {value!r}; this version has: {known}")


def _check_require_identity(value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError("whether an identity is required is yes or no")  # noqa: TRY004  as above


def _check_max_links(value: Any) -> None:
    if not isinstance(value, int) or not 1 <= value <= MAX_LINKS:
        raise ValueError(f"an engine holds from 1 to {MAX_LINKS} links")


_CHECKS: Mapping[str, Callable[[Any], object]] = MappingProxyType(
    {
        "mesh": lambda value: _check_text(value, "the name of the mesh"),
        "name": lambda value: _check_text(value, "the name of this device"),
        "peers": _check_peers,
        "listen": _check_listen,
        "interfaces": lambda values: _check_texts(values, "the interfaces"),
        "transports": _check_transports,
        "require_identity": _check_require_identity,
        "max_links": _check_max_links,
    }
)
