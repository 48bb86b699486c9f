"""How an engine is configured: flags win over environment, environment over the config file."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presence_tui.options import AFTER, FLAGS, LISTS, SWITCHES, TEXTS, environment_name
from presence_tui.output import EXIT_CANNOT, EXIT_USAGE, CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from presence_core.config import PresenceConfig

CONFIG_FILE = "config.toml"

_MESH = ("mesh", "mesh_key_file")

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class _Given:
    """A setting as somebody gave it, and what to blame if it makes no sense.

    ``base`` is the folder that paths in it are relative to.
    """

    value: Any
    origin: str
    code: int
    base: Path


def home_of(args: argparse.Namespace) -> Path:
    """Return the home: flag, environment, or the usual place for this user."""
    given = getattr(args, "home", None) or os.environ.get("PRESENCE_HOME")
    if given:
        try:
            return Path(given).expanduser()
        except RuntimeError as error:
            raise CommandError(f"--home {given}: {error}", EXIT_USAGE) from None
    from presence_core.config import default_home

    return default_home()


def given_engine_flags(args: argparse.Namespace) -> list[str]:
    """Return the engine options that stand on the command line."""
    return [given.origin for given in _from_flags(args).values()]


def config_of(args: argparse.Namespace) -> PresenceConfig:
    """Put the configuration of an engine together.

    Raises CommandError, which names what to correct: 2 for flags and environment that make no
    sense, 3 for a file.
    """
    from presence_core.config import PresenceConfig

    home = home_of(args)
    fields = dict(_field(key, given) for key, given in _merged(args, home).items())
    return PresenceConfig(home=home, **fields)


def config_of_flags(args: argparse.Namespace) -> PresenceConfig:
    """Put together what the flags alone say, for whoever goes on when the other settings are bad.

    A key file that is of no use is left out. Raises CommandError for flags that make no sense.
    """
    from presence_core.config import PresenceConfig

    level = _from_flags(args)
    _refuse_two_meshes(level)
    fields = {}
    for key, given in level.items():
        try:
            name, value = _field(key, given)
            fields[name] = value
        except CommandError as error:
            if error.code == EXIT_USAGE:
                raise
    return PresenceConfig(home=home_of(args), **fields)


def names_of(args: argparse.Namespace) -> tuple[str | None, str | None]:
    """Return the names of the mesh and of the device, None where nobody gave one.

    Loads nothing of the engine, and so checks less. Raises CommandError as :func:`config_of`.
    """
    merged = _merged(args, home_of(args))
    mesh, name = (merged[key].value if key in merged else None for key in ("mesh", "name"))
    return mesh, name


def _merged(args: argparse.Namespace, home: Path) -> dict[str, _Given]:
    merged = _from_file(home / CONFIG_FILE)
    if (home / "metadata.json").exists():
        merged.pop("metadata", None)  # the config file's is where one starts, not to go back to
    for level in (_from_environment(os.environ), _from_flags(args)):
        if any(key in level for key in _MESH):  # one way to name the mesh replaces the other
            merged = {key: given for key, given in merged.items() if key not in _MESH}
        merged |= level
    _refuse_two_meshes(merged)
    return merged


def _refuse_two_meshes(merged: Mapping[str, _Given]) -> None:
    if all(key in merged for key in _MESH):
        one, other = (merged[key] for key in _MESH)
        raise CommandError(f"give either {one.origin} or {other.origin}, not both", one.code)


def _from_flags(args: argparse.Namespace) -> dict[str, _Given]:
    here = Path()
    level = {}
    for key, flag in FLAGS.items():
        value = getattr(args, key, None)
        if key in LISTS:
            value = [*(value or ()), *(getattr(args, key + AFTER, None) or ())] or None
        if value is not None:
            level[key] = _Given(value, flag, EXIT_USAGE, here)
    return level


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Given]:
    """Read the PRESENCE_… variables; an empty one is as good as none."""
    here = Path()
    level = {}
    for key, flag in FLAGS.items():
        name = environment_name(flag)
        text = environment.get(name, "").strip()
        if text:
            value = _split(text) if key in LISTS else text
            level[key] = _Given(value, name, EXIT_USAGE, here)
    return level


def _switch(given: _Given) -> bool:
    """Read yes or no; an environment variable has it as text."""
    word = str(given.value).lower()
    if word not in (*_YES, *_NO):
        raise CommandError(f"{given.origin} must be one of {', '.join((*_YES, *_NO))}", given.code)
    return word in _YES


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# -- the config file


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


_FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(TEXTS, (_is_text, "a text")),
    **dict.fromkeys(LISTS, (_is_texts, "a list of texts")),
    **dict.fromkeys(SWITCHES, (_is_switch, "true or false")),
    "metadata": (lambda value: isinstance(value, str | dict), "a table, JSON text or @FILE"),
    "transports": (_is_texts, "a list of texts"),
}


def read_config(path: Path) -> dict[str, Any]:
    """Return what the config file says; nothing when there is none. Raises CommandError."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is not valid TOML: {error}") from None


