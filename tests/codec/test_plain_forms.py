"""Plain CBOR, COSE messages and metadata are read at once; the general way must say the same."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor, cose, metadata
from presence_core.codec.cbor import CborError
from presence_core.codec.cose import CoseError
from presence_core.codec.metadata import MAX_METADATA_DEPTH, MetadataError, check_metadata
from tests.codec.test_cbor import ACCEPTED, NOT_DETERMINISTIC, OUTSIDE, VALUES, exact
from tests.mangling import mangled

DEPTHS = st.integers(0, 4) | st.just(16)


def is_plain(data: bytes, max_depth: int = 16) -> bool:
    """Whether bytes are read at once; if so, the general way must read them the same."""
    value = cbor._plain(data, max_depth)
    if value is cbor._NOT_PLAIN:
        return False
    assert exact(value) == exact(cbor._decode_any(data, max_depth, cbor.MAX_ITEMS))
    return True


@pytest.mark.parametrize(("data", "value"), ACCEPTED)
def test_examples_of_rfc_8949_are_plain(data: str, value: Any) -> None:
    # Of whole numbers in floats, what is shortest is left to the general way to say.
    assert is_plain(bytes.fromhex(data)) or data in ("fa47c35000", "a30a001864002000")


def test_a_map_with_keys_of_both_signs_is_plain() -> None:
    assert is_plain(cbor.encode({0: 0, 24: 0, 500: 0, -1: 0, -25: 0, -65_537: {}}))
    assert not is_plain(bytes.fromhex("a220001818f600"))


@pytest.mark.parametrize("data", [*OUTSIDE, *NOT_DETERMINISTIC.values()])
def test_what_is_refused_is_not_plain(data: str) -> None:
    assert not is_plain(bytes.fromhex(data))


@settings(max_examples=500, deadline=None)
@given(VALUES, DEPTHS)
def test_what_is_plain_is_what_the_general_way_reads(value: Any, depth: int) -> None:
    data = cbor.encode(value)
    if not is_plain(data, depth):
        with contextlib.suppress(CborError):
            assert exact(cbor._decode_any(data, depth, cbor.MAX_ITEMS)) == exact(value)


@given(st.floats() | st.floats(width=32) | st.floats(width=16))
def test_no_float_is_plain_in_another_form_than_its_shortest(value: float) -> None:
    for head, form in ((b"\xf9", ">e"), (b"\xfa", ">f"), (b"\xfb", ">d")):
        with contextlib.suppress(OverflowError):
            is_plain(head + struct.pack(form, value))


@settings(max_examples=1_000, deadline=None)
@given(st.binary(max_size=24), DEPTHS)
def test_bytes_are_plain_only_if_the_general_way_reads_them(data: bytes, depth: int) -> None:
    is_plain(data, depth)


OPENING = [b"\x80", b"\x81", b"\x82", b"\x98\x18", b"\x9f", b"\xa0", b"\xa1", b"\xa2", b"\xc1"]
SCALAR = [b"\0", b"\x20", b"\x18\x18", b"\x38\x18", b"Aa", b"aa", b"ab", b"\xf4", b"\xf6", b"\xf7"]
HEADS = st.sampled_from(OPENING) | st.sampled_from(SCALAR)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(HEADS, max_size=10).map(b"".join), DEPTHS)
def test_heads_in_any_order_are_plain_only_if_the_general_way_reads_them(
    data: bytes, depth: int
) -> None:
    is_plain(data, depth)


@settings(max_examples=500, deadline=None)
@given(VALUES, st.data())
def test_no_byte_is_passed_over(value: Any, data: st.DataObject) -> None:
    raw = mangled(cbor.encode(value), data)
    is_plain(raw)


@pytest.mark.parametrize("length", [1, 23, 24, 94, 95, 96, 255, 256, 65_536])
def test_strings_of_any_length_are_read(length: int) -> None:
    for value in ("x" * length, b"x" * length, {"x" * length: length}):
        data = cbor.encode(value)
        assert is_plain(data) is (length <= 95)
        assert cbor.decode(data, max_size=1 << 20, max_items=1 << 20) == value


def test_depth_and_items_are_limited_as_ever() -> None:
    assert is_plain(b"\x81\x80", 2)
    assert not is_plain(b"\x81\x80", 1)
    assert not is_plain(b"\x80", 0)
    assert is_plain(b"\0", 0)
    assert not is_plain(b"\x81" * 100_000 + b"\0")
    many = cbor.encode([0] * 60_000)
    assert is_plain(many)
    assert cbor.decode(many, max_size=len(many), max_items=60_001) == [0] * 60_000
    with pytest.raises(CborError, match="too many"):
        cbor.decode(many, max_size=len(many), max_items=60_000)


# -- COSE messages


def usual_message(data: bytes) -> cose.Sign1 | None:
    try:
        return cose._usual(data)
    except (ValueError, IndexError):
        return None


MESSAGES = st.builds(
    lambda header, unprotected, payload, size: [header, unprotected, payload, b"s" * size],
    st.sampled_from(
        [cbor.encode({1: -19}), cbor.encode({1: -19, 4: b"k" * 300}), b"\xa0", b"", b"x"]
    ),
    st.sampled_from([{}, {}, {}, {4: 0}]),
    st.sampled_from(
        [b"", b"p" * 23, b"p" * 24, b"p" * 255, b"p" * 256, b"p" * 5_000, b"p" * 65_536]
    ),
    st.sampled_from([64, 64, 64, 63, 65]),
).map(cbor2.dumps)


@settings(max_examples=500, deadline=None)
@given(MESSAGES, st.none() | st.tuples(st.integers(0, 60), st.integers(0, 255)))
def test_a_usual_message_is_what_the_general_way_reads(
    data: bytes, change: tuple[int, int] | None
) -> None:
    if change is not None:
        changed = bytearray(data)
        changed[change[0]] = change[1]
        data = bytes(changed)
    usual = usual_message(data)
    if usual is None:
        with contextlib.suppress(CoseError):
            cose.parse_sign1(data, max_size=1 << 20)
        return
    header, unprotected, payload, signature = cbor._decode_any(data, 2, 8)
    assert unprotected == {}
    assert usual == cose.Sign1(cose.parse_header(header), header, payload, signature)


@given(st.binary(max_size=200))
def test_garbage_is_no_usual_message(data: bytes) -> None:
    assert usual_message(data) is None


def test_the_size_of_a_usual_message_is_limited() -> None:
    data = cbor2.dumps([cbor.encode({1: -19}), {}, b"p" * 300, b"s" * 64])
    assert usual_message(data) is not None
    assert cose.parse_sign1(data, max_size=len(data)).payload == b"p" * 300
    with pytest.raises(CoseError):
        cose.parse_sign1(data, max_size=len(data) - 1)


# -- metadata

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.text(st.characters(), max_size=3)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
        | st.dictionaries(st.integers(), inner, max_size=1)
    ),
    max_leaves=8,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.text(st.characters(), max_size=3), JSON, max_size=3))
def test_plain_metadata_is_what_the_general_way_accepts(value: dict[str, Any]) -> None:
    plain = metadata._is_plain(value, MAX_METADATA_DEPTH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_is_plain", lambda *_: False)
        try:
            check_metadata(value)
        except MetadataError:
            assert not plain


@pytest.mark.parametrize("levels", [1, 16, 17, 18])
def test_plain_metadata_has_sixteen_levels(levels: int) -> None:
    for wrap in (lambda inner: {"a": inner}, lambda inner: [inner]):
        value: Any = 0
        for _ in range(levels - 1):
            value = wrap(value)
        assert metadata._is_plain({"a": value}, MAX_METADATA_DEPTH) is (levels <= 16)
