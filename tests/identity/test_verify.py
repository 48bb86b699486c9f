from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.identity import verify
from presence_core.identity.issuer import (
    IssuerKey,
    IssuerObjectError,
    KeySet,
    RevocationList,
    parse_object,
    sign_revocations,
)
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import short_id
from presence_core.identity.token import LEEWAY, Token
from presence_core.identity.verdict import MAX_TOKEN, MISSING, Taken, Verdict, oversize, pending
from presence_core.identity.verify import MAX_ISSUERS
from presence_core.model import IdentityStatus
from tests.identity.issuing import (
    ALICE,
    BEGIN,
    BOB,
    END,
    KEY,
    METADATA,
    NAME,
    NEXT,
    NOW,
    STRANGER,
    claims,
    damaged,
    forge,
    key_set,
    pad,
    token,
    trusting,
)


def revoking(
    number: int = 1, *, signer: IssuerKey = KEY, issuer: str = NAME, **revoked: Any
) -> RevocationList:
    return sign_revocations(signer, issuer=issuer, number=number, **revoked)


def status(issuers: Issuers, raw: bytes, peer: bytes = ALICE, now: float = NOW) -> IdentityStatus:
    return issuers.check(raw, peer, now).identity.status


# -- the twelve statuses, each from a real token or record


def _revoked() -> Verdict:
    issuers = trusting()
    assert issuers.take(revoking(token_ids=[b"token-1"]).raw) == (Taken.NEWS, "")
    return issuers.check(token(), ALICE, NOW)


STATUSES: dict[IdentityStatus, tuple[Callable[[], Verdict], str]] = {
    IdentityStatus.MISSING: (lambda: MISSING, "publishes no identity token"),
    IdentityStatus.PENDING: (pending, "has not arrived"),
    IdentityStatus.OVERSIZE: (
        lambda: trusting().check(pad(MAX_TOKEN + 1), ALICE, NOW),
        "16,385 bytes; the limit is 16,384",
    ),
    IdentityStatus.MALFORMED: (
        lambda: trusting().check(forge(claims(_8=None)), ALICE, NOW),
        "bound to no key",
    ),
    IdentityStatus.UNSUPPORTED_ALG: (
        lambda: trusting().check(
            forge(claims(), header={1: -8, 4: KEY.kid, 16: "presence-mesh-id+cwt"}), ALICE, NOW
        ),
        "EdDSA, -8",
    ),
    IdentityStatus.UNKNOWN_ISSUER: (
        lambda: Issuers().check(token(), ALICE, NOW),
        "“Field Office”, which is not trusted here",
    ),
    IdentityStatus.BAD_SIGNATURE: (
        lambda: trusting().check(damaged(token()), ALICE, NOW),
        "the signature is wrong",
    ),
    IdentityStatus.KEY_MISMATCH: (
        lambda: trusting().check(token(), BOB, NOW),
        f"belongs to another peer ({short_id(ALICE)})",
    ),
    IdentityStatus.REVOKED: (_revoked, "“Field Office” has revoked this token"),
    IdentityStatus.NOT_YET_VALID: (
        lambda: trusting().check(token(), ALICE, BEGIN - 3_600),
        "not valid before 2026-09-21 14:13:20 UTC",
    ),
    IdentityStatus.EXPIRED: (
        lambda: trusting().check(token(), ALICE, END + 3_600),
        "ran out at 2026-09-22 14:13:20 UTC",
    ),
    IdentityStatus.VERIFIED: (
        lambda: trusting().check(token(), ALICE, NOW),
        "“Field Office” vouches for this peer until 2026-09-22 14:13:20 UTC",
    ),
}


@pytest.mark.parametrize("expected", list(IdentityStatus))
def test_each_status_comes_with_its_reason(expected: IdentityStatus) -> None:
    make, reason = STATUSES[expected]
    verdict = make()
    assert verdict.identity.status is expected
    assert reason in verdict.identity.reason
    assert "\n" not in verdict.identity.reason
    with_metadata = expected in (IdentityStatus.VERIFIED, IdentityStatus.EXPIRED)
    assert verdict.metadata == (METADATA if with_metadata else None)
    timed = (IdentityStatus.NOT_YET_VALID, IdentityStatus.VERIFIED)
    assert math.isinf(verdict.until) is (expected not in timed)


