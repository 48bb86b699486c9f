"""What a session tells: frozen values, and the numbers of the protocol (§2, §5)."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from presence_core.value_object import value_object

if TYPE_CHECKING:
    from presence_core.identity.mesh import MeshKey


class MessageType(IntEnum):
    """The first byte of a message."""

    HELLO = 0x01
    RECORDS = 0x02
    SUMMARY = 0x03
    HAVE = 0x04
    WANT = 0x05
    BODY_WANT = 0x06
    BODY_CHUNK = 0x07
    PING = 0x08
    PONG = 0x09
    BYE = 0x0A
    REKEY = 0x0B
    ISSUER_OBJECT = 0x0C
    PEERS = 0x0D


class ByeCode(IntEnum):
    """Why an end says goodbye."""

    LEAVING = 1
    DUPLICATE = 2
    FULL = 3
    PROTOCOL = 4
    LIMIT = 5
    DENIED = 6
    BLOCKED = 7
    SURPLUS = 8


class CloseReason(StrEnum):
    """How a session ended."""

    EOF = "eof"
    """The stream ended under it."""
    BYE = "bye"
    """The other end said so."""
    LOCAL = "local"
    """We said so."""
    HANDSHAKE_FAILED = "handshake failed"
    WRONG_MESH = "wrong mesh"
    """The first message fits none of our meshes. Only a responder can tell."""
    TIMEOUT_HANDSHAKE = "handshake timeout"
    DEAD = "dead"
    """Nothing was heard for too long."""
    PROTOCOL = "protocol"
    """The other end broke the protocol, a message was not authentic, or it is this device."""


@value_object
class Authenticated:
    """The other end is a member of the mesh and has proven its peer key."""

    peer_key: bytes
    mesh: MeshKey
    handshake_hash: bytes


@value_object
class MessageReceived:
    """A message, of a type that may be unknown to this version."""

    type: int
    body: bytes


@value_object
class RttMeasured:
    """A ping was answered after this time."""

    seconds: float


@value_object
class Closed:
    """The session has ended. ``code`` is that of the goodbye, if there was one."""

    reason: CloseReason
    detail: str
    code: int | None = None


Event = Authenticated | MessageReceived | RttMeasured | Closed
