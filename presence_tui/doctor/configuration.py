"""The settings: flags, environment and the config file of the home."""

from __future__ import annotations

import os
import stat
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
) -> tuple[PresenceConfig, Finding | None]:
    """Return what an engine would be told, and what keeps the settings from being used.

    Then it is ``by_flags``, what the flags alone say.
    """
    try:
        config = config_of(args)
        screen = look_of(args)
        if screen.keys:
            from presence_tui.rooms import rooms  # all of Textual, only for who has other keys

            check_keys(screen.keys, rooms())
    except CommandError as error:
        trouble = of_error(NAME, error)
        told = f"until this is corrected no engine starts; {GO_ON}"
        hint = f"{trouble.hint}; {told}" if trouble.hint else told
        return by_flags, Finding(NAME, trouble.state, trouble.found, hint)
    return config, None


def look(case: Case) -> Sequence[Finding]:
    """Say where the settings come from, and whether they hold."""
    path = case.home / CONFIG_FILE
    found = [case.trouble] if case.trouble is not None else []
    names = sorted(filter(os.environ.get, map(environment_name, FLAGS.values())))
    if case.trouble is None:
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
