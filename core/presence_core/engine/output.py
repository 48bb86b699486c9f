"""What a node asks the engine to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.gossip.exchange import Message
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from presence_core.handshake.events import ByeCode


@value_object
class Hangup:
    """Ask the engine to say goodbye on a link and close it."""

    link: int
    code: ByeCode
    why: str


Output = Message | Hangup
"""A message to send, or a link to end."""
