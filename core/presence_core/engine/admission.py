"""Waiting to be let in: what an applicant has said so far, and the program's own say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING

from presence_core.codec.metadata import MetadataError, decode_metadata
from presence_core.engine.bodies import inline_body
from presence_core.gossip.record import RecordError, parse_record
from presence_core.identity.keys import peer_key_text
from presence_core.identity.verdict import MISSING
from presence_core.model import (
    EMPTY,
    Allow,
    ConnectionRequest,
    Deny,
    IdentityStatus,
    JsonObject,
    transport_name,
)
from presence_core.value_object import entity

if TYPE_CHECKING:
    from presence_core.engine.link import Link
    from presence_core.engine.node import Node
    from presence_core.gossip.messages import Hello
    from presence_core.gossip.record import Body

log = logging.getLogger(__name__)

ConnectionRequestHandler = Callable[[ConnectionRequest], Awaitable[Allow | Deny]]

HANDLER_SECONDS = 10.0
"""A connection request handler that has not answered by then has denied."""

HELLO_SECONDS = 5.0
MAX_EARLY_BYTES = 256 * 1024


@entity
class Applicant:
    """An authenticated link that is not let in yet, with what it has said so far."""

    link: Link
    hello: Hello | None = None
    early: list[tuple[int, bytes]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    asking: asyncio.Task[None] | None = None
    hinted: bool = False
    """Whether it has said where else we may dial."""

    def keep(self, kind: int, body: bytes) -> bool:
        """Keep a message for when the link is let in; False when there are too many."""
        if sum(len(b) for _, b in self.early) + len(body) > MAX_EARLY_BYTES:
            return False
        self.early.append((kind, body))
        return True

    def drop(self) -> None:
        """Stop waiting."""
        if self.timer is not None:
            self.timer.cancel()
        if self.asking is not None:
            self.asking.cancel()


def request_of(link: Link, hello: Hello, node: Node) -> ConnectionRequest:
    """Say who asks, for the connection request handler.

    Metadata and token are there when they came with the Hello (up to 16 KiB together) and fit the
    signed record, or are known from before.
    """
    metadata: JsonObject = EMPTY
    verdict = MISSING
    try:
        record = parse_record(hello.record, node.mesh)
        if record.key == link.session.peer_key:
            verdict = node.identities.judge(record, _body(record.token, hello, node))
            data = _body(record.metadata, hello, node)
            metadata = EMPTY if data is None else decode_metadata(data)
    except (RecordError, MetadataError) as error:
        log.info("a connection request with unusable content: %s", error)
    verified = verdict.identity.status is IdentityStatus.VERIFIED
    return ConnectionRequest(
        peer_key=peer_key_text(link.session.peer_key or b""),
        type=transport_name(link.stream.transport),
        peer_metadata=metadata,
        identity_service_metadata=(verified and verdict.metadata) or EMPTY,
        identity=verdict.identity,
    )


def _body(named: Body | None, hello: Hello, node: Node) -> bytes | None:
    if named is None:
        return None
    data = inline_body(hello, named)
    return node.bodies.get(named.sha256) if data is None else data


async def require_identity(request: ConnectionRequest) -> Allow | Deny:
    """Let in whose identity is verified: a connection request handler."""
    if request.identity.status is IdentityStatus.VERIFIED:
        return Allow()
    return Deny(f"a verified identity is required here, and {request.identity.reason}")


def unverified(node: Node) -> list[tuple[int, bytes, str]]:
    """Return the links to neighbours whose identity is not verified any more: link, key, why.

    Whose new token waits to be judged is given the moment that this takes.
    """
    return [
        (link.id, link.key, identity.reason)
        for link in node.links.values()
        if (identity := node.identities.of(link.key).identity).status is not IdentityStatus.VERIFIED
        and not node.identities.waits(link.key)
    ]


async def ask(handler: ConnectionRequestHandler, request: ConnectionRequest) -> Allow | Deny:
    """Ask the program's handler. No answer in time, or an exception, is a no."""
    try:
        async with asyncio.timeout(HANDLER_SECONDS):
            answer = await handler(request)
    except TimeoutError:
        return Deny(f"the connection request handler gave no answer in {HANDLER_SECONDS:.0f} s")
    except Exception:
        log.exception("the connection request handler raised")
        return Deny("the connection request handler failed")
    return answer if isinstance(answer, Allow) else _denial(answer)


def _denial(answer: object) -> Deny:
    """Whatever is not a clear yes is a no."""
    if isinstance(answer, Deny):
        return answer
    log.error("the connection request handler answered %r, not Allow or Deny", answer)
    return Deny("the connection request handler gave no clear answer")
