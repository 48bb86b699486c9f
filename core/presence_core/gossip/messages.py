"""The bodies of messages (protocol §5), as frozen values with strict bounds."""

from __future__ import annotations

from typing import Any, Self

from presence_core.codec import cbor
from presence_core.codec.cbor import CborError
from presence_core.gossip.record import MAX_RECORD, Body
from presence_core.value_object import value_object

MAX_MESSAGE = 65_000
MAX_INLINE_BODIES = 16 * 1024
CHUNK_BYTES = 15 * 1024
"""A chunk with its head stays under 16 KiB, so that control messages do not wait for it."""
MIN_CHUNK_BYTES = 1024
SLOW_CHUNK_BYTES = 3 * 1024
"""Over Bluetooth: two of them, as many as a peer asks for at once, are less than a window of
fragments, and nothing waits behind them for longer."""
"""What a chunk holds at least, unless the body ends with it: nobody drips into a place that others
wait for."""

BATCH_BYTES = 15 * 1024
"""What a sender puts into one message at most, so that control messages do not wait for it."""

PREFIX_BYTES = 8
"""What names a peer in Have and Want: the first bytes of its key."""
MARK_BYTES = 4
"""What names a version in Have: the first bytes of the record's hash."""
DIGEST_BYTES = 8
MAX_HINTS = 8

_OFFER_BYTES = PREFIX_BYTES + MARK_BYTES
_MAX_CHUNK = 16 * 1024
_MAX_BUCKETS = 256
_MAX_ADDRESSES = 16
_MAX_ADDRESS_BYTES = 128
_UINT64 = 1 << 64


class MessageError(ValueError):
    """A message body that breaks the protocol."""


@value_object
class Hello:
    """The first message on a link: who I am, and how full my table is.

    ``addresses`` are hints of how to find this peer again: ``tcp:PORT`` at the address it is
    seen from, ``mdns:INSTANCE`` for its advert. ``bodies`` are small bodies of the own record.
    """

    versions: tuple[int, ...]
    now_ms: int
    record: bytes
    root: bytes
    count: int
    max_body: int = Body.MAX_SIZE
    features: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    bodies: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Return the body of the message."""
        fields: dict[int, Any] = {
            1: list(self.versions),
            2: list(self.features),
            3: self.now_ms,
            4: self.record,
            5: self.root,
            6: self.count,
            7: self.max_body,
        }
        if self.addresses:
            fields[8] = list(self.addresses)
        if self.bodies:
            fields[9] = list(self.bodies)
        return cbor.encode(fields)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError. Unknown keys are ignored."""
        fields = _decode(body, dict, "Hello", max_depth=3)
        bodies = _list(fields.get(9, []), bytes, 4, "inline bodies")
        if sum(len(inline) for inline in bodies) > MAX_INLINE_BODIES:
            raise MessageError("Hello: inline bodies are too large")
        return cls(
            versions=tuple(_uint(v, "version") for v in _list(fields.get(1), int, 16, "versions")),
            features=tuple(_uint(v, "feature") for v in _list(fields.get(2), int, 64, "features")),
            now_ms=_uint(fields.get(3), "now"),
            record=_bytes(fields.get(4), None, MAX_RECORD, "record"),
            root=_bytes(fields.get(5), 8, 8, "root"),
            count=_uint(fields.get(6), "count"),
            max_body=_uint(fields.get(7), "max body"),
            addresses=_addresses(fields.get(8, []), "Hello"),
            bodies=bodies,
        )


@value_object
class Records:
    """Records, each with its age in seconds."""

    items: tuple[tuple[int, bytes], ...]

    def encode(self) -> bytes:
        """Return the body of the message."""
        return cbor.encode([[age, raw] for age, raw in self.items])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        items = _decode(body, list, "Records", max_depth=2)
        if not items:
            raise MessageError("Records: empty")
        pairs = [_pair(item) for item in items]
        return cls(tuple(pairs))


def _pair(item: Any) -> tuple[int, bytes]:
    if not isinstance(item, list) or len(item) != 2:
        raise MessageError("Records: an item is not [age, record]")
    return _uint(item[0], "age"), _bytes(item[1], None, MAX_RECORD, "record")


@value_object
class Summary:
    """Digests of a table: of all of it at depth 0, of its buckets at depth 1.

    ``digests`` are by bucket, the first byte of the key; at depth 0 there is one, under 0. None at
    depth 0 says: the same here. A bucket that is not listed is empty, or, in an answer, the same.
    """

    depth: int
    digests: tuple[tuple[int, bytes], ...]

    def encode(self) -> bytes:
        """Return the body of the message."""
        width = self.depth
        return cbor.encode(
            [self.depth, [[bucket.to_bytes(width), digest] for bucket, digest in self.digests]]
        )

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        depth, items = _decode(body, list, "Summary", length=2, max_depth=3)
        if _uint(depth, "depth") > 1:
            raise MessageError("Summary: deeper than buckets")
        pairs = _list(items, list, _MAX_BUCKETS, "digests")
        if any(len(pair) != 2 for pair in pairs):
            raise MessageError("Summary: an item is not [prefix, digest]")
        digests = {
            int.from_bytes(_bytes(prefix, depth, depth, "prefix")): _bytes(
                digest, DIGEST_BYTES, DIGEST_BYTES, "digest"
            )
            for prefix, digest in pairs
        }
        if len(digests) != len(pairs):
            raise MessageError("Summary: a digest comes twice")
        return cls(depth, tuple(digests.items()))


