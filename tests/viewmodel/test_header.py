from __future__ import annotations

from dataclasses import replace

import pytest

from presence_core.model import Condition, ConditionState, PresenceGraph, View, ViewState
from presence_tui.viewmodel.conditions import conditions_page
from presence_tui.viewmodel.header import header_page
from presence_tui.viewmodel.help import help_page
from presence_tui.viewmodel.page import Page, lay_out
from presence_tui.viewmodel.tally import Tallies
from presence_tui.viewmodel.words import condition_words, view_words
from tests import canned
from tests.canned import HARMLESS, NOW, ago, peer_key, with_conditions


def text_of(page: Page) -> str:
    return "\n".join(line.text for line in page).replace("\u00a0", " ")


def header(graph: PresenceGraph) -> str:
    return text_of(header_page(graph, Tallies(graph.remote_peers).now, NOW))


def test_a_first_look_answers_who_where_how_surely_and_how_many() -> None:
    graph = canned.many()
    who, how = header(graph).splitlines()
    short = graph.local_peer.short_id
    assert who == f"mesh field keyed  field-laptop {short}  LAN ✓ ok  mDNS ✓ ok  ! 1 notice (5)"
    assert how == "● current  8 direct · 34 online · 9 verified · ✗ 4 lost · ○ 2 left"


@pytest.mark.parametrize("scene", [canned.many, canned.team, canned.one, canned.filling])
def test_the_header_takes_two_lines_at_80_columns(scene: object) -> None:
    graph = scene()  # type: ignore[operator]
    page = header_page(graph, Tallies(graph.remote_peers).now, NOW)
    assert len(lay_out(page, 78)) == 2


def test_a_blind_view_says_since_when_and_why_and_claims_nobody() -> None:
    how = header(canned.blind()).splitlines()[1]
    assert how.startswith("✗ blind since 21:39:25 UTC  ? 10 last known · ○ 1 left  no link to any")
    for word in ("direct", "verified", "lost", "online"):
        assert word not in how


def test_the_team_is_counted_by_how_far_away_it_is() -> None:
    how = header(canned.team()).splitlines()[1]
    assert how == "● current  3 direct · 7 online · 0 verified · ✗ 3 lost · ○ 1 left"


def test_a_stale_view_claims_nobody_to_be_online_but_remembers_who_was_lost() -> None:
    how = header(canned.stale()).splitlines()[1]
    counts = "? 7 last known · ✗ 3 lost · ○ 1 left"
    assert how == f"◐ stale since 21:40:57 UTC  {counts}  no neighbour is answering"


def test_online_peers_of_a_graph_that_went_blind_are_last_known_too() -> None:
    graph = replace(canned.team(), view=View(ViewState.BLIND, NOW, "no link to any peer"))
    assert "? 10 last known" in header(graph)


def test_filling_says_what_is_going_on() -> None:
    assert "◌ filling  0 direct · 0 online · 0 verified  looking for peers" in header(
        canned.filling()
    )


def test_a_current_view_has_no_reason_to_tell() -> None:
    graph = replace(canned.one(), view=View(ViewState.CURRENT, NOW, "left over"))
    assert "left over" not in header(graph)


def test_every_text_of_others_is_harmless_in_header_and_conditions() -> None:
    graph = canned.hostile()
    for text in (header(graph), text_of(conditions_page(graph, NOW))):
        assert HARMLESS in text
        assert all(char.isprintable() or char == "\n" for char in text)


def test_failures_count_as_notices_and_ways_are_shown_by_themselves() -> None:
    conditions = with_conditions(
        Condition("lan", ConditionState.FAILED, ago(1), "no address"),
        Condition("clock", ConditionState.WARNING, ago(1), "off"),
        Condition("home", ConditionState.FAILED, ago(1), "full"),
        Condition("ble", ConditionState.OFF, ago(1)),
    )
    who = header(replace(canned.one(), conditions=conditions)).splitlines()[0]
    assert "LAN ✗ failed" in who
    assert "Bluetooth - off" in who
    assert who.endswith("✗ 2 notices (5)")


@pytest.mark.parametrize("state", [*ViewState, *ConditionState])
def test_states_have_a_sign_and_a_word(state: ViewState | ConditionState) -> None:
    words = view_words(state) if isinstance(state, ViewState) else condition_words(state)
    sign, word = words.text.split()
    assert not sign.isalnum()
    assert word == state


def test_the_worst_condition_comes_first_with_what_to_do() -> None:
    conditions = with_conditions(
        Condition("mesh", ConditionState.WARNING, ago(60), "another mesh", "compare the keys"),
        Condition("home", ConditionState.FAILED, ago(30), "disk full", "make room"),
        Condition("static", ConditionState.OFF, ago(30)),
    )
    lines = text_of(conditions_page(replace(canned.one(), conditions=conditions), NOW)).splitlines()
    signs = [line.split()[0] for line in lines[1:] if line and line.split()[0] in "✗!✓-"]
    assert signs == ["✗", "!", "✓", "✓", "✓", "✓", "✓", "✓", "-"]
    failed = lines.index("✗ failed   files  since 21:40:30 UTC")
    assert lines[failed + 1 : failed + 3] == ["disk full", "what to do: make room"]


def test_a_source_of_conditions_that_is_not_known_is_shown_by_its_own_name() -> None:
    conditions = (Condition("pigeons", ConditionState.OK, ago(1)),)
    assert "✓ ok       pigeons" in text_of(
        conditions_page(replace(canned.one(), conditions=conditions), NOW)
    )


def test_conditions_name_the_peers_whose_keys_they_tell() -> None:
    graph = canned.team()
    near, unknown = peer_key(1)[:12], peer_key(99)[:12]
    told = f"{peer_key(2)[:12]}… ('field-hospital') at 10.0.0.7"
    said = f"{near}… sent 3 records that do not hold; {unknown}… too; {told}"
    condition = Condition("gossip", ConditionState.WARNING, ago(60), said, "find that device")
    text = text_of(conditions_page(replace(graph, conditions=(condition,)), NOW))
    assert "! warning  what neighbours send" in text
    assert f"{near}… ('triage-tent') sent 3 records that do not hold; {unknown}… too" in text
    assert f"; {told}\n" in text


def test_no_line_of_the_help_is_cut_at_80_columns() -> None:
    assert all(not line.fixed for line in help_page())
    for word in (
        "last known",
        "blind",
        "current",
        "unsupported algorithm",
        "ctrl+s",
        "LAN",
        "hops:>1",
    ):
        assert word in text_of(help_page())
