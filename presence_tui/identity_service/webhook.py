"""The webhook provider: somebody else's HTTP server says who a credential belongs to.

What is asked and answered is as in the system that this follows; the call is signed, so that the
webhook knows who asks. Nothing that it answers is believed before it is checked, nor can it make
this process wait or grow without end.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from presence_core.codec.metadata import MetadataError, encode_metadata
from presence_tui.identity_service.outbound import careful_session
from presence_tui.identity_service.providers import MAX_SUBJECT, Approved, RefusedError
from presence_tui.identity_service.wire import MAX_BODY, WireError, json_object, text_field

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "1"
SIGNATURE_HEADER = "presence-signature"
TIMESTAMP_HEADER = "presence-timestamp"
MIN_SECRET = 16
"""Bytes of the shared secret, at least."""

SECONDS = 10.0
"""For the whole call."""

MAX_CALLS = 200
"""Calls at once; who comes then waits for a while, and is then told to come again."""

log = logging.getLogger(__name__)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256 over timestamp, a full stop and the raw body, in hex."""
    return hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where the webhook is, and the secret that it shares with us."""

    url: str
    secret: bytes = field(repr=False)


class WebhookProvider:
    """Asks a webhook. An asynchronous context manager, which holds its connections."""

    kind = "token"

    def __init__(
        self,
        target: WebhookTarget,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._seconds = seconds
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = careful_session(aiohttp.TCPConnector(limit=MAX_CALLS))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def user_of(self, credential: str) -> str | None:
        """Tell nobody: what the credential means is the webhook's business."""
        del credential
        return None

    async def authenticate(self, name: str, credential: str) -> Approved:
        """Ask the webhook. Raises RefusedError when it says no, and when it says nothing of use."""
        call = {"version": VERSION, "provider": name, "token": credential}
        body = json.dumps(call, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            answer = json_object(await self._post(body), "the answer")
            return _approved(answer)
        except WireError as error:
            raise _failed(f"what the webhook answered cannot be used: {error}") from None

    async def renewed(self, subject: str, metadata: dict[str, Any]) -> Approved:
        """Say the same again: a webhook is asked at a login, not at a renewal."""
        return Approved(subject, metadata)

    async def _post(self, body: bytes) -> bytes:
        assert self._session is not None, "used outside of its context"
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(self._target.secret, timestamp, body),
        }
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.post(
                    self._target.url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return await _read(response)
        except TimeoutError:
            message = f"the webhook did not answer within {self._seconds:g} s; try again later"
            log.warning("%s", message)
            raise RefusedError(504, "webhook_timeout", message, retry_after=30) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(f"the webhook cannot be reached ({type(error).__name__})") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of an answer that can be used; what is too large is not read to its end."""
    if response.status != 200:
        response.close()
        told = "sends elsewhere, which is not followed" if 300 <= response.status < 400 else "fails"
        raise _failed(f"the webhook {told} (HTTP {response.status})")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        response.close()
        raise WireError("it is compressed")
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_BODY:
            response.close()
            raise WireError(f"it is larger than {MAX_BODY:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _failed(message: str) -> RefusedError:
    """Say it to whoever runs the service as well: it is their webhook."""
    log.warning("%s", message)
    return RefusedError(502, "webhook_failed", f"{message}; tell whoever runs the service")


def _approved(answer: dict[str, Any]) -> Approved:
    """Check an answer. Raises WireError for one that means nothing, RefusedError for a no."""
    said, info = answer.get("authenticated"), answer.get("clientInfo")
    if not isinstance(said, bool):
        raise WireError("it must have 'authenticated', true or false")
    if not said:
        message = "the webhook does not accept this credential"
        raise RefusedError(401, "not_authenticated", message, client_info=info)
    seconds = answer.get("expirationSeconds")
    if seconds is not None and (
        not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds < 1 << 32
    ):
        raise WireError("'expirationSeconds' must be a whole number of seconds above 0")
    metadata = answer.get("identityServiceMetadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise WireError("'identityServiceMetadata' must be a JSON object")
    try:
        encode_metadata(metadata)
    except MetadataError as error:
        raise WireError(f"'identityServiceMetadata' cannot be taken: {error}") from None
    subject = text_field(answer, "userID", "it", limit=MAX_SUBJECT)
    return Approved(subject, metadata, seconds, info)
