from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor
from presence_core.gossip.messages import (
    MAX_HINTS,
    MAX_MESSAGE,
    BodyChunk,
    BodyWant,
    Have,
    Hello,
    MessageError,
    Peers,
    Records,
    Summary,
    Want,
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
        Summary(0, ()),
        Summary(0, ((0, b"rootroot"),)),
        Summary(1, ()),
        Summary(1, tuple((n, bytes([n]) * 8) for n in range(256))),
        Have(()),
        Have(tuple((n.to_bytes(8, "big"), b"mark") for n in range(1_280))),
        Want(()),
        Want(tuple(n.to_bytes(8, "big") for n in range(64))),
        Peers(()),
        Peers(tuple((bytes([n]) * 32, ("192.0.2.1:5", "[2001:db8::1]:5")) for n in range(8))),
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
        (Summary, [2, []]),
        (Summary, [-1, []]),
        (Summary, [True, []]),
        (Summary, [0]),
        (Summary, [0, [[b"", b"short"]]]),
        (Summary, [0, [[b"", b"rootroot"], [b"", b"rootroot"]]]),
        (Summary, [0, [[b"x", b"rootroot"]]]),
        (Summary, [1, [[b"", b"rootroot"]]]),
        (Summary, [1, [[b"xy", b"rootroot"]]]),
        (Summary, [1, [[b"x", b"rootroot"], [b"x", b"roottoor"]]]),
        (Summary, [1, [[b"x", b"rootroot", 1]]]),
        (Summary, [1, [[1, b"rootroot"]]]),
        (Summary, [1, {}]),
        (Summary, {0: 1}),
        (Have, b"x" * 13),
        (Have, "text"),
        (Have, [b"x" * 12]),
        (Want, b"x" * 9),
        (Want, []),
        (Peers, {}),
        (Peers, [[b"k" * 31, []]]),
        (Peers, [[b"k" * 32]]),
        (Peers, [[b"k" * 32, ["x" * 129]]]),
        (Peers, [[b"k" * 32, ["x"] * 17]]),
        (Peers, [[b"k" * 32, [b"x"]]]),
        (Peers, [[b"k" * 32, []]] * (MAX_HINTS + 1)),
    ],
)
def test_bodies_outside_the_protocol_are_refused(kind: Any, value: Any) -> None:
    with pytest.raises(MessageError):
        kind.decode(cbor.encode(value))


@pytest.mark.parametrize("kind", [Have, Want, Records, Summary, Peers])
def test_a_message_that_is_too_large_is_refused(kind: Any) -> None:
    with pytest.raises(MessageError):
        kind.decode(cbor.encode(bytes(24 * (MAX_MESSAGE // 24 + 1))))


KINDS = [Hello, Records, Summary, Peers, Have, Want, BodyWant, BodyChunk]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.binary(max_size=120))
def test_garbage_raises_nothing_but_message_errors(kind: Any, data: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert kind.decode(data).encode() == data  # nothing is read that would be written otherwise


ITEMS = st.recursive(
    st.integers(-2, 300) | st.binary(max_size=40) | st.text(max_size=4) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 9), inner),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), ITEMS)
def test_items_of_another_form_raise_nothing_but_message_errors(kind: Any, item: Any) -> None:
    data = cbor.encode(item)
    with contextlib.suppress(MessageError):
        assert kind.decode(data).encode() == data


DIGESTS = st.dictionaries(st.integers(0, 255), st.binary(min_size=8, max_size=8), max_size=256)


@settings(max_examples=100, deadline=None)
@given(DIGESTS)
def test_any_summary_reads_back(digests: dict[int, bytes]) -> None:
    said = Summary(1, tuple(digests.items()))
    assert Summary.decode(said.encode()) == said


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.binary(min_size=8, max_size=8), st.binary(min_size=4, max_size=4))),
    st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.lists(st.text(max_size=9))),
             max_size=MAX_HINTS),
)  # fmt: skip
def test_any_offers_wants_and_hints_read_back(
    offers: list[tuple[bytes, bytes]], hints: list[tuple[bytes, list[str]]]
) -> None:
    for said in (
        Have(tuple(offers)),
        Want(tuple(prefix for prefix, _ in offers)),
        Peers(tuple((key, tuple(addresses[:16])) for key, addresses in hints)),
    ):
        assert type(said).decode(said.encode()) == said
