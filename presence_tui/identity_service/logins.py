"""From a request for a token to the token: proof, credential, and what is written down.

Nothing of HTTP is here. Every refusal is a :class:`RefusedError`, with the status that fits it.
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
from presence_core.identity.token import TokenError, parse_token
from presence_core.identity.verdict import MAX_TOKEN
from presence_core.model import IdentityStatus
from presence_tui.identity_service.challenges import ChallengeError, Challenges
from presence_tui.identity_service.guard import network_of
from presence_tui.identity_service.limits import Limit, Limits
from presence_tui.identity_service.providers import MAX_SUBJECT, Approved, RefusedError
from presence_tui.identity_service.state import Login, new_token_id
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

    from presence_core.identity.token import Token
    from presence_tui.identity_service.commits import Commits
    from presence_tui.identity_service.providers import Provider
    from presence_tui.identity_service.state import Issued, State

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
        *,
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
        """Answer a request for a token. Raises RefusedError, and WireError for what is none."""
        network = network_of(address)
        _patience(self._failures, network, "too many failed logins from this address")
        try:
            asked = self._read(value, address)
            if asked.provider == RENEWAL:
                return await self._renew(asked)
            return await self._log_in(asked)
        except RefusedError as refused:
            if refused.status in (400, 401, 403):
                self._failures.count(network, _now())
            log.info("refused %s: %s", address, refused.code)
            raise

    def _read(self, value: dict[str, Any], address: str) -> _Asked:
        """Check form and proof. The first try uses the challenge up, whatever becomes of it."""
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
            raise RefusedError(400, "bad_challenge", f"{error}; get a new one") from None
        if not verify(peer_key, signature, proof(challenge, self.issuer)):
            raise RefusedError(
                403, "bad_proof", "the signature is not by this peer key over this challenge"
            )
        _patience(self._tokens, peer_key, "too many tokens for this peer key")
        self._tokens.count(peer_key, _now())
        return _Asked(provider, credential, peer_key, address)

    async def _log_in(self, asked: _Asked) -> dict[str, Any]:
        provider = self._provider(asked.provider)
        user = (provider.user_of(asked.credential) or "")[:MAX_SUBJECT]
        if user:
            _patience(self._guesses, user, "too many logins for this user")
            self._guesses.count(user, _now())  # before it is known, or many could try at once
        try:
            approved = await provider.authenticate(asked.provider, asked.credential)
        except RefusedError as refused:
            if refused.status != 401:
                self._guesses.forgive(user)
            raise
        self._guesses.forgive(user)
        now = int(self._clock())
        ends = now + min(approved.seconds or self._terms.session, self._terms.session)
        login = Login(new_token_id(), approved.subject, asked.provider, now, ends)
        issued = await self._commits.do(
            lambda state: self._issue(state, login, login.id, asked, approved)
        )
        return self._answer("logged in", asked, issued, approved)

    async def _renew(self, asked: _Asked) -> dict[str, Any]:
        raw = to_bytes(asked.credential, "credential", limit=MAX_TOKEN)
        try:
            token = parse_token(raw)
        except TokenError as error:
            raise WireError(f"the credential is no token: {error}") from None
        login = await self._commits.do(lambda state: self._renewable(state, raw, token, asked))
        provider = self._providers.get(login.provider)
        if provider is None:
            raise _renewal_refused(f"the provider {login.provider!r} is no longer here")
        approved = await provider.renewed(login.subject, dict(token.metadata))

        def renew(state: State) -> Issued:
            # Meanwhile somebody may have revoked it: the new one is made only if it still holds.
            login = self._renewable(state, raw, token, asked)
            return self._issue(state, login, new_token_id(), asked, approved)

        return self._answer("renewed", asked, await self._commits.do(renew), approved)

    def _renewable(self, state: State, raw: bytes, token: Token, asked: _Asked) -> Login:
        """Return the login that a valid token stands for. Raises RefusedError."""
        now = self._clock()
        identity = state.issuers.check(raw, asked.peer_key, now).identity
        if identity.status is not IdentityStatus.VERIFIED:
            code = "revoked" if identity.status is IdentityStatus.REVOKED else None
            raise _renewal_refused(identity.reason, code)
        login = state.login_of(token.token_id)
        if login is None:
            raise _renewal_refused("this service does not remember the token")
        if token.expires_at >= login.ends:
            raise _renewal_refused("the last login is too long ago")
        return login

    def _expiry(self, login: Login, now: float) -> int:
        return min(int(now) + self._terms.lifetime, login.ends)

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            known = ", ".join(sorted(self._providers))
            raise RefusedError(
                400, "unknown_provider", f"there is no such provider; there is: {known}"
            )
        return provider

    def _issue(
        self, state: State, login: Login, token_id: bytes, asked: _Asked, approved: Approved
    ) -> Issued:
        """Make a token. Raises RefusedError."""
        now = self._clock()
        if state.is_revoked(asked.peer_key):
            raise RefusedError(403, "revoked", "this peer key was revoked by the issuer")
        try:
            return state.issue(
                login=login,
                token_id=token_id,
                peer_key=asked.peer_key,
                metadata=approved.metadata,
                now=int(now),
                expires_at=self._expiry(login, now),
            )
        except ValueError as error:
            message = f"no token can be made of what is known of this user: {error}"
            raise RefusedError(502, "unusable_identity", message) from error

    def _answer(
        self, what: str, asked: _Asked, issued: Issued, approved: Approved
    ) -> dict[str, Any]:
        """Return what the client gets, and write down who it was."""
        ends = datetime.fromtimestamp(issued.expires_at, UTC)
        log.info(
            "%s %s with peer %s from %s, provider %s, token %s until %s",
            safe_text(issued.login.subject, limit=64),
            what,
            short_id(asked.peer_key),
            asked.address,
            safe_text(issued.login.provider, limit=64),
            issued.token_id.hex(),
            f"{ends:%Y-%m-%d %H:%M:%SZ}",
        )
        return {
            "token": base64url.encode(issued.token),
            "issuer": self.issuer,
            "subject": issued.login.subject,
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


def too_many(what: str, wait: float) -> RefusedError:
    """Return the refusal of who asks too often, with the seconds to wait."""
    seconds = int(wait) + 1
    return RefusedError(429, "too_many", f"{what}; wait {seconds} s", retry_after=seconds)


def _renewal_refused(why: str, code: str | None = None) -> RefusedError:
    return RefusedError(403, code or "renewal_refused", f"{why}: log in again")
