"""Presence records: what a peer says of itself, signed (protocol §4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from presence_core.codec import cbor, cose
from presence_core.codec.cbor import CborError
from presence_core.codec.cose import CoseError
from presence_core.identity.keys import Identity, KeyFormatError, check_peer_key, verify
from presence_core.identity.mesh import PROTO, MeshKey

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD = 4_096
MAX_EDGES = 64
MAX_NAME_BYTES = 64
MAX_LABEL_BYTES = 64
LIFETIME_RANGE = (60, 86_400)

_PROTECTED = {cose.ALG: cose.ED25519}
_LEAVING = 1
_UINT64 = 1 << 64

_KEY, _EPOCH, _SEQ, _ISSUED, _LIFETIME, _NAME, _OS, _VERSION = range(1, 9)
_METADATA, _TOKEN, _EDGES, _FLAGS = range(9, 13)


class RecordError(ValueError):
    """Bytes that are not a valid record of this mesh."""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A link that a peer claims: to whom, over which transport, since when (Unix seconds)."""

    key: bytes
    transport: int
    since: int


@dataclass(frozen=True, slots=True)
class Body:
    """Something too large for the record, named by its hash."""

    MAX_SIZE: ClassVar[int] = 131_072

    sha256: bytes
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A verified record. ``raw`` is what was signed and is passed on, byte for byte."""

    key: bytes
    epoch: int
    seq: int
    issued_at: int
    lifetime: int
    name: str
    os: str | None
    version: str | None
    metadata: Body | None
    token: Body | None
    edges: tuple[Edge, ...]
    leaving: bool
    raw: bytes
    hash: bytes

    @property
    def order(self) -> tuple[int, int, bytes]:
        """What makes one record of a peer newer than another (protocol §6.1): never a clock."""
        return self.epoch, self.seq, self.hash


def external_aad(mesh: MeshKey) -> bytes:
    """Return what binds a record to its mesh: in another mesh the signature is wrong."""
    return PROTO + b"/presence/1" + mesh.mesh_id


def sign_record(
    identity: Identity,
    mesh: MeshKey,
    *,
    epoch: int,
    seq: int,
    issued_at: int,
    lifetime: int = 3_600,
    name: str,
    os: str | None = None,
    version: str | None = None,
    metadata: Body | None = None,
    token: Body | None = None,
    edges: Sequence[Edge] = (),
    leaving: bool = False,
) -> Record:
    """Make the record of the local peer. Raises RecordError for values outside the protocol.

    ``issued_at`` in Unix seconds, ``lifetime`` in seconds; sizes and counts as in protocol §4.
    """
    payload: dict[int, Any] = {
        _KEY: identity.peer_key,
        _EPOCH: epoch,
        _SEQ: seq,
        _ISSUED: issued_at,
        _LIFETIME: lifetime,
        _NAME: name,
    }
    if os is not None:
        payload[_OS] = os
    if version is not None:
        payload[_VERSION] = version
    if metadata is not None:
        payload[_METADATA] = [metadata.sha256, metadata.size]
    if token is not None:
        payload[_TOKEN] = [token.sha256, token.size]
    payload[_EDGES] = [[edge.key, edge.transport, edge.since] for edge in sorted(edges)]
    if leaving:
        payload[_FLAGS] = _LEAVING
    try:
        encoded = cbor.encode(payload)
    except CborError as error:
        raise RecordError(f"not a record: {error}") from None
    raw = cose.sign1(
        encoded, protected=_PROTECTED, external_aad=external_aad(mesh), sign=identity.sign
    )
    return parse_record(raw, mesh)


def parse_record(raw: bytes, mesh: MeshKey) -> Record:
    """Verify a record, then read it. Raises RecordError.

    The signature comes first: nothing else in the record is looked at before it holds, but for
    the key that it is checked against.
    """
    try:
        signed = cose.parse_sign1(raw, max_size=MAX_RECORD)
        if signed.protected != _PROTECTED:
            raise RecordError("the record is not signed with Ed25519")
        payload = cbor.decode(signed.payload, max_size=MAX_RECORD, max_depth=4, max_items=1_024)
        if not isinstance(payload, dict):
            raise RecordError("the payload of the record is not a map")
        key = check_peer_key(_bytes(payload.get(_KEY), 32, "key"))
    except (CoseError, CborError, KeyFormatError) as error:
        raise RecordError(f"malformed record: {error}") from None
    if not verify(key, signed.signature, signed.to_be_signed(external_aad(mesh))):
        raise RecordError("the signature of the record is wrong, or for another mesh")
    flags = _uint(payload.get(_FLAGS, 0), "flags")
    return Record(
        key=key,
        epoch=_uint(payload.get(_EPOCH), "epoch"),
        seq=_uint(payload.get(_SEQ), "sequence"),
        issued_at=_uint(payload.get(_ISSUED), "issued-at"),
        lifetime=_lifetime(payload.get(_LIFETIME)),
        name=_text(payload.get(_NAME), MAX_NAME_BYTES, "name"),
        os=_label(payload.get(_OS), "os"),
        version=_label(payload.get(_VERSION), "version"),
        metadata=_body(payload.get(_METADATA)),
        token=_body(payload.get(_TOKEN)),
        edges=_edges(payload.get(_EDGES), key),
        leaving=bool(flags & _LEAVING),
        raw=raw,
        hash=hashlib.sha256(raw).digest(),
    )


def truncate_name(text: str) -> str:
    """Cut a name to the bytes a record has for it, between two characters."""
    return text.encode("utf-8", "replace")[:MAX_NAME_BYTES].decode("utf-8", "ignore")


def _bytes(value: Any, length: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != length:
        raise RecordError(f"{what} is not {length} bytes")
    return value


def _uint(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _UINT64:
        raise RecordError(f"{what} is not an unsigned integer")
    return value


def _lifetime(value: Any) -> int:
    lifetime = _uint(value, "lifetime")
    low, high = LIFETIME_RANGE
    if not low <= lifetime <= high:
        raise RecordError(f"lifetime is not between {low} and {high} seconds")
    return lifetime


def _text(value: Any, limit: int, what: str) -> str:
    if not isinstance(value, str) or len(value.encode()) > limit:
        raise RecordError(f"{what} is not a text of at most {limit} bytes")
    return value


def _label(value: Any, what: str) -> str | None:
    return None if value is None else _text(value, MAX_LABEL_BYTES, what)


def _body(value: Any) -> Body | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise RecordError("a body is not [hash, size]")
    size = _uint(value[1], "the size of a body")
    if size > Body.MAX_SIZE:
        raise RecordError(f"a body is larger than {Body.MAX_SIZE} bytes")
    return Body(_bytes(value[0], 32, "the hash of a body"), size)


def _peer_key(value: Any) -> bytes:
    try:
        return check_peer_key(_bytes(value, 32, "the key of an edge"))
    except KeyFormatError as error:
        raise RecordError(f"an edge leads nowhere: {error}") from None


def _edges(value: Any, own: bytes) -> tuple[Edge, ...]:
    if not isinstance(value, list) or len(value) > MAX_EDGES:
        raise RecordError(f"the edges are not a list of at most {MAX_EDGES}")
    edges: dict[tuple[bytes, int], Edge] = {}
    for item in value:
        if not isinstance(item, list) or len(item) != 3:
            raise RecordError("an edge is not [key, transport, since]")
        edge = Edge(
            _peer_key(item[0]),
            _uint(item[1], "the transport of an edge"),
            _uint(item[2], "the beginning of an edge"),
        )
        if edge.key == own:
            raise RecordError("an edge leads to the peer itself")
        if (edge.key, edge.transport) in edges:
            raise RecordError("an edge comes twice")
        edges[edge.key, edge.transport] = edge
    return tuple(edges.values())
