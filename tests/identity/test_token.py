from __future__ import annotations

import contextlib
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor, cose
from presence_core.identity import keys
from presence_core.identity.token import (
    TokenError,
    issue_token,
    parse_token,
    read_token,
    token_text,
)
from presence_core.identity.verdict import MAX_TOKEN
from presence_core.model import IdentityStatus
from tests.identity.issuing import (
    ALICE,
    BEGIN,
    END,
    KEY,
    METADATA,
    NAME,
    NEXT,
    NOW,
    SMALL_ORDER,
    STRANGER,
    TYPE,
    claims,
    forge,
    pad,
    token,
    trusting,
)


def refusal(raw: bytes) -> TokenError:
    with pytest.raises(TokenError) as caught:
        parse_token(raw)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    return caught.value


def test_a_token_says_what_it_was_issued_with() -> None:
    found = parse_token(token())
    assert found.kid == KEY.kid
    assert (found.issuer, found.subject, found.token_id) == (NAME, "alice", b"token-1")
    assert (found.not_before, found.expires_at, found.issued_at) == (BEGIN, END, BEGIN)
    assert found.peer_key == ALICE
    assert found.metadata == METADATA
    assert found.is_signed_by(KEY.public_key)
    assert not found.is_signed_by(NEXT.public_key)


def test_a_token_is_the_cwt_that_the_protocol_describes() -> None:
    header, unprotected, payload, signature = cbor2.loads(token())
    assert cbor2.loads(header) == {1: -19, 4: KEY.kid, 16: TYPE}
    assert unprotected == {}
    assert cbor2.loads(payload) == claims()
    signed = cbor2.dumps(["Signature1", header, b"", payload])
    assert keys.verify(KEY.public, signature, signed)


def test_time_of_issue_and_metadata_may_be_left_out() -> None:
    found = parse_token(forge(claims(_6=None) | {-65_537: {}}))
    assert found.issued_at is None
    bare = {name: value for name, value in claims().items() if name != -65_537}
    assert parse_token(forge(bare)).metadata == {}
    assert parse_token(token(issued_at=None)).issued_at is None


def test_claims_of_others_are_passed_over() -> None:
    more = claims(_9={"scope": b"bytes"}, _38=[1, 2]) | {-70_000: {-1: 1.5}}
    assert parse_token(forge(more)).metadata == METADATA


def test_sixteen_kibibytes_are_the_limit() -> None:
    assert len(parse_token(pad(MAX_TOKEN)).metadata["pad"]) > 16_000
    error = refusal(pad(MAX_TOKEN + 1))
    assert error.status is IdentityStatus.OVERSIZE
    assert "16,385" in str(error)
    assert refusal(b"\0" * (MAX_TOKEN + 1)).status is IdentityStatus.OVERSIZE
    with pytest.raises(ValueError, match="16,384"):
        token(metadata={"pad": "x" * MAX_TOKEN})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_1": None}, "issuer"),
        ({"_1": ""}, "issuer"),
        ({"_1": "i" * 257}, "issuer"),
        ({"_1": b"bytes"}, "issuer"),
        ({"_2": None}, "subject"),
        ({"_2": ""}, "subject"),
        ({"_2": "é" * 129}, "subject"),
        ({"_2": 7}, "subject"),
        ({"_3": "coap://light.example.com"}, "audience"),
        ({"_4": None}, "until"),
        ({"_4": float(END)}, "until"),
        ({"_4": -1}, "until"),
        ({"_4": 2**63}, "until"),
        ({"_4": 253_370_764_801}, "until"),
        ({"_4": True}, "until"),
        ({"_4": str(END)}, "until"),
        ({"_5": None}, "from"),
        ({"_5": BEGIN + 0.5}, "from"),
        ({"_5": -1}, "from"),
        ({"_5": END}, "before it begins"),
        ({"_5": END + 1}, "before it begins"),
        ({"_6": float(BEGIN)}, "issue"),
        ({"_6": -1}, "issue"),
        ({"_7": None}, "id"),
        ({"_7": b""}, "id"),
        ({"_7": b"x" * 65}, "id"),
        ({"_7": "text"}, "id"),
        ({"_8": None}, "bound to no key"),
        ({"_8": {}}, "bound to no key"),
        ({"_8": ALICE}, "bound to no key"),
        ({"_8": {1: ALICE}}, "bound to no key"),
        ({"_8": {3: b"kid"}}, "bound to no key"),
        ({"_8": {1: {1: 2, -1: 6, -2: ALICE}}}, "another kind of key"),
        ({"_8": {1: {1: 1, -1: 4, -2: ALICE}}}, "another kind of key"),
        ({"_8": {1: {1: 1.0, -1: 6, -2: ALICE}}}, "another kind of key"),
        ({"_8": {1: {1: True, -1: 6, -2: ALICE}}}, "another kind of key"),
        ({"_8": {1: {-1: 6, -2: ALICE}}}, "another kind of key"),
        ({"_8": {1: {1: 1, -1: 6, -2: ALICE, -4: b"d" * 32}}}, "another kind of key"),
        ({"_8": {1: {1: 1, -1: 6}}}, "32 bytes"),
        ({"_8": {1: {1: 1, -1: 6, -2: ALICE + b"\0"}}}, "32 bytes"),
        ({"_8": {1: {1: 1, -1: 6, -2: SMALL_ORDER}}}, "small order"),
        ({"_8": {1: {1: 1, -1: 6, -2: b"\xff" * 32}}}, "canonical"),
    ],
)
def test_each_claim_has_its_rules(change: dict[str, Any], reason: str) -> None:
    error = refusal(forge(claims(**change)))
    assert error.status is IdentityStatus.MALFORMED
    assert reason in str(error)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ([], "object"),
        ("text", "object"),
        ({1: "a"}, "text"),
        ({"a": {-1: "a"}}, "text"),
        ({"a": b"bytes"}, "JSON"),
        ({"a": -(2**63) - 1}, "64 bits"),
        (nested(17), "deep"),
    ],
)
def test_metadata_has_the_rules_of_metadata(metadata: Any, reason: str) -> None:
    error = refusal(forge(claims() | {-65_537: metadata}))
    assert error.status is IdentityStatus.MALFORMED
    assert reason in str(error)


