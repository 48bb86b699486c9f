"""The other end of the identity service: asking it for a token, and for what it has signed.

What a service says is checked as if it were a stranger: its answers are bounded, its token must be
signed by its own keys and made for our peer key. Each failure is one line, with what to do.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from yarl import URL

from presence_core.codec import base64url
from presence_core.codec.text import safe_text
from presence_core.identity.issuer import (
    MAX_NAME_BYTES,
    IssuerObjectError,
    KeySet,
    parse_object,
    read_object,
)
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import peer_key_text
from presence_core.identity.token import LEEWAY
from presence_core.identity.verdict import MAX_TOKEN
from presence_core.model import IdentityStatus
from presence_tui.identity_service.outbound import careful_session
from presence_tui.identity_service.wire import (
    MAX_ANSWER,
    RENEWAL,
    WireError,
    json_object,
    proof,
    text_field,
    to_bytes,
)
from presence_tui.loopback import is_loopback
from presence_tui.viewmodel.moments import span_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from presence_core.identity.issuer import SignedObject
    from presence_core.identity.keys import Identity

SECONDS = 30.0
"""For one answer: a webhook may take ten."""


class ServiceError(Exception):
    """The service gave no token: why, and what to do, in one line.

    ``again``: whether the same may succeed later. ``code`` is what the service calls it, if it
    was the service that said no.
    """

    def __init__(self, message: str, *, again: bool = False, code: str | None = None) -> None:
        super().__init__(message)
        self.again = again
        self.code = code


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is to be signed, for which issuer, and which providers there are, with their kind."""

    value: bytes
    issuer: str
    providers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Granted:
    """A token that was checked, with the key set that it was checked with."""

    token: bytes
    issuer: str
    subject: str
    key_set: KeySet
    client_info: Any


