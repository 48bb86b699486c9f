"""The settings: flags, environment and the config file of the home."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from presence_tui.doctor.finding import Finding, of_error, ok, warning
from presence_tui.look import check_keys, look_of
from presence_tui.options import FLAGS, environment_name
from presence_tui.output import CommandError
from presence_tui.settings import CONFIG_FILE, config_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from presence_core.config import PresenceConfig
    from presence_tui.doctor.examination import Case

NAME = "settings"
GO_ON = "what follows goes by the flags alone"


def read_settings(
    args: argparse.Namespace, by_flags: PresenceConfig
) -> tuple[PresenceConfig, Finding | None, Finding | None]:
    """Return what an engine would be told, and why the settings, and those of the screen, are bad.

    When the settings are bad it is ``by_flags``, what the flags alone say.
    """
    config, trouble = by_flags, None
    try:
        config = config_of(args)
    except CommandError as error:
        trouble = _unusable(error, f"until this is corrected no engine starts; {GO_ON}")
    try:
        screen = look_of(args)
        if screen.keys:
            from presence_tui.rooms import rooms  # all of Textual, only for who has other keys

            check_keys(screen.keys, rooms())
    except CommandError as error:
        if trouble is None:
            return config, None, _unusable(error, "until this is corrected no dashboard starts")
    return config, trouble, None


def _unusable(error: CommandError, until: str) -> Finding:
    wrong = of_error(NAME, error)
    return replace(wrong, hint=f"{wrong.hint}; {until}" if wrong.hint else until)


def look(case: Case) -> Sequence[Finding]:
    """Say where the settings come from, and whether they hold."""
    path = case.home / CONFIG_FILE
    found = [one for one in (case.trouble, case.screen) if one is not None]
    names = sorted(filter(os.environ.get, map(environment_name, FLAGS.values())))
    if not found:
        there = (
            f"{path} can be read" if path.exists() else f"there is no {path}, and needs to be none"
        )
        by = f"; from the environment: {', '.join(names)}" if names else ""
        found.append(ok(NAME, there + by))
    found += _permissions(path)
    return found


def _permissions(path: Path) -> list[Finding]:
    if os.name != "posix" or not path.exists():
        return []
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o022:
        return []
    said = f"others can change {path} (mode {mode:04o}), and with it which mesh this device joins"
    return [warning(NAME, said, f"chmod go-w {path}")]
