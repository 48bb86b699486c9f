"""``identity login|logout|show``: who this device is, as an identity service says."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.engine.credential_files import (
    RENEWAL_FILE,
    IssuerFolder,
    TokenFile,
    renewal_failure,
)
from presence_core.identity.issuer import IssuerObjectError
from presence_core.identity.issuers import Issuers
from presence_core.identity.keyfile import IDENTITY_FILE, HomeError, KeyFile, load_identity
from presence_core.identity.keys import peer_key_text
from presence_core.identity.verdict import MISSING, Taken
from presence_core.model import IdentityStatus
from presence_core.schema import IDENTITY_SCHEMA, dumps, identity_to_json
from presence_tui import output
from presence_tui.identity_service.login_file import (
    HowToLogin,
    load_login,
    remove_login,
    save_login,
)
from presence_tui.identity_service.trusted import GENUINE, learn, trusted_issuers
from presence_tui.output import EXIT_DONE, EXIT_NO, EXIT_USAGE, CommandError
from presence_tui.settings import config_of, home_of
from presence_tui.viewmodel.moments import span_words

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from presence_core.identity.issuer import KeySet
    from presence_core.identity.keys import Identity
    from presence_core.identity.verdict import Verdict
    from presence_tui.identity_service.client import Challenge, Granted

CREDENTIAL = "PRESENCE_CREDENTIAL"


# -- login


def login(args: argparse.Namespace) -> int:
    """Log in, keep the token, and how to renew it; ask whether to trust the issuer."""
    from presence_tui.identity_service.client import ServiceError  # loads aiohttp

    home = home_of(args)
    try:
        how = _how(args, load_login(home))
        identity = _identity(home)
        how, granted = asyncio.run(_log_in(args, how, identity))
        _check_keys(home, granted.key_set)
        TokenFile(home).save(granted.token)
        save_login(home, replace(how, issuer=granted.issuer))
        (home / RENEWAL_FILE).unlink(missing_ok=True)
        _say_welcome(granted)
        known = trusted_issuers(IssuerFolder(home), config_of(args).issuers)
        if known.key_set(granted.issuer) is None:
            _offer_trust(IssuerFolder(home), granted.key_set, asked=args.trust_issuer)
    except (HomeError, ServiceError) as error:
        code = getattr(error, "code", None)
        refused = code in ("not_authenticated", "revoked")
        raise CommandError(str(error), EXIT_NO if refused else output.EXIT_CANNOT) from None
    except OSError as error:
        raise CommandError(f"cannot use {home}: {error.strerror or error}") from None
    return EXIT_DONE


def _how(args: argparse.Namespace, before: HowToLogin | None) -> HowToLogin:
    """Put together where to log in: what is not said is as it was the last time."""
    service = args.service or (before.service if before is not None else None)
    if service is None:
        raise CommandError("say where to log in: --service https://HOST[:PORT]", EXIT_USAGE)
    if before is not None and before.service != service:
        before = None
    how = before or HowToLogin(service, "", "")
    if args.provider is not None:
        how = replace(how, provider=args.provider, credential_file=None)
    if args.ca_file is not None:
        how = replace(how, ca_file=args.ca_file.expanduser().absolute())
    if args.credential_file is not None:
        how = replace(how, credential_file=args.credential_file.expanduser().absolute())
    return replace(how, insecure=how.insecure or args.insecure_without_tls)


def _identity(home: Path) -> Identity:
    if not (home / IDENTITY_FILE).exists():
        KeyFile.open(home).close()
    return load_identity(home)


async def _log_in(
    args: argparse.Namespace, how: HowToLogin, identity: Identity
) -> tuple[HowToLogin, Granted]:
    from presence_tui.identity_service.sign_in import connect, sign_in

    async with await connect(how, time.time) as client:
        challenge = await client.challenge()
        how = replace(how, provider=how.provider or _only_provider(challenge))
        credential = await asyncio.to_thread(_credential, args, how, challenge)
        # A person may have taken longer to type than a challenge lives: this gets another.
        return how, await sign_in(client, how, identity, credential=credential)


def _only_provider(challenge: Challenge) -> str:
    if len(challenge.providers) == 1:
        return next(iter(challenge.providers))
    known = ", ".join(safe_text(name, limit=64) for name in sorted(challenge.providers))
    raise CommandError(f"say who is to check the credential, with --provider: {known}", EXIT_USAGE)


def _credential(args: argparse.Namespace, how: HowToLogin, challenge: Challenge) -> str:
    """Get the credential from a file, the environment, a pipe or a person: never an argument."""
    from presence_tui.identity_service.sign_in import read_credential

    with_password = challenge.providers.get(how.provider) == "password"
    user = args.user
    if how.credential_file is not None:
        secret = read_credential(how.credential_file)
    elif os.environ.get(CREDENTIAL):
        secret = os.environ[CREDENTIAL]
    elif sys.stdin.isatty():
        if with_password and user is None:
            sys.stderr.write("user name: ")
            sys.stderr.flush()
            user = sys.stdin.readline().strip()
        secret = getpass.getpass("password: " if with_password else "credential: ")
    else:
        try:
            secret = sys.stdin.read(64 * 1024).rstrip("\r\n")
        except UnicodeDecodeError:
            secret = ""
    if not secret:
        raise CommandError(
            f"no credential: give --credential-file, {CREDENTIAL} in the environment, or a pipe",
            EXIT_USAGE,
        )
    try:
        secret.encode()
    except UnicodeEncodeError:
        raise CommandError("the credential is not valid UTF-8", EXIT_USAGE) from None
    if user is None:
        return secret
    if not with_password:
        raise CommandError(
            f"--user is for passwords, which {how.provider!r} does not take", EXIT_USAGE
        )
    return f"{user}:{secret}"


def _check_keys(home: Path, key_set: KeySet) -> None:
    """Refuse a service whose keys are not those that this home trusts for its issuer."""
    taken, why = learn(IssuerFolder(home), key_set)
    if taken not in GENUINE and taken is not Taken.UNKNOWN_ISSUER:
        raise HomeError(
            f"the keys of this service are not those that are trusted here: {why}; ask whoever "
            "runs it; if they are right: presence-tui issuer remove, then log in again"
        )


def _say_welcome(granted: Granted) -> None:
    subject, issuer = safe_text(granted.subject, limit=64), safe_text(granted.issuer, limit=64)
    output.say(f"logged in: {issuer} says that this device is {subject}")
    if granted.client_info is not None:
        info = granted.client_info
        text = info if isinstance(info, str) else json.dumps(info, ensure_ascii=False)
        output.say(f"the service says: {safe_text(text, limit=1_000)}")


def _offer_trust(folder: IssuerFolder, key_set: KeySet, *, asked: bool) -> None:
    """Let the person trust the issuer, or say how to."""
    name = safe_text(key_set.issuer, limit=64)
    keys = ", ".join(key.kid.hex() for key in key_set.keys)
    if not asked:
        if not sys.stdin.isatty():
            output.say(f"{name} is not trusted here yet (keys {keys}): say --trust-issuer")
            return
        sys.stderr.write(f"{safe_text(name)}, keys {keys}\n")
        if not output.confirm("believe what this issuer signs?"):
            return
    try:
        Issuers().trust(key_set)
    except IssuerObjectError as error:
        raise HomeError(f"{name} cannot be trusted: {error}") from None
    folder.add(key_set)
    output.say(f"{name} is trusted here now (keys {keys}); compare them with whoever runs it")


# -- logout, show


def logout(args: argparse.Namespace) -> int:
    """Forget the token, and how to renew it. It stays valid for whoever has a copy."""
    home = home_of(args)
    try:
        known = remove_login(home)
        known = (home / "identity.token").exists() or known
        TokenFile(home).save(None)
        (home / RENEWAL_FILE).unlink(missing_ok=True)
    except HomeError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"cannot use {home}: {error.strerror or error}") from None
    if not known:
        output.say("this home is not logged in")
        return EXIT_NO
    return EXIT_DONE


def show(args: argparse.Namespace) -> int:
    """Print what the own token says, as this device would judge it in another."""
    home = home_of(args)
    try:
        how = load_login(home)
        raw = TokenFile(home).load()
        peer_key = load_identity(home).peer_key if raw is not None else None
        issuers = trusted_issuers(IssuerFolder(home), config_of(args).issuers)
    except HomeError as error:
        raise CommandError(str(error)) from None
    verdict = MISSING
    if raw is not None and peer_key is not None:
        verdict = issuers.check(raw, peer_key, time.time())
    trouble = renewal_failure(home)
    if args.json:
        output.data(dumps(_as_json(peer_key, verdict, how, trouble), compact=args.compact))
    elif raw is not None:
        for line in _as_lines(verdict, how, trouble):
            output.data(line)
    if raw is None:
        output.say("this device has no identity token: presence-tui identity login --service URL")
        return EXIT_NO
    return EXIT_DONE if verdict.identity.status is IdentityStatus.VERIFIED else EXIT_NO


def _as_json(
    peer_key: bytes | None, verdict: Verdict, how: HowToLogin | None, trouble: str | None
) -> dict[str, Any]:
    renewal = None
    if how is not None:
        renewal = {"service": how.service, "provider": how.provider, "failure": trouble}
    verified = verdict.identity.status is IdentityStatus.VERIFIED
    vouched = verdict.metadata if verified and verdict.metadata is not None else {}
    return {
        "schema": IDENTITY_SCHEMA,
        "peerKey": peer_key_text(peer_key) if peer_key is not None else None,
        "identity": identity_to_json(verdict.identity),
        "identityServiceMetadata": dict(vouched),
        "renewal": renewal,
    }


def _as_lines(verdict: Verdict, how: HowToLogin | None, trouble: str | None) -> list[str]:
    identity = verdict.identity
    lines = [("status", f"{identity.status}: {identity.reason}")]
    if identity.issuer is not None:
        lines.append(("issuer", f"{identity.issuer} (key {identity.key_id})"))
        lines.append(("subject", identity.subject or ""))
    if identity.expires_at is not None:
        lines.append(("valid", _validity(identity.expires_at)))
    if verdict.metadata:
        lines.append(("says", json.dumps(dict(verdict.metadata), ensure_ascii=False)))
    if how is not None:
        lines.append(("renewed", f"at {how.service}, while presence-tui runs"))
    if trouble is not None:
        lines.append(("trouble", trouble))
    return [f"{name:<8}  {safe_text(text, limit=1_000)}" for name, text in lines]


def _validity(ends: datetime) -> str:
    left = (ends - datetime.now(UTC)).total_seconds()
    if left <= 0:
        return f"until {ends:%Y-%m-%d %H:%M:%S} UTC, which is over"
    return f"until {ends:%Y-%m-%d %H:%M:%S} UTC, {span_words(left)} left"
