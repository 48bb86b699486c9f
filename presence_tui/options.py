"""The options of commands that run an engine, and the names they go by elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

# Options of PresenceConfig by their field, which is also their key in the config file.
TEXTS = {
    "mesh": "--mesh",
    "mesh_key_file": "--mesh-key-file",
    "name": "--name",
    "metadata": "--metadata",
    "listen": "--listen",
    "transports": "--transport",
}
LISTS = {"peers": "--peer", "interfaces": "--interface", "issuers": "--issuer"}
SWITCHES = {"require_identity": "--require-identity"}
FLAGS = {**TEXTS, **LISTS, **SWITCHES}

AFTER = "_after_command"
"""Suffix of the repeatable options when they stand behind a command; both places count."""


def environment_name(flag: str) -> str:
    """Return the environment variable that stands for an option."""
    return "PRESENCE_" + flag.removeprefix("--").replace("-", "_").upper()


def add_home_option(parser: argparse._ActionsContainer) -> None:
    """Add ``--home``, which every command that touches files takes."""
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="keys, configuration and metadata live here"
    )


def add_engine_options(parser: argparse.ArgumentParser, *, after_command: bool = False) -> None:
    """Add the options of every command that runs an engine."""
    group = parser.add_argument_group(
        "engine", "each also as PRESENCE_… in the environment and in config.toml in the home"
    )
    suffix = AFTER if after_command else ""
    add_home_option(group)
    add = group.add_argument
    add("--mesh", metavar="NAME", help="join the open mesh of this name")
    add("--mesh-key-file", metavar="FILE", help="join the mesh whose key (mk1…) is in this file")
    add("--name", metavar="TEXT", help="name of this device (default: its host name)")
    add("--metadata", metavar="JSON|@FILE", help="publish this about the device")
    add(
        "--peer",
        dest=f"peers{suffix}",
        action="append",
        metavar="HOST:PORT",
        help="dial this address too (repeatable)",
    )
    add("--listen", metavar="HOST:PORT", help="listen here (default: all interfaces)")
    add(
        "--interface",
        dest=f"interfaces{suffix}",
        action="append",
        metavar="NAME",
        help="use only this network interface (repeatable)",
    )
    add(
        "--transport",
        dest="transports",
        metavar="LIST",
        help="transports that are on, as lan,ble or none (default: all that work here)",
    )
    add(
        "--issuer",
        dest=f"issuers{suffix}",
        action="append",
        metavar="FILE",
        help="trust the identity issuer in this file (repeatable)",
    )
    add(
        "--require-identity",
        action=argparse.BooleanOptionalAction,
        help="hold links only with peers whose identity is verified",
    )
