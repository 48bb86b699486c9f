"""How an engine is configured: flags win over environment, environment over the config file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presence_tui.output import EXIT_CANNOT, EXIT_USAGE, CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from presence_core.config import PresenceConfig

CONFIG_FILE = "config.toml"

_LISTS = {
    "peers": "PRESENCE_PEER",
    "interfaces": "PRESENCE_INTERFACE",
    "issuers": "PRESENCE_ISSUER",
}
_TEXTS = {
    "mesh": "PRESENCE_MESH",
    "mesh_key_file": "PRESENCE_MESH_KEY_FILE",
    "name": "PRESENCE_NAME",
    "metadata": "PRESENCE_METADATA",
    "listen": "PRESENCE_LISTEN",
    "transports": "PRESENCE_TRANSPORT",
}
_MESH = ("mesh", "mesh_key_file")


def add_home_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--home``, which every command that touches files takes."""
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="keys, configuration and metadata live here"
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that runs an engine."""
    group = parser.add_argument_group(
        "engine", "each also as PRESENCE_… in the environment and in config.toml in the home"
    )
    add = group.add_argument
    add("--home", type=Path, metavar="DIR", help="keys, configuration and metadata live here")
    add("--mesh", metavar="NAME", help="join the open mesh of this name")
    add("--mesh-key-file", metavar="FILE", help="join the mesh whose key (mk1…) is in this file")
    add("--name", metavar="TEXT", help="name of this device (default: its host name)")
    add("--metadata", metavar="JSON|@FILE", help="publish this about the device")
    add("--peer", dest="peers", action="append", metavar="HOST:PORT", help="dial this address too")
    add("--listen", metavar="HOST:PORT", help="listen here (default: all interfaces)")
    add(
        "--interface",
        dest="interfaces",
        action="append",
        metavar="NAME",
        help="use only this network interface",
    )
    add(
        "--transport",
        dest="transports",
        metavar="LIST",
        help="transports that are on, as lan,… or none (default: all that work here)",
    )
    add(
        "--issuer",
        dest="issuers",
        action="append",
        metavar="FILE",
        help="trust the identity issuer in this file",
    )


def home_of(args: argparse.Namespace) -> Path:
    """Return the home: flag, environment, or the usual place for this user."""
    given = getattr(args, "home", None) or os.environ.get("PRESENCE_HOME")
    if given:
        return Path(given).expanduser()
    from presence_core.config import default_home

    return default_home()


def config_of(args: argparse.Namespace) -> PresenceConfig:
    """Put the configuration of an engine together.

    Raises CommandError: 2 for flags and environment that make no sense, 3 for a bad file.
    """
    from presence_core.config import PresenceConfig
    from presence_core.identity.keyfile import HomeError, read_mesh_key

    home = home_of(args)
    merged = _merge(home, _from_flags(args), _from_environment(os.environ))
    mesh_key_file = merged.pop("mesh_key_file", None)
    try:
        if mesh_key_file is not None:
            if merged.pop("mesh", None) is not None:
                raise CommandError("give either --mesh or --mesh-key-file, not both", EXIT_USAGE)
            merged["mesh_key"] = read_mesh_key(Path(mesh_key_file).expanduser())
        for key, read in _READERS.items():
            if key in merged:
                merged[key] = read(merged[key])
        return PresenceConfig(home=home, **merged)
    except HomeError as error:
        raise CommandError(str(error)) from None
    except ValueError as error:
        raise CommandError(str(error), EXIT_USAGE) from None


def _merge(home: Path, flags: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
    """Put the levels on top of each other; one way to name the mesh replaces the other."""
    merged: dict[str, Any] = {}
    for level in (_from_file(home / CONFIG_FILE), environment, flags):
        if any(level.get(key) is not None for key in _MESH):
            for key in _MESH:
                merged.pop(key, None)
        merged.update({key: value for key, value in level.items() if value is not None})
    only_in_file = flags["metadata"] is None and environment["metadata"] is None
    if only_in_file and (home / "metadata.json").exists():
        merged.pop(
            "metadata", None
        )  # the file's is where one starts, not what an edit goes back to
    return merged


def read_metadata(given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Read metadata as JSON, or from ``@FILE``. Raises CommandError with the limit and place."""
    from presence_core.codec.metadata import (
        MetadataError,
        encode_metadata,
        parse_metadata_json,
    )

    try:
        if isinstance(given, str):
            text = given
            if given.startswith("@"):
                text = Path(given[1:]).expanduser().read_text(encoding="utf-8")
            value = parse_metadata_json(text)
        else:
            value = dict(given)
        encode_metadata(value)
    except MetadataError as error:
        raise CommandError(f"metadata: {error}", EXIT_USAGE) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"metadata: cannot read {str(given)[1:]}: {reason}", EXIT_USAGE
        ) from None
    return value


def _transports(given: str | list[str]) -> tuple[str, ...]:
    parts = given.split(",") if isinstance(given, str) else given
    names = [part.strip() for part in parts if part.strip()]
    return () if names in ([], ["none"]) else tuple(dict.fromkeys(names))


def _paths(given: list[str]) -> tuple[Path, ...]:
    return tuple(Path(text).expanduser() for text in given)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "metadata": read_metadata,
    "peers": tuple,
    "interfaces": tuple,
    "issuers": _paths,
    "transports": _transports,
}


def _from_flags(args: argparse.Namespace) -> dict[str, Any]:
    return {key: getattr(args, key, None) for key in (*_TEXTS, *_LISTS)}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    level: dict[str, Any] = {key: environment.get(name) for key, name in _TEXTS.items()}
    for key, name in _LISTS.items():
        text = environment.get(name)
        level[key] = None if text is None else [p.strip() for p in text.split(",") if p.strip()]
    return level


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(_TEXTS, (_is_text, "a text")),
    **dict.fromkeys(_LISTS, (_is_texts, "a list of texts")),
    "metadata": (lambda value: isinstance(value, str | dict), "a table, JSON text or @FILE"),
    "transports": (lambda value: _is_text(value) or _is_texts(value), "a list of texts"),
}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", EXIT_CANNOT) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not valid TOML: {error}", EXIT_CANNOT) from None
    for key, value in values.items():
        if key not in _CHECKS:
            known = ", ".join(sorted(_CHECKS))
            raise CommandError(f"{path}: unknown key {key!r}; known: {known}", EXIT_CANNOT)
        check, expected = _CHECKS[key]
        if not check(value):
            raise CommandError(f"{path}: {key} must be {expected}", EXIT_CANNOT)
    if all(key in values for key in _MESH):
        raise CommandError(f"{path}: give either mesh or mesh_key_file, not both", EXIT_CANNOT)
    if "mesh_key_file" in values:  # relative to where it is written
        values["mesh_key_file"] = str(path.parent / Path(values["mesh_key_file"]).expanduser())
    return values
