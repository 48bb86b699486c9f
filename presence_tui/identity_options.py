"""The options of ``identity``: the service for whoever runs one, login for everybody else."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from presence_tui.options import add_home_option

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MAX_SECONDS = 366 * 86_400


def seconds(text: str) -> int:
    """Read a span of time: ``90s``, ``15m``, ``24h``, ``7d``."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    value = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 1 <= value <= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span like 90s, 15m, 24h or 7d")
    return value


def add_identity(verb: Callable[[str, str, str | None], argparse.ArgumentParser]) -> None:
    """Add what follows ``identity``. ``verb`` adds a command: its name, what it does, its code."""
    _add_login(verb("login", "log in at an identity service", "identity:login"))
    logout = verb("logout", "forget the token and how to renew it", "identity:logout")
    add_home_option(logout)
    show = verb("show", "print who this device is, says its token", "identity:show")
    add_home_option(show)
    show.add_argument("--json", action="store_true", help="the same as JSON")
    show.add_argument("--compact", action="store_true", help="JSON on one line")
    _add_service(verb("service", "run an identity service", "identity_service:service"))
    _add_user(verb("user", "who may log in at the service with a password", None))
    rotate = verb("rotate", "let the next key of the issuer sign", "identity_service:rotate")
    revoke = verb("revoke", "take back tokens that were issued", "identity_service:revoke")
    what = revoke.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--peer-key", metavar="KEY", default=None, help="all tokens of this peer, for ever"
    )
    what.add_argument(
        "--token-id", metavar="HEX", default=None, help="this token, and those of the same login"
    )
    for parser in (rotate, revoke):
        _add_data(parser)


def _add_data(parser: argparse.ArgumentParser) -> None:
    add_home_option(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=None,
        help="where the service keeps its keys and tokens (default: identity-service in the home)",
    )


def _add_login(login: argparse.ArgumentParser) -> None:
    add_home_option(login)
    add = login.add_argument
    add("--service", metavar="URL", default=None, help="where it is (default: as the last time)")
    add("--provider", metavar="NAME", default=None, help="who is to check the credential")
    add("--user", metavar="NAME", default=None, help="the user name, where there is a password")
    add(
        "--credential-file",
        type=Path,
        metavar="FILE",
        default=None,
        help="the credential is in this file, and is read again when it is needed (otherwise: "
        "PRESENCE_CREDENTIAL in the environment, a pipe, or a prompt)",
    )
    add("--ca-file", type=Path, metavar="FILE", default=None, help="trust this TLS certificate too")
    add(
        "--trust-issuer",
        action="store_true",
        default=False,
        help="believe what the issuer of this service signs, without being asked",
    )
    add(
        "--insecure-without-tls",
        action="store_true",
        default=False,
        help="send the credential to an http:// address all the same",
    )


def _add_service(service: argparse.ArgumentParser) -> None:
    _add_data(service)
    add = service.add_argument
    add(
        "--listen", metavar="HOST:PORT", default=None, help="listen here (default: 127.0.0.1:47780)"
    )
    add(
        "--issuer-name",
        metavar="NAME",
        default=None,
        help="what tokens call it (default: this host)",
    )
    add(
        "--users",
        type=Path,
        metavar="FILE",
        default=None,
        help="the file of users (default: users in the data folder, unless there is a webhook)",
    )
    add("--webhook", metavar="URL", default=None, help="ask this whether a credential is good")
    add(
        "--webhook-secret-file",
        type=Path,
        metavar="FILE",
        default=None,
        help="what the webhook knows us by: at least 16 bytes",
    )
    add(
        "--provider",
        action="append",
        metavar="NAME",
        default=None,
        help="the webhook is asked for this provider (repeatable; default: webhook)",
    )
    add(
        "--lifetime",
        type=seconds,
        metavar="SPAN",
        default=None,
        help="how long a token lives (default 24h)",
    )
    add(
        "--session",
        type=seconds,
        metavar="SPAN",
        default=None,
        help="how long after a login tokens are renewed (default 7d)",
    )
    add(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        default=None,
        help="the certificate, with its chain",
    )
    add("--tls-key", type=Path, metavar="FILE", default=None, help="the key of the certificate")
    add(
        "--insecure-listen-without-tls",
        action="store_true",
        default=False,
        help="listen where others can read what is sent",
    )


def _add_user(user: argparse.ArgumentParser) -> None:
    verbs = user.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, what in (
        ("add", "add a user, or give one another password"),
        ("remove", "remove a user"),
        ("list", "list the users, and what their tokens say"),
    ):
        verb = verbs.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            argument_default=argparse.SUPPRESS,
        )
        verb.set_defaults(command=f"presence_tui.commands.identity_service:user_{name}")
        _add_data(verb)
        verb.add_argument(
            "--users", type=Path, metavar="FILE", default=None, help="the file of users"
        )
        if name == "list":
            continue
        verb.add_argument("user", metavar="NAME")
        if name == "add":
            verb.add_argument(
                "--metadata",
                metavar="JSON|@FILE",
                default=None,
                help="what the tokens of this user say",
            )
            verb.add_argument(
                "--password-file",
                type=Path,
                metavar="FILE",
                default=None,
                help="the password is in this file (otherwise: a pipe, or a prompt)",
            )
