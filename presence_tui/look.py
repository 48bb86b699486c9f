"""How the dashboard looks and which keys it takes: from flags, environment and the config file.

``[dashboard]`` in ``config.toml``: ``theme``, ``ascii``, ``toasts``, and a table ``keys`` from the
name of a key binding to other keys.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from presence_tui.output import EXIT_CANNOT, EXIT_USAGE, CommandError
from presence_tui.settings import CONFIG_FILE, home_of, read_config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

THEMES = ("dark", "light", "high-contrast", "monochrome")
_KNOWN = ("ascii", "keys", "theme", "toasts")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_KEYS = re.compile(r"(?:(?:ctrl|shift|alt|super)\+)*(?:[a-z0-9_]{1,20}|[A-Z])(?:,.+)?")


@dataclass(frozen=True, slots=True)
class Look:
    """A theme by its short name, whether only ASCII is shown, and keys by the names of bindings.

    ``toasts``: what must not be missed is told over everything else.
    """

    theme: str = "dark"
    ascii_only: bool = False
    toasts: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)


def look_of(args: argparse.Namespace) -> Look:
    """Put the look together: flags win over environment, environment over the config file.

    Without any word about it, ``NO_COLOR`` asks for monochrome, and a terminal whose encoding is
    not Unicode for ASCII. Raises CommandError that says what to correct.
    """
    path = home_of(args) / CONFIG_FILE
    table = read_config(path).get("dashboard", {})
    origin = f"{path}: dashboard"
    if not isinstance(table, dict):
        raise CommandError(f"{origin} must be a table", EXIT_CANNOT)
    for key in table:
        if key not in _KNOWN:
            raise CommandError(f"{origin}: unknown key {key!r}; known: {', '.join(_KNOWN)}")
    toasts = table.get("toasts", True)
    if not isinstance(toasts, bool):
        raise CommandError(f"{origin}.toasts must be true or false", EXIT_CANNOT)
    return Look(
        _theme(args, table, origin),
        ascii_only=_ascii(args, table, origin),
        toasts=toasts,
        keys=_keys(table, origin),
    )


def _theme(args: argparse.Namespace, table: Mapping[str, Any], origin: str) -> str:
    usual = "monochrome" if os.environ.get("NO_COLOR") else "dark"
    for value, said, code in (
        (getattr(args, "theme", None), "--theme", EXIT_USAGE),
        (os.environ.get("PRESENCE_THEME") or None, "PRESENCE_THEME", EXIT_USAGE),
        (table.get("theme"), f"{origin}.theme", EXIT_CANNOT),
    ):
        if value is not None:
            if value not in THEMES:
                raise CommandError(f"{said}: {value!r} is none of {', '.join(THEMES)}", code)
            return str(value)
    return usual


def _ascii(args: argparse.Namespace, table: Mapping[str, Any], origin: str) -> bool:
    if getattr(args, "ascii", False):
        return True
    said = os.environ.get("PRESENCE_ASCII")
    if said is not None:
        if said.lower() not in (*_TRUE, *_FALSE):
            raise CommandError(f"PRESENCE_ASCII: {said!r} is neither 1 nor 0", EXIT_USAGE)
        return said.lower() in _TRUE
    value = table.get("ascii")
    if value is None:
        return not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    if not isinstance(value, bool):
        raise CommandError(f"{origin}.ascii must be true or false", EXIT_CANNOT)
    return value


def _keys(table: Mapping[str, Any], origin: str) -> Mapping[str, str]:
    keys = table.get("keys", {})
    if not isinstance(keys, dict):
        raise CommandError(f"{origin}.keys must be a table", EXIT_CANNOT)
    for name, key in keys.items():
        if not (isinstance(key, str) and _KEYS.fullmatch(key)):
            example = "as 'o', 'ctrl+o' or 'f5,o'"
            raise CommandError(f"{origin}.keys: {name} must be a key, {example}", EXIT_CANNOT)
    return keys


def check_keys(keys: Mapping[str, str], rooms: Iterable[Mapping[str, str]]) -> None:
    """Check keys against the bindings of each room (a screen, a pane): from their names to keys.

    Raises CommandError for a name that there is not, and for two bindings of a room with one key.
    """
    rooms = list(rooms)
    known = {name for room in rooms for name in room}
    for name in keys:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise CommandError(f"config: there is no key binding {name!r}{hint}", EXIT_CANNOT)
    for room in rooms:
        taken: dict[str, str] = {}
        for name, usual in room.items():
            for key in keys.get(name, usual).split(","):
                other = taken.setdefault(key.strip(), name)
                if other != name and (name in keys or other in keys):
                    raise CommandError(
                        f"config: {other!r} and {name!r} cannot both have the key {key!r}",
                        EXIT_CANNOT,
                    )
