"""``identity service|user|rotate|revoke``: for whoever runs an identity service."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.identity.issuer import MAX_NAME_BYTES, IssuerObjectError, object_text
from presence_core.identity.keyfile import HomeError
from presence_core.identity.keys import KeyFormatError, parse_peer_key
from presence_tui import output
from presence_tui.identity_service.database import transaction
from presence_tui.identity_service.passwords import PasswordHash
from presence_tui.identity_service.state import State
from presence_tui.identity_service.users import (
    USERS_FILE,
    User,
    UsersFile,
    check_user_name,
)
from presence_tui.output import EXIT_DONE, EXIT_NO, EXIT_USAGE, CommandError
from presence_tui.session import run
from presence_tui.settings import home_of, read_metadata

if TYPE_CHECKING:
    import argparse
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from presence_core.identity.issuer import SignedObject
    from presence_tui.identity_service.server import ServiceConfig
    from presence_tui.identity_service.webhook import WebhookTarget

MIN_PASSWORD = 8
"""Characters."""

MAX_FILES = 4_096
"""Open files that the service asks the system for: each connection is one."""


def _data(args: argparse.Namespace) -> Path:
    return (args.data or home_of(args) / "identity-service").expanduser()


# -- the service


def service(args: argparse.Namespace) -> int:
    """Run the service until told to end. Its address is printed when it listens."""
    from presence_tui.identity_service.server import IdentityService  # loads aiohttp

    config = _config(args)
    _log_to_stderr()
    _allow_files()

    async def main(stop: asyncio.Event) -> int:
        async with IdentityService(config) as running:
            output.data(running.url)
            output.say(_started(config, running))
            await stop.wait()
        return EXIT_DONE

    try:
        return run(main)
    except HomeError as error:
        raise CommandError(str(error)) from None


def _started(config: ServiceConfig, running: Any) -> str:
    said = f"the identity service of {safe_text(running.issuer, limit=64)!r} listens"
    if config.users is not None and not UsersFile(config.users).load():
        return f"{said}; there are no users yet: presence-tui identity user add NAME"
    return f"{said}; its keys: {running.url}/v1/keys"


def _config(args: argparse.Namespace) -> ServiceConfig:
    from presence_tui.identity_service.logins import Terms
    from presence_tui.identity_service.server import (
        DEFAULT_PORT,
        WEBHOOK_PROVIDER,
        ServiceConfig,
        server_tls,
    )

    data = _data(args)
    host, port = _listen(args.listen) if args.listen else ("127.0.0.1", DEFAULT_PORT)
    if (args.tls_cert is None) != (args.tls_key is None):
        raise CommandError("--tls-cert goes with --tls-key", EXIT_USAGE)
    try:
        tls = server_tls(args.tls_cert, args.tls_key) if args.tls_cert is not None else None
        webhook = _webhook(args)
    except HomeError as error:
        raise CommandError(str(error)) from None
    users = args.users.expanduser() if args.users is not None else None
    if users is None and webhook is None:
        users = data / USERS_FILE
    name = args.issuer_name
    if name is not None and not 1 <= len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES:
        raise CommandError(f"--issuer-name has 1 to {MAX_NAME_BYTES} bytes", EXIT_USAGE)
    terms = Terms()
    return ServiceConfig(
        data,
        host,
        port,
        issuer=name,
        users=users,
        webhook=webhook,
        webhooks=tuple(args.provider or (WEBHOOK_PROVIDER,)),
        terms=Terms(args.lifetime or terms.lifetime, args.session or terms.session),
        tls=tls,
        insecure=args.insecure_listen_without_tls,
    )


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdecimal()) or int(port[:6]) > 65_535:
        raise CommandError(f"--listen {text}: expected HOST:PORT", EXIT_USAGE)
    return host, int(port)


def _webhook(args: argparse.Namespace) -> WebhookTarget | None:
    from yarl import URL

    from presence_tui.identity_service.server import USERS_PROVIDER
    from presence_tui.identity_service.webhook import MIN_SECRET, WebhookTarget
    from presence_tui.identity_service.wire import RENEWAL

    if args.webhook is None:
        if args.webhook_secret_file is not None or args.provider:
            raise CommandError("--webhook-secret-file and --provider go with --webhook", EXIT_USAGE)
        return None
    if args.webhook_secret_file is None:
        raise CommandError("--webhook needs --webhook-secret-file", EXIT_USAGE)
    reserved = {RENEWAL, USERS_PROVIDER} & {*(args.provider or ())}
    if reserved:
        raise CommandError(f"--provider cannot be {reserved.pop()}: it has a meaning", EXIT_USAGE)
    try:
        url = URL(args.webhook)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise CommandError(f"--webhook {args.webhook}: expected http(s)://HOST/PATH", EXIT_USAGE)
    secret = _secret(args.webhook_secret_file.expanduser())
    if len(secret) < MIN_SECRET:
        raise HomeError(f"{args.webhook_secret_file} has less than {MIN_SECRET} bytes")
    return WebhookTarget(args.webhook, secret)


def _secret(path: Path) -> bytes:
    from presence_tui.identity_service.client import ServiceError
    from presence_tui.identity_service.sign_in import read_credential

    try:
        return read_credential(path).encode()
    except ServiceError as error:
        raise HomeError(str(error)) from None


def _log_to_stderr() -> None:
    """Say who logs in, and what goes wrong: for the journal of the system."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("presence_tui.identity_service").setLevel(logging.INFO)
    # What strangers send that is no HTTP would fill the log with tracebacks; ours are logged by us.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.raiseExceptions = False