@pytest.mark.parametrize(
    ("expected", "claimed"),
    [(status_, at > 4) for at, status_ in enumerate(IdentityStatus)],
)
def test_claims_are_shown_of_what_could_be_read(expected: IdentityStatus, claimed: bool) -> None:
    identity = STATUSES[expected][0]().identity
    shown = [identity.issuer, identity.key_id, identity.subject]
    times = [identity.not_before, identity.expires_at]
    if claimed:
        assert shown == [NAME, KEY.kid.hex(), "alice"]
        assert times == [datetime.fromtimestamp(at, UTC) for at in (BEGIN, END)]
    else:
        assert shown + times == [None] * 5


def test_an_announced_size_is_judged_as_the_token_would_be() -> None:
    announced = oversize(MAX_TOKEN + 1)
    found = trusting().check(pad(MAX_TOKEN + 1), ALICE, NOW)
    assert announced.identity.status is found.identity.status is IdentityStatus.OVERSIZE
    assert "16,385" in announced.identity.reason


def test_the_first_status_that_applies_is_the_one() -> None:
    """One token with which everything is wrong, and then one thing less, in the order of §8.4."""
    header = {1: -8, 4: STRANGER.kid, 16: "presence-mesh-id+cwt"}
    wrong = claims(_1="Nobody", _5=NOW + 400, _4=NOW + 500)
    issuers = trusting()
    issuers.take(revoking(peer_keys=[ALICE]).raw)
    assert status(issuers, forge(b"\xff" + bytes(MAX_TOKEN)), BOB) is IdentityStatus.OVERSIZE
    assert status(issuers, forge(wrong | {7: b""}, header=header), BOB) is IdentityStatus.MALFORMED
    assert status(issuers, forge(wrong, header=header), BOB) is IdentityStatus.UNSUPPORTED_ALG
    wrong_key = damaged(forge(wrong, key=STRANGER))
    assert status(issuers, wrong_key, BOB) is IdentityStatus.UNKNOWN_ISSUER
    wrong |= {1: NAME}
    assert status(issuers, damaged(forge(wrong)), BOB) is IdentityStatus.BAD_SIGNATURE
    assert status(issuers, forge(wrong), BOB) is IdentityStatus.KEY_MISMATCH
    assert status(issuers, forge(wrong)) is IdentityStatus.REVOKED
    issuers.take(revoking(2).raw)
    assert status(issuers, forge(wrong)) is IdentityStatus.NOT_YET_VALID
    issuers.take(revoking(3, token_ids=[b"token-1"]).raw)
    assert status(issuers, token(), now=END + 3_600) is IdentityStatus.REVOKED


def test_a_key_that_the_issuer_does_not_have_is_unknown() -> None:
    other = key_set(1, NEXT, issuer="Other Office")
    for issuers in (trusting(), trusting(key_set(), other)):
        verdict = issuers.check(token(NEXT), ALICE, NOW)
        assert verdict.identity.status is IdentityStatus.UNKNOWN_ISSUER
        assert f"key {NEXT.kid.hex()}, which key set 1 of “Field Office”" in verdict.identity.reason
        assert verdict.identity.key_id == NEXT.kid.hex()


def test_a_key_of_one_issuer_says_nothing_for_another() -> None:
    issuers = trusting(key_set(1, KEY), key_set(1, NEXT, issuer="Other Office"))
    assert status(issuers, token(NEXT, issuer="Other Office")) is IdentityStatus.VERIFIED
    assert status(issuers, token(KEY, issuer="Other Office")) is IdentityStatus.UNKNOWN_ISSUER
    forged = forge(claims(), header={1: -19, 4: KEY.kid, 16: "presence-mesh-id+cwt"}, key=NEXT)
    assert status(issuers, forged) is IdentityStatus.BAD_SIGNATURE


def test_a_signature_over_something_else_is_wrong() -> None:
    assert status(trusting(), forge(claims(), aad=b"x")) is IdentityStatus.BAD_SIGNATURE


def test_a_long_name_is_cut_in_the_reason_and_cleaned() -> None:
    name = "\x1b[31m\u202e" + "n" * 100
    verdict = Issuers().check(token(issuer=name), ALICE, NOW)
    assert verdict.identity.issuer == name
    assert "\x1b" not in verdict.identity.reason
    assert "\u202e" not in verdict.identity.reason
    assert "n" * 59 in verdict.identity.reason
    assert "n" * 64 not in verdict.identity.reason


# -- time


