"""GATT values: what is a fragment, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.transports.ble.fragments import (
    DEFAULT_FRAGMENT,
    HEADER_BYTES,
    MAX_FRAGMENT,
    MIN_FRAGMENT,
    Flag,
    Fragment,
    FragmentError,
    fragment_size,
)

NUMBERS = st.integers(0, 65_535)


@given(NUMBERS, NUMBERS, NUMBERS, st.binary(min_size=1, max_size=MAX_FRAGMENT - HEADER_BYTES))
def test_what_is_written_is_read(tag: int, seq: int, ack: int, data: bytes) -> None:
    fragment = Fragment(tag, Flag.DATA, seq, ack, data)
    value = fragment.encode()
    assert len(value) == HEADER_BYTES + len(data)
    assert Fragment.decode(value) == fragment


@given(st.binary(max_size=MAX_FRAGMENT + 20))
def test_whatever_comes_is_a_fragment_or_refused(value: bytes) -> None:
    try:
        fragment = Fragment.decode(value)
    except FragmentError:
        return
    assert bool(fragment.data) == bool(fragment.flags & Flag.DATA)
    assert Fragment.decode(fragment.encode()) == fragment


@pytest.mark.parametrize(
    "value",
    [
        b"",
        bytes(HEADER_BYTES - 1),
        bytes(MAX_FRAGMENT + 1),
        Fragment(1, Flag.DATA).encode(),  # says it has data
        Fragment(1, Flag(0), data=b"x").encode(),  # does not say so
        Fragment(1, Flag.OPEN).encode(),
        Fragment(1, Flag.OPEN | Flag.DATA, 1, 0, b"x").encode(),
    ],
)
def test_what_makes_no_sense_is_refused(value: bytes) -> None:
    with pytest.raises(FragmentError):
        Fragment.decode(value)


def test_flags_of_later_versions_are_ignored() -> None:
    value = bytearray(Fragment(1, Flag.DATA, 2, 3, b"x").encode())
    value[2] |= 0x80
    assert Fragment.decode(bytes(value)) == Fragment(1, Flag.DATA, 2, 3, b"x")


@pytest.mark.parametrize(
    ("mtu", "size"),
    [(None, MIN_FRAGMENT), (23, 20), (185, 182), (247, 244), (517, DEFAULT_FRAGMENT)],
)
def test_fragments_fit_into_the_mtu(mtu: int | None, size: int) -> None:
    assert fragment_size(mtu) == size


def test_no_fragment_is_larger_than_what_bluez_takes() -> None:
    assert fragment_size(517, wanted=600) == MAX_FRAGMENT
