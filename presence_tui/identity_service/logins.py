"""From a request for a token to the token: proof, credential, and what is written down.

Nothing of HTTP is here. Every refusal is a :class:`Refused`, with the status that fits it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presence_core.codec import base64url
from presence_core.codec.text import safe_text
from presence_core.identity.keys import KeyFormatError, parse_peer_key, short_id, verify
from presence_core.identity.token import MAX_TOKEN, TokenError, parse_token
from presence_core.model import IdentityStatus
from presence_tui.identity_service.challenges import ChallengeError, Challenges
from presence_tui.identity_service.limits import Limit, Limits
from presence_tui.identity_service.providers import MAX_SUBJECT, Approved, Refused
from presence_tui.identity_service.wire import (
    CHALLENGE_SECONDS,
    RENEWAL,
    WireError,
    proof,
    text_field,
    to_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from presence_tui.identity_service.commits import Commits
    from presence_tui.identity_service.providers import Provider
    from presence_tui.identity_service.state import Issued, Login, State

MAX_PROVIDER = 64
_WHAT = "the request"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long tokens live, and for how long they are renewed after a login; in seconds."""

    lifetime: int = 24 * 3_600
    session: int = 7 * 86_400


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a token, read and with its proof checked."""

    provider: str
    credential: str
    peer_key: bytes
    address: str


class Logins:
    """Answers those who want a token."""

    def __init__(
        self,
        commits: Commits,
        issuer: str,
        providers: Mapping[str, Provider],
        terms: Terms | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self._commits = commits
        self._providers = providers
        self._terms = terms or Terms()
        self._clock = clock
        self._challenges = Challenges()
        limits = limits or Limits()
        self._failures = Limit(limits.failures)
        self._tokens = Limit(limits.tokens)
        self._guesses = Limit(limits.guesses)

    def challenge(self) -> dict[str, Any]:
        """Return a new challenge, for whom it is to be signed, and how one can log in."""
        return {
            "challenge": base64url.encode(self._challenges.new(_now())),
            "expiresIn": CHALLENGE_SECONDS,
            "issuer": self.issuer,
            "providers": {name: one.kind for name, one in self._providers.items()},
        }

    async def token(self, value: dict[str, Any], address: str) -> dict[str, Any]:
        """Answer a request for a token. Raises Refused, and WireError for what is none."""
        _patience(self._failures, address, "too many failed logins from this address")
        try:
            asked = self._read(value, address)
            if asked.provider == RENEWAL:
                return await self._renew(asked)
            return await self._log_in(asked)
        except Refused as refused:
            if refused.status in (400, 401, 403):
                self._failures.count(address, _now())
            log.info("refused %s: %s", address, refused.code)
            raise

    def _read(self, value: dict[str, Any], address: str) -> _Asked:
        """Check form and proof. The challenge is used up by the first try, whatever becomes of it."""
        provider = text_field(value, "provider", _WHAT, limit=MAX_PROVIDER)
        credential = text_field(value, "credential", _WHAT)
        challenge = to_bytes(value.get("challenge"), "challenge", limit=64)
        signature = to_bytes(value.get("signature"), "signature", limit=64)
        try:
            peer_key = parse_peer_key(text_field(value, "peerKey", _WHAT, limit=128))
        except KeyFormatError as error:
            raise WireError(f"peerKey: {error}") from None
        try:
            self._challenges.spend(challenge, _now())
        except ChallengeError as error:
            raise Refused(400, "bad_challenge", f"{error}; get a new one") from None
        if not verify(peer_key, signature, proof(challenge, self.issuer)):
            raise Refused(
                403, "bad_proof", "the signature is not by this peer key over this challenge"
            )
        _patience(self._tokens, peer_key, "too many tokens for this peer key")
        self._tokens.count(peer_key, _now())
        return _Asked(provider, credential, peer_key, address)

    async def _log_in(self, asked: _Asked) -> dict[str, Any]:
        provider = self._provider(asked.provider)
        user = (provider.user_of(asked.credential) or "")[:MAX_SUBJECT]
        if user:
            _patience(self._guesses, user, "too many wrong passwords for this user")
            self._guesses.count(user, _now())  # before it is known, or many could try at once
        approved = await provider.authenticate(asked.provider, asked.credential)
        if user:
            self._guesses.forgive(user)
        return await self._issue(asked, approved, None, asked.provider)

    async def _renew(self, asked: _Asked) -> dict[str, Any]:
        raw = to_bytes(asked.credential, "credential", limit=MAX_TOKEN)
        login = await self._commits.do(lambda state: self._renewable(state, raw, asked.peer_key))
        metadata = dict(parse_token(raw).metadata)
        provider = self._providers.get(login.provider)
        if provider is None:
            raise _renewal_refused(f"the provider {login.provider!r} is no longer here")
        approved = await provider.renewed(login.subject, metadata)
        # Meanwhile somebody may have revoked it: it is looked at again where the new one is made.
        return await self._issue(asked, approved, login, login.provider, renewed=raw)

    def _renewable(self, state: State, raw: bytes, peer_key: bytes) -> Login:
        """Return the login that a valid token stands for. Raises Refused."""
        try:
            token_id = parse_token(raw).token_id
        except TokenError as error:
            raise WireError(f"the credential is no token: {error}") from None
        verdict = state.issuers.check(raw, peer_key, self._clock())
        if verdict.identity.status is not IdentityStatus.VERIFIED:
            code = "revoked" if verdict.identity.status is IdentityStatus.REVOKED else None
            raise _renewal_refused(verdict.identity.reason, code)
        login = state.login_of(token_id)
        if login is None:
            raise _renewal_refused("this service does not remember the token")
        if self._clock() >= login.at + self._terms.session:
            raise _renewal_refused("the last login is too long ago")
        return login

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            known = ", ".join(sorted(self._providers))
            raise Refused(400, "unknown_provider", f"there is no such provider; there is: {known}")
        return provider

    async def _issue(
        self,
        asked: _Asked,
        approved: Approved,
        login: Login | None,
        provider: str,
        *,
        renewed: bytes | None = None,
    ) -> dict[str, Any]:
        now = int(self._clock())
        expires_at = now + min(approved.seconds or self._terms.lifetime, self._terms.lifetime)

        def issue(state: State) -> Issued:
            if state.is_revoked(asked.peer_key):
                raise Refused(403, "revoked", "this peer key was revoked by the issuer")
            if renewed is not None:
                self._renewable(state, renewed, asked.peer_key)
            try:
                return state.issue(
                    subject=approved.subject,
                    provider=provider,
                    peer_key=asked.peer_key,
                    metadata=approved.metadata,
                    now=now,
                    expires_at=expires_at,
                    login=login,
                )
            except ValueError as error:
                message = f"no token can be made of what is known of this user: {error}"
                raise Refused(502, "unusable_identity", message) from error

        issued = await self._commits.do(issue)
        ends = datetime.fromtimestamp(issued.expires_at, UTC)
        log.info(
            "%s %s with peer %s from %s, provider %s, token %s until %s",
            safe_text(approved.subject, limit=64),
            "logged in" if login is None else "renewed",
            short_id(asked.peer_key),
            asked.address,
            safe_text(provider, limit=64),
            issued.token_id.hex(),
            f"{ends:%Y-%m-%d %H:%M:%SZ}",
        )
        return {
            "token": base64url.encode(issued.token),
            "issuer": self.issuer,
            "subject": approved.subject,
            "expiresAt": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "clientInfo": approved.client_info,
        }


def _now() -> float:
    """Return the time that rates are counted in, which no clock setting moves."""
    return asyncio.get_running_loop().time()


def _patience(limit: Limit, name: str | bytes, what: str) -> None:
    wait = limit.wait(name, _now())
    if wait > 0:
        raise too_many(what, wait)


def too_many(what: str, wait: float) -> Refused:
    """Return the refusal of who asks too often, with the seconds to wait."""
    seconds = int(wait) + 1
    return Refused(429, "too_many", f"{what}; wait {seconds} s", retry_after=seconds)


def _renewal_refused(why: str, code: str | None = None) -> Refused:
    return Refused(403, code or "renewal_refused", f"{why}: log in again")
