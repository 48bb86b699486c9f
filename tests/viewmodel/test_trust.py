from __future__ import annotations

import pytest

from presence_core.model import Trust
from presence_tui.viewmodel.page import Page
from presence_tui.viewmodel.trust import (
    DECISIONS,
    Decision,
    cautions,
    done_words,
    needless_words,
    possible,
    question,
    safety_rows,
)
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, peer

LOCAL = peer(1, "field-laptop")


def text(page: Page) -> str:
    return "\n".join(paragraph.text for paragraph in page).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("trust", "decisions"),
    [
        (Trust.UNKNOWN, {Decision.VERIFY, Decision.BLOCK}),
        (Trust.SEEN, set(Decision)),
        (Trust.VERIFIED, {Decision.BLOCK, Decision.FORGET}),
        (Trust.BLOCKED, {Decision.VERIFY, Decision.FORGET}),
    ],
)
def test_only_what_would_change_something_can_be_decided(
    trust: Trust, decisions: set[Decision]
) -> None:
    other = peer(2, trust=trust)
    assert {d for d in Decision if possible(d, LOCAL, other)} == decisions
    for decision in set(Decision) - decisions:
        assert f"{other.device_name} is {trust} already" in needless_words(decision, LOCAL, other)


@pytest.mark.parametrize("decision", list(Decision))
def test_nobody_decides_about_his_own_key(decision: Decision) -> None:
    assert not possible(decision, LOCAL, LOCAL)
    assert "select another peer" in needless_words(decision, LOCAL, LOCAL)
    assert "select another peer" in needless_words(decision, LOCAL, None)


@pytest.mark.parametrize("decision", list(Decision))
def test_every_question_names_the_peer_and_what_speaks_against_it(decision: Decision) -> None:
    other = peer(2, "base camp", key_warning="met before under another key", trust=Trust.SEEN)
    asked = question(decision, LOCAL, other)
    shown = text(asked.page)
    assert "base camp" in shown
    assert other.short_id in shown
    assert "! key warning: met before under another key" in shown
    assert asked.yes != asked.no
    assert decision.title() in asked.title
    assert DECISIONS[decision]
    assert "base camp" in done_words(decision, other)


def test_who_verifies_sees_the_safety_number() -> None:
    other = peer(2)
    rows = safety_rows(LOCAL.peer_key, other.peer_key)
    shown = text(question(Decision.VERIFY, LOCAL, other).page)
    assert len(rows) == 3
    assert all(row in shown for row in rows)
    assert rows[0] not in text(question(Decision.BLOCK, LOCAL, other).page)


def test_a_key_that_is_none_is_not_to_be_verified() -> None:
    shown = text(question(Decision.VERIFY, LOCAL, peer(2, peer_key="pk1nonsense")).page)
    assert "do not verify it" in shown


def test_forgetting_says_what_it_undoes() -> None:
    blocked = text(question(Decision.FORGET, LOCAL, peer(2, trust=Trust.BLOCKED)).page)
    verified = text(question(Decision.FORGET, LOCAL, peer(2, trust=Trust.VERIFIED)).page)
    assert "no longer blocked" in blocked
    assert "no longer blocked" not in verified
    assert "verified" in verified


def test_there_is_nothing_to_mind_about_most_peers() -> None:
    assert [*cautions(peer(2))] == []
    assert "blocked" in text(tuple(cautions(peer(2, trust=Trust.BLOCKED))))


def test_hostile_texts_are_harmless() -> None:
    other = peer(2, HOSTILE, short_id=HOSTILE, key_warning=HOSTILE * 100, trust=Trust.SEEN)
    shown = text(tuple(cautions(other)))
    assert len(shown) < 500
    for decision in Decision:
        shown += text(question(decision, LOCAL, other).page) + done_words(decision, other)
        shown += needless_words(decision, LOCAL, other)
    assert not FORBIDDEN & set(shown)
