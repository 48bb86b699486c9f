"""Tokens of the usual form are read in a way of their own; the general way must say the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.identity import token as token_module
from presence_core.identity.token import Token, TokenError, parse_token
from tests.identity.issuing import ALICE, BEGIN, BOB, END, NAME, SMALL_ORDER, claims, forge, token
from tests.mangling import mangled

MAX_TIME = 253_370_764_800


def fields(found: Token) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}


def is_usual(raw: bytes) -> bool:
    """Whether bytes are read at once; if so, the general way must read them the same."""
    try:
        usual = token_module._read_usual(raw)
    except ValueError:
        return False
    assert fields(usual) == fields(token_module._parse_any(raw))
    assert str(usual.metadata) == str(token_module._parse_any(raw).metadata)
    return True


TEXTS = st.text(max_size=70) | st.sampled_from(
    ["", "n", "n" * 23, "n" * 24, "é" * 32, "n" * 64, "n" * 65, "n" * 256, "n" * 257]
)
TIMES = st.sampled_from([0, 65_535, 65_536, BEGIN, END, 2**32 - 1, 2**32, MAX_TIME, MAX_TIME + 1])
IDS = st.sampled_from([b"", b"t", b"t" * 23, b"t" * 24, b"t" * 64, b"t" * 65])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=100)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4)
    ),
    max_leaves=8,
)
CLAIMS = st.fixed_dictionaries(
    {
        1: TEXTS,
        2: TEXTS,
        4: TIMES,
        5: TIMES,
        7: IDS,
        8: st.sampled_from([ALICE, ALICE, BOB, SMALL_ORDER]).map(
            lambda key: {1: {1: 1, -1: 6, -2: key}}
        ),
    },
    optional={
        3: st.just("audience"),
        6: TIMES,
        9: st.just("scope"),
        -65_537: st.dictionaries(st.text(max_size=30), JSON, max_size=4),
        -65_538: st.just(1),
    },
)


@settings(max_examples=500, deadline=None)
@given(CLAIMS)
def test_what_is_read_at_once_is_what_the_general_way_reads(payload: dict[int, Any]) -> None:
    raw = forge(payload)
    times = [payload[at] for at in (4, 5, 6) if at in payload]
    texts = (payload[1].encode(), payload[2].encode(), payload[7])
    limits = (
        all(65_536 <= time < 2**32 for time in times)
        and all(1 <= len(text) <= 64 for text in texts)
        and payload[5] < payload[4]
        and payload[8][1][-2] != SMALL_ORDER
        and not payload.keys() & {3, 9, -65_538}
    )
    if is_usual(raw):
        assert limits
    elif limits:  # then it is the metadata that is wrong
        with pytest.raises(TokenError):
            parse_token(raw)


@settings(max_examples=1_000, deadline=None)
@given(CLAIMS, st.data())
def test_no_byte_is_passed_over_when_it_is_read_at_once(
    payload: dict[int, Any], data: st.DataObject
) -> None:
    usual = claims(_1="i", _2="s") | payload if data.draw(st.booleans()) else claims()
    raw = mangled(forge(usual), data)
    is_usual(raw)


def test_every_changed_bit_is_read_the_same_or_left_to_the_general_way() -> None:
    raw = token()
    assert is_usual(raw)
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            is_usual(bytes(changed))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_not_of_the_usual_form(data: bytes) -> None:
    assert not is_usual(data)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"issued_at": None},
        {"metadata": {}},
        {"issuer": "å" * 32},
        {"subject": "s" * 64},
        {"token_id": b"t" * 64},
        {"metadata": {"text": "x" * 10_000, "at": [48.123456, 1.5, -0.0]}},
    ],
)
def test_what_we_issue_ourselves_is_of_the_usual_form(changes: dict[str, Any]) -> None:
    assert is_usual(token(**changes))
    assert is_usual(forge(claims(_6=None)))
    assert is_usual(forge({key: value for key, value in claims().items() if key > 0}))


def test_long_names_go_the_general_way_and_are_read() -> None:
    raw = token(issuer=NAME * 10)
    assert not is_usual(raw)
    assert parse_token(raw).issuer == NAME * 10
