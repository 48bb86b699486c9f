from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from presence_core.model import Identity, IdentityStatus, MetadataState, Peer, Trust
from presence_tui.viewmodel.identity import (
    StepState,
    check_steps,
    identity_page,
    status_words,
)
from presence_tui.viewmodel.page import Page, Tone
from presence_tui.viewmodel.tree import MAX_TREE_LINES, metadata_tree
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, NOW, peer

SECRET = {"clearance": "ward nine"}


def text(page: Page) -> str:
    return "\n".join(paragraph.text for paragraph in page).replace("\xa0", " ")


def with_status(status: IdentityStatus, **changes: Any) -> Peer:
    identity = Identity(
        status,
        "because of a test",
        issuer="https://id.example",
        key_id="0011223344556677",
        subject="anna",
        not_before=NOW - timedelta(days=1),
        expires_at=NOW + timedelta(hours=3, minutes=20),
    )
    return peer(2, **({"identity": identity} | changes))


def page(other: Peer, *, own: bool = False) -> str:
    return text(identity_page(other, NOW, own=own))


@pytest.mark.parametrize("status", list(IdentityStatus))
def test_every_status_has_a_symbol_a_word_its_reason_and_what_to_do(status: IdentityStatus) -> None:
    words = status_words(status)
    shown = page(with_status(status))
    assert cell_len(words.symbol) == 1
    assert f"{words.symbol} {words.word}" in shown
    assert words.meaning in shown
    if words.advice is not None:
        assert words.advice.replace("\xa0", " ") in shown
    verified = status is IdentityStatus.VERIFIED
    assert (words.advice is None) == verified
    assert ("what to do" in shown) == (not verified)
    assert ("reason: because of a test" in shown) == (not verified)


@pytest.mark.parametrize("status", list(IdentityStatus))
def test_the_first_failing_step_is_marked_and_later_ones_are_not_checked(
    status: IdentityStatus,
) -> None:
    states = [step.state for step in check_steps(status)]
    assert states[0] is StepState.PASSED  # a record whose signature fails is in no graph
    if status is IdentityStatus.VERIFIED:
        assert set(states) == {StepState.PASSED}
        return
    stop = next(at for at, state in enumerate(states) if state is not StepState.PASSED)
    others = {
        IdentityStatus.MISSING: StepState.ABSENT,
        IdentityStatus.PENDING: StepState.WAITING,
    }
    assert states[stop] is others.get(status, StepState.FAILED)
    assert set(states[stop + 1 :]) <= {StepState.NOT_CHECKED}


def test_later_statuses_fail_at_later_steps() -> None:
    order = [s for s in IdentityStatus if s is not IdentityStatus.VERIFIED]
    stops = [
        [step.state is StepState.PASSED for step in check_steps(status)].count(True)
        for status in order
    ]
    assert stops == sorted(stops)
    failing = {
        IdentityStatus.OVERSIZE: "token present",
        IdentityStatus.UNSUPPORTED_ALG: "token readable",
        IdentityStatus.UNKNOWN_ISSUER: "issuer known",
        IdentityStatus.BAD_SIGNATURE: "signed by the issuer",
        IdentityStatus.KEY_MISMATCH: "bound to this key",
        IdentityStatus.REVOKED: "not revoked",
        IdentityStatus.NOT_YET_VALID: "valid from",
        IdentityStatus.EXPIRED: "valid until",
    }
    for status, name in failing.items():
        failed = [step.name for step in check_steps(status) if step.state is StepState.FAILED]
        assert failed == [name]


@pytest.mark.parametrize("status", list(IdentityStatus))
def test_identity_metadata_is_shown_only_when_verified(status: IdentityStatus) -> None:
    # The engine fills it only then; the pane does not take its word for it.
    shown = page(with_status(status, identity_service_metadata=SECRET))
    verified = status is IdentityStatus.VERIFIED
    assert ("ward nine" in shown) == verified
    assert ("The issuer says (verified)" in shown) == verified