class ServiceClient:
    """Talks to one identity service. An asynchronous context manager.

    Raises ServiceError for an address that cannot be one.
    """

    def __init__(
        self,
        service: str,
        *,
        tls: ssl.SSLContext | None = None,
        insecure: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = _base_url(service, insecure=insecure)
        self._shown = safe_text(str(self._base).rstrip("/"), limit=120)
        self._tls = tls
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls = self._tls if self._tls is not None else True
        self._session = careful_session(aiohttp.TCPConnector(ssl=tls))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def challenge(self) -> Challenge:
        """Ask for a challenge. Raises ServiceError."""
        value = await self._json("GET", "/v1/challenge")
        try:
            challenge = to_bytes(value.get("challenge"), "the challenge", limit=256)
            issuer = text_field(value, "issuer", "the challenge", limit=MAX_NAME_BYTES)
        except WireError as error:
            raise self._strange(str(error)) from None
        providers = value.get("providers")
        if not isinstance(providers, dict):
            providers = {}
        return Challenge(challenge, issuer, {name: str(kind) for name, kind in providers.items()})

    async def log_in(
        self, challenge: Challenge, provider: str, credential: str, identity: Identity
    ) -> Granted:
        """Ask for a token for a peer key, and check what comes. Raises ServiceError."""
        body = {
            "provider": provider,
            "credential": credential,
            "peerKey": peer_key_text(identity.peer_key),
            "challenge": base64url.encode(challenge.value),
            "signature": base64url.encode(identity.sign(proof(challenge.value, challenge.issuer))),
        }
        value = await self._json("POST", "/v1/token", body)
        try:
            token = to_bytes(value.get("token"), "the token", limit=MAX_TOKEN)
            subject = text_field(value, "subject", "the answer")
        except WireError as error:
            raise self._strange(str(error)) from None
        key_set = await self.key_set()
        self._check(token, key_set, challenge.issuer, identity.peer_key)
        return Granted(token, key_set.issuer, subject, key_set, value.get("clientInfo"))

    async def renew(self, challenge: Challenge, token: bytes, identity: Identity) -> Granted:
        """Ask for a new token in exchange for one that still is valid. Raises ServiceError."""
        return await self.log_in(challenge, RENEWAL, base64url.encode(token), identity)

    async def key_set(self) -> KeySet:
        """Ask for the key set of the issuer. Raises ServiceError; its signature is not checked."""
        signed = await self.signed("/v1/keys")
        if not isinstance(signed, KeySet):
            raise self._strange("it has no key set")
        return signed

    async def signed(self, path: str) -> SignedObject:
        """Ask for a signed object. Raises ServiceError; its signature is not checked."""
        status, data = await self._ask("GET", path)
        if status != 200:
            raise self._refusal(status, data)
        try:
            return parse_object(read_object(data))
        except IssuerObjectError as error:
            raise self._strange(f"{path} is {error}") from None

    def _check(self, token: bytes, key_set: KeySet, issuer: str, peer_key: bytes) -> None:
        """Look at the token as other peers will. Raises ServiceError."""
        issuers = Issuers()
        try:
            issuers.trust(key_set)
        except IssuerObjectError as error:
            raise self._strange(str(error)) from None
        identity = issuers.check(token, peer_key, self._clock()).identity
        if identity.issuer != issuer:
            raise self._strange("the token is from another issuer than the challenge")
        if identity.status in (IdentityStatus.NOT_YET_VALID, IdentityStatus.EXPIRED):
            raise ServiceError(
                f"the token cannot be used now ({identity.reason}): the clocks of this device and "
                "of the service differ; set them right, then log in again",
                again=True,
            )
        if identity.status is not IdentityStatus.VERIFIED:
            raise self._strange(identity.reason)

    # -- HTTP

    async def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        status, data = await self._ask(method, path, body)
        if status != 200:
            raise self._refusal(status, data)
        try:
            return json_object(data, "its answer")
        except WireError as error:
            raise self._strange(str(error)) from None

    async def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        assert self._session is not None, "used outside of its context"
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._session.request(
                    method,
                    self._base.joinpath(path.lstrip("/")),
                    data=data,
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                self._check_clock(response.headers.get("Date"))
                return response.status, await self._read(response)
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            raise ServiceError(
                f"the certificate of {self._shown} does not hold ({why}); give the certificate of "
                "the one that signed it with --ca-file, or correct the address",
                again=True,
            ) from None
        except (aiohttp.ClientConnectorSSLError, ssl.SSLError):
            raise ServiceError(
                f"{self._shown} speaks no TLS that this device accepts; is it an http:// address?",
                again=True,
            ) from None
        except TimeoutError:
            raise self._unreachable(f"no answer within {SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(_why(error)) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > MAX_ANSWER:
                response.close()
                raise self._strange(f"its answer is larger than {MAX_ANSWER:,} bytes")
            parts.append(part)
        return b"".join(parts)

    def _check_clock(self, date: str | None) -> None:
        """Say that the clocks differ before a token is asked for that would be of no use."""
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, TypeError, OverflowError):
            return
        ahead = self._clock() - theirs
        if abs(ahead) > LEEWAY:
            where = "ahead of" if ahead > 0 else "behind"
            raise ServiceError(
                f"the clock of this device is {span_words(ahead)} {where} "
                f"that of {self._shown}; set the one that is wrong, then log in again",
                again=True,
            )

    def _refusal(self, status: int, data: bytes) -> ServiceError:
        """Say what a service that gave no token has said."""
        try:
            value = json_object(data, "its answer")
            code = text_field(value, "error", "its answer", limit=64)
            message = safe_text(text_field(value, "message", "its answer"), limit=300)
        except WireError:
            return self._strange(f"HTTP status {status}")
        info = value.get("clientInfo")
        if info is not None:
            message += f" ({safe_text(json.dumps(info, ensure_ascii=False), limit=300)})"
        again = status in (408, 429) or status >= 500 or code == "bad_challenge"
        return ServiceError(message, again=again, code=code)

    def _strange(self, why: str) -> ServiceError:
        return ServiceError(
            f"what answers at {self._shown} is no identity service that can be used: "
            f"{safe_text(why, limit=300)}; check the address",
            again=True,
        )

    def _unreachable(self, why: str) -> ServiceError:
        return ServiceError(
            f"cannot reach the identity service {self._shown}: {safe_text(why, limit=200)}; "
            "check the address and the network",
            again=True,
        )


def client_tls(ca_file: Path | None) -> ssl.SSLContext | None:
    """Return TLS settings that trust a certificate besides those of the system; None for those.

    Blocking. Raises ServiceError for a file that holds none.
    """
    if ca_file is None:
        return None
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(ca_file)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ServiceError(f"cannot use the certificate in {ca_file}: {why}") from None
    return context


def _why(error: Exception) -> str:
    """Return what the system says of a failure, rather than what a library makes of it."""
    number = getattr(error, "errno", None)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known here"
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error)


def _base_url(service: str, *, insecure: bool) -> URL:
    try:
        url = URL(service)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.user or url.query_string:
        raise ServiceError(f"{safe_text(service, limit=80)!r} is not https://HOST[:PORT]")
    if url.scheme == "http" and not insecure and not is_loopback(url.host):
        raise ServiceError(
            f"{safe_text(service, limit=80)} is not encrypted, and what is sent to it could be "
            "read on the way; use https://, or say --insecure-without-tls"
        )
    return url
