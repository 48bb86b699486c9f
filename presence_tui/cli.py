"""The command line: what is asked for, and by which exit code it is answered.

Only ``argparse`` is loaded here; each command loads what it needs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from presence_tui import output
from presence_tui.identity_options import add_identity
from presence_tui.options import add_engine_options, add_home_option
from presence_tui.output import EXIT_CANNOT, EXIT_DONE, EXIT_INTERRUPTED, EXIT_USAGE, CommandError
from presence_tui.trust_options import add_issuer, add_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    _Commands: TypeAlias = argparse._SubParsersAction["_Parser"]  # noqa: SLF001  it has no public name

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
EXPORT = "presence_tui.commands.export:export"
DASHBOARD = "presence_tui.commands.dashboard:dashboard"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and takes no option for another that begins alike.

    Abbreviations would make today's scripts fail when tomorrow's option is added.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**(settings | {"allow_abbrev": False}))

    def error(self, message: str) -> NoReturn:
        output.say(f"{message}; see {self.prog} --help")
        self.exit(EXIT_USAGE)


class _Version(argparse.Action):
    """``--version``, with a version that is read only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from presence_core._version import __version__

        output.data(f"presence-tui {__version__}")
        parser.exit(EXIT_DONE)


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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
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
    look = parser.add_argument_group("the dashboard")
    look.add_argument(
        "--theme",
        choices=("dark", "light", "high-contrast", "monochrome"),
        help="colours (default: dark; monochrome with NO_COLOR)",
    )
    look.add_argument("--ascii", action="store_true", help="show nothing but ASCII")
    parser.set_defaults(command=DASHBOARD)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_peers(commands)
    _add_graph(commands)
    _add_metadata(commands)
    _add_key(commands)
    _add_mesh(commands)
    _add_identity(commands)
    _add_serve(commands)
    _add_trust(commands)
    _add_doctor(commands)
    _add(commands, "schema", "print the JSON Schema of all JSON output", "about:schema")
    _add(commands, "version", "print the version", "about:version")
    return parser


def _add(commands: _Commands, name: str, what: str, command: str | None) -> _Parser:
    """Add a command. What it has in common with the main parser may stand before it or behind.

    So such options have no defaults here: they would undo what stands before the command.
    """
    description = f"{what[0].upper()}{what[1:]}."
    parser = commands.add_parser(
        name, help=what, description=description, argument_default=argparse.SUPPRESS
    )
    if command is not None:
        parser.set_defaults(command=f"presence_tui.commands.{command}")
    return parser


def _add_waiting(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--wait",
        type=_seconds,
        metavar="S",
        help="wait so long (with --until-…: so long at most, default 30 s for one answer)",
    )
    group.add_argument(
        "--until-peers", type=_count, metavar="N", help="wait until N remote peers are online"
    )
    group.add_argument(
        "--until-current", action="store_true", help="wait until the view is current"
    )
    group.add_argument("--compact", action="store_true", help="JSON on one line")


def _add_peers(commands: _Commands) -> None:
    peers = _add(commands, "peers", "list the remote peers", "peers:peers")
    add_engine_options(peers, after_command=True)
    peers.add_argument("--state", choices=("online", "left", "lost"), default=None)
    peers.add_argument("--direct", action="store_true", default=False, help="neighbours only")
    peers.add_argument("--identity", choices=IDENTITY_STATUSES, metavar="STATUS", default=None)
    peers.add_argument(
        "--filter",
        metavar="TERMS",
        default="",
        help="what the dashboard's search takes: 'type:ble hops:>1 identity:expired role=medic'",
    )
    peers.add_argument("--filter-name", metavar="TEXT", help="names that contain this", default="")
    peers.add_argument(
        "--sort", choices=("name", "key", "state", "hops", "rtt", "seen"), default="name"
    )
    form = peers.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true", default=False)
    _add_waiting(peers)
    show = _add(commands, "show", "show one peer", "peers:show")
    add_engine_options(show, after_command=True)
    show.add_argument("peer", metavar="PEER", help="key, its beginning, short id, or exact name")
    show.add_argument("--json", action="store_true")
    _add_waiting(show)


def _add_graph(commands: _Commands) -> None:
    graph = _add(commands, "graph", "print the mesh as a drawing", "graph:graph")
    add_engine_options(graph, after_command=True)
    graph.add_argument("--format", choices=("dot", "mermaid", "graphml", "svg"), default="dot")
    graph.add_argument("--direct", action="store_true", default=False, help="neighbours only")
    graph.add_argument("--to", metavar="PEER", default=None, help="mark the way to a peer")
    _add_waiting(graph)


def _add_metadata(commands: _Commands) -> None:
    verbs = _verbs(commands, "metadata", "what this device publishes about itself")
    get = _add(verbs, "get", "print the metadata", "metadata:metadata_get")
    change = _add(verbs, "set", "replace the metadata", "metadata:metadata_set")
    edit = _add(verbs, "edit", "edit the metadata in $EDITOR", "metadata:metadata_edit")
    change.add_argument("value", metavar="JSON|@FILE|-", help="a JSON object")
    get.add_argument("--compact", action="store_true", help="JSON on one line")
    for verb in (get, change, edit):
        add_home_option(verb)


