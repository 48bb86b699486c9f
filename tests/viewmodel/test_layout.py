from __future__ import annotations

import json

import pytest
from rich.cells import cell_len

from presence_core.model import ViewState
from presence_tui.viewmodel.columns import (
    BUILT_IN,
    NARROWEST,
    WIDEST,
    Chosen,
    column_of,
    columns_for,
)
from presence_tui.viewmodel.layout import (
    MAX_COLUMNS,
    MAX_PINNED,
    Columns,
    Layout,
    layout_text,
    read_layout,
)
from presence_tui.viewmodel.metadata import metadata_keys, metadata_value, metadata_words
from presence_tui.viewmodel.orders import GROUPS, can_sort
from presence_tui.viewmodel.rows import Query
from tests import canned
from tests.canned import make_peer
from tests.viewmodel.peers import FORBIDDEN, HOSTILE

FULL = Layout(
    columns=(Chosen("name", 20), Chosen("meta:role"), Chosen("hops", 5)),
    sort=(("meta:role", True), ("name", False)),
    group="identity",
    pinned=frozenset({"pk1a", "pk1b"}),
)


def choosing(layout: Layout = Layout(), width: int = 79) -> Columns:  # noqa: B008
    return Columns(layout, ["meta:role", "meta:deck.place"], width)


def shown_keys(columns: Columns) -> list[str]:
    return [column.key for column in columns.layout.columns]


def sorts(columns: Columns) -> list[tuple[str, bool]]:
    return list(columns.layout.sort)


def grouped_by(columns: Columns) -> str:
    return columns.layout.group


# -- columns that a person wants


def test_chosen_columns_are_shown_in_their_order_and_width() -> None:
    chosen = (Chosen("hops", 9), Chosen("meta:role"), Chosen("name"), Chosen("nonsense"))
    columns = columns_for(200, ViewState.CURRENT, chosen)
    assert [c.key for c in columns] == ["hops", "meta:role", "name"]
    assert [c.width for c in columns] == [9, 30, 36]
    assert columns[1].title == "ROLE"


@pytest.mark.parametrize("width", range(20, 200, 7))
def test_of_chosen_columns_those_are_shown_that_there_is_room_for(width: int) -> None:
    chosen = [Chosen(key) for key in BUILT_IN]
    columns = columns_for(width, ViewState.CURRENT, chosen)
    assert 1 + sum(c.width + 1 for c in columns) <= max(width, 16)
    assert [c.key for c in columns] == list(BUILT_IN[: len(columns)])


def test_a_column_of_metadata_is_named_after_the_last_key() -> None:
    column = column_of("meta:deck.place")
    assert column is not None
    assert column.title == "PLACE"
    assert column_of("nothing") is None
    assert column_of("meta:") is None
    hostile = column_of(f"meta:{HOSTILE}")
    assert hostile is not None
    assert not FORBIDDEN & set(hostile.title)
    assert cell_len(hostile.title) <= 24


# -- metadata as columns


def test_values_of_metadata_are_one_safe_line() -> None:
    peer = make_peer(
        1,
        peer_metadata={
            "role": "medic",
            "deck": {"place": "aft", "level": 2},
            "on": True,
            "rooms": ["a", 5, {"x": 1}],
            "bad": HOSTILE * 50,
            "none": None,
        },
    )
    words = {
        key: metadata_words(metadata_value(peer, f"meta:{key}"))
        for key in ("role", "deck", "deck.place", "on", "rooms", "none", "x", "role.x", "bad")
    }
    assert not FORBIDDEN & set(words["bad"])
    assert len(words.pop("bad")) <= 64
    assert words == {
        "role": "medic",
        "deck": "{2}",
        "deck.place": "aft",
        "on": "true",
        "rooms": "a, 5, {1}",
        "none": "",
        "x": "",
        "role.x": "",
    }


def test_the_commonest_keys_are_offered_and_not_too_many() -> None:
    assert metadata_keys(canned.team().remote_peers)[:3] == [
        "meta:role",
        "meta:location",
        "meta:team",
    ]
    crowd = [make_peer(n, peer_metadata={f"k{n}.{m}": m for m in range(99)}) for n in range(9)]
    assert metadata_keys(crowd) == []  # a dot is the way into an object
    crowd = [make_peer(n, peer_metadata={f"k{m}": {"a": m} for m in range(99)}) for n in range(9)]
    assert len(metadata_keys(crowd)) == 32
    assert "meta:k0.a" in metadata_keys(crowd)