def test_metadata_may_be_as_deep_as_any() -> None:
    assert parse_token(token(metadata=nested(16))).metadata == nested(16)
    with pytest.raises(ValueError, match="deep"):
        token(metadata=nested(17))


@pytest.mark.parametrize(
    "header",
    [
        {},
        {1: -19},
        {1: -19, 4: KEY.kid},
        {1: -19, 16: TYPE},
        {4: KEY.kid, 16: TYPE},
        {1: -19, 4: b"", 16: TYPE},
        {1: -19, 4: KEY.kid[:7], 16: TYPE},
        {1: -19, 4: KEY.kid + b"\0", 16: TYPE},
        {1: -19, 4: KEY.kid.hex(), 16: TYPE},
        {1: -19, 4: KEY.kid, 16: "JWT"},
        {1: -19, 4: KEY.kid, 16: "presence-mesh-issuer+cbor"},
        {1: -19, 4: KEY.kid, 16: TYPE.encode()},
        {1: -19, 4: KEY.kid, 16: 61},
        {1: -19.0, 4: KEY.kid, 16: TYPE},
        {1: "EdDSA", 4: KEY.kid, 16: TYPE},
        {1: None, 4: KEY.kid, 16: TYPE},
        {1: True, 4: KEY.kid, 16: TYPE},
        {1: -19, 2: [99], 4: KEY.kid, 16: TYPE},
        {1: -19, 3: 61, 4: KEY.kid, 16: TYPE},
        {"alg": -19},
    ],
)
def test_the_header_is_exactly_what_it_should_be(header: dict[Any, Any]) -> None:
    assert refusal(forge(claims(), header=header)).status is IdentityStatus.MALFORMED


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [(-8, "EdDSA, -8"), (0, "(0)"), (-7, "ES256"), (5, "HMAC"), (-20, "-20"), (19, "(19)")],
)
def test_only_ed25519_is_accepted(algorithm: int, name: str) -> None:
    error = refusal(forge(claims(), header={1: algorithm, 4: KEY.kid, 16: TYPE}))
    assert error.status is IdentityStatus.UNSUPPORTED_ALG
    assert name in str(error)


def test_what_is_malformed_is_said_before_the_algorithm() -> None:
    raw = forge(claims(_7=None), header={1: -8, 4: KEY.kid, 16: TYPE})
    assert refusal(raw).status is IdentityStatus.MALFORMED


def item(raw: bytes) -> list[Any]:
    found = cbor2.loads(raw)
    assert isinstance(found, list)
    return found


