"""Metadata as a form: kinds, changes that lose nothing, and what is refused in words."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.codec.metadata import encode_metadata
from presence_tui.viewmodel.fields import (
    TEMPLATE,
    FieldError,
    Kind,
    fields_of,
    suggested,
    typed,
    with_field,
    with_kind,
    with_name,
    with_template,
    with_value,
    without_field,
)
from tests.viewmodel.peers import FORBIDDEN, HOSTILE

METADATA: dict[str, Any] = {
    "role": "medic",
    "deck": 3,
    "height": 1.5,
    "ready": True,
    "note": None,
    "berths": [1, 2],
    "place": {"ship": "aurora"},
}
SIMPLE = st.one_of(
    st.text(max_size=20), st.integers(-(2**63), 2**64 - 1), st.booleans(), st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip


def test_fields() -> None:
    assert [(f.name, f.kind, f.shown) for f in fields_of(METADATA)] == [
        ("role", Kind.TEXT, "medic"),
        ("deck", Kind.NUMBER, "3"),
        ("height", Kind.NUMBER, "1.5"),
        ("ready", Kind.YES_NO, "yes"),
        ("note", Kind.NOTHING, "nothing"),
        ("berths", Kind.NESTED, "[1, 2]"),
        ("place", Kind.NESTED, '{"ship": "aurora"}'),
    ]


def test_read_only_values_of_a_graph_are_shown_too() -> None:
    frozen = MappingProxyType({"place": MappingProxyType({"ship": "aurora"})})
    assert fields_of(frozen)[0].shown == '{"ship": "aurora"}'


def test_hostile_keys_and_values_are_safe_and_stay_exact() -> None:
    metadata = {HOSTILE: HOSTILE, "": ""}
    for field in fields_of(metadata):
        assert not FORBIDDEN & set(field.name + field.shown)
        assert field.name
    assert [field.key for field in fields_of(metadata)] == list(metadata)
    assert without_field(metadata, HOSTILE) == {"": ""}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("role", "12", "12"),
        ("deck", "12", 12),
        ("deck", " -3 ", -3),
        ("deck", "4.25", 4.25),
        ("deck", "4,25", 4.25),
        ("deck", "1e3", 1000.0),
        ("ready", "no", False),
        ("ready", "TRUE", True),
        ("note", "now there is one", "now there is one"),
    ],
)
def test_a_typed_value_keeps_its_kind(key: str, text: str, value: object) -> None:
    changed = with_value(METADATA, key, text)
    assert changed == {**METADATA, key: value}
    assert type(changed[key]) is type(value)
    assert list(changed) == list(METADATA)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("deck", "three"),
        ("deck", ""),
        ("deck", "NaN"),
        ("deck", "Infinity"),
        ("deck", "1e999"),
        ("deck", "٣"),
        ("deck", "9" * 4_000),
        ("ready", "maybe"),
        ("berths", "[]"),
    ],
)
def test_what_is_not_of_that_kind_is_refused_in_one_line(key: str, text: str) -> None:
    with pytest.raises(FieldError) as refused:
        with_value(METADATA, key, text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize(
    ("key", "kind", "value"),
    [
        ("role", Kind.NUMBER, 0),
        ("role", Kind.YES_NO, True),
        ("role", Kind.NOTHING, None),
        ("deck", Kind.TEXT, "3"),
        ("deck", Kind.YES_NO, True),
        ("ready", Kind.NUMBER, 1),
        ("ready", Kind.TEXT, "yes"),
        ("note", Kind.TEXT, ""),
        ("note", Kind.YES_NO, False),
    ],
)
def test_another_kind(key: str, kind: Kind, value: object) -> None:
    changed = with_kind(METADATA, key, kind)
    assert changed[key] == value
    assert type(changed[key]) is type(value)


def test_a_nested_value_is_never_turned_into_something_else() -> None:
    assert Kind.NESTED.next() is Kind.NESTED
    for kind in Kind:
        with pytest.raises(FieldError):
            with_kind(METADATA, "place", kind)


@given(SIMPLE, st.lists(st.sampled_from(Kind), max_size=5))
def test_whatever_kinds_one_goes_through_it_is_metadata(value: object, kinds: list[Kind]) -> None:
    metadata: dict[str, Any] = {"x": value}
    for kind in kinds:
        if kind is not Kind.NESTED:
            metadata = with_kind(metadata, "x", kind)
            encode_metadata(metadata)
            assert fields_of(metadata)[0].kind is kind


@pytest.mark.parametrize("value", ["medic", "", 3, 1.5, None, "救援隊 é"])
def test_what_is_typed_begins_with_the_value_as_it_is(value: object) -> None:
    metadata = {"x": value}
    text = typed(value)
    assert with_value(metadata, "x", text) == ({"x": ""} if value is None else metadata)


@pytest.mark.parametrize("value", [HOSTILE, "x" * 5_000, "two\nlines", "e\u0301"])
def test_a_text_that_the_line_would_change_is_left_to_json(value: str) -> None:
    with pytest.raises(FieldError):
        typed(value)


def test_a_key_is_renamed_in_its_place() -> None:
    changed = with_name(METADATA, "deck", "level")
    assert list(changed)[1] == "level"
    assert changed["level"] == 3
    assert with_name(METADATA, "deck", "deck") == METADATA


@pytest.mark.parametrize("name", ["", "  ", "role"])
def test_a_name_that_is_taken_or_none_is_refused(name: str) -> None:
    with pytest.raises(FieldError):
        with_name(METADATA, "deck", name)
    with pytest.raises(FieldError):
        with_field(METADATA, name)


def test_a_new_field_comes_last_and_is_an_empty_text() -> None:
    assert list(with_field(METADATA, "fuel").items())[-1] == ("fuel", "")


def test_the_template_adds_what_is_missing_and_overwrites_nothing() -> None:
    filled = with_template({"role": "medic", "x": 1})
    assert filled == {"role": "medic", "x": 1, "team": "", "location": ""}
    assert with_template(filled) == filled
    assert suggested({"role": "medic"}) == ["team", "location"]
    assert suggested({}) == list(TEMPLATE)


def test_changes_leave_the_old_object_alone() -> None:
    before = dict(METADATA)
    for change in (
        with_value(METADATA, "role", "x"),
        with_kind(METADATA, "role", Kind.NUMBER),
        with_name(METADATA, "role", "x"),
        with_field(METADATA, "x"),
        without_field(METADATA, "role"),
        with_template(METADATA),
    ):
        assert change != METADATA
    assert before == METADATA