def _from_file(path: Path) -> dict[str, _Given]:
    values = read_config(path)
    values.pop("dashboard", None)  # how it looks: presence_tui.look
    for key, value in values.items():
        if key not in _FORMS:
            known = ", ".join(sorted(_FORMS))
            raise CommandError(f"{path}: unknown key {key!r}; known: {known}")
        fits, form = _FORMS[key]
        if not fits(value):
            raise CommandError(f"{path}: {key} must be {form}")
    return {
        key: _Given(value, f"{path}: {key}", EXIT_CANNOT, path.parent)
        for key, value in values.items()
    }


# -- from what was given to what an engine takes


def _field(key: str, given: _Given) -> tuple[str, Any]:
    from presence_core.config import check_setting

    if key == "metadata":
        return key, read_metadata(given.value, given.origin, code=given.code, base=given.base)
    if key == "mesh_key_file":
        return "mesh_key", _mesh_key(given)
    value = given.value
    if key in SWITCHES:
        return key, _switch(given)
    if key == "transports":
        parts = (_split(value) or [""]) if isinstance(value, str) else value
        value = () if parts == ["none"] else tuple(dict.fromkeys(parts))
    elif key == "issuers":
        value = tuple(_readable(given, issuer) for issuer in value)
    elif key in LISTS:
        value = tuple(value)
    try:
        check_setting(key, value)
    except ValueError as error:
        raise CommandError(f"{given.origin}: {error}", given.code) from None
    return key, value


def _path(given: _Given, text: str) -> Path:
    try:
        return given.base / Path(text).expanduser()
    except RuntimeError as error:
        raise CommandError(f"{given.origin}: {error}", given.code) from None


def _readable(given: _Given, text: str) -> Path:
    path = _path(given, text)
    if not path.is_file():
        raise CommandError(f"{given.origin}: there is no file {path}", given.code)
    return path


def _mesh_key(given: _Given) -> Any:
    from presence_core.identity.keyfile import HomeError, read_mesh_key

    try:
        return read_mesh_key(_path(given, given.value))
    except HomeError as error:
        raise CommandError(str(error)) from None


def read_metadata(
    given: str | Mapping[str, Any],
    origin: str = "metadata",
    *,
    code: int = EXIT_USAGE,
    base: Path | None = None,
) -> dict[str, Any]:
    """Read metadata from JSON text, a table, or ``@FILE``.

    Raises CommandError with ``code``, naming ``origin``, the limit that was passed and the place.
    """
    text = given
    if isinstance(given, str) and given.startswith("@"):
        try:
            path = (base or Path()) / Path(given[1:]).expanduser()
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or error
            raise CommandError(f"{origin}: cannot read {given[1:]}: {why}", code) from None
    return check_metadata(text, origin, code=code)


def check_metadata(
    given: str | Mapping[str, Any], origin: str = "metadata", *, code: int = EXIT_USAGE
) -> dict[str, Any]:
    """Check metadata that is JSON text or a table. Raises CommandError as :func:`read_metadata`."""
    from presence_core.codec.metadata import MetadataError, encode_metadata, parse_metadata_json

    try:
        value = parse_metadata_json(given) if isinstance(given, str) else dict(given)
        encode_metadata(value)
    except MetadataError as error:
        raise CommandError(f"{origin}: {error}", code) from None
    return value
