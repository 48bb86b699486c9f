from __future__ import annotations

import contextlib
import math
import struct
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor
from presence_core.codec.cbor import CborError

# RFC 8949, appendix A: what of it belongs to our subset...
ACCEPTED: list[tuple[str, Any]] = [
    ("00", 0),
    ("01", 1),
    ("0a", 10),
    ("17", 23),
    ("1818", 24),
    ("1819", 25),
    ("1864", 100),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1b000000e8d4a51000", 1000000000000),
    ("1bffffffffffffffff", 18446744073709551615),
    ("3bffffffffffffffff", -18446744073709551616),
    ("20", -1),
    ("29", -10),
    ("3863", -100),
    ("3903e7", -1000),
    ("f90000", 0.0),
    ("f98000", -0.0),
    ("f93c00", 1.0),
    ("fb3ff199999999999a", 1.1),
    ("f93e00", 1.5),
    ("f97bff", 65504.0),
    ("fa47c35000", 100000.0),
    ("fa7f7fffff", 3.4028234663852886e38),
    ("fb7e37e43c8800759c", 1.0e300),
    ("f90001", 5.960464477539063e-8),
    ("f90400", 0.00006103515625),
    ("f9c400", -4.0),
    ("fbc010666666666666", -4.1),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6161", "a"),
    ("6449455446", "IETF"),
    ("62225c", '"\\'),
    ("62c3bc", "\u00fc"),
    ("63e6b0b4", "\u6c34"),
    ("64f0908591", "\U00010151"),
    ("80", []),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", list(range(1, 26))),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("a30a001864002000", {10: 0, 100: 0, -1: 0}),  # this order is in RFC 8949, section 4.2.1
    ("826161a161626163", ["a", {"b": "c"}]),
    ("a56161614161626142616361436164614461656145", dict(zip("abcde", "ABCDE", strict=True))),
]
# ... and what does not: bignums and other tags, infinities and NaN, undefined and other simple
# values, indefinite lengths.
OUTSIDE = [
    "c249010000000000000000",
    "c349010000000000000000",
    "f97c00",
    "f97e00",
    "f9fc00",
    "fa7f800000",
    "fa7fc00000",
    "faff800000",
    "fb7ff0000000000000",
    "fb7ff8000000000000",
    "fbfff0000000000000",
    "f7",
    "f0",
    "f8ff",
    "c074323031332d30332d32315432303a30343a30305a",
    "c11a514b67b0",
    "c1fb41d452d9e2000000",
    "d74401020304",
    "d818456449455446",
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
    "5f42010243030405ff",
    "7f657374726561646d696e67ff",
    "9fff",
    "9f018202039f0405ffff",
    "9f01820203820405ff",
    "83018202039f0405ff",
    "83019f0203ff820405",
    "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
    "bf61610161629f0203ffff",
    "826161bf61626163ff",
    "bf6346756ef563416d7421ff",
]
NOT_DETERMINISTIC = {
    "nothing": "",
    "a byte after the item": "0000",
    "a long form of 23": "1817",
    "a long form of 24": "190018",
    "a long form of 256": "1a00000100",
    "a long form of 65536": "1b0000000000010000",
    "a long form of a negative": "3800",
    "a long form of a length": "580161",
    "a long form of an array": "980100",
    "a long form of a map": "b801616100",
    "reserved heads": "1c",
    "a lone break": "ff",
    "keys out of order": "a2616200616100",
    "keys out of order by length": "a262616100616200",
    "a key twice": "a2616100616100",
    "an integer key twice": "a201000100",
    "keys of both kinds": "a20100616100",
    "negative keys before the others": "a220000000",
    "negative keys out of order": "a221002000",
    "a negative key twice": "a220002000",
    "a negative key written longer than it needs to be": "a1380000",
    "negative numbers and text as keys": "a22000616100",
    "a key of bytes": "a1416100",
    "a key of a float": "a1f93c0000",
    "a key of true": "a1f500",
    "a key of null": "a1f600",
    "a key that is a list": "a18000",
    "a key that is a map": "a1a000",
    "a float of 32 bits that fits 16": "fa3f800000",
    "a float of 64 bits that fits 32": "fb40f86a0000000000",
    "minus zero in 32 bits": "fa80000000",
    "NaN with a payload": "f97e01",
    "text that is no UTF-8": "61ff",
    "a surrogate in UTF-8": "63eda080",
    "a text cut short": "6261",
    "bytes cut short": "4201",
    "a length of 2**63": "5b8000000000000000",
    "an array of 2**63": "9b8000000000000000",
    "a map of 2**63": "bb8000000000000000",
    "a map without its last value": "a16161",
    "an array cut short": "8201",
    "a head cut short": "19ff",
    "a float cut short": "f93c",
    "false in two bytes": "f814",
    "a cyclic list": "d81c81d81d00",
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(width=16, allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.binary(max_size=30)
)


def values(keys: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=5)
            | st.dictionaries(st.text(max_size=5), inner, max_size=5)
            | st.dictionaries(keys, inner, max_size=5)
        ),
        max_leaves=20,
    )


VALUES = values(st.integers(-(2**64), 2**64 - 1) | st.integers(-30, 30))


def decode(data: bytes) -> Any:
    return cbor.decode(data, max_size=1 << 20)


