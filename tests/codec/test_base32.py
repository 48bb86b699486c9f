"""Base32 beside that of the standard library."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec import base32


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"f", "my"), (b"fo", "mzxq"), (b"foob", "mzxw6yq"), (b"foobar", "mzxw6ytboi")],
)
def test_the_examples_of_rfc_4648(data: bytes, text: str) -> None:
    assert base32.encode(data) == text


@given(st.binary(max_size=64))
def test_it_writes_what_the_standard_library_writes(data: bytes) -> None:
    assert base32.encode(data) == base64.b32encode(data).decode().rstrip("=").lower()
