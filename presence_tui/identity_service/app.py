"""The HTTP API of the identity service (docs/identity-service.md): routes, bodies, answers."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import sqlite3
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from aiohttp import web

from presence_core.codec.text import safe_text
from presence_core.identity.issuer import IssuerObjectError, object_text
from presence_core.identity.keys import KeyFormatError, parse_peer_key
from presence_tui.identity_service.guard import address_of, network_of
from presence_tui.identity_service.limits import Limit, Limits
from presence_tui.identity_service.logins import too_many
from presence_tui.identity_service.providers import RefusedError
from presence_tui.identity_service.wire import MAX_BODY, WireError, json_object, to_bytes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from presence_core.identity.issuer import SignedObject
    from presence_tui.identity_service.commits import Commits
    from presence_tui.identity_service.guard import Guard
    from presence_tui.identity_service.logins import Logins
    from presence_tui.identity_service.state import State

CBOR = "application/cbor"

log = logging.getLogger(__name__)


class Api:
    """The routes, over what they stand for. ``admin_token`` lets its holder revoke."""

    def __init__(
        self,
        logins: Logins,
        commits: Commits,
        admin_token: str,
        guard: Guard,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._logins = logins
        self._commits = commits
        self._admin = admin_token.encode()
        self._guard = guard
        self._clock = clock
        limits = limits or Limits()
        self._requests = Limit(limits.requests)
        self._failures = Limit(limits.failures)

    def application(self) -> web.Application:
        """Return what aiohttp serves."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._answer])
        app.router.add_get("/v1/challenge", self._challenge)
        app.router.add_post("/v1/token", self._token)
        app.router.add_get("/v1/keys", self._keys)
        app.router.add_get("/v1/revoked", self._revoked)
        app.router.add_post("/v1/revocations", self._revoke)
        app.router.add_get("/healthz", self._health)
        return app

    # -- what all have in common

    @web.middleware
    async def _answer(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Answer whatever happens with a status and, when it is a no, one line of why."""
        self._guard.answering(request.transport)
        response = await self._outcome(request, handler)
        # Of the clock that tokens are made with: by it a client sees that its own is wrong.
        response.headers["Date"] = formatdate(self._clock(), usegmt=True)
        self._guard.answered(request.transport)
        return response

    async def _outcome(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        try:
            self._count(request)
            return await handler(request)
        except RefusedError as refused:
            return _refusal(refused)
        except WireError as error:
            return _refusal(RefusedError(400, "bad_request", str(error)))
        except web.HTTPException as error:
            return _refusal(RefusedError(error.status, *_http_words(error)))
        except sqlite3.Error as error:
            log.error("the data base does not work: %s", error)  # noqa: TRY400  it says it all
            message = "the service cannot write; tell whoever runs it"
            return _refusal(RefusedError(503, "storage_failed", message))
        except Exception:
            log.exception("a request failed")
            message = "the service has failed; its log says why"
            return _refusal(RefusedError(500, "internal_error", message))

    def _count(self, request: web.Request) -> None:
        address = network_of(address_of(request.transport))
        now = asyncio.get_running_loop().time()
        wait = self._requests.wait(address, now)
        if wait > 0:
            raise too_many("too many requests from this address", wait)
        self._requests.count(address, now)

    async def _body(self, request: web.Request) -> dict[str, Any]:
        """Read the JSON object of a request, in the time and the size that it may have."""
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise RefusedError(415, "compressed", "send the body as it is, not compressed")
        try:
            async with asyncio.timeout(self._guard.seconds):
                data = await request.read()
        except TimeoutError:
            raise RefusedError(408, "too_slow", "the body did not come in time") from None
        return json_object(data, "the request")

    # -- the routes

    async def _challenge(self, request: web.Request) -> web.Response:
        del request
        return _json(self._logins.challenge())

    async def _token(self, request: web.Request) -> web.Response:
        value = await self._body(request)
        return _json(await self._logins.token(value, address_of(request.transport)))

    async def _keys(self, request: web.Request) -> web.Response:
        return await self._signed(request, lambda state: state.key_set())

    async def _revoked(self, request: web.Request) -> web.Response:
        return await self._signed(request, lambda state: state.revocations())

    async def _signed(
        self, request: web.Request, get: Callable[[State], SignedObject]
    ) -> web.Response:
        signed = await self._commits.do(get)
        tag = f'"{signed.number}"'
        headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "no-cache"}
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        if CBOR in request.headers.get("Accept", ""):
            return web.Response(body=signed.raw, content_type=CBOR, headers=headers)
        return web.Response(text=object_text(signed), headers=headers)

    async def _revoke(self, request: web.Request) -> web.Response:
        """Take back tokens; only for who has the admin token."""
        address = network_of(address_of(request.transport))
        now = asyncio.get_running_loop().time()
        wait = self._failures.wait(address, now)
        if wait > 0:
            raise too_many("too many wrong admin tokens from this address", wait)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._admin):
            self._failures.count(address, now)
            raise RefusedError(
                401, "not_admin", "Authorization must be Bearer, and the admin token"
            )
        value = await self._body(request)
        if value.keys() == {"peerKey"}:
            number = await self._revoke_peer(value["peerKey"])
        elif value.keys() == {"tokenId"}:
            number = await self._revoke_token(value["tokenId"])
        else:
            raise WireError("the request must have either 'peerKey' or 'tokenId'")
        return _json({"issuer": self._logins.issuer, "number": number})

    async def _revoke_peer(self, text: object) -> int:
        try:
            peer_key = parse_peer_key(text if isinstance(text, str) else "")
        except KeyFormatError as error:
            raise WireError(f"peerKey: {error}") from None
        now = int(self._clock())
        return await self._revoked_with(lambda state: state.revoke_peer(peer_key, now).number)

    async def _revoke_token(self, text: object) -> int:
        token_id = to_bytes(text, "tokenId", limit=64)
        if not token_id:
            raise WireError("tokenId is empty")
        now = int(self._clock())
        return await self._revoked_with(lambda state: state.revoke_token(token_id, now).number)

    async def _revoked_with(self, work: Callable[[State], int]) -> int:
        try:
            number = await self._commits.do(work)
        except IssuerObjectError as error:
            raise RefusedError(
                409, "list_full", f"the revocation list has no room: {error}"
            ) from None
        log.info("revocation list %d is in force", number)
        return number

    async def _health(self, request: web.Request) -> web.Response:
        """Say that all is well, if the data base answers."""
        del request
        await self._commits.do(lambda state: state.key_set().number)
        return _json({"status": "ok"})


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    body = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def _refusal(refused: RefusedError) -> web.Response:
    value: dict[str, Any] = {"error": refused.code, "message": safe_text(str(refused), limit=500)}
    if refused.client_info is not None:
        value["clientInfo"] = refused.client_info
    response = _json(value, refused.status)
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(int(refused.retry_after))
    return response


def _http_words(error: web.HTTPException) -> tuple[str, str]:
    """Return code and words for what aiohttp itself refuses."""
    known = {
        404: ("not_found", "there is nothing at this path"),
        405: ("bad_method", "this path is not asked in this way"),
        413: ("too_large", f"a request has at most {MAX_BODY:,} bytes"),
    }
    return known.get(error.status, ("bad_request", error.reason))
