from __future__ import annotations

from datetime import timedelta

import pytest

from presence_core.model import Identity, IdentityStatus
from presence_tui.viewmodel.page import Tone
from presence_tui.viewmodel.validity import GRACE, bar, part_left, validity
from tests.viewmodel.peers import NOW

HOUR = timedelta(hours=1)


def shown(status: IdentityStatus, start: timedelta | None, end: timedelta | None) -> str:
    identity = Identity(
        status,
        "",
        not_before=None if start is None else NOW + start,
        expires_at=None if end is None else NOW + end,
    )
    return "\n".join(entry.text for entry in validity(identity, NOW, 9)).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("part", "drawn"),
    [
        (0.0, "[........]"),
        (0.001, "[#.......]"),
        (0.5, "[####....]"),
        (0.999, "[#######.]"),
        (1.0, "[########]"),
    ],
)
def test_a_bar_is_full_or_empty_only_when_that_is_so(part: float, drawn: str) -> None:
    assert bar(part, 8) == drawn
    assert drawn.isascii()


def test_what_is_left_of_a_life_has_its_ends() -> None:
    assert part_left(NOW, NOW + HOUR, NOW - HOUR) == 1.0
    assert part_left(NOW - 3 * HOUR, NOW + HOUR, NOW) == 0.25
    assert part_left(NOW - 3 * HOUR, NOW - HOUR, NOW) == 0.0


def test_a_verified_token_says_how_long_and_that_a_grace_follows() -> None:
    text = shown(IdentityStatus.VERIFIED, -3 * HOUR, HOUR)
    assert "1 h left" in text
    assert "[####............] 25% left" in text
    assert "5 min after that, as clocks differ" in text


def test_in_the_grace_it_says_until_when_it_is_believed() -> None:
    text = shown(IdentityStatus.VERIFIED, -HOUR, timedelta(minutes=-4))
    assert "ran out 4 min ago" in text
    assert "[................] 0% left" in text
    assert "believed until 21:42:00 UTC as clocks differ" in text
    assert timedelta(minutes=5) == GRACE


def test_before_its_time_it_is_said_why_it_is_believed() -> None:
    text = shown(IdentityStatus.VERIFIED, timedelta(minutes=3), HOUR)
    assert "in 3 min" in text
    assert "believed already as clocks differ" in text


@pytest.mark.parametrize("status", [s for s in IdentityStatus if s is not IdentityStatus.VERIFIED])
def test_no_other_status_is_given_a_grace(status: IdentityStatus) -> None:
    assert "grace" not in shown(status, -HOUR, timedelta(minutes=-4))


def test_a_token_of_later_has_all_its_life_before_it() -> None:
    text = shown(IdentityStatus.NOT_YET_VALID, HOUR, 2 * HOUR)
    assert "in 1 h" in text
    assert "[################] all left" in text


def test_what_is_not_known_is_not_drawn() -> None:
    assert shown(IdentityStatus.VERIFIED, None, None) == ""
    assert "life" not in shown(IdentityStatus.VERIFIED, None, HOUR)
    assert "life" not in shown(IdentityStatus.VERIFIED, 2 * HOUR, HOUR)  # ends before it starts
    assert "until" not in shown(IdentityStatus.VERIFIED, -HOUR, None)


def test_little_that_is_left_stands_out() -> None:
    identity = Identity(
        IdentityStatus.VERIFIED, "", not_before=NOW - 9 * HOUR, expires_at=NOW + HOUR
    )
    tones = {span.tone for entry in validity(identity, NOW, 9) for span in entry.spans}
    assert Tone.WARNING in tones
