"""``issuer``: whom this device believes about identity.

Beside any engine: an engine that runs on this home follows the folder of issuers at once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.engine.conditions import Conditions
from presence_core.engine.credential_files import IssuerFolder, read_issuer_file
from presence_core.engine.credentials import Credentials
from presence_core.identity.issuer import IssuerObjectError, KeySet
from presence_core.identity.issuers import Issuers
from presence_core.identity.keyfile import HomeError
from presence_core.schema import ISSUERS_SCHEMA, dumps
from presence_tui import output
from presence_tui.output import EXIT_DONE, EXIT_NO, CommandError
from presence_tui.settings import config_of, home_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine

    from presence_core.model import Issuer

COLUMNS = ("name", "key set", "keys", "revocations", "trusted by")


def issuer_add(args: argparse.Namespace) -> int:
    """Believe an issuer, by a file with its signed key set."""
    return _run(_add, args)


def issuer_list(args: argparse.Namespace) -> int:
    """Print the issuers that are believed here."""
    return _run(_list, args)


def issuer_remove(args: argparse.Namespace) -> int:
    """Believe an issuer no longer."""
    return _run(_remove, args)


def _run(
    main: Callable[[argparse.Namespace, Credentials], Coroutine[Any, Any, int]],
    args: argparse.Namespace,
) -> int:
    """Run a command on the credentials of the home, as an engine would hold them."""

    async def run() -> int:
        credentials = Credentials(
            home_of(args),
            config_of(args).issuers,
            Conditions(lambda: datetime.now(UTC), lambda: None),
            publish=lambda _: None,
            tell=lambda _: None,
        )
        credentials.open()
        return await main(args, credentials)

    try:
        return asyncio.run(run())
    except (HomeError, IssuerObjectError) as error:
        raise CommandError(str(error)) from None


async def _add(args: argparse.Namespace, credentials: Credentials) -> int:
    key_set = _key_set(args.file)
    name = safe_text(key_set.issuer, limit=64)
    held = credentials.issuers.key_set(key_set.issuer)
    other = held is not None and not {*held.keys} & {*key_set.keys}
    if held is not None and not other and held.number > key_set.number:
        output.say(f"a newer key set of {name!r} is here: {held.number}, not {key_set.number}")
        return EXIT_NO
    output.say(f"the issuer {name!r}, key set {key_set.number}, with")
    for key in key_set.keys:
        output.say(f"    key {key.kid.hex()}  {key.public.hex()}")
    if held is not None and other:
        known = ", ".join(key.kid.hex() for key in held.keys)
        output.say(f"an issuer of this name is believed here with other keys: {known}")
        if args.yes:
            output.say(f"to put these in their place: presence-tui issuer remove {name!r} first")
            return EXIT_NO
        output.say("these would take their place, and what that issuer has revoked is forgotten")
    question = "do these keys belong to whom you want to believe about who is who?"
    if not args.yes and not output.confirm(question):
        output.say("nothing was changed")
        return EXIT_NO
    home_of(args).mkdir(mode=0o700, parents=True, exist_ok=True)
    await credentials.trust(key_set.raw)
    output.say(f"{name!r} is believed here from now on")
    return EXIT_DONE


def _key_set(file: str) -> KeySet:
    path = Path(file).expanduser()
    signed = read_issuer_file(path).signed
    if not isinstance(signed, KeySet):
        raise CommandError(f"{path} is a revocation list, not the key set of an issuer")
    Issuers().trust(signed)  # before anybody is asked: it must be signed by one of its own keys
    return signed


async def _list(args: argparse.Namespace, credentials: Credentials) -> int:
    folder = IssuerFolder(home_of(args)).load()
    for fault in folder.faults.values():
        output.say(fault)
    at_home = {file.signed.issuer for file in folder.files if file.trusts}
    trusted = credentials.trusted()
    if args.json:
        value = {
            "schema": ISSUERS_SCHEMA,
            "issuers": [_to_json(one, kept=one.name in at_home) for one in trusted],
        }
        output.data(dumps(value, compact=args.compact))
    else:
        rows = [_cells(one, kept=one.name in at_home) for one in trusted]
        output.data(output.table([COLUMNS, *rows]))
    return EXIT_DONE


def _configured(args: argparse.Namespace) -> set[str]:
    return {read_issuer_file(path).signed.issuer for path in config_of(args).issuers}


def _to_json(one: Issuer, *, kept: bool) -> dict[str, Any]:
    return {
        "name": one.name,
        "keySetNumber": one.number,
        "keyIds": list(one.key_ids),
        "revocationNumber": one.revocation_number,
        "kept": kept,
    }


def _cells(one: Issuer, *, kept: bool) -> tuple[str, ...]:
    return (
        safe_text(one.name, limit=64),
        str(one.number),
        " ".join(one.key_ids),
        "-" if one.revocation_number is None else str(one.revocation_number),
        "this home" if kept else "the configuration",
    )


async def _remove(args: argparse.Namespace, credentials: Credentials) -> int:
    name = safe_text(args.name, limit=64)
    if not await credentials.distrust(args.name):
        output.say(f"no issuer {name!r} is believed here; presence-tui issuer list names them")
        return EXIT_NO
    if args.name in _configured(args):
        output.say(f"{name!r} is believed all the same: the configuration names it, as issuers")
        return EXIT_NO
    output.say(f"{name!r} is believed here no longer")
    return EXIT_DONE
