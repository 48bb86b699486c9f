from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len

from presence_core.model import IdentityStatus, PeerPresence, PresenceState, ViewState
from presence_tui.viewmodel.columns import Column, columns_for
from presence_tui.viewmodel.orders import SORTS
from presence_tui.viewmodel.page import Span, Tone
from presence_tui.viewmodel.rows import Query, Row, Show
from presence_tui.viewmodel.table import (
    CellContext,
    asked_words,
    cell,
    fit,
    rtt_words,
    since_words,
    title,
    via_words,
)
from presence_tui.viewmodel.words import LAST_KNOWN, UNSURE, link_words, presence_words
from tests import canned
from tests.canned import HARMLESS, HOSTILE, NOW, ago, make_peer, peer_key

WIDTHS = range(40, 260)


def context() -> CellContext:
    return CellContext(
        peer_key(0), view=ViewState.CURRENT, now=NOW, names=lambda key: f"name of {key[-4:]}"
    )


def said(row: Row, key: str) -> Span:
    column = next(c for c in columns_for(200) if c.key == key)
    return cell(row, column, context())


# -- columns


@pytest.mark.parametrize("view", ViewState)
def test_columns_fill_the_table_and_never_more(view: ViewState) -> None:
    for width in WIDTHS:
        columns = columns_for(width, view)
        used = 1 + sum(column.width + 1 for column in columns)
        assert used <= max(width, 66 if view in UNSURE else 62)
        assert columns[0].width >= 14


def test_what_is_there_at_the_three_sizes() -> None:
    def keys(width: int) -> list[str]:
        return [column.key for column in columns_for(width)]

    assert keys(65) == ["name", "key", "presence", "hops", "links", "identity"]
    always = ["name", "key", "presence", "hops", "via", "links", "identity"]
    assert keys(75) == keys(79) == always  # beside a pane at 120 columns; 80, and a scroll bar
    assert keys(120) == keys(101) == [*always, "rtt", "changed"]


@pytest.mark.parametrize(("width", "least"), [(75, 12), (79, 13), (101, 14), (150, 30)])
def test_there_is_room_for_a_name_in_via(width: int, least: int) -> None:
    widths = {column.key: column.width for column in columns_for(width)}
    assert widths["via"] >= least
    for there in (75, 79):
        assert columns_for(there, ViewState.STALE)[4].key == "via"


def test_a_wider_table_never_has_fewer_columns() -> None:
    counts = [len(columns_for(width)) for width in WIDTHS]
    assert counts == sorted(counts)


def test_an_unsure_table_has_room_for_its_words_and_no_round_trips() -> None:
    columns = {column.key: column.width for column in columns_for(200, ViewState.STALE)}
    assert columns["presence"] == cell_len(LAST_KNOWN.text)
    assert "rtt" not in columns


def test_a_blind_table_has_no_ways_but_says_when_something_changed_last() -> None:
    for width in (75, 79, 200):
        keys = {column.key for column in columns_for(width, ViewState.BLIND)}
        assert "changed" in keys
        assert keys.isdisjoint({"via", "rtt"})


def test_titles_are_as_wide_as_their_columns_with_the_gap() -> None:
    for column in columns_for(200):
        for sort in SORTS:
            for reverse in (False, True):
                assert cell_len(title(column, sort=sort, reverse=reverse)) == column.width + 1
        plain = title(column, sort="", reverse=False)
        assert plain.strip() == column.title


def test_the_title_of_the_sorted_column_shows_which_way() -> None:
    column = Column("hops", "HOPS", 4, right=True)
    assert title(column, sort="hops", reverse=False) == "HOPS▲"
    assert title(column, sort="hops", reverse=True) == "HOPS▼"
    assert title(column, sort="name", reverse=True) == "HOPS "


@pytest.mark.parametrize("text", ["", "abc", "a" * 30, "救援隊・北の橋", "e\u0301" * 12, "🚑 a"])
@pytest.mark.parametrize("width", [1, 2, 7, 12])
def test_a_fitted_text_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit(text, width, right=True)) == width


# -- cells


def test_every_cell_of_every_canned_peer_fits_its_column_but_a_long_name() -> None:
    for graph in (canned.many(), canned.team(), canned.hostile()):
        for peer in graph.remote_peers:
            for column in columns_for(200):
                span = cell(Row(peer, NOW), column, context())
                assert span.text.isprintable()
                assert column.key == "name" or cell_len(span.text) <= column.width, column


def test_a_hostile_name_is_harmless_and_literal() -> None:
    assert said(Row(make_peer(1, HOSTILE), NOW), "name") == Span(HARMLESS, Tone.STRONG)


def test_a_peer_without_a_name_says_so() -> None:
    assert said(Row(make_peer(1, "\u200b"), NOW), "name") == Span("(no name)", Tone.DIM)


