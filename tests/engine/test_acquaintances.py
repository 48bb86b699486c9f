"""What an engine notes about the keys it meets, how far it trusts them, what it warns of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from presence_core.engine.acquaintances import MAX_NEW, SEEN_SECONDS, Acquaintances, Standing
from presence_core.identity.keys import short_id
from presence_core.identity.trust import Acquaintance, TrustBook
from presence_core.model import Identity, IdentityStatus, Trust

OWN, ANA, BEN, EVE, ZOE = (bytes([n]) * 32 for n in range(5))
WHEN = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
NOBODY = Identity()


def verified(subject: str, issuer: str = "relief") -> Identity:
    return Identity(IdentityStatus.VERIFIED, "ok", issuer, "00", subject)


class Desk:
    """The engines of one home, one run after another, with the file in our hands."""

    def __init__(self) -> None:
        self.book = TrustBook()
        self.run = 0
        self.now = 0.0
        self.keys: Acquaintances
        self.start()

    def start(self) -> None:
        self.run += 1
        self.keys = Acquaintances(OWN, self.run)
        self.keys.adopt(self.book)
        self.wait(0.0)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.keys.tick(self.now, WHEN + timedelta(seconds=self.now))

    def write(self) -> None:
        """Write what is due, as a file does: into a copy, which is then the truth."""
        book = self.book.copy()
        self.keys.notes().write(book)
        self.book = book
        self.keys.adopt(book)
        assert not self.keys.noteworthy

    def decide(self, key: bytes, trust: Trust) -> set[bytes]:
        self.book = self.book.copy()
        self.book.decide(key, trust, WHEN)
        return self.keys.adopt(self.book)

    def drop(self, key: bytes) -> None:
        self.book = self.book.copy()
        self.book.drop(key)
        self.keys.adopt(self.book)

    def restart(self) -> None:
        self.write()
        self.start()

    def meet(
        self, key: bytes, name: str = "", identity: Identity = NOBODY, *, here: bool = True
    ) -> Standing:
        return self.keys.meet(key, name or f"peer {key[0]}", identity, here=here)

    def trust(self, key: bytes) -> Trust:
        return self.meet(key).trust

    def warning(self, key: bytes, name: str, identity: Identity = NOBODY) -> str:
        return self.meet(key, name, identity).warning or ""

    def first_seen(self, key: bytes) -> datetime:
        known = self.book.get(key)
        assert known is not None
        return known.first_seen


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_who_is_met_first_is_unknown_and_the_next_time_seen(desk: Desk) -> None:
    assert desk.trust(ANA) is Trust.UNKNOWN
    desk.write()
    assert desk.trust(ANA) is Trust.UNKNOWN  # that it stands in the file now changes nothing
    desk.start()
    assert desk.trust(ANA) is Trust.SEEN
    assert desk.trust(BEN) is Trust.UNKNOWN


def test_who_is_here_for_a_day_is_seen(desk: Desk) -> None:
    desk.meet(ANA)
    desk.wait(1.0)
    desk.meet(BEN)
    desk.keys.changed.clear()
    desk.wait(SEEN_SECONDS - 1.5)
    assert desk.keys.changed == set()
    desk.wait(0.5)
    assert desk.keys.changed == {ANA}
    assert (desk.trust(ANA), desk.trust(BEN)) == (Trust.SEEN, Trust.UNKNOWN)


def test_only_who_is_here_is_remembered(desk: Desk) -> None:
    assert desk.meet(ANA, here=False) == Standing(Trust.UNKNOWN, None)
    desk.meet(OWN)
    assert not desk.keys.noteworthy
    desk.meet(ANA)
    desk.write()
    assert [one.key for one in desk.book] == [ANA]
    assert desk.book.get(ANA) == Acquaintance(ANA, Trust.SEEN, WHEN, name="peer 1", run=1)


def test_nothing_is_written_of_who_is_the_same_as_ever(desk: Desk) -> None:
    desk.meet(ANA, "Ana", verified("ana"))
    desk.restart()
    desk.meet(ANA, "Ana", verified("ana"))
    desk.meet(ANA, "Ana")  # a token that is not verified just now takes nothing away
    assert not desk.keys.noteworthy
    desk.meet(ANA, "Ana 2", verified("ana2"))
    desk.write()
    assert desk.book.get(ANA) == Acquaintance(
        ANA, Trust.SEEN, WHEN, None, "Ana 2", "ana2", "relief", 2
    )


def test_decisions_show_and_change_nothing_else(desk: Desk) -> None:
    desk.meet(ANA)
    desk.meet(BEN)
    desk.write()
    desk.keys.changed.clear()
    assert desk.decide(ANA, Trust.VERIFIED) == set()
    assert desk.keys.changed == {ANA}
    assert desk.decide(ANA, Trust.BLOCKED) == {ANA}
    assert desk.keys.blocked == {ANA}
    assert desk.decide(BEN, Trust.VERIFIED) == set()  # Ana is blocked as before
    assert (desk.trust(ANA), desk.trust(BEN)) == (Trust.BLOCKED, Trust.VERIFIED)
    blocked = desk.keys.blocked
    assert desk.decide(ANA, Trust.VERIFIED) == {ANA}
    assert blocked == set()
    desk.restart()
    assert (desk.trust(ANA), desk.trust(BEN)) == (Trust.VERIFIED, Trust.VERIFIED)


def test_a_decision_is_not_undone_by_what_is_noted(desk: Desk) -> None:
    desk.meet(ANA, "Ana")  # not written yet, when a command decides
    desk.decide(ANA, Trust.BLOCKED)
    desk.meet(ANA, "Ana again")
    desk.write()
    known = desk.book.get(ANA)
    assert known is not None
    assert (known.state, known.name) == (Trust.BLOCKED, "Ana again")


def test_what_is_forgotten_is_met_anew(desk: Desk) -> None:
    desk.meet(ANA)
    desk.restart()
    desk.wait(3_600.0)
    desk.decide(ANA, Trust.VERIFIED)
    desk.meet(ANA, "other name")
    desk.drop(ANA)
    assert not desk.keys.noteworthy  # also the new name is not carried back
    assert ANA in desk.keys.changed
    assert desk.trust(ANA) is Trust.UNKNOWN
    desk.write()
    assert desk.first_seen(ANA) == WHEN + timedelta(hours=1)


def test_what_is_forgotten_while_it_is_written_is_not_brought_back(desk: Desk) -> None:
    desk.meet(ANA)
    desk.restart()
    desk.meet(ANA, "other name")
    notes = desk.keys.notes()
    book = desk.book.copy()
    book.drop(ANA)  # by a command, that had the lock first
    notes.write(book)
    assert len(book) == 0
    desk.keys.adopt(book)
    assert desk.trust(ANA) is Trust.UNKNOWN


def test_what_is_noted_while_it_is_written_is_written_next(desk: Desk) -> None:
    for name in ("Ana", "Ana 2", "Ana 3"):
        desk.meet(ANA, name)
        notes = desk.keys.notes()
        desk.meet(ANA, f"{name}, later")
        book = desk.book.copy()
        notes.write(book)
        desk.book = book
        desk.keys.adopt(book)
        assert [one.name for one in desk.book] == [name]
        assert desk.keys.noteworthy
    desk.write()
    assert [one.name for one in desk.book] == ["Ana 3, later"]


def test_what_was_never_written_can_be_forgotten_too(desk: Desk) -> None:
    desk.meet(ANA)
    desk.wait(60.0)
    desk.keys.forget(ANA)
    desk.drop(ANA)
    desk.meet(ANA)
    desk.write()
    assert desk.first_seen(ANA) == WHEN + timedelta(minutes=1)


def test_what_could_not_be_written_waits(desk: Desk) -> None:
    desk.meet(ANA)
    desk.keys.notes()  # of which nothing came
    desk.decide(BEN, Trust.BLOCKED)
    assert desk.keys.noteworthy
    desk.write()
    assert {one.key for one in desk.book} == {ANA, BEN}


def test_an_invented_crowd_does_not_push_out_all_that_was_known(desk: Desk) -> None:
    for number in range(MAX_NEW + 5):
        desk.meet(number.to_bytes(32, "big"))
    desk.write()
    assert len(desk.book) == MAX_NEW
    assert desk.trust((MAX_NEW + 4).to_bytes(32, "big")) is Trust.UNKNOWN
    assert not desk.keys.noteworthy


# -- warnings


def test_a_name_that_turns_up_under_another_key_is_warned_of(desk: Desk) -> None:
    desk.meet(ANA, "Ana's boat")
    desk.restart()
    for alike in ("Ana's boat", "ANA'S  boat ", "Ana\u200b's boat", "Ａna's boat"):
        said = desk.warning(EVE, alike)
        assert f"another key, {short_id(ANA)} (seen)" in said, alike
        assert said.isprintable()
    assert desk.warning(ANA, "Ana's boat") == ""
    assert desk.warning(EVE, "Ana's boat 2") == ""
    assert desk.warning(EVE, "\u200b") == ""
    desk.meet(EVE, "Ana's boat")
    desk.restart()  # the newer key stays the one to look at, whoever is met first this time
    assert short_id(ANA) in desk.warning(EVE, "Ana's boat")
    assert desk.warning(ANA, "Ana's boat") == ""


def test_two_devices_of_one_name_from_the_start_are_no_news(desk: Desk) -> None:
    for _ in range(2):
        assert desk.warning(ANA, "laptop") == desk.warning(BEN, "laptop") == ""
        desk.restart()
    desk.decide(ANA, Trust.VERIFIED)  # but when one is known to be right, the other is worth a word
    assert f"{short_id(ANA)} (verified)" in desk.warning(BEN, "laptop")
    desk.decide(BEN, Trust.VERIFIED)
    assert desk.warning(BEN, "laptop") == desk.warning(ANA, "laptop") == ""


def test_who_takes_the_name_of_another_is_warned_of_however_long_it_was_known(desk: Desk) -> None:
    desk.meet(EVE, "Eve")
    desk.restart()
    desk.meet(ANA, "Ana")
    desk.restart()
    assert short_id(ANA) in desk.warning(EVE, "Ana")
    assert desk.warning(ANA, "Ana") == ""
    desk.restart()
    assert short_id(ANA) in desk.warning(EVE, "Ana")
    assert desk.warning(ANA, "Ana") == ""
    assert desk.warning(EVE, "Eve") == ""  # it gave it back


def test_a_warning_ends_when_a_person_has_decided(desk: Desk) -> None:
    desk.meet(ANA, "Ana")
    desk.restart()
    assert desk.warning(EVE, "Ana")
    desk.write()
    desk.keys.changed.clear()
    desk.decide(EVE, Trust.VERIFIED)  # a new device of Ana's
    assert {ANA, EVE} <= desk.keys.changed
    assert desk.warning(EVE, "Ana") == ""
    assert f"{short_id(EVE)} (verified)" in desk.warning(ANA, "Ana")
    desk.keys.changed.clear()
    desk.decide(ANA, Trust.BLOCKED)
    assert desk.warning(ANA, "Ana") == ""
    assert ZOE not in desk.keys.changed
    desk.decide(EVE, Trust.BLOCKED)
    assert desk.warning(ZOE, "Ana") == ""  # nobody is left who stands for that name
    desk.drop(ANA)
    desk.drop(EVE)
    assert desk.warning(ZOE, "Ana") == ""


def test_a_warning_says_how_far_the_other_key_is_trusted_now(desk: Desk) -> None:
    desk.meet(ANA, "Ana")
    desk.restart()
    assert "(seen)" in desk.warning(EVE, "Ana")
    desk.write()
    desk.keys.changed.clear()
    desk.decide(ANA, Trust.VERIFIED)
    assert EVE in desk.keys.changed
    assert "(verified)" in desk.warning(EVE, "Ana")


def test_a_subject_that_turns_up_under_another_key_is_warned_of_at_once(desk: Desk) -> None:
    assert desk.warning(ANA, "one", verified("ana")) == ""
    said = desk.warning(EVE, "two", verified("ana"))
    assert f"'ana' of 'relief' was met before under another key, {short_id(ANA)} (unknown)" in said
    assert desk.warning(EVE, "two", verified("ana", "another issuer")) == ""
    claimed = Identity(IdentityStatus.BAD_SIGNATURE, "no", "relief", "00", "ana")
    assert desk.warning(EVE, "two", claimed) == ""
    desk.meet(EVE, "two", verified("ana"))
    desk.restart()
    assert "(seen)" in desk.warning(EVE, "two", verified("ana"))
    assert desk.warning(ANA, "one", verified("ana")) == ""


def test_what_peers_chose_is_safe_to_show_in_a_warning(desk: Desk) -> None:
    nasty = "\x1b]0;x\x07[@click=app.quit]\u202e" + "x" * 50
    desk.meet(ANA, nasty, verified(nasty * 3, nasty * 3))
    desk.restart()
    for said in (desk.warning(EVE, nasty), desk.warning(BEN, "b", verified(nasty * 3, nasty * 3))):
        assert said.isprintable()
        assert len(said) < 300


def test_ten_thousand_of_one_name_concern_nobody_else_as_they_come(desk: Desk) -> None:
    desk.meet(ANA, "laptop")
    desk.restart()
    desk.meet(ANA, "laptop")
    desk.keys.changed.clear()
    for number in range(1_000, 1_500):
        assert desk.warning(number.to_bytes(32, "big"), "laptop")
        assert desk.keys.changed == set()
