"""``key`` and ``mesh``: who this device is, and which mesh it is in."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.engine.host import device_name
from presence_core.identity.keyfile import (
    IDENTITY_FILE,
    MESH_FILE,
    HomeError,
    KeyFile,
    read_identity,
    read_mesh_key,
    write_mesh_key,
)
from presence_core.identity.keys import KeyFormatError, peer_key_text, short_id
from presence_core.identity.mesh import MeshKey
from presence_core.schema import KEY_SCHEMA, MESH_SCHEMA, dumps
from presence_tui import output
from presence_tui.output import EXIT_DONE, EXIT_NO, EXIT_USAGE, CommandError
from presence_tui.settings import config_of, home_of

if TYPE_CHECKING:
    import argparse


def key_show(args: argparse.Namespace) -> int:
    """Print the peer key of this device, making it when there is none yet."""
    key = own_key(home_of(args))
    if args.json:
        value = {"schema": KEY_SCHEMA, "peerKey": peer_key_text(key), "shortId": short_id(key)}
        output.data(dumps(value, compact=args.compact))
    else:
        output.data(peer_key_text(key))
    return EXIT_DONE


_QUIET_ZONE = 4
"""Light modules around a QR code (ISO/IEC 18004)."""

_WHITE_ON_BLACK, _RESET = "\x1b[40;97m", "\x1b[0m"
"""So that a code is dark on light whatever the colours of a terminal are."""

_INVERTED = str.maketrans(" ▄▀█", "█▀▄ ")
_UPPER = str.maketrans({" ": "  ", "▄": "  ", "▀": "##", "█": "##"})
_LOWER = str.maketrans({" ": "  ", "▄": "##", "▀": "  ", "█": "##"})
"""From half blocks to a row of letters each."""


def own_key(home: Path) -> bytes:
    """Return the peer key of a home, making it when there is none yet. Raises CommandError."""
    try:
        if not (home / IDENTITY_FILE).exists():
            KeyFile.open(home).close()
        return read_identity(home)
    except HomeError as error:
        raise CommandError(str(error)) from None


def key_qr(args: argparse.Namespace) -> int:
    """Print the peer key as QR code, for another device to scan from this screen."""
    from presence_tui.viewmodel.peer_key import qr_rows

    rows = list(qr_rows(peer_key_text(own_key(home_of(args))), _QUIET_ZONE))
    if args.invert:
        rows = [row.translate(_INVERTED) for row in rows]
    if args.ascii:
        halves = ((row.translate(_UPPER), row.translate(_LOWER)) for row in rows)
        rows = [half for pair in halves for half in pair]
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for row in rows:
        output.data(f"{_WHITE_ON_BLACK}{row}{_RESET}" if colours else row)
    return EXIT_DONE


def key_export(args: argparse.Namespace) -> int:
    """Print the key of this device with what people need to know to trust it."""
    key = own_key(home_of(args))
    name = safe_text(config_of(args).name or device_name(), limit=64)
    output.data(_EXPORT.format(name=name, key=peer_key_text(key), short=short_id(key)))
    return EXIT_DONE


_EXPORT = """\
presence-tui: the key of {name}

    {key}
    short id {short}

This key says which device is mine; it is no secret. That it came to you as I sent it, a message
alone cannot show. So when we talk or meet, compare the safety number with me: 60 digits, which
this shows on your side and asks you about

    presence-tui trust verify {key}

and which I see when I do the same with your key. If they differ, somebody sits in between."""


def mesh_new(args: argparse.Namespace) -> int:
    """Make the key of a new mesh, keep it in the home, and say how to hand it on."""
    path = home_of(args) / MESH_FILE
    mesh = MeshKey.generate(_mesh_name(args.mesh_name))
    try:
        write_mesh_key(path, mesh)
    except HomeError as error:
        raise CommandError(str(error)) from None
    output.data(safe_text(mesh.name))
    output.say(
        f"the key of the new mesh is in {path}; give it to each device over a safe way: "
        "'presence-tui mesh show --secret' here, 'presence-tui mesh join' there"
    )
    return EXIT_DONE


def mesh_show(args: argparse.Namespace) -> int:
    """Print the mesh that this home is in; its key only when asked for by name."""
    path = home_of(args) / MESH_FILE
    if not path.exists():
        output.say("this home has no mesh key: 'mesh new' makes one, 'mesh join' takes one")
        return EXIT_NO
    try:
        mesh = read_mesh_key(path)
    except HomeError as error:
        raise CommandError(str(error)) from None
    mesh_id = mesh.mesh_id.hex()
    if args.json:
        value = {"schema": MESH_SCHEMA, "name": mesh.name, "open": mesh.open, "meshId": mesh_id}
        if args.secret:
            value["meshKey"] = mesh.text()
        output.data(dumps(value, compact=args.compact))
    elif args.secret:
        output.data(mesh.text())
    else:
        output.data(f"{safe_text(mesh.name)}  (mesh id {mesh_id}; the key is in {path})")
    return EXIT_DONE


def mesh_join(args: argparse.Namespace) -> int:
    """Take the key of a mesh from a file, standard input or a prompt: never from an argument."""
    path = home_of(args) / MESH_FILE
    try:
        mesh = (
            read_mesh_key(Path(args.key_file).expanduser())
            if args.key_file is not None
            else parse_mesh_key(_ask(), "mesh")
        )
        if args.mesh_name:
            mesh = MeshKey(mesh.secret, _mesh_name(args.mesh_name))
        write_mesh_key(path, mesh)
    except HomeError as error:
        raise CommandError(str(error)) from None
    except KeyFormatError as error:
        raise CommandError(str(error), EXIT_USAGE) from None
    output.say(f"this home is now in the mesh {mesh.name!r}; its key is in {path}")
    return EXIT_DONE


def _ask() -> str:
    """Read the text of a mesh key; what is typed is not shown."""
    try:
        if sys.stdin.isatty():
            return getpass.getpass("mesh key (mk1…): ")
        return sys.stdin.read(64 * 1024)
    except (EOFError, UnicodeDecodeError):
        return ""


def parse_mesh_key(text: str, name: str) -> MeshKey:
    """Read the text of a mesh key file, or the key alone. Raises KeyFormatError."""
    lines = [line.strip() for line in text.splitlines()]
    named = [line[1:].strip() for line in lines if line.startswith("#")]
    names = [line.removeprefix("mesh:") for line in named if line.startswith("mesh:")]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1:
        raise KeyFormatError("expected one mesh key (mk1…)")
    return MeshKey.parse(keys[0], _mesh_name(names[0] if names else name))


def _mesh_name(given: str | None) -> str:
    return safe_text(given or "", limit=64).strip() or "mesh"
