"""COSE_Sign1 (RFC 9052 §4.2), untagged, with nothing unprotected: what records and tokens are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from presence_core.codec import cbor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALG = 1
ED25519 = -19
"""The algorithm Ed25519 of RFC 9864."""

SIGNATURE_BYTES = 64

_SIG_STRUCTURE = b"\x84" + cbor.encode("Signature1")
"""The head of the list, and what it begins with."""


class CoseError(ValueError):
    """Bytes that are not a COSE_Sign1 of the form used here."""


@dataclass(frozen=True, slots=True)
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
    try:
        item = cbor.decode(data, max_size=max_size, max_depth=2, max_items=8)
        match item:
            case [bytes() as header, {**rest}, bytes() as payload, bytes() as signature] if (
                not rest and len(signature) == SIGNATURE_BYTES
            ):
                protected = _parse_header(header)
            case _:
                raise CoseError("not [protected, {}, payload, signature of 64 bytes]")
    except cbor.CborError as error:
        raise CoseError(str(error)) from None
    return Sign1(protected, header, payload, signature)


def sig_structure_head(header: bytes, external_aad: bytes) -> bytes:
    """Return what is signed (RFC 9052 §4.4) up to the encoded payload, with which it ends."""
    return _SIG_STRUCTURE + cbor.encode_bytes(header) + cbor.encode_bytes(external_aad)


def _sig_structure(header: bytes, external_aad: bytes, payload: bytes) -> bytes:
    return sig_structure_head(header, external_aad) + cbor.encode_bytes(payload)


@lru_cache(maxsize=16)
def _parse_header(header: bytes) -> Mapping[int, Any]:
    """Read a header; there are few different ones, each in thousands of messages."""
    protected = cbor.decode(header, max_size=1_024, max_depth=4, max_items=32)
    if not isinstance(protected, dict) or not all(isinstance(label, int) for label in protected):
        raise CoseError("the protected header is not a map of labels")
    return MappingProxyType(protected)
