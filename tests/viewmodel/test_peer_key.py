from __future__ import annotations

from datetime import timedelta

import pytest
import segno

from presence_core.identity.keys import parse_peer_key, safety_number
from presence_core.model import Peer, PeerPresence, PresenceState, Trust
from presence_tui.viewmodel.page import Page, Tone
from presence_tui.viewmodel.peer_key import QR_COLUMNS, key_page, qr_lines, qr_rows
from presence_tui.viewmodel.trust import grouped, safety_rows, trust_words
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, NOW, peer

LOCAL = peer(1, "field-laptop")


def text(page: Page) -> str:
    return "\n".join(paragraph.text for paragraph in page)


def page_of(other: Peer, qr_width: int | None = None) -> str:
    return text(key_page(LOCAL, other, NOW, qr_width=qr_width))


def modules(rows: tuple[str, ...]) -> list[list[bool]]:
    """Return which modules of a drawn code are dark."""
    halves = {" ": (True, True), "▀": (False, True), "▄": (True, False), "█": (False, False)}
    return [[halves[char][half] for char in row] for row in rows for half in (0, 1)]


def test_the_full_key_stands_in_groups_of_four() -> None:
    other = peer(2)
    rows = grouped(other.peer_key, 4, 4)
    assert [len(row.split()) for row in rows] == [4, 4, 4, 4]
    assert "".join(rows).replace(" ", "") == other.peer_key
    for row in rows:
        assert row in page_of(other)


def test_the_safety_number_has_twelve_groups_of_five_and_is_the_same_for_both() -> None:
    mine, theirs = LOCAL.peer_key, peer(2).peer_key
    groups = " ".join(safety_rows(mine, theirs)).split()
    assert [len(group) for group in groups] == [5] * 12
    assert safety_rows(mine, theirs) == safety_rows(theirs, mine)
    expected = safety_number(parse_peer_key(mine), parse_peer_key(theirs))
    assert "".join(groups) == "".join(expected.split())
    assert safety_rows(mine, theirs)[0] in page_of(peer(2))


def test_the_own_key_has_no_safety_number_and_no_trust() -> None:
    shown = page_of(LOCAL)
    assert "this device" in shown
    assert "your own key" in shown
    assert "select another peer" in shown


def test_a_text_that_is_no_key_is_shown_without_a_safety_number() -> None:
    assert "not a valid peer key" in page_of(peer(2, peer_key="pk1nonsense"))


@pytest.mark.parametrize("quiet_zone", [2, 4])
def test_the_qr_code_is_that_of_the_key_in_upper_case(quiet_zone: int) -> None:
    key = peer(2).peer_key
    drawn = modules(qr_rows(key, quiet_zone))
    code = segno.make(key.upper(), error="l", boost_error=True, micro=False)
    assert code.mode == "alphanumeric"
    side = len(code.matrix)
    inner = [row[quiet_zone : quiet_zone + side] for row in drawn[quiet_zone : quiet_zone + side]]
    assert inner == [[bool(module) for module in row] for row in code.matrix]
    around = drawn[:quiet_zone] + drawn[quiet_zone + side :]
    around += [row[:quiet_zone] + row[quiet_zone + side :] for row in drawn]
    assert not any(module for row in around for module in row)


def test_the_quiet_zone_fits_the_width_and_too_few_columns_are_said() -> None:
    key = peer(2).peer_key
    assert {len(row.text) for row in qr_lines(key, QR_COLUMNS)} == {QR_COLUMNS}
    assert {len(row.text) for row in qr_lines(key, 80)} == {QR_COLUMNS + 4}
    assert all(row.fixed for row in qr_lines(key, 80))
    assert "needs 33 columns" in text(tuple(qr_lines(key, QR_COLUMNS - 1)))


def test_light_cells_and_half_cells_have_tones_of_their_own() -> None:
    tones = {span.tone for row in qr_lines(peer(2).peer_key, 80) for span in row.spans}
    assert tones == {Tone.QR, Tone.QR_LIGHT}


@pytest.mark.parametrize("trust", list(Trust))
def test_every_trust_state_has_a_word_and_a_meaning(trust: Trust) -> None:
    word, _, meaning = trust_words(trust)
    assert word == trust.value
    shown = page_of(peer(2, trust=trust))
    assert word in shown
    assert meaning in shown


def test_first_and_last_seen_are_told_with_how_long_ago() -> None:
    presence = PeerPresence(
        PresenceState.LOST,
        first_seen=NOW - timedelta(days=2),
        last_seen=NOW - timedelta(minutes=4),
    )
    shown = page_of(peer(2, presence=presence)).replace("\xa0", " ")
    assert "2026-11-21 21:41 UTC  2 d ago" in shown
    assert "21:37:00 UTC  4 min ago" in shown
    assert "never" in page_of(peer(2, presence=PeerPresence(PresenceState.ONLINE)))


def test_hostile_texts_are_harmless() -> None:
    shown = page_of(peer(2, name=HOSTILE, short_id=HOSTILE, peer_key=HOSTILE), qr_width=80)
    assert not FORBIDDEN & set(shown)
    assert "[@click=app.quit]x[/]" in shown  # as literal text
    assert "(no name)" in page_of(peer(2, name="\x1b\u202e"))
