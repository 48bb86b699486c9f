"""What saving changes for others, place by place."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from presence_tui.viewmodel.differences import (
    MAX_ROWS,
    Difference,
    difference_page,
    differences,
)
from tests.viewmodel.peers import FORBIDDEN, HOSTILE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def test_new_changed_and_gone() -> None:
    before = {"role": "medic", "deck": 3, "old": 1, "place": {"ship": "aurora", "berth": 4}}
    after = {"role": "lead", "deck": 3, "new": [1, 2], "place": {"ship": "aurora", "berth": 5}}
    assert differences(before, after) == [
        Difference("~", "role", '"medic"', '"lead"'),
        Difference("+", "new", after="[1, 2]"),
        Difference("~", "place › berth", "4", "5"),
        Difference("-", "old", "1"),
    ]


def test_kinds_that_look_alike_differ() -> None:
    assert differences({"a": 1, "b": "1", "c": True}, {"a": "1", "b": 1, "c": 1})
    assert differences({"a": 1}, {"a": "1"}) == [Difference("~", "a", "1", '"1"')]


@given(OBJECTS, OBJECTS)
def test_there_is_a_difference_exactly_when_they_differ(
    one: dict[str, object], other: dict[str, object]
) -> None:
    import json

    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (differences(one, other) == []) is same
    assert len(differences(one, other)) == len(differences(other, one))


def test_read_only_mappings_compare_by_what_they_hold() -> None:
    frozen = MappingProxyType({"place": MappingProxyType({"ship": "aurora"})})
    assert differences(frozen, {"place": {"ship": "aurora"}}) == []


def test_the_page_is_short_and_safe() -> None:
    many = {f"key-{n}": "x" * 1_000 for n in range(500)}
    page = difference_page({}, many)
    assert len(page) == MAX_ROWS + 2
    assert page[-1].text == f"… and {500 - MAX_ROWS} more"
    assert all(len(row.text) < 160 for row in page)
    for row in difference_page({HOSTILE: HOSTILE}, {HOSTILE: [HOSTILE], "": 1}):
        assert not FORBIDDEN & set(row.text)
    assert difference_page({"a": 1}, {"a": 1})[0].text == "others see this already"
