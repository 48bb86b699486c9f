from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec import cbor, cose
from presence_core.codec.cbor import CborError
from presence_core.codec.cose import CoseError, parse_sign1, sign1
from presence_core.identity.keys import Identity, verify

IDENTITY = Identity.from_private_bytes(bytes(range(32)))
HEADER = cbor.encode({1: -19})
PROTECTED = {cose.ALG: cose.ED25519}


def signed(payload: bytes = b"payload", aad: bytes = b"aad") -> bytes:
    return sign1(payload, protected=PROTECTED, external_aad=aad, sign=IDENTITY.sign)


def test_a_signed_message_is_taken_apart_again() -> None:
    message = parse_sign1(signed(), max_size=4_096)
    assert message.protected == {1: -19}
    assert message.protected_bytes == HEADER
    assert message.payload == b"payload"
    assert verify(IDENTITY.peer_key, message.signature, message.to_be_signed(b"aad"))
    assert not verify(IDENTITY.peer_key, message.signature, message.to_be_signed(b"other"))


def test_what_is_signed_is_the_sig_structure_of_rfc_9052() -> None:
    structure = parse_sign1(signed(), max_size=4_096).to_be_signed(b"aad")
    assert structure == cbor2.dumps(["Signature1", HEADER, b"aad", b"payload"])


def test_a_message_as_others_write_it_is_read() -> None:
    signature = IDENTITY.sign(cbor2.dumps(["Signature1", HEADER, b"", b"x"]))
    message = parse_sign1(cbor2.dumps([HEADER, {}, b"x", signature]), max_size=4_096)
    assert verify(IDENTITY.peer_key, message.signature, message.to_be_signed(b""))


def test_the_size_is_limited() -> None:
    data = signed()
    assert parse_sign1(data, max_size=len(data)).payload == b"payload"
    with pytest.raises(CoseError):
        parse_sign1(data, max_size=len(data) - 1)


SIGNATURE = bytes(64)


@pytest.mark.parametrize(
    "item",
    [
        cbor2.CBORTag(18, [HEADER, {}, b"x", SIGNATURE]),
        [HEADER, {}, b"x"],
        [HEADER, {}, b"x", SIGNATURE, 0],
        [HEADER, {4: b"kid"}, b"x", SIGNATURE],
        [HEADER, [], b"x", SIGNATURE],
        [HEADER, {}, None, SIGNATURE],
        [HEADER, {}, "x", SIGNATURE],
        [HEADER, {}, b"x", SIGNATURE[:-1]],
        [HEADER, {}, b"x", SIGNATURE + b"\0"],
        [{1: -19}, {}, b"x", SIGNATURE],
        [b"", {}, b"x", SIGNATURE],
        [b"\xa0\x00", {}, b"x", SIGNATURE],
        [cbor.encode({"alg": -19}), {}, b"x", SIGNATURE],
        [cbor.encode([1, -19]), {}, b"x", SIGNATURE],
        [cbor.encode({1: -19, 16: "x" * 2_000}), {}, b"x", SIGNATURE],
        {1: HEADER},
        "text",
    ],
)
def test_what_has_another_form_is_refused(item: object) -> None:
    with pytest.raises(CoseError):
        parse_sign1(cbor2.dumps(item), max_size=4_096)


def test_a_header_that_cannot_be_encoded_is_the_callers_mistake() -> None:
    with pytest.raises(CborError):
        sign1(b"", protected={1: object()}, external_aad=b"", sign=IDENTITY.sign)


@given(st.binary(max_size=200))
def test_garbage_is_refused_with_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(CoseError):
        parse_sign1(data, max_size=4_096)


def test_no_bit_of_a_message_can_be_changed() -> None:
    data = signed()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            message = parse_sign1(bytes(changed), max_size=4_096)
        except CoseError:
            continue
        assert not verify(IDENTITY.peer_key, message.signature, message.to_be_signed(b"aad"))
