"""``trust``: which keys were met, and what the person at this device decides about them.

Beside any engine: the home's trust file is the truth, and an engine that runs on this home
follows it at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text
from presence_core.identity.keyfile import HomeError
from presence_core.identity.keys import (
    KeyFormatError,
    parse_peer_key,
    peer_key_text,
    safety_number,
    short_id,
)
from presence_core.identity.trust_file import TrustFile
from presence_core.model import Trust
from presence_core.schema import TRUST_SCHEMA, dumps, time_to_json
from presence_tui import output
from presence_tui.commands.keys import own_key
from presence_tui.matching import candidates, matching
from presence_tui.output import EXIT_DONE, EXIT_NO, EXIT_USAGE, CommandError
from presence_tui.settings import home_of

if TYPE_CHECKING:
    import argparse

    from presence_core.identity.trust import Acquaintance, TrustBook

COLUMNS = ("trust", "name", "short id", "key", "first seen", "verified", "subject")
_ORDER = (Trust.VERIFIED, Trust.BLOCKED, Trust.SEEN)


@dataclass(frozen=True, slots=True)
class _Peer:
    """A key that a command is about, with what the file knows of it."""

    key: bytes
    known: Acquaintance | None = None

    @property
    def peer_key(self) -> str:
        return peer_key_text(self.key)

    @property
    def short_id(self) -> str:
        return short_id(self.key)

    @property
    def device_name(self) -> str:
        return (self.known.name if self.known is not None else None) or ""

    @property
    def who(self) -> str:
        """Name the peer in a sentence."""
        name = safe_text(self.device_name, limit=64)
        return f"{name} ({self.short_id})" if name else self.short_id


def trust_verify(args: argparse.Namespace) -> int:
    """Note that a person has compared a key with its owner; show what they compare, and ask."""
    file = _file(args)
    peer = _find(_load(file), args.peer)
    if peer is None:
        return EXIT_NO
    own = own_key(home_of(args))
    _refuse_own(peer, own)
    groups = safety_number(own, peer.key).split()
    output.say(f"the safety number of {peer.who} and this device:")
    for at in range(0, len(groups), 4):
        output.say(f"    {' '.join(groups[at : at + 4])}")
    if peer.known is not None and peer.known.state is Trust.BLOCKED:
        output.say("this key is blocked; to verify it ends that")
    question = "does the screen of its owner show the same 60 digits for this device?"
    if not args.yes and not output.confirm(question):
        output.say("nothing was changed")
        return EXIT_NO
    _decide(file, peer, Trust.VERIFIED)
    output.say(f"{peer.who} is verified")
    return EXIT_DONE


def trust_block(args: argparse.Namespace) -> int:
    """Let no link with a key be: none is dialled or let in, and those that exist are closed."""
    file = _file(args)
    peer = _find(_load(file), args.peer)
    if peer is None:
        return EXIT_NO
    _refuse_own(peer, own_key(home_of(args)))
    _decide(file, peer, Trust.BLOCKED)
    output.say(
        f"{peer.who} is blocked; an engine that runs on this home closes its links now, "
        f"and to end that: presence-tui trust forget {peer.peer_key[:16]}"
    )
    return EXIT_DONE


def trust_forget(args: argparse.Namespace) -> int:
    """Forget a key, whatever was decided about it; if it is here it is met anew."""
    file = _file(args)
    peer = _find(_load(file), args.peer)
    if peer is None:
        return EXIT_NO
    if peer.known is None:
        output.say(f"{peer.who} is not known here")
        return EXIT_NO
    _update(file, lambda book: book.drop(peer.key))
    output.say(f"{peer.who} is forgotten")
    return EXIT_DONE


def trust_list(args: argparse.Namespace) -> int:
    """Print the keys that are known here."""
    book = _load(_file(args))
    known = [one for one in book if args.state is None or str(one.state) == args.state]
    known.sort(key=lambda one: (_ORDER.index(one.state), (one.name or "").lower()))
    if args.json:
        value = {
            "schema": TRUST_SCHEMA,
            "peers": [_to_json(one) for one in known],
            "damage": list(book.damage),
        }
        output.data(dumps(value, compact=args.compact))
    else:
        output.data(output.table([COLUMNS, *map(_cells, known)]))
    return EXIT_DONE


def _to_json(one: Acquaintance) -> dict[str, Any]:
    return {
        "peerKey": peer_key_text(one.key),
        "shortId": short_id(one.key),
        "deviceName": one.name,
        "trust": str(one.state),
        "firstSeen": time_to_json(one.first_seen),
        "verifiedAt": time_to_json(one.verified),
        "issuer": one.issuer,
        "subject": one.subject,
    }


def _cells(one: Acquaintance) -> tuple[str, ...]:
    subject = safe_text(one.subject or "", limit=32)
    issuer = safe_text(one.issuer or "", limit=32)
    return (
        str(one.state),
        safe_text(one.name or "", limit=32) or "-",
        short_id(one.key),
        f"{peer_key_text(one.key)[:16]}…",
        f"{one.first_seen:%Y-%m-%d}",
        f"{one.verified:%Y-%m-%d}" if one.verified is not None else "-",
        f"{subject} of {issuer}" if subject else "-",
    )


def _file(args: argparse.Namespace) -> TrustFile:
    return TrustFile(home_of(args))


def _load(file: TrustFile) -> TrustBook:
    try:
        book = file.load()
    except HomeError as error:
        raise CommandError(str(error)) from None
    for damage in book.damage:
        output.say(f"{file.path}, {damage}; it is kept but not followed: correct it or remove it")
    return book


def _find(book: TrustBook, text: str) -> _Peer | None:
    """Find the key that a person means: any in full, of those that are known by less.

    Says why when there is none, or more than one.
    """
    try:
        key = parse_peer_key(text)
    except KeyFormatError as error:
        whole = str(error)
    else:
        return _Peer(key, book.get(key))
    found = matching([_Peer(one.key, one) for one in book], text)
    if len(found) == 1:
        return found[0]
    if found:
        output.say(f"{text!r} fits {len(found)} keys: {candidates(found)}")
    elif text.lower().startswith("pk1") and len(text) > len("pk1") + 50:
        raise CommandError(f"{text!r}: {whole}", EXIT_USAGE)
    else:
        output.say(f"no key {text!r} is known here; of one that was never met give all of it")
    return None


def _refuse_own(peer: _Peer, own: bytes) -> None:
    if peer.key == own:
        raise CommandError("this is the key of this device itself", EXIT_USAGE)


def _decide(file: TrustFile, peer: _Peer, trust: Trust) -> None:
    at = datetime.now(UTC)
    _update(file, lambda book: book.decide(peer.key, trust, at))


def _update(file: TrustFile, change: Any) -> None:
    try:
        file.update(change)
    except HomeError as error:
        raise CommandError(str(error)) from None
