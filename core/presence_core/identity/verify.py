"""What is believed about identity: what comes to be trusted, and what follows for each token.

Pure: bytes and a wall clock come in, verdicts go out (protocol §8.4). Signatures are checked once
for a token and a key; what the time and a revocation list say is looked up each time. It is loaded
by :class:`presence_core.identity.issuers.Issuers`, when there is something to decide.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.identity.issuer import (
    IssuerObjectError,
    KeySet,
    RevocationList,
    is_signed_by,
    parse_object,
    same_content,
)
from presence_core.identity.issuers import Trusted
from presence_core.identity.keys import short_id
from presence_core.identity.token import LEEWAY, Token, TokenError, parse_token
from presence_core.identity.verdict import FOREVER, Taken, Verdict, refused
from presence_core.model import Identity, IdentityStatus
from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.identity.issuer import PublicKey, SignedObject
    from presence_core.identity.issuers import Issuers
    from presence_core.model import JsonObject

MAX_ISSUERS = 64
MAX_REMEMBERED = 20_000
"""Tokens whose signature is not checked again: as many as there are peers in the largest table."""


@entity
class _Read:
    """A token, the key that it names, and whether its signature holds (None: not checked yet)."""

    digest: bytes
    token: Token
    key: PublicKey
    holds: bool | None


class Verifier:
    """Decides what comes to be trusted by some issuers, and what follows for tokens."""

    def __init__(self, issuers: Issuers) -> None:
        self._issuers = issuers
        self._trusted = issuers.trusted
        self._checked: dict[bytes, tuple[PublicKey, bool]] = {}
        """By the hash of a token: the key under which its signature was checked; if it holds."""

    # -- what is trusted

    def trust(self, key_set: KeySet) -> Taken:
        """Trust an issuer because a person vouches for it: NEWS, KNOWN, or OLDER.

        Raises IssuerObjectError, in words for that person: the set is not signed by one of its own
        keys, has the number of the set that is here and other content, or is one issuer too many.
        """
        key = key_set.key(key_set.signer)
        if key is None or not is_signed_by(key_set, key):
            raise IssuerObjectError(
                f"the key set of {_named(key_set.issuer)} is not signed by one of its own keys"
            )
        return self._keep(key_set)

    def restore(self, kept: SignedObject) -> Taken:
        """Take back what this home has kept of a trusted issuer, key set first.

        It was checked when it was taken; the key that signed it may be out of use by now, so its
        signature is not asked for again. Raises IssuerObjectError as :meth:`trust` does.
        """
        if isinstance(kept, RevocationList) and kept.issuer not in self._trusted:
            return Taken.UNKNOWN_ISSUER
        return self._keep(kept)

    def _keep(self, signed: SignedObject) -> Taken:
        if signed.issuer not in self._trusted and len(self._trusted) >= MAX_ISSUERS:
            raise IssuerObjectError(
                f"{MAX_ISSUERS} issuers are trusted already; remove one of them first"
            )
        taken = self._compare(signed)
        if taken is Taken.CONFLICT:
            raise IssuerObjectError(self._conflict(signed))
        if taken is Taken.NEWS:
            self._put(signed)
        return taken

    def consider(self, raw: bytes) -> tuple[Taken, str, SignedObject | None]:
        """Take a signed object of unknown origin: verify it, then change what is in force.

        Returns what became of it, why it is not in force (empty for NEWS and KNOWN), and what it
        says, if it can be read.
        """
        try:
            signed = parse_object(raw)
        except IssuerObjectError as error:
            return Taken.REFUSED, f"a signed object of an issuer cannot be read: {error}", None
        return *self.weigh(signed), signed

    def weigh(self, signed: SignedObject) -> tuple[Taken, str]:
        """Do the same as :meth:`consider` with an object that was read, and not checked."""
        trusted = self._trusted.get(signed.issuer)
        if trusted is None:
            return Taken.UNKNOWN_ISSUER, f"{_named(signed.issuer)} is not trusted here"
        taken = self._compare(signed)
        if taken is Taken.KNOWN:
            return taken, ""
        if taken is Taken.OLDER:
            return taken, f"a newer {_kind(signed)} of {_named(signed.issuer)} is here"
        key = trusted.keys.key(signed.signer)
        if key is None:
            return Taken.UNKNOWN_KEY, (
                f"{_kind(signed)} {signed.number} of {_named(signed.issuer)} is signed with key "
                f"{signed.signer.hex()}, which its key set {trusted.keys.number} does not hold"
            )
        if not is_signed_by(signed, key):
            return Taken.REFUSED, (
                f"the signature of {_kind(signed)} {signed.number} of {_named(signed.issuer)} "
                "is wrong"
            )
        if taken is Taken.CONFLICT:
            return taken, self._conflict(signed)
        self._put(signed)
        return taken, ""

    def _held(self, signed: SignedObject) -> SignedObject | None:
        trusted = self._trusted.get(signed.issuer)
        if trusted is None:
            return None
        return trusted.keys if isinstance(signed, KeySet) else trusted.revoked

    def _compare(self, signed: SignedObject) -> Taken:
        """Return what an object is beside the one of its kind that is here."""
        held = self._held(signed)
        if held is None or signed.number > held.number:
            return Taken.NEWS
        if signed.number < held.number:
            return Taken.OLDER
        return Taken.KNOWN if same_content(signed, held) else Taken.CONFLICT

    def _conflict(self, signed: SignedObject) -> str:
        return (
            f"{_named(signed.issuer)} has signed two different {_kind(signed)}s with the number "
            f"{signed.number}; the first one stays"
        )

    def _put(self, signed: SignedObject) -> None:
        if isinstance(signed, RevocationList):
            self._trusted[signed.issuer].revoked = signed
        elif signed.issuer in self._trusted:
            self._trusted[signed.issuer].keys = signed
        else:
            self._trusted[signed.issuer] = Trusted(signed)
        self._issuers.version += 1

    # -- what follows for a token

    def check(self, raw: bytes, peer_key: bytes, now: float) -> Verdict:
        """Return the verdict on a token that a peer publishes, at a time (Unix seconds)."""
        found = self._read(raw)
        if isinstance(found, Verdict):
            return found
        self._verify(found)
        return self._judge(found, peer_key, now)

    def check_all(self, tokens: Sequence[tuple[bytes, bytes]], now: float) -> list[Verdict]:
        """Return the verdicts on many tokens, each with the key of the peer that publishes it.

        The same as :meth:`check` for each of them, but step by step for all: so the caches of the
        processor need not change between reading and verifying, which is an eighth of the time.
        """
        read = [self._read(raw) for raw, _ in tokens]
        for found in read:
            if isinstance(found, _Read):
                self._verify(found)
        return [
            self._judge(found, peer_key, now) if isinstance(found, _Read) else found
            for found, (_, peer_key) in zip(read, tokens, strict=True)
        ]

    def _read(self, raw: bytes) -> _Read | Verdict:
        """Return a token and the key that it names; a verdict if there is no such token or key."""
        try:
            token = parse_token(raw)
        except TokenError as error:
            return refused(error.status, f"its identity token is of no use: {error}")
        key = self._key_of(token)
        if key is None:
            return _verdict(token, IdentityStatus.UNKNOWN_ISSUER, self._unknown(token))
        digest = hashlib.sha256(raw).digest()
        checked_under, holds = self._checked.get(digest, (None, None))
        return _Read(digest, token, key, holds if checked_under == key else None)

    def _key_of(self, token: Token) -> PublicKey | None:
        trusted = self._trusted.get(token.issuer)
        return None if trusted is None else trusted.keys.key(token.kid)

    def _unknown(self, token: Token) -> str:
        trusted = self._trusted.get(token.issuer)
        if trusted is None:
            return f"its identity token is from {_named(token.issuer)}, which is not trusted here"
        return (
            f"its identity token is signed with key {token.kid.hex()}, which key set "
            f"{trusted.keys.number} of {_named(token.issuer)} does not hold"
        )

    def _verify(self, read: _Read) -> None:
        """Check the signature if that was not done yet, and remember what came out."""
        if read.holds is not None:
            return
        read.holds = read.token.is_signed_by(read.key)
        self._checked[read.digest] = (read.key, read.holds)
        if len(self._checked) > MAX_REMEMBERED:
            del self._checked[next(iter(self._checked))]

    def _judge(self, read: _Read, peer_key: bytes, now: float) -> Verdict:
        token, name = read.token, _named(read.token.issuer)
        if not read.holds:
            return _verdict(
                token,
                IdentityStatus.BAD_SIGNATURE,
                f"its identity token says that {name} has signed it, but the signature is wrong",
            )
        if token.peer_key != peer_key:
            return _verdict(
                token,
                IdentityStatus.KEY_MISMATCH,
                f"its identity token belongs to another peer ({short_id(token.peer_key)}); "
                "it was copied from there",
            )
        revoked = self._trusted[token.issuer].revoked
        if revoked is not None:
            if token.peer_key in revoked.peer_keys:
                return _verdict(
                    token, IdentityStatus.REVOKED, f"{name} has revoked all tokens of this peer"
                )
            if token.token_id in revoked.token_ids:
                return _verdict(token, IdentityStatus.REVOKED, f"{name} has revoked this token")
        return _timed(token, name, now)


def _timed(token: Token, name: str, now: float) -> Verdict:
    """Return the verdict on a token with which nothing is wrong but, maybe, the time."""
    begin, end = token.not_before, token.expires_at
    if now < begin - LEEWAY:
        reason = f"its identity token of {name} is not valid before {_at(begin)}"
        return _verdict(token, IdentityStatus.NOT_YET_VALID, reason, until=begin - LEEWAY)
    if now >= end + LEEWAY:
        reason = f"its identity token of {name} ran out at {_at(end)}"
        return _verdict(token, IdentityStatus.EXPIRED, reason, token.metadata)
    if now < begin:
        until = float(begin)
        reason = (
            f"{name} vouches for this peer from {_at(begin)} on; "
            f"it is believed now because clocks differ"
        )
    elif now < end:
        until = float(end)
        reason = f"{name} vouches for this peer until {_at(end)}"
    else:
        until = end + LEEWAY
        reason = (
            f"its identity token of {name} ran out at {_at(end)}; "
            f"it is believed until {_at(until)} because clocks differ"
        )
    return _verdict(token, IdentityStatus.VERIFIED, reason, token.metadata, until)


def _verdict(
    token: Token,
    status: IdentityStatus,
    reason: str,
    metadata: JsonObject | None = None,
    until: float = FOREVER,
) -> Verdict:
    identity = Identity(
        status,
        reason,
        issuer=token.issuer,
        key_id=token.kid.hex(),
        subject=token.subject,
        not_before=datetime.fromtimestamp(token.not_before, UTC),
        expires_at=datetime.fromtimestamp(token.expires_at, UTC),
    )
    return Verdict(identity, metadata, until)


def _at(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(" ", "seconds").replace("+00:00", " UTC")


@lru_cache(maxsize=128)
def _named(issuer: str) -> str:
    """Return the name of an issuer for a sentence: others have chosen it."""
    return f"“{safe_text(issuer, limit=64)}”"


def _kind(signed: SignedObject) -> str:
    return "key set" if isinstance(signed, KeySet) else "revocation list"