@pytest.mark.parametrize("state", PresenceState)
@pytest.mark.parametrize("view", ViewState)
@pytest.mark.parametrize("hops", [None, 1, 3])
def test_presence_has_a_sign_and_a_word_and_nobody_is_online_in_an_unsure_view(
    state: PresenceState, view: ViewState, hops: int | None
) -> None:
    span = presence_words(make_peer(1, presence=PeerPresence(state, hops=hops)), view)
    sign, word = span.text.split(maxsplit=1)
    assert not sign.isalnum()
    unsure = {
        ViewState.STALE: {PresenceState.ONLINE},
        ViewState.BLIND: {PresenceState.ONLINE, PresenceState.LOST},
    }
    assert word == ("last known" if state in unsure.get(view, ()) else state)


@pytest.mark.parametrize("status", IdentityStatus)
def test_identity_has_a_sign_and_a_word_that_is_not_cut(status: IdentityStatus) -> None:
    text = said(Row(make_peer(1, identity=canned.identity(status)), NOW), "identity").text
    sign, word = text.split(maxsplit=1)
    assert not sign.isalnum()
    assert word
    assert cell_len(text) <= 16


def test_hops_and_via() -> None:
    far = PeerPresence(PresenceState.ONLINE, hops=3, via=(peer_key(1), peer_key(2)))
    row = Row(make_peer(5, presence=far), NOW)
    assert said(row, "hops").text == "3"
    assert said(row, "via").text == f"name of {peer_key(1)[-4:]} +1"
    assert via_words(row.peer, lambda _: "a-very-long-name", 10) == "a-very… +1"
    gone = Row(make_peer(5, presence=PeerPresence(PresenceState.LOST)), NOW)
    assert said(gone, "hops").text == "-"
    assert said(gone, "via").text == ""
    near = Row(make_peer(5), NOW)
    assert (said(near, "hops").text, said(near, "via").text) == ("1", "direct")


@pytest.mark.parametrize(
    ("rtt", "words"),
    [(0.04, "0.0 ms"), (9.96, "10.0 ms"), (99.9, "99.9 ms"), (100, "100 ms"), (1_500, "1.5 s")],
)
def test_round_trips(rtt: float, words: str) -> None:
    assert rtt_words(rtt) == words
    assert len(words) <= 7


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "now"),
        (4.9, "now"),
        (5, "5 s"),
        (59, "55 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (7_300, "2 h"),
        (200_000, "2 d"),
    ],
)
def test_how_long_ago(seconds: float, words: str) -> None:
    assert since_words(NOW - timedelta(seconds=seconds), NOW) == words


# -- links


def links(*types: str) -> str:
    own = peer_key(0)
    link = canned.one().remote_peers[0].connections[0]
    return link_words([replace(link, id=t, type=t) for t in types], own)


@pytest.mark.parametrize(
    ("types", "words"),
    [
        ((), ""),
        (("LAN",), "L─"),
        (("Bluetooth", "LAN"), "L─ B┄"),
        (("Server", "WebSocket", "LAN"), "L─ +2"),
        (("Server", "WebSocket", "LAN", "Bluetooth"), "L─ +3"),
        (("carrier pigeon",), "C·"),
        ((HOSTILE, "\u202e", ""), "?·"),
        (("救援",), "?·"),
    ],
)
def test_links_by_letter_and_shape(types: tuple[str, ...], words: str) -> None:
    assert links(*types) == words
    assert cell_len(words) <= 5


def test_only_confirmed_links_of_our_own_are_shown() -> None:
    link = canned.one().remote_peers[0].connections[0]
    assert link_words([replace(link, confirmed=False)], peer_key(0)) == ""
    assert link_words([link], peer_key(7)) == ""


# -- what is said of the table


def test_nothing_is_said_of_a_table_that_shows_everybody() -> None:
    assert set(asked_words(Query(sort="rtt"), count=9, of=9, held=False)) == {""}


def test_what_is_said_gets_shorter() -> None:
    query = Query(search="  water   pump ", show=Show.ONLINE)
    said = asked_words(query, count=3, of=1_200, held=True)
    assert said == (
        "only online · search: water pump · 3 of 1,200 · order held while you move",
        "online · /water pump · 3/1,200 · order held",
        "online /water… 3/1,200 held",
        "3/1,200 held",
        "3/1,200",
        "3",
    )
    assert asked_words(Query(), count=3, of=3, held=True)[0] == "order held while you move"


def test_the_clock_of_a_cell_is_the_one_it_is_given() -> None:
    row = Row(make_peer(1, presence=PeerPresence(PresenceState.LOST, last_seen=ago(65))), NOW)
    assert said(row, "changed").text == "1 min"