@pytest.mark.parametrize(
    ("now", "expected", "until", "word"),
    [
        (0.0, IdentityStatus.NOT_YET_VALID, BEGIN - LEEWAY, "not valid before"),
        (BEGIN - LEEWAY - 0.001, IdentityStatus.NOT_YET_VALID, BEGIN - LEEWAY, "not valid before"),
        (BEGIN - LEEWAY, IdentityStatus.VERIFIED, BEGIN, "clocks differ"),
        (BEGIN - 0.001, IdentityStatus.VERIFIED, BEGIN, "clocks differ"),
        (BEGIN, IdentityStatus.VERIFIED, END, "vouches"),
        (END - 0.001, IdentityStatus.VERIFIED, END, "vouches"),
        (END, IdentityStatus.VERIFIED, END + LEEWAY, "believed until 2026-09-22 14:18:20 UTC"),
        (END + LEEWAY - 0.001, IdentityStatus.VERIFIED, END + LEEWAY, "clocks differ"),
        (END + LEEWAY, IdentityStatus.EXPIRED, math.inf, "ran out"),
        (1e12, IdentityStatus.EXPIRED, math.inf, "ran out"),
    ],
)
def test_clocks_may_differ_by_five_minutes_and_not_a_moment_more(
    now: float, expected: IdentityStatus, until: float, word: str
) -> None:
    verdict = trusting().check(token(), ALICE, now)
    assert verdict.identity.status is expected
    assert verdict.until == until
    assert word in verdict.identity.reason
    assert verdict.identity.expires_at == datetime.fromtimestamp(END, UTC)


@given(st.floats(BEGIN - 1_000, END + 1_000), st.floats(0, 1))
def test_nothing_changes_before_until_and_something_does_then(now: float, part: float) -> None:
    issuers = trusting()
    verdict = issuers.check(token(), ALICE, now)
    said = (verdict.identity.status, verdict.identity.reason)
    if math.isinf(verdict.until):
        later = issuers.check(token(), ALICE, now + part * 1e9)
        assert (later.identity.status, later.identity.reason) == said
        return
    assert verdict.until > now
    before = min(now + part * (verdict.until - now), math.nextafter(verdict.until, 0))
    later = issuers.check(token(), ALICE, before)
    assert (later.identity.status, later.identity.reason, later.until) == (*said, verdict.until)
    then = issuers.check(token(), ALICE, verdict.until)
    assert (then.identity.status, then.identity.reason) != said


def test_the_last_time_that_a_token_may_have_can_be_shown() -> None:
    raw = token(not_before=0, expires_at=253_370_764_800)
    verdict = trusting().check(raw, ALICE, 253_370_764_801)
    assert verdict.identity.status is IdentityStatus.VERIFIED
    assert "9999-01-01 00:05:00 UTC" in verdict.identity.reason


# -- trust


def test_a_person_vouches_for_a_key_set_that_signed_itself() -> None:
    issuers = Issuers()
    assert issuers.trust(key_set(2, KEY, NEXT, signer=NEXT)) is Taken.NEWS
    assert issuers.version == 1
    assert issuers.trust(key_set(2, KEY, NEXT, signer=KEY)) is Taken.KNOWN
    assert issuers.trust(key_set(1, KEY)) is Taken.OLDER
    assert issuers.version == 1
    assert issuers.names() == (NAME,)
    held = issuers.key_set(NAME)
    assert held is not None
    assert held.number == 2
    assert issuers.trust(key_set(3, STRANGER)) is Taken.NEWS  # whom the person believes anew
    assert issuers.version == 2


def test_a_key_set_that_did_not_sign_itself_is_not_vouched_for() -> None:
    issuers = Issuers()
    with pytest.raises(IssuerObjectError, match="own keys"):
        issuers.trust(key_set(1, KEY, signer=STRANGER))
    ill_signed = parse_object(damaged(key_set().raw))
    assert isinstance(ill_signed, KeySet)
    with pytest.raises(IssuerObjectError, match="own keys"):
        issuers.trust(ill_signed)
    assert issuers.names() == ()
    assert issuers.version == 0


def test_two_key_sets_with_one_number_are_not_both_believed() -> None:
    issuers = trusting(key_set(1, KEY))
    with pytest.raises(IssuerObjectError, match="two different key sets with the number 1"):
        issuers.trust(key_set(1, KEY, NEXT))
    held = issuers.key_set(NAME)
    assert held is not None
    assert held.keys == (KEY.public_key,)


