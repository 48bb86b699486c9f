"""The options of ``trust`` and ``issuer``: whom this device trusts, whom it believes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_tui.options import add_home_option

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import TypeAlias

    Verb: TypeAlias = Callable[[str, str, str], argparse.ArgumentParser]

PEER = "key, or of one that is known here its beginning, short id, or exact name"


def add_trust(verb: Verb) -> None:
    """Add what follows ``trust``. ``verb`` adds a command: its name, what it does, its code."""
    verify = verb("verify", "note that a key was compared with its owner", "trust:trust_verify")
    _add_yes(verify, "they were compared: do not ask")
    block = verb("block", "let no link with a key be", "trust:trust_block")
    forget = verb("forget", "forget a key and what was decided about it", "trust:trust_forget")
    for parser in (verify, block, forget):
        parser.add_argument("peer", metavar="PEER", help=PEER)
        add_home_option(parser)
    listed = verb("list", "list the keys that are known here", "trust:trust_list")
    listed.add_argument(
        "--state", choices=("seen", "verified", "blocked"), default=None, help="only these"
    )
    _add_answer(listed)


def add_issuer(verb: Verb) -> None:
    """Add what follows ``issuer``."""
    add = verb("add", "believe an issuer", "issuers:issuer_add")
    add.add_argument("file", metavar="FILE", help="its signed key set")
    _add_yes(add, "the keys were compared: do not ask")
    listed = verb("list", "list the issuers that are believed here", "issuers:issuer_list")
    remove = verb("remove", "believe an issuer no longer", "issuers:issuer_remove")
    remove.add_argument("name", metavar="NAME", help="as the list has it")
    for parser in (add, remove):
        add_home_option(parser)
    _add_answer(listed)


def _add_yes(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--yes", action="store_true", default=False, help=what)


def _add_answer(parser: argparse.ArgumentParser) -> None:
    add_home_option(parser)
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.add_argument("--compact", action="store_true", help="JSON on one line")