def _allow_files() -> None:
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MAX_FILES)), hard))


# -- users


def _users(args: argparse.Namespace) -> UsersFile:
    return UsersFile((args.users or _data(args) / USERS_FILE).expanduser())


def user_add(args: argparse.Namespace) -> int:
    """Add a user, or give one another password."""
    try:
        name = check_user_name(args.user)
    except ValueError as error:
        raise CommandError(str(error), EXIT_USAGE) from None
    metadata = None if args.metadata is None else read_metadata(args.metadata, "--metadata")
    password = _password(args)
    file = _users(args)
    try:
        before = file.load().get(name)
        if metadata is None:
            metadata = dict(before.metadata) if before is not None else {}
        new = file.add(User(name, PasswordHash.of(password), metadata))
    except HomeError as error:
        raise CommandError(str(error)) from None
    output.say(f"{name} {'can log in now' if new else 'has another password now'}")
    return EXIT_DONE


def _password(args: argparse.Namespace) -> str:
    try:
        if args.password_file is not None:
            password = _secret(args.password_file.expanduser()).decode()
        elif sys.stdin.isatty():
            password = getpass.getpass("password: ")
            if getpass.getpass("again: ") != password:
                raise CommandError("the two passwords differ", EXIT_USAGE)
        else:
            password = sys.stdin.read(64 * 1024).rstrip("\r\n")
    except HomeError as error:
        raise CommandError(str(error)) from None
    except UnicodeDecodeError:
        password = ""
    if len(password) < MIN_PASSWORD:
        raise CommandError(f"a password has at least {MIN_PASSWORD} characters", EXIT_USAGE)
    return password


def user_remove(args: argparse.Namespace) -> int:
    """Remove a user: no login and no renewal any more; tokens live until they run out."""
    try:
        if _users(args).remove(args.user):
            return EXIT_DONE
    except HomeError as error:
        raise CommandError(str(error)) from None
    output.say(f"there is no user {args.user!r}")
    return EXIT_NO


def user_list(args: argparse.Namespace) -> int:
    """Print the users and what their tokens say, one a line."""
    try:
        users = _users(args).load()
    except HomeError as error:
        raise CommandError(str(error)) from None
    for user in sorted(users.values(), key=lambda user: user.name):
        output.data(f"{user.name}\t{json.dumps(dict(user.metadata), ensure_ascii=True)}")
    return EXIT_DONE


# -- keys and revocations


def rotate(args: argparse.Namespace) -> int:
    """Let the next key sign, and print the new key set."""
    return _sign(args, lambda state, now: state.rotate(now))


def revoke(args: argparse.Namespace) -> int:
    """Take back tokens, and print the new revocation list."""
    if args.peer_key is not None:
        try:
            peer_key = parse_peer_key(args.peer_key)
        except KeyFormatError as error:
            raise CommandError(f"--peer-key: {error}", EXIT_USAGE) from None
        return _sign(args, lambda state, now: state.revoke_peer(peer_key, now))
    try:
        token_id = bytes.fromhex(args.token_id)
    except ValueError:
        token_id = b""
    if not 1 <= len(token_id) <= 64:
        raise CommandError("--token-id: expected the hex digits from the log", EXIT_USAGE)
    return _sign(args, lambda state, now: state.revoke_token(token_id, now))


def _sign(args: argparse.Namespace, work: Callable[[State, int], SignedObject]) -> int:
    """Change the state of a service, whether it runs or not, and print what is signed now."""
    try:
        state = State.open(_data(args))
        try:
            with transaction(state.connection):
                signed = work(state, int(time.time()))
        finally:
            state.close()
    except (HomeError, IssuerObjectError) as error:
        raise CommandError(str(error)) from None
    except sqlite3.Error as error:
        raise CommandError(f"cannot change {_data(args)}: {error}") from None
    output.data(object_text(signed).rstrip("\n"))
    return EXIT_DONE