@pytest.mark.parametrize("status", list(IdentityStatus))
def test_expired_identity_metadata_is_greyed_with_its_date(status: IdentityStatus) -> None:
    end = NOW - timedelta(hours=30)
    other = peer(
        2,
        identity=Identity(status, "ran out", expires_at=end),
        expired_identity_service_metadata=SECRET,
    )
    lines = identity_page(other, NOW, own=False)
    if status is not IdentityStatus.EXPIRED:
        assert "ward nine" not in text(lines)
        return
    assert "no longer vouched for since 2026-11-22 15:41 UTC" in text(lines)
    assert "ran out 1 d 6 h ago" in text(lines)
    shown = [line for line in lines if "ward nine" in line.text]
    assert [span.tone for line in shown for span in line.spans] == [Tone.DIM]


def test_claims_of_an_unchecked_token_are_said_to_be_claims() -> None:
    assert "claimed, not proven" in page(with_status(IdentityStatus.UNKNOWN_ISSUER))
    assert "claimed, not proven" in page(with_status(IdentityStatus.BAD_SIGNATURE))
    verified = page(with_status(IdentityStatus.VERIFIED))
    assert "claimed" not in verified
    assert "https://id.example" in verified
    assert "key id   0011 2233 4455 6677" in verified
    assert "anna" in verified
    assert "3 h 20 min left" in verified


def test_a_token_that_is_not_valid_yet_says_when() -> None:
    identity = Identity(IdentityStatus.NOT_YET_VALID, "", not_before=NOW + timedelta(minutes=5))
    assert "in 5 min" in page(peer(2, identity=identity))


def test_what_to_do_about_an_issuer_that_is_not_known_is_a_command() -> None:
    assert "presence-tui issuer add FILE" in page(with_status(IdentityStatus.UNKNOWN_ISSUER))


def test_what_speaks_against_a_peer_stands_before_what_speaks_for_it() -> None:
    shown = page(
        with_status(IdentityStatus.VERIFIED, key_warning="seen before", trust=Trust.BLOCKED)
    )
    assert shown.index("! key warning: seen before") < shown.index("✓ verified")
    assert shown.index("✗ blocked") < shown.index("✓ verified")


def test_the_own_pane_says_how_to_become_known() -> None:
    shown = page(peer(1), own=True)
    assert "presence-tui identity login" in shown
    assert "You say about yourself, not verified" in shown


@pytest.mark.parametrize(
    ("state", "words", "value"),
    [
        (MetadataState.NONE, "publishes no metadata", False),
        (MetadataState.PENDING, "the last that arrived", True),
        (MetadataState.PRESENT, "Says about itself, not verified", True),
        (MetadataState.REFUSED, "not valid metadata", False),
    ],
)
def test_own_words_of_a_peer_are_labelled(state: MetadataState, words: str, value: bool) -> None:
    shown = page(peer(2, peer_metadata={"deck": "aft"}, peer_metadata_state=state))
    assert "Says about itself, not verified" in shown
    assert words in shown
    assert ("aft" in shown) == value


def test_a_tree_is_indented_and_tells_types_apart() -> None:
    tree = metadata_tree(
        {
            "place": {"deck": 3, "rooms": ["a", "5"]},
            "on": True,
            "off": "true",
            "no": None,
            "blank": "",
            "none": {},
            "empty": [],
        }
    )
    assert [f"{' ' * line.indent}{line.text}" for line in tree] == [
        "place",
        "  deck  3",
        "  rooms",
        "    [0]  a",
        '    [1]  "5"',
        "on  true",
        'off  "true"',
        "no  null",
        'blank  ""',
        "none  {}",
        "empty  []",
    ]


def test_a_tree_is_bounded() -> None:
    tree = metadata_tree({"many": list(range(65_000))})
    assert len(tree) == MAX_TREE_LINES + 1
    assert "and more" in tree[-1].text
    (long,) = metadata_tree({"long": "x" * 131_000})
    assert len(long.text) < 300
    assert "131,000 characters" in long.text


def test_hostile_texts_are_harmless() -> None:
    metadata = {HOSTILE: {HOSTILE: [HOSTILE]}}
    identity = Identity(IdentityStatus.VERIFIED, HOSTILE, issuer=HOSTILE, subject=HOSTILE)
    verified = peer(
        2,
        name=HOSTILE,
        identity=identity,
        identity_service_metadata=metadata,
        peer_metadata=metadata,
    )
    shown = page(verified)
    failed = page(
        peer(2, name=HOSTILE, identity=Identity(IdentityStatus.MALFORMED, HOSTILE, HOSTILE))
    )
    assert not FORBIDDEN & set(shown + failed)
    assert "[@click=app.quit]x[/]" in shown  # as literal text
