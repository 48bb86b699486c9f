"""Waiting to be let in: what an applicant has said so far, and the program's own say."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from presence_core.codec.metadata import MetadataError, decode_metadata
from presence_core.gossip.record import RecordError, parse_record
from presence_core.identity.keys import peer_key_text
from presence_core.model import EMPTY, Allow, ConnectionRequest, Deny, JsonObject, transport_name

if TYPE_CHECKING:
    from presence_core.engine.link import Link
    from presence_core.gossip.messages import Hello
    from presence_core.identity.mesh import MeshKey

log = logging.getLogger(__name__)

ConnectionRequestHandler = Callable[[ConnectionRequest], Awaitable[Allow | Deny]]

HANDLER_SECONDS = 10.0
"""A connection request handler that has not answered by then has denied."""

HELLO_SECONDS = 5.0
MAX_EARLY_BYTES = 256 * 1024


@dataclass(slots=True)
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


def request_of(link: Link, hello: Hello, mesh: MeshKey) -> ConnectionRequest:
    """Say who asks, for the connection request handler.

    Metadata is there when it came with the Hello (up to 16 KiB) and fits the signed record.
    """
    metadata: JsonObject = EMPTY
    try:
        record = parse_record(hello.record, mesh)
        if record.metadata is not None and record.key == link.session.peer_key:
            for body in hello.bodies:
                if hashlib.sha256(body).digest() == record.metadata.sha256:
                    metadata = decode_metadata(body)
    except (RecordError, MetadataError) as error:
        log.info("a connection request with unusable content: %s", error)
    return ConnectionRequest(
        peer_key=peer_key_text(link.session.peer_key or b""),
        type=transport_name(link.stream.transport),
        peer_metadata=metadata,
    )


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
