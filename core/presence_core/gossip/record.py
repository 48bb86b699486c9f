"""Presence records: what a peer says of itself, signed (protocol §4)."""

from __future__ import annotations

import hashlib
import re
import struct
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from presence_core.codec import cbor, cose
from presence_core.codec.cbor import CborError
from presence_core.codec.cose import CoseError
from presence_core.identity.keys import (
    Identity,
    KeyFormatError,
    check_peer_key,
    check_peer_keys,
    verify,
)
from presence_core.identity.mesh import PROTO, MeshKey
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RECORD = 4_096
MAX_EDGES = 64
MAX_NAME_BYTES = 64
MAX_LABEL_BYTES = 64
LIFETIME_RANGE = (60, 86_400)

_PROTECTED = {cose.ALG: cose.ED25519}
_HEADER = cbor.encode(_PROTECTED)
_WRONG_SIGNATURE = "the signature of the record is wrong, or for another mesh"
_LEAVING = 1
_UINT64 = 1 << 64

_KEY, _EPOCH, _SEQ, _ISSUED, _LIFETIME, _NAME, _OS, _VERSION = range(1, 9)
_METADATA, _TOKEN, _EDGES, _FLAGS = range(9, 13)


class RecordError(ValueError):
    """Bytes that are not a valid record of this mesh."""


class Edge(NamedTuple):
    """A link that a peer claims: to whom, over which transport, since when (Unix seconds)."""

    key: bytes
    transport: int
    since: int


@value_object
class Body:
    """Something too large for the record, named by its hash."""

    MAX_SIZE: ClassVar[int] = 131_072

    sha256: bytes
    size: int