HEADER, _, PAYLOAD, SIGNATURE = item(token())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        token()[:-1],
        token() + b"\0",
        b"\xd2" + token(),
        b"\xd8\x3d\xd2" + token(),
        b"\x9f" + token()[1:] + b"\xff",
        cbor2.dumps([HEADER, {4: KEY.kid}, PAYLOAD, SIGNATURE]),
        cbor2.dumps([HEADER, {}, None, SIGNATURE]),
        cbor2.dumps([HEADER, {}, PAYLOAD, SIGNATURE[:-1]]),
        cbor2.dumps([HEADER, {}, PAYLOAD]),
        cbor2.dumps([HEADER + b"\0", {}, PAYLOAD, SIGNATURE]),
        forge(PAYLOAD + b"\0"),
        forge(b""),
        forge(b"\xd8\x3d" + PAYLOAD),
        forge([1, 2]),
        forge("text"),
        forge({"iss": NAME}),
        forge(cbor2.dumps(claims() | {4: cbor2.CBORTag(1, END)}, canonical=True)),
        forge(cbor2.dumps(dict(reversed(claims().items())))),
        forge(PAYLOAD.replace(b"\x04\x1a", b"\x04\x1b\0\0\0\0")),
        forge(b"\xa9" + PAYLOAD[1:] + PAYLOAD[-4:]),
    ],
)
def test_what_has_another_form_is_malformed(raw: bytes) -> None:
    assert refusal(raw).status is IdentityStatus.MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ""},
        {"issuer": "\ud800"},
        {"subject": "s" * 257},
        {"token_id": b""},
        {"peer_key": SMALL_ORDER},
        {"peer_key": ALICE[:31]},
        {"not_before": END},
        {"not_before": float(BEGIN)},
        {"expires_at": 2**64},
        {"metadata": {"a": b"bytes"}},
        {"metadata": {"a": float("nan")}},
    ],
)
def test_nothing_is_issued_that_nobody_would_accept(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words differ
        token(**change)


# -- what others have published


def test_the_signed_cwt_of_rfc_8392_holds_and_is_none_of_ours() -> None:
    """Appendix A.3, with the key of A.2.3 and the claims of A.1."""
    example = bytes.fromhex(
        "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d"
        "706c652e636f6d02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612ae"
        "b0051a5610d9f0061a5610d9f007420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438"
        "bacaca5acd08c8d4d4f96131680c429a01f85951ecee743a52b9b63632c57209120e1c9e30"
    )
    header, unprotected, payload, signature = cbor2.loads(example).value
    # We agree with it about what is signed...
    raw = cbor.encode([header, {}, payload, signature])
    message = cose.parse_sign1(raw, max_size=MAX_TOKEN)
    numbers = EllipticCurvePublicNumbers(
        int("143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f", 16),
        int("60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9", 16),
        SECP256R1(),
    )
    halves = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    numbers.public_key().verify(
        encode_dss_signature(*halves), message.to_be_signed(b""), ECDSA(SHA256())
    )
    # ... and about the numbers of the claims...
    assert cbor.decode(message.payload, max_size=MAX_TOKEN) == {
        1: "coap://as.example.com", 2: "erikw", 3: "coap://light.example.com",
        4: 1444064944, 5: 1443944944, 6: 1443944944, 7: b"\x0bq",
    }  # fmt: skip
    assert unprotected == {4: b"AsymmetricECDSA256"}
    # ... but it is no token of ours: a tag, an unprotected key id, no key that it is bound to.
    assert refusal(example).status is IdentityStatus.MALFORMED
    assert refusal(raw).status is IdentityStatus.MALFORMED
    ours = claims(_1="coap://as.example.com", _2="erikw", _4=1444064944, _5=1443944944,
                  _6=1443944944, _7=b"\x0bq")  # fmt: skip
    assert parse_token(forge(ours)).token_id == b"\x0bq"
    es256 = forge(ours, header={1: -7, 4: KEY.kid, 16: TYPE})
    assert refusal(es256).status is IdentityStatus.UNSUPPORTED_ALG


def test_the_eddsa_example_of_the_cose_working_group_holds_and_is_none_of_ours() -> None:
    """RFC 9052 says what is signed; eddsa-sig-01 of its examples has the first key of RFC 8032."""
    example = bytes.fromhex(
        "d28445a201270300a10442313154546869732069732074686520636f6e74656e742e58407142fd2ff96d56db85be"
        "e905a76ba1d0b7321a95c8c4d3607c5781932b7afb8711497dfa751bf40b58b3bcc32300b1487f3db34085eef013"
        "bf08f4a44d6fef0d"
    )
    header, _, payload, signature = cbor2.loads(example).value
    raw = cbor.encode([header, {}, payload, signature])
    message = cose.parse_sign1(raw, max_size=MAX_TOKEN)
    assert message.to_be_signed(b"").hex() == (
        "846a5369676e61747572653145a2012703004054546869732069732074686520636f6e74656e742e"
    )
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert keys.verify(public, signature, message.to_be_signed(b""))
    assert refusal(example).status is IdentityStatus.MALFORMED
    assert refusal(raw).status is IdentityStatus.MALFORMED


# -- no damage goes unseen


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    raw = bytearray(draw(st.sampled_from(TOKENS)))
    for _ in range(draw(st.integers(1, 3))):
        if not raw:  # all of it is cut away
            break
        place = draw(st.integers(0, len(raw) - 1))
        match draw(st.sampled_from(["replace", "replace", "insert", "delete", "cut"])):
            case "replace":
                raw[place] = draw(
                    st.sampled_from([raw[place] ^ 1, raw[place] ^ 32]) | st.integers(0, 255)
                )
            case "insert":
                raw.insert(place, draw(st.integers(0, 255)))
            case "delete":
                del raw[place]
            case "cut":
                del raw[place + 1 :]
    return bytes(raw)


TOKENS = [
    token(),
    token(metadata={}),
    forge(claims(_6=None, _9="scope")),
    token(issuer="o" * 100, token_id=b"t" * 40, metadata={"ä": "ö" * 60}),
]


@settings(max_examples=1_000, deadline=None)
@given(mutations())
def test_what_was_changed_is_refused_with_one_kind_of_error_or_its_signature_is_wrong(
    raw: bytes,
) -> None:
    verdict = trusting().check(raw, ALICE, NOW)
    if raw in TOKENS:
        return
    assert verdict.identity.status is not IdentityStatus.VERIFIED
    assert verdict.metadata is None
    with contextlib.suppress(TokenError):
        assert not parse_token(raw).is_signed_by(KEY.public_key)


def test_no_bit_of_a_token_can_be_changed() -> None:
    raw, issuers = token(), trusting()
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            verdict = issuers.check(bytes(changed), ALICE, NOW)
            assert verdict.identity.status is not IdentityStatus.VERIFIED
            assert verdict.metadata is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=200).map(forge))
