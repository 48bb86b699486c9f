"""``key`` and ``mesh``: who this device is, and which mesh it is in."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from presence_core.identity.keyfile import (
    MESH_FILE,
    HomeError,
    KeyFile,
    read_identity,
    read_mesh_key,
    write_mesh_key,
)
from presence_core.identity.keys import KeyFormatError, peer_key_text, short_id
from presence_core.identity.mesh import MeshKey
from presence_core.schema import dumps
from presence_tui import output
from presence_tui.output import EXIT_CANNOT, EXIT_DONE, EXIT_NO, EXIT_USAGE, CommandError
from presence_tui.settings import home_of

if TYPE_CHECKING:
    import argparse


def key_show(args: argparse.Namespace) -> int:
    """Print the peer key of this device, making it when there is none yet."""
    home = home_of(args)
    try:
        if not (home / "identity.key").exists():
            KeyFile.open(home).close()
        key = read_identity(home)
    except HomeError as error:
        raise CommandError(str(error)) from None
    if args.json:
        value = {"peerKey": peer_key_text(key), "shortId": short_id(key)}
        output.data(dumps(value, compact=args.compact))
    else:
        output.data(peer_key_text(key))
    return EXIT_DONE


def mesh_new(args: argparse.Namespace) -> int:
    """Make the key of a new mesh, keep it in the home, and say how to hand it on."""
    path = home_of(args) / MESH_FILE
    mesh = MeshKey.generate(_mesh_name(args.name))
    _write(path, mesh)
    output.data(mesh.name)
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
    if args.secret:
        output.data(mesh.text())
    elif args.json:
        value = {"name": mesh.name, "open": mesh.open, "id": mesh.mesh_id.hex()}
        output.data(dumps(value, compact=args.compact))
    else:
        output.data(f"{mesh.name}  (mesh id {mesh.mesh_id.hex()}; the key is in {path})")
    return EXIT_DONE


def mesh_join(args: argparse.Namespace) -> int:
    """Take the key of a mesh from a file, standard input or a prompt: never from an argument."""
    if args.key_file is not None:
        try:
            mesh = read_mesh_key(Path(args.key_file).expanduser())
        except HomeError as error:
            raise CommandError(str(error)) from None
        if args.name:
            mesh = MeshKey(mesh.secret, _mesh_name(args.name))
    else:
        text = getpass.getpass("mesh key (mk1…): ") if sys.stdin.isatty() else sys.stdin.read()
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if len(keys) != 1:
            raise CommandError("expected one mesh key (mk1…)", EXIT_USAGE)
        try:
            mesh = MeshKey.parse(keys[0], _mesh_name(args.name))
        except KeyFormatError as error:
            raise CommandError(str(error), EXIT_USAGE) from None
    path = home_of(args) / MESH_FILE
    _write(path, mesh)
    output.say(f"this home is now in the mesh {mesh.name!r}; its key is in {path}")
    return EXIT_DONE


def _mesh_name(given: str | None) -> str:
    return " ".join((given or "mesh").split())[:64] or "mesh"


def _write(path: Path, mesh: MeshKey) -> None:
    try:
        write_mesh_key(path, mesh)
    except HomeError as error:
        raise CommandError(str(error), EXIT_CANNOT) from None
