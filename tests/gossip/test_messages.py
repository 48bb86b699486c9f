from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor
from presence_core.gossip.messages import (
    BodyChunk,
    BodyWant,
    Hello,
    MessageError,
    Records,
)

HELLO = Hello((1,), 1_790_000_000_000, b"record", b"rootroot", 3, addresses=("tcp:47700",))
HELLO_MAP: dict[int, Any] = cbor.decode(HELLO.encode(), max_size=10_000)


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        Hello((1, 2), 0, b"", b"12345678", 0, features=(7,), bodies=(b"a", b"b" * 16_000)),
        Records(((0, b"x"), (3_600, b"y" * 4_096))),
        BodyWant(b"h" * 32, 131_072),
        BodyChunk(b"h" * 32, 131_072, 5, b"z" * 16_384),
    ],
)
def test_messages_read_back(message: Any) -> None:
    assert type(message).decode(message.encode()) == message


def test_unknown_keys_of_hello_are_ignored() -> None:
    assert Hello.decode(cbor.encode(HELLO_MAP | {20: "later"})) == HELLO


@pytest.mark.parametrize(
    "change",
    [
        {1: "x"},
        {1: list(range(17))},
        {1: [True]},
        {3: -1},
        {4: b"x" * 4_097},
        {5: b"short"},
        {6: 1.5},
        {8: ["x"] * 17},
        {8: ["x" * 129]},
        {8: [1]},
        {9: [b"x" * 9_000, b"y" * 9_000]},
        {9: [b""] * 5},
    ],
)
def test_a_hello_outside_its_bounds_is_refused(change: dict[int, Any]) -> None:
    with pytest.raises(MessageError):
        Hello.decode(cbor.encode(HELLO_MAP | change))


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 6, 7])
def test_a_hello_must_be_whole(missing: int) -> None:
    with pytest.raises(MessageError):
        Hello.decode(cbor.encode({k: v for k, v in HELLO_MAP.items() if k != missing}))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Records, []),
        (Records, [[0]]),
        (Records, [["x", b"y"]]),
        (Records, [[0, b"y" * 4_097]]),
        (Records, {}),
        (BodyWant, [b"h" * 31, 0]),
        (BodyWant, [b"h" * 32, 131_073]),
        (BodyWant, [b"h" * 32]),
        (BodyChunk, [b"h" * 32, 131_073, 0, b""]),
        (BodyChunk, [b"h" * 32, 1, 0, b"x" * 16_385]),
        (BodyChunk, [b"h" * 32, 1, 0, "text"]),
    ],
)
def test_bodies_outside_the_protocol_are_refused(kind: Any, value: Any) -> None:
    with pytest.raises(MessageError):
        kind.decode(cbor.encode(value))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([Hello, Records, BodyWant, BodyChunk]), st.binary(max_size=120))
def test_garbage_raises_nothing_but_message_errors(kind: Any, data: bytes) -> None:
    with pytest.raises(MessageError):
        kind.decode(data)
