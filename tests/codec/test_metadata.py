from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec import cbor
from presence_core.codec.metadata import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    WARN_METADATA_BYTES,
    MetadataError,
    decode_metadata,
    encode_metadata,
    metadata_size,
    parse_metadata_json,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
OBJECTS = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=15,
    ),
    max_size=5,
)


def of_size(size: int) -> dict[str, Any]:
    value = {"a": "x" * (size - 3 - 5)}
    assert len(cbor2.dumps(value)) == size
    return value


def nested(levels: int) -> dict[str, Any]:
    value: Any = {}
    for level in range(levels - 2):
        value = [value] if level % 2 else {"a/b~c": value}
    return {"top": value}


def test_the_limits_are_those_of_the_design() -> None:
    assert (WARN_METADATA_BYTES, MAX_METADATA_BYTES, MAX_METADATA_DEPTH) == (4_096, 131_072, 16)


@given(OBJECTS)
def test_metadata_survives_the_wire_and_json(value: dict[str, Any]) -> None:
    data = encode_metadata(value)
    assert decode_metadata(data) == value
    assert parse_metadata_json(json.dumps(value)) == value
    assert parse_metadata_json(json.dumps(value, ensure_ascii=False)) == value
    assert metadata_size(value) == len(data)


def test_131_072_bytes_pass_and_one_more_does_not() -> None:
    largest, larger = of_size(131_072), of_size(131_073)
    assert len(encode_metadata(largest)) == metadata_size(largest) == 131_072
    assert decode_metadata(cbor2.dumps(largest)) == largest
    assert metadata_size(larger) == 131_073
    for refused in (
        lambda: encode_metadata(larger),
        lambda: decode_metadata(cbor2.dumps(larger)),
    ):
        with pytest.raises(MetadataError, match="131,073 bytes; the limit is 131,072") as caught:
            refused()
        assert (caught.value.pointer, caught.value.limit) == ("", 131_072)


def test_as_many_items_as_fit_are_accepted() -> None:
    full = {"a": [0] * (131_072 - 3 - 5)}
    assert decode_metadata(encode_metadata(full)) == full


def test_sixteen_levels_pass_and_seventeen_do_not() -> None:
    deepest, deeper = nested(16), nested(17)
    assert decode_metadata(encode_metadata(deepest)) == deepest
    assert parse_metadata_json(json.dumps(deepest)) == deepest
    for refused in (
        lambda: encode_metadata(deeper),
        lambda: metadata_size(deeper),
        lambda: parse_metadata_json(json.dumps(deeper)),
    ):
        with pytest.raises(MetadataError, match="deeper than the limit of 16") as caught:
            refused()
        assert caught.value.limit == 16
        assert caught.value.pointer.startswith("/top/a~1b~0c/0")
    with pytest.raises(MetadataError, match="deeper than 16"):
        decode_metadata(cbor2.dumps(deeper))


@pytest.mark.parametrize(
    "text", ['{"a":' * 100_000, "[" * 100_000, '{"a":[' * 50_000 + "]}" * 50_000]
)
def test_json_of_any_depth_is_refused_and_not_followed(text: str) -> None:
    with pytest.raises(MetadataError):
        parse_metadata_json(text)


def test_an_object_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["me"] = [value] * 100
    with pytest.raises(MetadataError, match="deeper than the limit"):
        encode_metadata(value)


@pytest.mark.parametrize(
    ("text", "said", "pointer"),
    [
        ('{"a": 1, "b": {"c": [0, {"d": 1, "d": 1}]}}', "comes twice", "/b/c/1/d"),
        ('{"a": 1, "a": 1, "b": 2, "b": 2}', "comes twice", "/a"),
        ('{"x": NaN}', "NaN is not a finite", "/x"),
        ('{"x": [1, -Infinity]}', "-Infinity is not a finite", "/x/1"),
        ('{"x": 1e999}', "Infinity is not a finite", "/x"),
        ('{"x": 18446744073709551616}', "64 bits", "/x"),
        ('{"x": -9223372036854775809}', "64 bits", "/x"),
        ('{"x": ' + "9" * 5_000 + "}", "64 bits", "/x"),
        ('{"x": -' + "9" * 5_000 + "}", "64 bits", "/x"),
        ('{"x": "\\ud800"}', "surrogate", "/x"),
        ('{"x": {"\\udc00": 1}}', "surrogate", "/x"),
        ('{"a~b/c": [[{"\\ud800x": 1}]]}', "surrogate", "/a~0b~1c/0/0"),
        ("[1]", "must be a JSON object, not a list", ""),
        ('"x"', "must be a JSON object, not a text", ""),
        ("1", "must be a JSON object, not a number", ""),
        ("true", "must be a JSON object, not a boolean", ""),
        ("null", "must be a JSON object, not null", ""),
        ("NaN", "must be a JSON object, not a number", ""),
        ("", "line 1, column 1", ""),
        ('{"a": 1}\n{"b": 2}', "line 2, column 1", ""),
        ('{\n  "a": 1,\n  b: 2\n}', "line 3, column 3", ""),
        ('{"a": "\n"}', "line 1, column 8", ""),
        ("{'a': 1}", "line 1, column 2", ""),
        ('\ufeff{"a": 1}', "not valid JSON", ""),
        ('{"a": 0x1}', "not valid JSON", ""),
        ('{"a": 01}', "not valid JSON", ""),
        ('{1: "a"}', "not valid JSON", ""),
    ],
)
def test_json_that_is_no_metadata_is_refused_with_what_and_where(
    text: str, said: str, pointer: str
) -> None:
    with pytest.raises(MetadataError) as caught:
        parse_metadata_json(text)
    error = caught.value
    assert said in error.reason
    assert error.pointer == pointer
    assert error.reason in str(error)
    assert pointer in str(error)
    assert str(error).isprintable()