def test_so_many_issuers_are_trusted_and_no_more() -> None:
    issuers = Issuers()
    for number in range(MAX_ISSUERS):
        assert issuers.trust(key_set(issuer=f"issuer {number}")) is Taken.NEWS
    with pytest.raises(IssuerObjectError, match="64"):
        issuers.trust(key_set())
    assert issuers.trust(key_set(2, issuer="issuer 7")) is Taken.NEWS
    assert issuers.distrust("issuer 7")
    assert issuers.trust(key_set()) is Taken.NEWS


def test_who_is_trusted_no_longer_vouches_for_nobody() -> None:
    issuers = trusting()
    issuers.take(revoking(5, token_ids=[b"x"]).raw)
    assert status(issuers, token()) is IdentityStatus.VERIFIED
    version = issuers.version
    assert issuers.distrust(NAME)
    assert not issuers.distrust(NAME)
    assert issuers.version == version + 1
    assert status(issuers, token()) is IdentityStatus.UNKNOWN_ISSUER
    assert issuers.objects() == ()
    assert issuers.key_set(NAME) is None
    assert issuers.revocations(NAME) is None
    issuers.trust(key_set())
    assert issuers.revocations(NAME) is None
    assert status(issuers, token()) is IdentityStatus.VERIFIED


# -- rotation


def test_keys_are_rotated_over_the_mesh() -> None:
    issuers = trusting(key_set(1, KEY))
    assert status(issuers, token(NEXT)) is IdentityStatus.UNKNOWN_ISSUER
    version = issuers.version
    # The next key is announced early ...
    assert issuers.take(key_set(2, KEY, NEXT).raw) == (Taken.NEWS, "")
    assert issuers.version > version
    assert status(issuers, token(KEY)) is status(issuers, token(NEXT)) is IdentityStatus.VERIFIED
    # ... and the old one goes when its tokens have run out, signed by either of them.
    assert issuers.take(key_set(3, NEXT, signer=KEY).raw) == (Taken.NEWS, "")
    assert status(issuers, token(KEY)) is IdentityStatus.UNKNOWN_ISSUER
    assert status(issuers, token(NEXT)) is IdentityStatus.VERIFIED
    assert issuers.take(key_set(4, NEXT, STRANGER, signer=NEXT).raw) == (Taken.NEWS, "")
    assert status(issuers, token(STRANGER)) is IdentityStatus.VERIFIED


@pytest.mark.parametrize(
    ("offered", "taken", "word"),
    [
        (key_set(2, KEY, NEXT), Taken.KNOWN, ""),
        (key_set(2, KEY, NEXT, signer=NEXT), Taken.KNOWN, ""),
        (key_set(1, KEY), Taken.OLDER, "newer key set"),
        (key_set(1, STRANGER), Taken.OLDER, "newer key set"),
        (key_set(0, KEY), Taken.OLDER, "newer key set"),
        (key_set(2, KEY), Taken.CONFLICT, "two different key sets with the number 2"),
        (key_set(3, STRANGER), Taken.UNKNOWN_KEY, STRANGER.kid.hex()),
        (key_set(3, KEY, STRANGER, signer=STRANGER), Taken.UNKNOWN_KEY, STRANGER.kid.hex()),
        (key_set(2, STRANGER), Taken.UNKNOWN_KEY, STRANGER.kid.hex()),
        (key_set(3, KEY, issuer="Other Office"), Taken.UNKNOWN_ISSUER, "“Other Office” is not"),
    ],
)
def test_what_is_not_newer_or_not_vouched_for_changes_nothing(
    offered: KeySet, taken: Taken, word: str
) -> None:
    issuers = trusting(key_set(2, KEY, NEXT))
    before = issuers.version, issuers.objects()
    found, reason = issuers.take(offered.raw)
    assert found is taken
    assert word in reason
    assert bool(reason) is (taken is not Taken.KNOWN)
    assert (issuers.version, issuers.objects()) == before


@pytest.mark.parametrize(
    "raw",
    [
        damaged(key_set(3, KEY).raw),
        damaged(revoking(3).raw),
        key_set(3, KEY).raw[:-1],
        token(),
        b"",
        b"garbage",
    ],
)
def test_what_is_not_what_it_says_is_refused(raw: bytes) -> None:
    issuers = trusting(key_set(2, KEY))
    before = issuers.version, issuers.objects()
    taken, reason = issuers.take(raw)
    assert taken is Taken.REFUSED
    assert reason
    assert "\n" not in reason
    assert (issuers.version, issuers.objects()) == before


