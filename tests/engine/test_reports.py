from __future__ import annotations

from datetime import UTC, datetime

import pytest

from presence_core.engine.conditions import Conditions
from presence_core.engine.reports import Reports
from presence_core.gossip.quota import COOL_DOWN, FORGET_SECONDS, Offence, Strikes
from presence_core.handshake.events import ByeCode, Closed, CloseReason
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.model import Condition, ConditionState

NOW = 1_000.0
KEY = Identity.generate().peer_key


class Board:
    """Conditions, and reports that write on them."""

    def __init__(self) -> None:
        self.changes = 0
        self.conditions = Conditions(lambda: datetime(2026, 11, 24, tzinfo=UTC), self._changed)
        self.reports = Reports(self.conditions)

    def _changed(self) -> None:
        self.changes += 1

    def of(self, source: str) -> Condition:
        return next(c for c in self.conditions.all() if c.source == source)


@pytest.fixture
def board() -> Board:
    return Board()


def test_all_is_fine_at_first(board: Board) -> None:
    assert {c.state for c in board.conditions.all()} == {ConditionState.OK}


def test_saying_the_same_again_is_no_change(board: Board) -> None:
    board.reports.foreign_adverts(2)
    before = board.changes
    board.reports.foreign_adverts(2)
    assert board.changes == before


def test_other_meshes_are_said_and_taken_back(board: Board) -> None:
    board.reports.foreign_adverts(1)
    assert board.of("mesh").message == "1 device of another mesh on this network"
    assert board.of("mesh").hint is not None
    board.reports.foreign_adverts(0)
    assert board.of("mesh").state is ConditionState.OK


def test_a_stranger_is_named_by_address(board: Board) -> None:
    board.reports.stranger("192.0.2.7")
    assert "192.0.2.7" in (board.of("mesh").message or "")


def test_a_full_peer_is_said_until_it_lets_us_in(board: Board) -> None:
    board.reports.closed(KEY, Closed(CloseReason.BYE, "full", ByeCode.FULL), NOW)
    assert board.of("neighbours").state is ConditionState.WARNING
    board.reports.admitted(KEY)
    assert board.of("neighbours").state is ConditionState.OK


def test_that_another_peer_has_no_room_is_not_said_by_whoever_has_a_link(board: Board) -> None:
    full = Closed(CloseReason.BYE, "full", ByeCode.FULL)
    board.reports.closed(KEY, full, NOW, alone=False)
    assert board.of("neighbours").state is ConditionState.OK
    board.reports.closed(KEY, full, NOW, alone=True)
    assert board.of("neighbours").state is ConditionState.WARNING
    board.reports.admitted(Identity.generate().peer_key)
    assert board.of("neighbours").state is ConditionState.OK


@pytest.mark.parametrize(
    ("code", "words"),
    [(ByeCode.DENIED, "refuses this device"), (ByeCode.BLOCKED, "has blocked this device")],
)
def test_a_refusal_is_said_until_it_lets_us_in(board: Board, code: ByeCode, words: str) -> None:
    board.reports.closed(KEY, Closed(CloseReason.BYE, "no", code), NOW)
    assert words in (board.of("admission").message or "")
    board.reports.admitted(KEY)
    assert board.of("admission").state is ConditionState.OK


def test_our_own_refusal_says_why(board: Board) -> None:
    board.reports.denied(KEY, "medics only")
    assert "medics only" in (board.of("admission").message or "")


def test_a_clock_that_most_neighbours_contradict_is_said(board: Board) -> None:
    board.reports.clocks([0.1, -0.2, 90_000.0])
    assert board.of("clock").state is ConditionState.OK
    board.reports.clocks([89_999.0, -0.2, 90_000.0])
    assert "behind" in (board.of("clock").message or "")
    board.reports.clocks([-4_000.0])
    assert "ahead of" in (board.of("clock").message or "")
    board.reports.clocks([])
    assert board.of("clock").state is ConditionState.OK


