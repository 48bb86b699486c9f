"""The command line: what is asked for, and by which exit code it is answered.

Only ``argparse`` is loaded here; each command loads what it needs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING

from presence_tui.output import (
    EXIT_CANNOT,
    EXIT_DONE,
    CommandError,
    discard_stdout,
    say,
)
from presence_tui.settings import add_engine_options, add_home_option, home_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DEMO_PEERS = 8
MAX_DEMO_PEERS = 50
IDENTITY_STATUSES = (
    "missing",
    "pending",
    "oversize",
    "malformed",
    "unsupported_alg",
    "unknown_issuer",
    "bad_signature",
    "key_mismatch",
    "revoked",
    "not_yet_valid",
    "expired",
    "verified",
)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of peers")
    return int(text)


def _demo_size(text: str) -> int:
    value = _count(text)
    if not 2 <= value <= MAX_DEMO_PEERS:
        raise argparse.ArgumentTypeError(f"a demo mesh has 2 to {MAX_DEMO_PEERS} peers")
    return value


class _Version(argparse.Action):
    """``--version``, with a version that is read only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from presence_core._version import __version__

        parser.exit(EXIT_DONE, f"presence-tui {__version__}\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="presence-tui",
        description="Who is on the mesh, over which links, who they really are, and what just "
        "changed. Without a command: the dashboard, or with --json the same for programs.",
        epilog="exit codes: 0 done, 1 answered with no, 2 usage, 3 cannot run",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    add_engine_options(parser)
    group = parser.add_argument_group("snapshots and streams")
    group.add_argument("--json", action="store_true", help="print one snapshot as JSON and exit")
    group.add_argument(
        "--watch", action="store_true", help="with --json: a snapshot, then a line a change"
    )
    group.add_argument("--full", action="store_true", help="with --watch: a snapshot each time")
    _add_waiting(group)
    parser.add_argument(
        "--demo",
        nargs="?",
        type=_demo_size,
        const=DEMO_PEERS,
        metavar="N",
        help=f"a mesh of N real engines on this machine (default {DEMO_PEERS})",
    )
    parser.set_defaults(command="presence_tui.commands.dashboard:dashboard")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_peers(commands)
    _add_metadata(commands)
    _add_keys(commands)
    for name, what in (
        ("schema", "print the JSON Schema of all JSON output"),
        ("version", "print the version"),
    ):
        command = commands.add_parser(name, help=what, description=what)
        command.set_defaults(command=f"presence_tui.commands.about:{name}")
    return parser


_Commands = argparse._SubParsersAction  # noqa: SLF001  it has no public name


def _add_waiting(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    group.add_argument("--wait", type=_seconds, metavar="S", help="wait so many seconds at most")
    group.add_argument(
        "--until-peers", type=_count, metavar="N", help="wait until N remote peers are online"
    )
    group.add_argument(
        "--until-current", action="store_true", help="wait until the view is current"
    )
    group.add_argument("--compact", action="store_true", help="JSON on one line")


def _add_peers(commands: _Commands[argparse.ArgumentParser]) -> None:
    peers = commands.add_parser("peers", help="list the remote peers", description="List peers.")
    add_engine_options(peers)
    peers.add_argument("--state", choices=("online", "left", "lost"))
    peers.add_argument("--direct", action="store_true", help="neighbours only")
    peers.add_argument("--identity", choices=IDENTITY_STATUSES, metavar="STATUS")
    peers.add_argument("--filter-name", metavar="TEXT", help="names that contain this")
    peers.add_argument(
        "--sort", choices=("name", "key", "state", "hops", "rtt", "seen"), default="name"
    )
    form = peers.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true")
    _add_waiting(peers)
    peers.set_defaults(command="presence_tui.commands.peers:peers", demo=None)
    show = commands.add_parser("show", help="show one peer", description="Show one peer.")
    add_engine_options(show)
    show.add_argument("peer", metavar="PEER", help="key, its beginning, short id, or exact name")
    show.add_argument("--json", action="store_true")
    _add_waiting(show)
    show.set_defaults(command="presence_tui.commands.peers:show", demo=None)


def _add_metadata(commands: _Commands[argparse.ArgumentParser]) -> None:
    metadata = commands.add_parser("metadata", help="what this device publishes about itself")
    verbs = metadata.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, what in (
        ("get", "print the metadata"),
        ("set", "replace the metadata"),
        ("edit", "edit the metadata in $EDITOR"),
    ):
        verb = verbs.add_parser(name, help=what, description=what)
        add_home_option(verb)
        verb.set_defaults(command=f"presence_tui.commands.metadata:metadata_{name}")
        if name == "get":
            verb.add_argument("--compact", action="store_true", help="JSON on one line")
        if name == "set":
            verb.add_argument("value", metavar="JSON|@FILE|-", help="a JSON object")


def _add_keys(commands: _Commands[argparse.ArgumentParser]) -> None:
    key = commands.add_parser("key", help="the peer key of this device")
    verbs = key.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = verbs.add_parser("show", help="print the peer key")
    show.set_defaults(command="presence_tui.commands.keys:key_show")
    mesh = commands.add_parser("mesh", help="the mesh key of this device")
    verbs = mesh.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = verbs.add_parser("new", help="make the key of a new mesh and keep it in the home")
    new.add_argument("name", nargs="?", metavar="NAME", help="what people call the mesh")
    new.set_defaults(command="presence_tui.commands.keys:mesh_new")
    mesh_show = verbs.add_parser("show", help="print which mesh this home is in")
    mesh_show.add_argument("--secret", action="store_true", help="print the key itself (mk1…)")
    mesh_show.set_defaults(command="presence_tui.commands.keys:mesh_show")
    join = verbs.add_parser("join", help="take the key of a mesh from a file, a pipe or a prompt")
    join.add_argument("--key-file", metavar="FILE", help="a file that holds the key")
    join.add_argument("--name", metavar="NAME", help="what people call the mesh")
    join.set_defaults(command="presence_tui.commands.keys:mesh_join")
    for verb in (show, new, mesh_show, join):
        add_home_option(verb)
    for verb in (show, mesh_show):
        verb.add_argument("--json", action="store_true")
        verb.add_argument("--compact", action="store_true", help="JSON on one line")


def run(argv: Sequence[str]) -> int:
    """Run the command line; return the exit code. No traceback ever reaches a user."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if getattr(args, "watch", False) and not args.json:
        parser.error("--watch goes with --json")
    if getattr(args, "full", False) and not args.watch:
        parser.error("--full goes with --watch")
    try:
        return _command(args)(args)
    except CommandError as error:
        say(str(error))
        return error.code
    except BrokenPipeError:
        discard_stdout()
        return EXIT_DONE
    except KeyboardInterrupt:
        return EXIT_DONE
    except Exception:  # noqa: BLE001  the last guard: whatever it is, people get one line
        say(_keep_traceback(args))
        return EXIT_CANNOT


def _command(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    where: str = args.command
    if where.endswith(":dashboard") and args.json:
        where = "presence_tui.commands.export:export"
    module, _, name = where.partition(":")
    command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(module), name)
    return command


def _keep_traceback(args: argparse.Namespace) -> str:
    """Write what went wrong where a developer can find it; return the line for the person."""
    error = sys.exc_info()[1]
    short = f"internal error ({type(error).__name__}: {error})"
    try:
        path: Path = home_of(args) / "crash.log"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(traceback.format_exc())
    except OSError:
        return short
    return f"{short}; details are in {path}, please report them"