def _add_key(commands: _Commands) -> None:
    verbs = _verbs(commands, "key", "the peer key of this device")
    _add_answer(_add(verbs, "show", "print the peer key", "keys:key_show"))
    qr = _add(verbs, "qr", "print the peer key as QR code", "keys:key_qr")
    qr.add_argument(
        "--invert", action="store_true", default=False, help="for a light terminal, or paper"
    )
    qr.add_argument(
        "--ascii", action="store_true", default=False, help="in plain letters, twice as large"
    )
    export = _add(verbs, "export", "print the key with words to send to people", "keys:key_export")
    for verb in (qr, export):
        add_home_option(verb)


def _add_mesh(commands: _Commands) -> None:
    verbs = _verbs(commands, "mesh", "the mesh key of this device")
    what = "make the key of a new mesh and keep it in the home"
    new = _add(verbs, "new", what, "keys:mesh_new")
    new.add_argument(
        "mesh_name", nargs="?", metavar="NAME", help="what people call the mesh", default=None
    )
    show = _add(verbs, "show", "print which mesh this home is in", "keys:mesh_show")
    show.add_argument(
        "--secret", action="store_true", default=False, help="print the key itself (mk1…)"
    )
    _add_answer(show)
    what = "take the key of a mesh from a file, a pipe or a prompt"
    join = _add(verbs, "join", what, "keys:mesh_join")
    join.add_argument("--key-file", metavar="FILE", help="a file with the key", default=None)
    join.add_argument(
        "--name",
        dest="mesh_name",
        metavar="NAME",
        help="what people call the mesh",
        default=None,
    )
    for verb in (new, join):
        add_home_option(verb)


def _add_identity(commands: _Commands) -> None:
    verbs = _verbs(commands, "identity", "who this device is, and the service that says so")
    add_identity(lambda name, what, command: _add(verbs, name, what, command))


def _add_serve(commands: _Commands) -> None:
    what = "show the dashboard in browsers of this device, for a display on a wall"
    wall = _add(commands, "serve", what, "serve:serve")
    add_engine_options(wall, after_command=True)
    wall.add_argument(
        "--http",
        metavar="HOST:PORT",
        default="127.0.0.1:8000",
        help="serve here (default: 127.0.0.1:8000; port 0: any)",
    )
    wall.add_argument(
        "--viewers",
        type=_count,
        metavar="N",
        default=8,
        help="so many browsers at once at most; each takes some 50 MB (default: 8)",
    )
    wall.add_argument(
        "--control",
        action="store_true",
        default=False,
        help="browsers may also change the metadata, and whom this device trusts",
    )
    wall.add_argument(
        "--insecure-listen-without-login",
        action="store_true",
        default=False,
        help="serve where others can reach it: whoever does sees the whole mesh",
    )


def _add_trust(commands: _Commands) -> None:
    trust = _verbs(commands, "trust", "which keys are known here, and which are blocked")
    add_trust(lambda name, what, command: _add(trust, name, what, command))
    issuer = _verbs(commands, "issuer", "whom this device believes about identity")
    add_issuer(lambda name, what, command: _add(issuer, name, what, command))


def _add_doctor(commands: _Commands) -> None:
    what = "say what works on this machine, what does not, and what to do"
    doctor = _add(commands, "doctor", what, "doctor:doctor")
    add_engine_options(doctor, after_command=True)
    doctor.add_argument("--json", action="store_true", help="the same as JSON")
    doctor.add_argument("--compact", action="store_true", help="JSON on one line")


def _verbs(commands: _Commands, name: str, what: str) -> _Commands:
    parser = _add(commands, name, what, None)
    add_home_option(parser)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add_answer(verb: argparse.ArgumentParser) -> None:
    add_home_option(verb)
    verb.add_argument("--json", action="store_true", help="the same as JSON")
    verb.add_argument("--compact", action="store_true", help="JSON on one line")


def run(argv: Sequence[str]) -> int:
    """Run the command line; return the exit code. No traceback ever reaches a user."""
    args: argparse.Namespace | None = None
    try:
        output.prepare()
        args = _parse(argv)
        return _command(args)(args)
    except CommandError as error:
        output.say(str(error))
        return error.code
    except BrokenPipeError:
        output.discard_stdout()
        return EXIT_DONE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last guard: whatever it is, people get one line
        output.say(_keep_traceback(error, args))
        return EXIT_CANNOT


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = build_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit:
        sys.stdout.flush()  # of a help text that nobody reads we want to hear here
        raise
    if args.watch and not (args.json and args.command == DASHBOARD):
        parser.error("--watch goes with --json, and with no command")
    if args.full and not args.watch:
        parser.error("--full goes with --watch")
    if args.demo is not None and args.command.endswith(":doctor"):
        parser.error("doctor looks at this machine, --demo is a mesh of its own")
    if args.json and getattr(args, "csv", False):
        parser.error("--csv does not go with --json")
    return args


def _command(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    where = EXPORT if args.command == DASHBOARD and args.json else args.command
    module, _, name = where.partition(":")
    command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(module), name)
    return command


def _keep_traceback(error: Exception, args: argparse.Namespace | None) -> str:
    """Write what went wrong where a developer can find it; return the line for the person."""
    from presence_tui.logs import LOG_FILE, keep_crash
    from presence_tui.settings import home_of

    short = f"internal error ({type(error).__name__}: {error})"
    home = home_of(args or argparse.Namespace())
    if not keep_crash(home, error):
        return short
    return f"{short}; details are in {home / LOG_FILE}, please report them"