def test_nobody_is_trusted_for_sending_something() -> None:
    issuers = Issuers()
    assert issuers.take(key_set().raw)[0] is Taken.UNKNOWN_ISSUER
    assert issuers.take(revoking().raw)[0] is Taken.UNKNOWN_ISSUER
    assert issuers.names() == ()


# -- revocation


@pytest.mark.parametrize(
    ("revoked", "expected", "word"),
    [
        ({"token_ids": [b"token-1"]}, IdentityStatus.REVOKED, "revoked this token"),
        ({"peer_keys": [ALICE]}, IdentityStatus.REVOKED, "revoked all tokens of this peer"),
        ({"token_ids": [b"token-2"], "peer_keys": [BOB]}, IdentityStatus.VERIFIED, "vouches"),
        ({"token_ids": [ALICE]}, IdentityStatus.VERIFIED, "vouches"),
    ],
)
def test_tokens_are_revoked_by_id_and_by_peer(
    revoked: dict[str, Any], expected: IdentityStatus, word: str
) -> None:
    issuers = trusting()
    assert status(issuers, token()) is IdentityStatus.VERIFIED
    version = issuers.version
    assert issuers.take(revoking(**revoked).raw) == (Taken.NEWS, "")
    assert issuers.version > version
    verdict = issuers.check(token(), ALICE, NOW)
    assert verdict.identity.status is expected
    assert word in verdict.identity.reason
    assert (verdict.metadata is None) is (expected is IdentityStatus.REVOKED)


def test_an_older_list_does_not_undo_a_newer_one() -> None:
    issuers = trusting()
    issuers.take(revoking(2, peer_keys=[ALICE]).raw)
    for offered, taken in (
        (revoking(1), Taken.OLDER),
        (revoking(2, peer_keys=[ALICE]), Taken.KNOWN),
        (revoking(2), Taken.CONFLICT),
        (revoking(3, signer=NEXT), Taken.UNKNOWN_KEY),
        (revoking(3, issuer="Other Office"), Taken.UNKNOWN_ISSUER),
    ):
        assert issuers.take(offered.raw)[0] is taken
        assert status(issuers, token()) is IdentityStatus.REVOKED
    assert issuers.take(revoking(3).raw)[0] is Taken.NEWS
    assert status(issuers, token()) is IdentityStatus.VERIFIED


def test_a_list_stays_in_force_when_keys_are_rotated() -> None:
    issuers = trusting()
    issuers.take(revoking(2, peer_keys=[ALICE]).raw)
    issuers.take(key_set(2, NEXT, signer=KEY).raw)
    assert status(issuers, token(NEXT)) is IdentityStatus.REVOKED
    assert issuers.take(revoking(3, signer=KEY).raw)[0] is Taken.UNKNOWN_KEY
    assert issuers.take(revoking(3, signer=NEXT).raw)[0] is Taken.NEWS
    assert status(issuers, token(NEXT)) is IdentityStatus.VERIFIED


def test_a_list_of_one_issuer_says_nothing_for_another() -> None:
    issuers = trusting(key_set(), key_set(1, NEXT, issuer="Other Office"))
    assert issuers.take(revoking(1, signer=NEXT, issuer="Other Office", peer_keys=[ALICE]).raw)[
        0
    ] is (Taken.NEWS)
    assert status(issuers, token()) is IdentityStatus.VERIFIED
    assert status(issuers, token(NEXT, issuer="Other Office")) is IdentityStatus.REVOKED


# -- keeping and handing on


def test_what_is_in_force_is_handed_on_and_taken_by_others() -> None:
    issuers = trusting(key_set(1, KEY), key_set(5, NEXT, issuer="Another"))
    issuers.take(key_set(2, KEY, NEXT).raw)
    issuers.take(revoking(1, peer_keys=[BOB]).raw)
    objects = issuers.objects()
    assert [type(parse_object(raw)).__name__ for raw in objects] == [
        "KeySet", "KeySet", "RevocationList",
    ]  # fmt: skip
    other = trusting(key_set(1, KEY))
    assert [other.take(raw)[0] for raw in objects] == [
        Taken.UNKNOWN_ISSUER, Taken.NEWS, Taken.NEWS,
    ]  # fmt: skip
    assert other.objects() == objects[1:]
    assert [other.take(raw)[0] for raw in objects[1:]] == [Taken.KNOWN, Taken.KNOWN]