def test_a_configured_address_that_fails_is_said_with_the_reason(board: Board) -> None:
    board.reports.static_failed("192.0.2.1:5", "no answer")
    assert board.of("static").message == "192.0.2.1:5: no answer"
    board.reports.static_works("192.0.2.1:5")
    assert board.of("static").state is ConditionState.OK


def test_who_sends_what_does_not_hold_is_named_with_what_how_often_where_and_what_was_done(
    board: Board,
) -> None:
    strikes = Strikes()
    board.reports.met(KEY, "192.0.2.7")
    for _ in range(3):
        strikes.strike(KEY, Offence.INVALID, "the signature is wrong", NOW)
    board.reports.offences(strikes, {KEY: "medic\x1b[2J"}.get)
    said = board.of("gossip")
    assert said.state is ConditionState.WARNING
    assert said.message == (
        f"{peer_key_text(KEY)[:12]}… ('medic[2J') at 192.0.2.7 sent 3 records that do not hold "
        "(the last: the signature is wrong); its link was closed"
    )
    assert "find that device" in (said.hint or "")


def test_who_comes_back_too_early_is_said_to_have_been_refused(board: Board) -> None:
    strikes = Strikes()
    while not strikes.strike(KEY, Offence.INVALID, "why", NOW):
        assert not strikes.refuse(KEY, NOW)
    for count in ("once", "2 times"):
        assert strikes.refuse(KEY, NOW + 1)
        board.reports.offences(strikes, lambda _: None)
        assert f"refused {count} since" in (board.of("gossip").message or "")
    assert not strikes.refuse(KEY, NOW + COOL_DOWN)


def test_an_offence_is_said_for_ten_minutes_after_it_and_its_cool_down(board: Board) -> None:
    strikes = Strikes()
    strikes.strike(KEY, Offence.REPLAYED, "why", NOW)
    other = Identity.generate().peer_key
    while not strikes.strike(other, Offence.INVALID, "why", NOW):
        pass
    for now, names in (
        (NOW + FORGET_SECONDS - 1, {KEY, other}),
        (NOW + FORGET_SECONDS, {other}),
        (NOW + COOL_DOWN + FORGET_SECONDS - 1, {other}),
        (NOW + COOL_DOWN + FORGET_SECONDS, set()),
    ):
        strikes.forget(now)
        board.reports.offences(strikes, lambda _: None)
        message = board.of("gossip").message or ""
        assert {key for key in (KEY, other) if peer_key_text(key)[:12] in message} == names
    assert board.of("gossip").state is ConditionState.OK


@pytest.mark.parametrize("code", [ByeCode.LIMIT, ByeCode.PROTOCOL])
def test_being_blamed_is_said_until_it_is_long_past_or_over(board: Board, code: ByeCode) -> None:
    blamed = Closed(CloseReason.BYE, "blamed", code)
    board.reports.closed(KEY, blamed, NOW)
    said = board.of("admission")
    assert (said.message or "").startswith(f"{peer_key_text(KEY)[:12]}… refuses this device: ")
    assert "same version" in (said.hint or "")
    board.reports.fade(NOW + FORGET_SECONDS - 1)
    assert board.of("admission") == said
    board.reports.fade(NOW + FORGET_SECONDS)
    assert board.of("admission").state is ConditionState.OK
    board.reports.closed(KEY, blamed, NOW)
    board.reports.admitted(KEY)
    assert board.of("admission").state is ConditionState.OK


def test_made_up_peers_do_not_fill_the_memory_of_reports(board: Board) -> None:
    for n in range(5_000):
        key = n.to_bytes(32, "big")
        board.reports.met(key, "192.0.2.7")
        for code in (ByeCode.FULL, ByeCode.DENIED, ByeCode.LIMIT):
            board.reports.closed(key, Closed(CloseReason.BYE, "no", code), NOW)
    for store in (board.reports._full, board.reports._refused, board.reports._hosts):
        assert len(store) <= 1_024
