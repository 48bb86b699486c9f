from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec.text import safe_block, safe_text

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]\u202e"

ANY_TEXT = st.text(st.characters(), max_size=60)
NASTY = st.text(
    st.sampled_from(
        "ae\u0301\u0308\u0323\u20dd\u0488\u200d\u200b"
        "\u1100\u1160\u1161\u11a8\u0f71\u0f72\u212b \n\x1b"
    ),
    max_size=40,
)


def is_dropped(char: str) -> bool:
    """Say what protocol §9 forbids, in other words than the code does."""
    number = ord(char)
    return (
        number < 0x20
        or 0x7F <= number <= 0x9F
        or 0x202A <= number <= 0x202E
        or 0x2066 <= number <= 0x2069
        or 0x200B <= number <= 0x200F
        or number in (0x061C, 0x2028, 0x2029, 0x2060, 0xFEFF, 0x00AD)
        or 0xE0000 <= number <= 0xE0FFF
        or 0xD800 <= number <= 0xDFFF
        or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )


def test_a_hostile_name_is_only_text() -> None:
    assert safe_text(HOSTILE) == "]0;owned[@click=app.quit]x[/]"
    assert safe_block(HOSTILE) == safe_text(HOSTILE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("laptop-7", "laptop-7"),
        ("a\tb\nc\r\nd", "a b c  d"),
        ("a\u2028b\u2029c\u00a0d\u3000e", "a b c d e"),
        ("\x9b2J\x7f", "2J"),
        ("x\u200b\u200e\u200f\u061c\u2066\u2069\ufeffy", "xy"),
        ("flag\U000e0067\U000e007f", "flag"),
        ("\ue000\U000f0000\ufffe\u0378", ""),
        ("\ud83d", ""),
        ("e\u0301", "\u00e9"),
        ("e\u200d\u0301", "\u00e9"),
        ("z" + "\u0335" * 50, "z" + "\u0335" * 3),
        ("\u0301a", "a"),
        ("\u115f\u1160\u3164\uffa0\u2800", ""),
        ("☎\ufe0f", "☎"),
        ("Zażółć 北京 العربية हिन्दी 🛰", "Zażółć 北京 العربية हिन्दी 🛰"),
    ],
)
def test_what_becomes_of_characters(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_block_keeps_its_lines_and_nothing_else() -> None:
    assert safe_block("a\r\nb\nc\td\x1b[2J\u2028e\rf") == "a\nb\nc d[2J e f"


@pytest.mark.parametrize("limit", [1, 2, 10, 256])
def test_long_text_is_cut_with_an_ellipsis(limit: int) -> None:
    assert safe_text("x" * limit, limit=limit) == "x" * limit
    cut = safe_text("x" * (limit + 1), limit=limit)
    assert len(cut) == limit
    assert cut.endswith("…")
    assert len(safe_text("\u0301x" * 10_000, limit=limit)) <= limit


@given(ANY_TEXT | NASTY, st.integers(1, 40))
def test_it_is_idempotent_and_normal(text: str, limit: int) -> None:
    for function in (safe_text, safe_block):
        once = function(text, limit=limit)
        assert function(once, limit=limit) == once
        assert unicodedata.is_normalized("NFC", once)
        assert len(once) <= limit


@given(ANY_TEXT | NASTY)
def test_nothing_forbidden_survives(text: str) -> None:
    assert not [char for char in safe_text(text) if is_dropped(char)]
    assert not [char for char in safe_block(text) if is_dropped(char) and char != "\n"]
    assert safe_text(text).encode().decode() == safe_text(text)


@given(ANY_TEXT | NASTY)
def test_marks_never_pile_up(text: str) -> None:
    run = 0
    for char in safe_text(text):
        run = run + 1 if unicodedata.category(char)[0] == "M" else 0
        assert run <= 3


def test_every_character_there_is() -> None:
    for number in range(0x110000):
        shown = safe_text(f"x{chr(number)}")
        assert unicodedata.normalize("NFD", shown)[0] == "x"
        assert not [char for char in shown if is_dropped(char)]