def test_a_restart_is_not_rolled_back() -> None:
    """What is kept may be signed with a key that is out of use by now."""
    issuers = trusting(key_set(1, KEY))
    issuers.take(revoking(1, signer=KEY, peer_keys=[BOB]).raw)
    issuers.take(key_set(2, KEY, NEXT).raw)
    issuers.take(key_set(3, NEXT, signer=KEY).raw)
    again = Issuers()
    kept = [parse_object(raw) for raw in issuers.objects()]
    assert again.restore(kept[1]) is Taken.UNKNOWN_ISSUER
    assert [again.restore(each) for each in kept] == [Taken.NEWS, Taken.NEWS]
    assert again.objects() == issuers.objects()
    assert [again.restore(each) for each in kept] == [Taken.KNOWN, Taken.KNOWN]
    assert again.restore(key_set(2, KEY)) is Taken.OLDER
    with pytest.raises(IssuerObjectError, match="two different"):
        again.restore(key_set(3, STRANGER))
    assert status(again, token(NEXT, peer_key=BOB), BOB) is IdentityStatus.REVOKED


# -- checked once


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Note the signatures that are checked."""
    seen: list[bytes] = []
    whole = Token.is_signed_by

    def noting(self: Token, key: Any) -> bool:
        seen.append(self.signature)
        return whole(self, key)

    monkeypatch.setattr(Token, "is_signed_by", noting)
    return seen


def test_a_signature_is_checked_once(checked: list[bytes]) -> None:
    issuers = trusting()
    bad = damaged(token())
    for _ in range(3):
        assert status(issuers, token()) is IdentityStatus.VERIFIED
        assert status(issuers, token(), now=END + 3_600) is IdentityStatus.EXPIRED
        assert status(issuers, token(), BOB) is IdentityStatus.KEY_MISMATCH
        assert status(issuers, bad) is IdentityStatus.BAD_SIGNATURE
    issuers.take(key_set(2, KEY, NEXT).raw)
    issuers.take(revoking(token_ids=[b"token-1"]).raw)
    assert status(issuers, token()) is IdentityStatus.REVOKED
    assert len(checked) == 2
    issuers.distrust(NAME)
    assert status(issuers, token()) is IdentityStatus.UNKNOWN_ISSUER
    issuers.trust(key_set(2, KEY, NEXT))
    assert status(issuers, token()) is IdentityStatus.VERIFIED
    assert len(checked) == 2


def test_only_so_many_are_remembered(checked: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_REMEMBERED", 3)
    issuers = trusting()
    tokens = [token(token_id=b"%d" % number) for number in range(5)]
    for raw in tokens:
        issuers.check(raw, ALICE, NOW)
    assert len(issuers._verifier._checked) == 3
    for raw in tokens[2:]:
        issuers.check(raw, ALICE, NOW)
    assert len(checked) == 5
    issuers.check(tokens[0], ALICE, NOW)
    assert len(checked) == 6


def test_nothing_is_kept_of_a_token_but_its_hash() -> None:
    issuers = trusting()
    for raw in (token(), damaged(token()), b"garbage", forge(claims(_1="Nobody"))):
        issuers.check(raw, ALICE, NOW)
    assert issuers._verifier._checked == {
        hashlib.sha256(token()).digest(): (KEY.public_key, True),
        hashlib.sha256(damaged(token())).digest(): (KEY.public_key, False),
    }


CANDIDATES = [
    token(),
    token(peer_key=BOB),
    token(NEXT),
    token(STRANGER),
    token(issuer="Nobody"),
    token(token_id=b"revoked"),
    damaged(token()),
    b"garbage",
    b"",
    forge(claims(_9="more")),
    token(not_before=NOW + 1_000),
    token(expires_at=BEGIN + 1),
]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CANDIDATES), st.sampled_from([ALICE, BOB])), max_size=12))
def test_many_are_judged_each_by_itself(asked: list[tuple[bytes, bytes]]) -> None:
    def issuers() -> Issuers:
        made = trusting(key_set(1, KEY, NEXT))
        made.take(revoking(token_ids=[b"revoked"]).raw)
        return made

    together = issuers().check_all(asked, NOW)
    for (raw, peer), verdict in zip(asked, together, strict=True):
        alone = issuers().check(raw, peer, NOW)
        assert (verdict.identity.status, verdict.identity.reason, verdict.until) == (
            alone.identity.status, alone.identity.reason, alone.until,
        )  # fmt: skip
        assert verdict.metadata == alone.metadata
