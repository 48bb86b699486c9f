from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec.metadata import encode_metadata
from presence_core.codec.text import safe_block
from presence_tui.viewmodel.editor import (
    Editing,
    EditorState,
    check,
    counter,
    details,
    escape_hidden,
    key_changes,
    metadata_text,
    published_page,
    state_line,
)
from presence_tui.viewmodel.page import Page, Tone
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, metadata_of_size

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def nested(depth: int) -> str:
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


def words(page: Page) -> str:
    return "\n".join(line.text for line in page)


def editing(published: dict[str, Any], text: str | None = None) -> Editing:
    """Return the state of an editor that shows published metadata, or an edited text."""
    model = Editing()
    assert model.publish(published) is not None
    if text is not None:
        model.edited()
        model.checked(check(text))
    return model


def state(model: Editing) -> EditorState:
    return model.state


@pytest.mark.parametrize(
    ("size", "limit", "tone"),
    [
        (4_096, "4,096", Tone.DIM),
        (4_097, "131,072", Tone.WARNING),
        (131_072, "131,072", Tone.WARNING),
        (131_073, "131,072", Tone.BAD),
    ],
)
def test_the_byte_counter_at_its_borders(size: int, limit: str, tone: Tone) -> None:
    result = check(json.dumps(metadata_of_size(size)))
    shown = counter(result.size)
    assert result.size == size
    assert shown.text == f"{size:,} / {limit} B"
    assert shown.tone is tone
    assert (result.error is None) == (size <= 131_072)
    assert (result.encoded is None) == (size > 131_072)


def test_too_many_bytes_name_the_limit_and_a_warning_says_what_it_costs() -> None:
    too_large = check(json.dumps(metadata_of_size(131_073)))
    assert too_large.error is not None
    assert "131,072" in too_large.error
    heavy = editing({}, json.dumps(metadata_of_size(4_097)))
    assert "costs on Bluetooth" in words(details(heavy))
    light = editing({}, json.dumps(metadata_of_size(4_096)))
    assert "Bluetooth" not in words(details(light))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "comes twice"),
        ('{"a": NaN}', "finite"),
        ('{"a": -Infinity}', "finite"),
        ('{"a": 1e999}', "/a"),
        ("[1]", "object"),
        ('"x"', "object"),
        ('{"a": 18446744073709551616}', "/a"),
        ('{"a": "\\ud800"}', "/a"),
        (nested(17), "limit of 16"),
        ('{\n  "a": }', "line 2"),
        ("", "write {}"),
    ],
)
def test_what_is_no_metadata_is_said_with_the_reason(text: str, said: str) -> None:
    result = check(text)
    assert result.error is not None
    assert said in result.error
    assert result.encoded is None
    assert result.size is None
    assert counter(result.size).text == "– / 4,096 B"


def test_sixteen_levels_pass() -> None:
    assert check(nested(16)).error is None


def test_where_json_breaks_off_is_known() -> None:
    assert check('{\n  "a": }').position == (1, 7)
    assert check('{"a": 1, "a": 2}').position is None


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4))
def test_the_text_of_metadata_means_the_same_and_is_harmless(metadata: dict[str, Any]) -> None:
    text = metadata_text(metadata)
    result = check(text)
    assert result.encoded == encode_metadata(metadata)
    shown = safe_block(text, limit=1_000_000)
    assert shown == unicodedata.normalize("NFC", text)  # there was nothing to drop


@given(st.text())
def test_whatever_is_pasted_becomes_harmless(text: str) -> None:
    shown = escape_hidden(text)
    assert escape_hidden(shown) == shown
    assert not FORBIDDEN & set(shown)
    for char in shown:
        assert char in "\n\t" or char.isprintable()


def test_what_prints_is_left_alone() -> None:
    for text in ('{"a": "é 日本語 ñ"}', "\t{}\n", '{"a": "\\u001b"}'):
        assert escape_hidden(text) == text
    assert escape_hidden("a\r\nb\rc") == "a\nb\nc"
    assert escape_hidden("\x1b\u202e") == "\\u001b\\u202e"
    assert escape_hidden("a" + "\u0301" * 5) == "a" + "\u0301" * 3 + "\\u0301" * 2


def test_an_unedited_text_follows_what_is_published() -> None:
    model = editing({"a": 1})
    assert state(model) is EditorState.PUBLISHED
    assert model.publish({"a": 2}) == '{\n  "a": 2\n}'
    assert state(model) is EditorState.PUBLISHED
    assert not model.drifted


def test_the_same_metadata_again_changes_nothing() -> None:
    metadata = {"a": 1}
    model = editing(metadata)
    assert model.publish(metadata) is None
    assert model.publish({"a": 1}) is None
    assert model.publish({"a": True}) is not None  # equal to Python, another value in JSON


