"""COSE_Sign1 (RFC 9052 §4.2), untagged, with nothing unprotected: what records and tokens are."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from presence_core.codec import cbor
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALG = 1
ED25519 = -19
"""The algorithm Ed25519 of RFC 9864."""

SIGNATURE_BYTES = 64

SIGNATURE_HEAD = cbor.encode_bytes(bytes(SIGNATURE_BYTES))[:2]
_SIG_STRUCTURE = b"\x84" + cbor.encode("Signature1")
"""The head of the list, and what it begins with."""


class CoseError(ValueError):
    """Bytes that are not a COSE_Sign1 of the form used here."""


@value_object
class Sign1:
    """A parsed, not yet verified signed message."""

    protected: Mapping[int, Any]
    protected_bytes: bytes
    payload: bytes
    signature: bytes

    def to_be_signed(self, external_aad: bytes) -> bytes:
        """Return what the signature is over."""
        return _sig_structure(self.protected_bytes, external_aad, self.payload)


def sign1(
    payload: bytes,
    *,
    protected: Mapping[int, Any],
    external_aad: bytes,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Sign a payload; the protected header goes into the signature and into the message.

    Raises CborError if the header cannot be encoded.
    """
    header = cbor.encode(protected)
    signature = sign(_sig_structure(header, external_aad, payload))
    return cbor.encode([header, {}, payload, signature])


def parse_sign1(data: bytes, *, max_size: int) -> Sign1:
    """Take a message apart. Raises CoseError; the signature is not checked here."""
    if len(data) <= max_size:
        try:
            return _usual(data)
        except (ValueError, IndexError):
            pass  # it has another form, or something is wrong with it
    try:
        item = cbor.decode(data, max_size=max_size, max_depth=2, max_items=8)
        match item:
            case [bytes() as header, {**rest}, bytes() as payload, bytes() as signature] if (
                not rest and len(signature) == SIGNATURE_BYTES
            ):
                protected = parse_header(header)
            case _:
                raise CoseError("not [protected, {}, payload, signature of 64 bytes]")
    except cbor.CborError as error:
        raise CoseError(str(error)) from None
    return Sign1(protected, header, payload, signature)


def _usual(data: bytes) -> Sign1:
    """Take apart a message of the usual form: what is nearly always right is read at once.

    Raises ValueError or IndexError for everything else, right or wrong.
    """
    end = len(data) - len(SIGNATURE_HEAD) - SIGNATURE_BYTES
    header, at = _short_bytes(data, 1)
    kind, size = data[at + 1 : at + 3]
    if kind == 0x59:
        begin = at + 4
        size = size << 8 | data[at + 3]
        shortest = 256
    else:
        begin = at + 3
        shortest = 24
    if (
        data[0] != 0x84
        or data[at] != 0xA0
        or kind not in (0x58, 0x59)
        or size < shortest
        or begin + size != end
        or not data.startswith(SIGNATURE_HEAD, end)
    ):
        raise CoseError("unusual")
    return Sign1(parse_header(header), header, data[begin:end], data[-SIGNATURE_BYTES:])


def _short_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Read bytes of at most 255; return them and where they end."""
    size = data[at] - 0x40
    at += 1
    if size == 24 and data[at] >= 24:
        size = data[at]
        at += 1
    elif not 0 <= size < 24:
        raise CoseError("unusual")
    return data[at : at + size], at + size


@lru_cache(maxsize=64)
def sig_structure_head(header: bytes, external_aad: bytes) -> bytes:
    """Return what is signed (RFC 9052 §4.4) up to the encoded payload, with which it ends."""
    return _SIG_STRUCTURE + cbor.encode_bytes(header) + cbor.encode_bytes(external_aad)


def _sig_structure(header: bytes, external_aad: bytes, payload: bytes) -> bytes:
    return sig_structure_head(header, external_aad) + cbor.encode_bytes(payload)


@lru_cache(maxsize=64)
def parse_header(header: bytes) -> Mapping[int, Any]:
    """Read a header; there are few different ones, each in thousands of messages."""
    protected = cbor.decode(header, max_size=1_024, max_depth=4, max_items=32)
    if not isinstance(protected, dict) or not all(isinstance(label, int) for label in protected):
        raise CoseError("the protected header is not a map of labels")
    return MappingProxyType(protected)