def test_garbage_is_refused_with_one_kind_of_error(data: bytes) -> None:
    assert refusal(data).status is IdentityStatus.MALFORMED


# -- the text form


def test_a_file_holds_a_token_on_one_line() -> None:
    text = token_text(token())
    assert text.count("\n") == 1
    assert "=" not in text
    for form in (text, text.encode(), f"\n {text}\r\n", text.rstrip()):
        assert read_token(form) == token()
    for empty in ("", b"", " \n", b"\r\n"):
        assert read_token(empty) is None


@pytest.mark.parametrize(
    "text", ["a", "aa aa", "aa\naa", "aa=", "aa==", "ab", "a+/a", "ä" * 4, b"\xff\xfe", "aaaa\0"]
)
def test_a_file_that_holds_something_else_is_refused(text: str | bytes) -> None:
    with pytest.raises(TokenError, match="text"):
        read_token(text)


def test_a_file_that_is_too_large_is_refused() -> None:
    assert read_token(token_text(b"x" * MAX_TOKEN)) == b"x" * MAX_TOKEN
    with pytest.raises(TokenError) as caught:
        read_token(token_text(b"x" * (MAX_TOKEN + 1)))
    assert caught.value.status is IdentityStatus.OVERSIZE


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_text_is_read_or_refused_with_one_kind_of_error(text: str | bytes) -> None:
    try:
        found = read_token(text)
    except TokenError:
        return
    plain = text if isinstance(text, str) else text.decode("ascii")
    assert token_text(found or b"").strip() == plain.strip()


def test_a_private_key_does_not_show_itself() -> None:
    assert KEY.private_bytes().hex() not in repr(KEY)
    assert repr(KEY) == f"<IssuerKey {KEY.kid.hex()}>"
    assert STRANGER.kid != KEY.kid


def test_metadata_that_is_not_given_is_empty() -> None:
    raw = issue_token(
        KEY, issuer=NAME, subject="a", peer_key=ALICE, token_id=b"1", not_before=1, expires_at=2
    )
    assert parse_token(raw).metadata == {}