@value_object(eq=False)
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

    The signature comes first: nothing in a record is believed before it holds, but for the key
    that it is checked against.
    """
    usual = _usual(raw)
    if usual is None:
        return _parse_any(raw, mesh)
    if not verify(*_signed(usual, _signed_head(mesh))):
        raise RecordError(_WRONG_SIGNATURE)
    return usual[0]


def parse_records(raws: Sequence[bytes], mesh: MeshKey) -> list[Record | RecordError]:
    """Verify and read many records; return each, or what is wrong with it, in the same order.

    The same as :func:`parse_record` for each of them, but step by step for all: so the caches of
    the processor need not change between reading and verifying, which is a sixth of the time.
    """
    usual = [_usual(raw) for raw in raws]
    head = _signed_head(mesh)
    signed = [None if found is None else _signed(found, head) for found in usual]
    holds = [parts is not None and verify(*parts) for parts in signed]
    return [
        _outcome(raw, mesh)
        if found is None
        else found[0]
        if good
        else RecordError(_WRONG_SIGNATURE)
        for raw, found, good in zip(raws, usual, holds, strict=True)
    ]


def _outcome(raw: bytes, mesh: MeshKey) -> Record | RecordError:
    try:
        return _parse_any(raw, mesh)
    except RecordError as error:
        return error


def _parse_any(raw: bytes, mesh: MeshKey) -> Record:
    """Read a record of whatever form, or say what is wrong with it."""
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
        raise RecordError(_WRONG_SIGNATURE)
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


def _edges(value: Any, own: bytes) -> tuple[Edge, ...]:
    if not isinstance(value, list) or len(value) > MAX_EDGES:
        raise RecordError(f"the edges are not a list of at most {MAX_EDGES}")
    edges = tuple(map(_edge, value))
    ends = {(edge.key, edge.transport) for edge in edges}
    if len(ends) != len(edges):
        raise RecordError("an edge comes twice")
    if any(edge.key == own for edge in edges):
        raise RecordError("an edge leads to the peer itself")
    return edges


def _edge(item: Any) -> Edge:
    if not isinstance(item, list) or len(item) != 3:
        raise RecordError("an edge is not [key, transport, since]")
    key, transport, since = item
    try:
        check_peer_key(_bytes(key, 32, "the key of an edge"))
    except KeyFormatError as error:
        raise RecordError(f"an edge leads nowhere: {error}") from None
    return Edge(
        key,
        _uint(transport, "the transport of an edge"),
        _uint(since, "the beginning of an edge"),
    )


# -- the usual form, at once
#
# A first sync brings ten thousand records, and to read each item by item costs half as much as its
# signature. Nearly all have one form: no keys of a later version, known transports, times of this
# century. Such a record is taken apart here by two patterns and one structure, which match only
# what _parse_any accepts, and with the same outcome (a test holds the two beside each other).
# Whatever is not that, valid or not, is left to _parse_any; it has the words for what is wrong.

_NUMBER = rb"([\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].|\x1a(?!\x00{2}).{4}|\x1b(?!\x00{4}).{8})"
_NAMED_BODY = rb"\x82\x58\x20(.{32})" + _NUMBER
_BEGIN = re.compile(
    rb"\x84%b\xa0(\x58[\x18-\xff]|\x59[\x01-\xff].)([\xa7-\xac])"
    rb"\x01\x58\x20(.{32})\x02%b\x03%b\x04%b\x05%b\x06"
    % (re.escape(cbor.encode_bytes(_HEADER)), *(_NUMBER,) * 4),
    re.DOTALL,
)
"""Header, head of the payload, number of entries, key, four numbers: all before the name."""
_MIDDLE = re.compile(
    rb"(?:\x09%b)?(?:\x0a%b)?\x0b([\x80-\x97]|\x98[\x18-\x40])" % ((_NAMED_BODY,) * 2), re.DOTALL
)
"""What follows the texts, up to the number of edges."""
_USUAL_EDGE = struct.Struct(">3s32sBBI")
_new_edge = tuple.__new__
"""Edge(…) without a call in Python for each."""
_SIGNATURE_HEAD = b"\x58\x40"


class _UnusualError(ValueError):
    """A record that is not of the usual form."""


_Usual = tuple[Record, bytes]
"""A record whose signature is yet to be checked, and its payload as it is in the record."""


def _usual(raw: bytes) -> _Usual | None:
    """Read a record of the usual form; None: it is another, or something is wrong with it."""
    try:
        return _read_usual(raw)
    except (ValueError, IndexError):
        return None


def _signed_head(mesh: MeshKey) -> bytes:
    """Return what is before the payload in all that is signed in a mesh."""
    return cose.sig_structure_head(_HEADER, external_aad(mesh))


def _signed(usual: _Usual, head: bytes) -> tuple[bytes, bytes, bytes]:
    """Return who must have signed a record, the signature, and what it is over."""
    record, payload = usual
    return record.key, record.raw[-cose.SIGNATURE_BYTES :], head + payload


def _read_usual(raw: bytes) -> _Usual:
    """Raises ValueError or IndexError for what is not of the usual form."""
    begin = _BEGIN.match(raw)
    end = len(raw) - cose.SIGNATURE_BYTES - len(_SIGNATURE_HEAD)
    if begin is None or len(raw) > MAX_RECORD or not raw.startswith(_SIGNATURE_HEAD, end):
        raise _UnusualError
    head, entries, key, epoch, seq, issued_at, lifetime = begin.groups()
    name, at = _usual_text(raw, begin.end(), MAX_NAME_BYTES)
    os = version = None
    if raw[at] == _OS:
        os, at = _usual_text(raw, at + 1, MAX_LABEL_BYTES)
    if raw[at] == _VERSION:
        version, at = _usual_text(raw, at + 1, MAX_LABEL_BYTES)
    middle = _MIDDLE.match(raw, at)
    if middle is None:
        raise _UnusualError
    metadata_hash, metadata_size, token_hash, token_size, count = middle.groups()
    metadata = _usual_body(metadata_hash, metadata_size)
    token = _usual_body(token_hash, token_size)
    listed_at = middle.end()
    listed_end = listed_at + _number(count, 0x80) * _USUAL_EDGE.size
    flags = 0
    at = listed_end
    if raw[at] == _FLAGS and at < end:
        flags = raw[at + 1]
        at += 2
    given = (
        (os is not None)
        + (version is not None)
        + (metadata is not None)
        + (token is not None)
        + (at > listed_end)
    )
    if (
        at != end
        or flags > 23
        or _number(head, 0x40) != end - begin.start(2)
        or entries[0] != 0xA7 + given
    ):
        raise _UnusualError
    record = Record(
        key=check_peer_key(key),
        epoch=_number(epoch),
        seq=_number(seq),
        issued_at=_number(issued_at),
        lifetime=_lifetime(_number(lifetime)),
        name=name,
        os=os,
        version=version,
        metadata=metadata,
        token=token,
        edges=_usual_edges(raw[listed_at:listed_end], key),
        leaving=bool(flags & _LEAVING),
        raw=raw,
        hash=hashlib.sha256(raw).digest(),
    )
    return record, raw[begin.start(1) : end]


def _number(encoded: bytes, major: int = 0) -> int:
    """Return the argument of a head that a pattern has found to be well formed."""
    return encoded[0] - major if len(encoded) == 1 else int.from_bytes(encoded[1:], "big")


def _usual_text(raw: bytes, at: int, limit: int) -> tuple[str, int]:
    length = raw[at] - 0x60
    at += 1
    if length == 24:
        length = raw[at]
        at += 1
        if length < 24:
            raise _UnusualError
    elif not 0 <= length < 24:
        raise _UnusualError
    if length > limit:
        raise _UnusualError
    return raw[at : at + length].decode(), at + length


def _usual_body(sha256: bytes | None, size: bytes) -> Body | None:
    return None if sha256 is None else _body([sha256, _number(size)])


def _usual_edges(listed: bytes, own: bytes) -> tuple[Edge, ...]:
    edges = []
    others = set()
    for head, key, transport, since_head, since in _USUAL_EDGE.iter_unpack(listed):
        if head != b"\x83\x58\x20" or transport > 23 or since_head != 0x1A or since < 1 << 16:
            raise _UnusualError
        edges.append(_new_edge(Edge, (key, transport, since)))
        others.add(key)
    if len(others) != len(edges) or own in others:  # two transports to one peer are rare enough
        raise _UnusualError
    check_peer_keys(others)
    return tuple(edges)
