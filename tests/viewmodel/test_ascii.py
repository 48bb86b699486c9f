from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.ascii import to_ascii


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("● online", "o online"),
        ("✗ lost", "x lost"),
        ("○ left", ". left"),
        ("✓ verified", "+ verified"),
        ("équipe-north", "equipe-north"),
        ("e\u0301quipe", "equipe"),
        ("медпункт", "????????"),
        ("救援", "????"),
        ("L─ B┄ W═ S≡", "L- B~ W= S#"),
        ("╭─╮│╰─╯", "+-+|+-+"),
        ("⠀⠁⣿", " .:"),
        ("▁▄█", "_=@"),
    ],
)
def test_signs_become_others_of_the_same_width(text: str, shown: str) -> None:
    assert to_ascii(text) == shown


@given(st.text())
def test_every_safe_text_keeps_its_cells(text: str) -> None:
    safe = safe_text(text)
    shown = to_ascii(safe)
    assert shown.isascii()
    assert cell_len(shown) == cell_len(safe)
