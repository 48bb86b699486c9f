from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec import bech32m
from presence_core.codec.bech32m import Bech32Error

# The vectors of BIP-350, section "Test vectors for Bech32m".
LONGEST = (
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6"
)
VALID = {
    "A1LQFN3A": b"",
    "a1lqfn3a": b"",
    LONGEST: b"",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx": bytes.fromhex(
        "ffbbcdeb38bdab49ca307b9ac5a928398a418820"
    ),
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v": bytes.fromhex(
        "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d"
    ),
    "?1v759aa": b"",
}
INVALID = [
    " 1xj0phk",
    "\x7f1g6xzxy",
    "\x801vctc34",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
    "qyrz8wqd2c9m",
    "1qyrz8wqd2c9m",
    "y1b0jsk6g",
    "lt1igcx5c0",
    "in1muywd",
    "mm1crxm3i",
    "au1s5cgom",
    "M1VUXWEZ",
    "16plkw9",
    "1p2gdwpf",
]
KEY = bytes(range(32))
TEXT = bech32m.encode("pk", KEY)


def prefix_of(text: str) -> str:
    return text.lower().rpartition("1")[0]


@pytest.mark.parametrize(("text", "data"), VALID.items())
def test_valid_vectors_of_bip_350_are_read_and_written(text: str, data: bytes) -> None:
    assert bech32m.decode(prefix_of(text), text) == data
    assert bech32m.encode(prefix_of(text), data) == text.lower()


def test_a_valid_vector_that_is_no_whole_number_of_bytes_is_refused() -> None:
    with pytest.raises(Bech32Error, match="stray bits"):
        bech32m.decode("1", "11" + "l" * 82 + "ludsr8")


@pytest.mark.parametrize("text", INVALID)
def test_invalid_vectors_of_bip_350_are_refused(text: str) -> None:
    with pytest.raises(Bech32Error):
        bech32m.decode(prefix_of(text), text)


@pytest.mark.parametrize("text", ["A12UEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw"])
def test_the_older_bech32_is_refused(text: str) -> None:
    with pytest.raises(Bech32Error, match="typing error"):
        bech32m.decode(prefix_of(text), text)


def test_a_key_is_61_characters_in_any_case_but_not_mixed() -> None:
    assert len(TEXT) == 61
    assert bech32m.decode("pk", TEXT.upper()) == KEY
    with pytest.raises(Bech32Error, match="mixes upper and lower case"):
        bech32m.decode("pk", TEXT[:-1] + TEXT[-1].upper() + "Q")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pk1"),
        ("mk" + TEXT[2:], "does not begin with pk1"),
        ("pk1", "wrong length"),
        ("pk1" + "q" * 90, "wrong length"),
        (TEXT[:-1] + "b", "'b'"),
        (f" {TEXT}", "never used"),
        (TEXT.upper().replace("K", "\u212a"), "never used"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(Bech32Error, match=said):
        bech32m.decode("pk", text)


def test_a_text_beyond_90_letters_is_never_written() -> None:
    with pytest.raises(Bech32Error):
        bech32m.encode("pk", bytes(51))


@given(st.binary(max_size=50))
def test_what_is_written_is_read(data: bytes) -> None:
    assert bech32m.decode("pk", bech32m.encode("pk", data)) == data


@given(st.sets(st.integers(3, 60), min_size=1, max_size=4), st.data())
def test_four_wrong_letters_are_always_found(places: set[int], data: st.DataObject) -> None:
    letters = list(TEXT)
    for place in places:
        others = [c for c in "qpzry9x8gf2tvdw0s3jn54khce6mua7l" if c != letters[place]]
        letters[place] = data.draw(st.sampled_from(others))
    with pytest.raises(Bech32Error):
        bech32m.decode("pk", "".join(letters))


@given(st.text(max_size=100))
def test_garbage_is_refused_with_one_kind_of_error(text: str) -> None:
    with pytest.raises(Bech32Error):
        bech32m.decode("pk", text)
