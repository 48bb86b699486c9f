from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from presence_tui.viewmodel.moments import ago, span_words, stamp
from presence_tui.viewmodel.page import Line, Span, Tone, fact, lay_out, line, unbroken

NOW = datetime(2026, 11, 23, 21, 41, tzinfo=UTC)


def rows(*lines: Line, width: int) -> list[str]:
    return ["".join(span.text for span in row) for row in lay_out(lines, width)]


def test_words_wrap_and_the_next_row_hangs() -> None:
    assert rows(fact("trust", "seen before but", width=8), width=16) == [
        "trust   seen",
        "        before",
        "        but",
    ]


def test_a_word_wider_than_the_row_is_broken() -> None:
    assert rows(line("abcdefgh", indent=1, hang=2), width=4) == [" abc", "  de", "  fg", "  h"]


def test_wide_characters_count_as_two_cells() -> None:
    assert rows(line("日本語日本語"), width=5) == ["日本", "語日", "本語"]


def test_an_indent_never_takes_more_than_half() -> None:
    assert rows(line("ab", indent=60), width=4) == ["  ab"]


def test_fixed_lines_and_unbroken_texts_stay_whole() -> None:
    assert rows(Line((Span("▀ ▄ █ ▀"),), fixed=True), width=3) == ["▀ ▄ █ ▀"]
    assert rows(line("until  ", unbroken("3 h left")), width=10) == ["until", "3\xa0h\xa0left"]


def test_wrapping_keeps_tones() -> None:
    page = (line(Span("one ", Tone.DIM), Span("two", Tone.BAD)),)
    assert lay_out(page, 4) == [(Span("one", Tone.DIM),), (Span("two", Tone.BAD),)]


@given(st.text(st.sampled_from("ab 日é-"), max_size=60), st.integers(2, 20), st.integers(0, 9))
def test_wrapping_loses_nothing_but_blanks_and_never_overflows(
    text: str, width: int, hang: int
) -> None:
    laid = rows(line(text, hang=hang), width=width)
    assert "".join(laid).replace(" ", "") == text.replace(" ", "")
    for row in laid:
        assert cell_len(row.rstrip()) <= max(width, min(hang, width // 2) + 2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (-61, "1 min 1 s"),
        (659, "10 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_spans_of_time_in_words(seconds: float, words: str) -> None:
    assert span_words(seconds) == words


def test_a_clock_ahead_of_ours_is_just_now() -> None:
    assert ago(NOW + timedelta(minutes=5), NOW) == "just now"
    assert ago(NOW - timedelta(seconds=4), NOW) == "4 s ago"


def test_a_stamp_is_on_the_clock_of_now() -> None:
    assert stamp(NOW, NOW) == "21:41:00 UTC"
    assert stamp(NOW - timedelta(days=1), NOW) == "2026-11-22 21:41 UTC"
    here = NOW.astimezone(timezone(timedelta(hours=3)))
    assert stamp(NOW, here) == "00:41:00"