def exact(value: Any) -> str:
    """Tell 1 from 1.0 and true, and 0.0 from -0.0."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{exact(k)}:{exact(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(exact(item) for item in value) + "]"
    return f"{type(value).__name__}:{value!r}"


@pytest.mark.parametrize(("data", "value"), ACCEPTED)
def test_examples_of_rfc_8949_are_read_and_written(data: str, value: Any) -> None:
    assert exact(decode(bytes.fromhex(data))) == exact(value)
    assert cbor.encode(value).hex() == data


@pytest.mark.parametrize("data", OUTSIDE)
def test_examples_of_rfc_8949_outside_the_subset_are_refused(data: str) -> None:
    with pytest.raises(CborError):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize("what", NOT_DETERMINISTIC)
def test_what_has_another_or_no_encoding_is_refused(what: str) -> None:
    with pytest.raises(CborError):
        decode(bytes.fromhex(NOT_DETERMINISTIC[what]))


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        2**64,
        -(2**64) - 1,
        10**400,
        "\ud800",
        {"\udfff": 1},
        {1: 0, "a": 0},
        {-1: 0, "a": 0},
        {-(2**64) - 1: 0},
        {1.0: 0},
        {True: 0},
        {None: 0},
        {b"a": 0},
        object(),
        {1, 2},
        1j,
    ],
)
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    with pytest.raises(CborError):
        cbor.encode(value)
    with pytest.raises(CborError):
        cbor.encode([{"a": value}])


def nested(levels: int) -> Any:
    value: Any = []
    for level in range(levels - 1):
        value = {"a": value} if level % 2 else [value]
    return value


def test_sixteen_levels_are_the_limit_in_both_directions() -> None:
    assert decode(cbor.encode(nested(16))) == nested(16)
    with pytest.raises(CborError, match="deep"):
        cbor.encode(nested(17))
    with pytest.raises(CborError, match="deep"):
        decode(cbor.encode(nested(17), max_depth=17))
    assert cbor.decode(b"\x81\x80", max_size=2, max_depth=2) == [[]]
    with pytest.raises(CborError, match="deep"):
        cbor.decode(b"\x81\x80", max_size=2, max_depth=1)


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xa1\x61a"])
def test_a_depth_of_100_000_is_refused_without_recursion(opening: bytes) -> None:
    with pytest.raises(CborError, match="deep"):
        decode(opening * 100_000 + b"\x00")


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(CborError, match="deep"):
        cbor.encode(value)


def test_size_and_items_are_limited() -> None:
    data = cbor.encode([0] * 9)
    assert cbor.decode(data, max_size=10, max_items=10) == [0] * 9
    with pytest.raises(CborError, match="10 bytes are more than the 9 allowed"):
        cbor.decode(data, max_size=9)
    with pytest.raises(CborError, match="too many items"):
        cbor.decode(data, max_size=10, max_items=9)
    empty = b"\x9a\x00\x02\x00\x00" + b"\x80" * 131_072
    with pytest.raises(CborError, match="too many items"):
        cbor.decode(empty, max_size=1 << 20)


def test_what_cbor2_alone_would_let_through_is_refused() -> None:
    # Tags that make cbor2 build patterns, messages, huge decimals; bignum keys that collide.
    for data in (
        "d8236161",
        "d8246161",
        "c4821a3b9aca0001",
        "d901028101",
        "a1c249" + "01" * 9 + "00",
    ):
        with pytest.raises(CborError, match="tags"):
            decode(bytes.fromhex(data))


@given(VALUES)
def test_what_is_written_is_read_back_the_same(value: Any) -> None:
    data = cbor.encode(value)
    assert exact(decode(data)) == exact(value)
    assert exact(cbor2.loads(data)) == exact(value)


# It sorts keys by their length first, as RFC 7049 did: the same, but for maps that mix signs.
@given(values(st.integers(0, 2**64 - 1)) | values(st.integers(-(2**64), -1)))
def test_cbor2_writes_the_same_bytes(value: Any) -> None:
    assert cbor.encode(value) == cbor2.dumps(value, canonical=True)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_as_short_as_they_can_be(value: float) -> None:
    data = cbor.encode(value)
    assert struct.pack(">d", decode(data)) == struct.pack(">d", value)
    forms = {3: [], 5: [">e"], 9: [">e", ">f"]}[len(data)]
    for form in forms:
        with contextlib.suppress(OverflowError):
            assert struct.unpack(form, struct.pack(form, value))[0] != value


@given(st.binary(max_size=64))
@settings(max_examples=300)
def test_what_is_accepted_has_one_encoding(data: bytes) -> None:
    try:
        value = decode(data)
    except CborError:
        return
    assert cbor.encode(value) == data


@given(VALUES, st.data())
@settings(max_examples=300)
def test_what_was_changed_is_refused_or_means_something_else(
    value: Any, data: st.DataObject
) -> None:
    original = cbor.encode(value)
    changed = bytearray(original)
    at = data.draw(st.integers(0, len(original) - 1))
    match data.draw(st.sampled_from(["replace", "insert", "delete", "cut"])):
        case "replace":
            changed[at] = data.draw(st.integers(0, 255))
        case "insert":
            changed.insert(at, data.draw(st.integers(0, 255)))
        case "delete":
            del changed[at]
        case "cut":
            del changed[at:]
    try:
        other = decode(bytes(changed))
    except CborError:
        return
    assert cbor.encode(other) == changed
    assert changed == original or exact(other) != exact(value)