@value_object
class Have:
    """Versions that the sender has: prefix of the peer's key, mark of the record."""

    offers: tuple[tuple[bytes, bytes], ...]

    def encode(self) -> bytes:
        """Return the body of the message."""
        return cbor.encode(b"".join(prefix + mark for prefix, mark in self.offers))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        data = _decode_bytes(body, _OFFER_BYTES, "Have")
        return cls(
            tuple(
                (data[at : at + PREFIX_BYTES], data[at + PREFIX_BYTES : at + _OFFER_BYTES])
                for at in range(0, len(data), _OFFER_BYTES)
            )
        )


@value_object
class Want:
    """Asks for the records of some peers, by the prefixes of their keys."""

    prefixes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the body of the message."""
        return cbor.encode(b"".join(self.prefixes))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        data = _decode_bytes(body, PREFIX_BYTES, "Want")
        return cls(tuple(data[at : at + PREFIX_BYTES] for at in range(0, len(data), PREFIX_BYTES)))


@value_object
class Peers:
    """Where other peers may be dialled: keys, each with addresses ``HOST:PORT``. Only hints."""

    hints: tuple[tuple[bytes, tuple[str, ...]], ...]

    def encode(self) -> bytes:
        """Return the body of the message."""
        return cbor.encode([[key, list(addresses)] for key, addresses in self.hints])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        items = _list(_decode(body, list, "Peers", max_depth=3), list, MAX_HINTS, "hints")
        if any(len(item) != 2 for item in items):
            raise MessageError("Peers: an item is not [key, addresses]")
        return cls(
            tuple(
                (_bytes(key, 32, 32, "key"), _addresses(addresses, "Peers"))
                for key, addresses in items
            )
        )


@value_object
class BodyWant:
    """Asks for a body from an offset on."""

    sha256: bytes
    offset: int

    def encode(self) -> bytes:
        """Return the body of the message."""
        return cbor.encode([self.sha256, self.offset])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        fields = _decode(body, list, "BodyWant", length=2)
        return cls(_bytes(fields[0], 32, 32, "hash"), _size(fields[1], "offset"))


@value_object
class BodyChunk:
    """A part of a body."""

    sha256: bytes
    total: int
    offset: int
    data: bytes

    def encode(self) -> bytes:
        """Return the body of the message."""
        return cbor.encode([self.sha256, self.total, self.offset, self.data])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body. Raises MessageError."""
        fields = _decode(body, list, "BodyChunk", length=4)
        return cls(
            _bytes(fields[0], 32, 32, "hash"),
            _size(fields[1], "total"),
            _size(fields[2], "offset"),
            _bytes(fields[3], None, _MAX_CHUNK, "chunk"),
        )


def _decode(
    body: bytes, kind: type[Any], what: str, *, length: int | None = None, max_depth: int = 1
) -> Any:
    try:
        value = cbor.decode(body, max_size=MAX_MESSAGE, max_depth=max_depth, max_items=4_096)
    except CborError as error:
        raise MessageError(f"{what}: {error}") from None
    if not isinstance(value, kind) or (length is not None and len(value) != length):
        raise MessageError(f"{what}: not of the form that the protocol gives it")
    return value


def _decode_bytes(body: bytes, unit: int, what: str) -> bytes:
    data = _decode(body, bytes, what)
    if len(data) % unit:
        raise MessageError(f"{what}: not in pieces of {unit} bytes")
    return bytes(data)


def _addresses(value: Any, what: str) -> tuple[str, ...]:
    addresses = _list(value, str, _MAX_ADDRESSES, "addresses")
    if any(len(address.encode()) > _MAX_ADDRESS_BYTES for address in addresses):
        raise MessageError(f"{what}: an address is too long")
    return addresses


def _list(value: Any, kind: type, most: int, what: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise MessageError(f"{what}: not a list of at most {most}")
    if not all(isinstance(item, kind) for item in value):
        raise MessageError(f"{what}: of the wrong kind")
    return tuple(value)


def _uint(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _UINT64:
        raise MessageError(f"{what}: not an unsigned integer")
    return value


def _size(value: Any, what: str) -> int:
    if _uint(value, what) > Body.MAX_SIZE:
        raise MessageError(f"{what}: beyond the largest body")
    return int(value)


def _bytes(value: Any, least: int | None, most: int, what: str) -> bytes:
    if not isinstance(value, bytes) or not (least or 0) <= len(value) <= most:
        raise MessageError(f"{what}: not bytes of the right length")
    return value