def test_the_borders_of_integers() -> None:
    borders = {"least": -(2**63), "most": 2**64 - 1}
    assert parse_metadata_json(json.dumps(borders)) == borders
    assert decode_metadata(encode_metadata(borders)) == borders
    with pytest.raises(MetadataError, match="64 bits"):
        decode_metadata(cbor.encode({"a": -(2**63) - 1}))


def test_numbers_keep_their_kind() -> None:
    parsed = parse_metadata_json('{"a": 1, "b": 1.0, "c": -0.0, "d": true}')
    again = decode_metadata(encode_metadata(parsed))
    assert [type(value) for value in again.values()] == [int, float, float, bool]
    assert math.copysign(1, again["c"]) == -1


@pytest.mark.parametrize(
    ("value", "said", "pointer"),
    [
        ([1], "must be a JSON object, not a list", ""),
        (None, "must be a JSON object, not null", ""),
        ({"a": b"x"}, "bytes is not a JSON value", "/a"),
        ({"a": [{1, 2}]}, "set is not a JSON value", "/a/0"),
        ({"a": object()}, "object is not a JSON value", "/a"),
        ({1: "a"}, "a number is the key", ""),
        ({"a": {None: 1}}, "null is the key", "/a"),
        ({"a": math.nan}, "NaN", "/a"),
        ({"a": math.inf}, "Infinity", "/a"),
        ({"a": 2**64}, "64 bits", "/a"),
        ({"a": "\udfff"}, "surrogate", "/a"),
    ],
)
def test_values_that_are_no_metadata_are_refused(value: Any, said: str, pointer: str) -> None:
    for refuses in (encode_metadata, metadata_size):
        with pytest.raises(MetadataError) as caught:
            refuses(value)
        assert said in caught.value.reason
        assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\xf6",
        b"\xa1\x01\x01",  # an integer key
        b"\xa1\x61a\x41x",  # bytes
        b"\xa1\x61a\xf9\x7e\x00",  # NaN
        b"\xa2\x61b\x00\x61a\x00",  # not sorted
        b"\xa0\x00",
        b"\xd9\xd9\xf7\xa0",
    ],
)
def test_bytes_that_are_no_metadata_are_refused(data: bytes) -> None:
    with pytest.raises(MetadataError):
        decode_metadata(data)


@given(st.binary(max_size=80))
def test_bytes_that_are_accepted_are_what_we_would_have_sent(data: bytes) -> None:
    try:
        value = decode_metadata(data)
    except MetadataError:
        return
    assert encode_metadata(value) == data


@given(st.text(max_size=80))
def test_no_text_does_more_than_being_refused(text: str) -> None:
    said = ""
    try:
        encode_metadata(parse_metadata_json(text))
    except MetadataError as error:
        said = str(error)
    assert said.isprintable()


def test_mappings_and_tuples_are_objects_and_lists() -> None:
    frozen: Mapping[str, Any] = MappingProxyType({"a": (1, MappingProxyType({}))})
    assert decode_metadata(encode_metadata(frozen)) == {"a": [1, {}]}


def test_a_hostile_key_is_harmless_in_the_message_and_exact_in_the_pointer() -> None:
    key = "\x1b]0;owned\x07\u202e\n" + "k" * 500
    with pytest.raises(MetadataError) as caught:
        encode_metadata({key: math.nan})
    assert caught.value.pointer == f"/{key}"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