# -- the layout as text


def test_a_layout_comes_back_from_its_text() -> None:
    assert read_layout(layout_text(FULL)) == FULL
    assert read_layout(layout_text(Layout())) == Layout()
    assert Layout.of(FULL.columns, FULL.into(Query(search="x"))) == FULL
    assert FULL.into(Query(search="x")).search == "x"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "1",
        "[" * 100_000,
        '{"columns": 5, "sort": "x", "group": 7, "pinned": {}}',
        '{"columns": [["name"], 7, ["a", 1], [1, 2], ["meta:", 3]], "sort": [["x", true]]}',
        '{"group": "name", "pinned": [1, null]}',
    ],
)
def test_what_does_not_fit_is_left_out(text: str) -> None:
    assert read_layout(text) == Layout()


def test_what_is_read_is_bounded() -> None:
    text = json.dumps(
        {
            "columns": [[f"meta:{n}", 10**9] for n in range(9_999)] + [["meta:" + "x" * 999, 1]],
            "sort": [["name", 1]] * 99,
            "pinned": [f"pk{n}" for n in range(9_999)],
        }
    )
    layout = read_layout(text)
    assert len(layout.columns) == MAX_COLUMNS
    assert {c.width for c in layout.columns} == {WIDEST}
    assert len(layout.pinned) == MAX_PINNED


# -- changing it


def test_every_column_is_offered_those_that_are_shown_first() -> None:
    columns = choosing()
    shown = [key for key in columns.keys if columns.shown(key)]
    assert shown == columns.keys[: len(shown)]
    assert shown == [c.key for c in columns_for(79)]
    assert set(columns.keys) == {*BUILT_IN, "meta:role", "meta:deck.place"}
    for key in columns.keys:
        assert can_sort(key)
        assert cell_len("".join(span.text for span in columns.line(key))) <= 56


def test_columns_are_shown_hidden_moved_and_sized() -> None:
    columns = choosing()
    columns.toggle("meta:role")
    columns.toggle("via")
    while columns.keys[0] != "meta:role":
        columns.move("meta:role", -1)
    columns.move("meta:role", -1)
    columns.resize("name", 1)
    keys = [c.key for c in columns.layout.columns]
    assert keys == ["meta:role", "name", "key", "presence", "hops", "links", "identity"]
    assert columns.layout.columns[1].width == 15
    for _ in range(99):
        columns.resize("name", -1)
        columns.resize("key", 1)
    assert columns.layout.columns[1].width == NARROWEST
    assert columns.layout.columns[2].width == WIDEST


def test_the_last_column_stays() -> None:
    columns = choosing(Layout(columns=(Chosen("name"),)))
    columns.toggle("name")
    assert shown_keys(columns) == ["name"]
    columns.toggle("key")
    columns.toggle("name")
    assert shown_keys(columns) == ["key"]


def test_sorting_by_several_and_grouping() -> None:
    columns = choosing()
    columns.sort("meta:role", also=False)
    columns.sort("name", also=True)
    columns.sort("name", also=True)
    columns.group("identity")
    assert sorts(columns) == [("meta:role", False), ("name", True)]
    assert grouped_by(columns) == "identity"
    assert "1▲" in columns.line("meta:role")[3].text
    assert "2▼" in columns.line("name")[3].text
    columns.group("name")  # every name is another group
    assert grouped_by(columns) == "identity"
    columns.group("identity")
    assert grouped_by(columns) == ""
    columns.sort("hops", also=False)
    assert sorts(columns) == [("hops", False)]
    for key in GROUPS:
        columns.group(key)
        assert grouped_by(columns) == key


def test_it_can_be_as_usual_again_with_the_pinned_still_pinned() -> None:
    columns = choosing(FULL)
    columns.reset(79)
    assert columns.layout == Layout(pinned=FULL.pinned)
    assert columns.shown("identity")
