"""What a node asks the engine to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presence_core.handshake.events import ByeCode


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the engine to send a message on a link."""

    link: int
    type: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """Ask the engine to say goodbye on a link and close it."""

    link: int
    code: ByeCode
    why: str


Output = Send | Hangup