def test_an_edited_text_is_kept_when_the_published_value_changes() -> None:
    model = editing({"a": 1}, '{"a": 5}')
    assert state(model) is EditorState.EDITED
    assert model.publish({"a": 2}) is None
    assert model.drifted
    assert "published changed meanwhile" in words(details(model))
    model.edited()
    model.checked(check('{"a": 2}'))
    assert state(model) is EditorState.PUBLISHED
    assert not model.drifted


def test_an_invalid_text_is_kept_when_the_published_value_changes() -> None:
    model = editing({"a": 1}, '{"a": ')
    assert model.publish({"a": 2}) is None
    assert state(model) is EditorState.INVALID
    assert model.drifted


def test_a_text_that_is_not_checked_yet_is_kept_too() -> None:
    model = editing({"a": 1})
    model.edited()
    assert model.dirty
    assert model.publish({"a": 2}) is None


def test_another_spelling_of_the_same_value_is_not_unsent() -> None:
    assert editing({"a": 1, "b": 2}, '{"b":2,"a":1}').state is EditorState.PUBLISHED


def test_sending_ends_in_published() -> None:
    model = editing({"a": 1}, '{"a": 5}')
    assert model.send()
    assert state(model) is EditorState.SENDING
    assert not model.send()
    model.saved()
    assert state(model) is EditorState.PUBLISHED
    assert model.published == {"a": 5}
    assert model.publish({"a": 5}) is None


def test_graphs_that_were_under_way_do_not_bring_the_old_value_back() -> None:
    old = {"a": 1}
    model = editing(old, '{"a": 5}')
    model.send()
    model.saved()
    assert model.publish(old) is None
    assert state(model) is EditorState.PUBLISHED
    assert model.publish({"a": 5}) is None
    assert model.publish({"a": 1}) is not None  # now somebody means it


def test_an_old_value_that_stays_is_believed_in_the_end() -> None:
    model = editing({"a": 1}, '{"a": 5}')
    model.send()
    model.saved()
    follows = [model.publish({"a": 1}) is not None for _ in range(10)]
    assert follows.index(True) > 0


def test_the_graph_may_be_faster_than_the_answer() -> None:
    model = editing({"a": 1}, '{"a": 5}')
    model.send()
    assert model.publish({"a": 5}) is None
    assert not model.drifted
    model.saved()
    assert state(model) is EditorState.PUBLISHED


def test_what_is_typed_while_sending_stays_unsent() -> None:
    model = editing({"a": 1}, '{"a": 5}')
    model.send()
    model.edited()
    model.checked(check('{"a": 6}'))
    assert state(model) is EditorState.SENDING
    model.saved()
    assert state(model) is EditorState.EDITED
    assert model.published == {"a": 5}
    assert not model.drifted


def test_a_refusal_is_told_until_the_text_changes() -> None:
    model = editing({"a": 1}, '{"a": 5}')
    model.send()
    model.failed(f"disk full {HOSTILE}")
    assert state(model) is EditorState.FAILED
    assert model.unsent
    assert "disk full" in words(details(model))
    assert not FORBIDDEN & set(words(details(model)))
    model.edited()
    model.checked(check('{"a": 6}'))
    assert state(model) is EditorState.EDITED
    assert model.send()


def test_nothing_to_send_is_not_sent() -> None:
    assert not editing({"a": 1}).send()
    assert not editing({"a": 1}, "{").send()


@pytest.mark.parametrize("state", list(EditorState))
def test_every_state_has_a_mark_and_words(state: EditorState) -> None:
    assert state.value in state_line(state).text


def test_changed_keys_are_named() -> None:
    before = {"a": 1, "b": {"c": [1]}, "gone": 0}
    assert key_changes(before, before) == ""
    assert key_changes(before, {"a": 1.0, "b": {"c": [2]}, "new": 0}) == ": + new, ~ a, ~ b, - gone"
    assert key_changes({}, {str(n): n for n in range(6)}) == ": + 0, + 1, + 2, + 3, 2 more"
    assert not FORBIDDEN & set(key_changes({}, {HOSTILE: 1}))


def test_what_others_see_stands_beside_what_will_be_sent() -> None:
    said = words(details(editing({"a": 1}, '{"a": 1, "b": 2}')))
    assert "others see  1 key" in said
    assert "will send   2 keys: + b" in said
    assert "will send" not in words(details(editing({"a": 1})))
    assert "others see  {} (nothing)" in words(details(Editing()))


def test_the_published_page_is_bounded_and_harmless() -> None:
    page = published_page({"many": list(range(65_000)), HOSTILE: "x" * 100_000})
    assert len(page) < 500
    assert not FORBIDDEN & set(words(page))
