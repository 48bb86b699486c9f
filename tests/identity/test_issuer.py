from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import base64url, cbor, cose
from presence_core.identity import keys
from presence_core.identity.issuer import (
    MAX_KEYS,
    MAX_OBJECT,
    MAX_OBJECT_TEXT,
    MAX_PEER_KEYS,
    MAX_TOKEN_IDS,
    IssuerKey,
    IssuerObjectError,
    KeySet,
    PublicKey,
    RevocationList,
    is_signed_by,
    key_id,
    object_text,
    parse_object,
    read_object,
    same_content,
    sign_key_set,
    sign_revocations,
)
from tests.identity.issuing import (
    ALICE,
    BEGIN,
    BOB,
    KEY,
    NAME,
    NEXT,
    SMALL_ORDER,
    STRANGER,
    key_set,
    token,
)

TYPE = "presence-mesh-issuer+cbor"
AAD = b"presence-mesh/issuer/1"


def cose_key(key: IssuerKey, **changes: Any) -> dict[int, Any]:
    return {1: 1, 2: key.kid, 3: -19, -1: 6, -2: key.public}


def forge(payload: Any, header: dict[Any, Any] | None = None, aad: bytes = AAD) -> bytes:
    """Sign anything as an object of an issuer, without asking whether it is one."""
    return cose.sign1(
        payload if isinstance(payload, bytes) else cbor.encode(payload),
        protected={1: -19, 4: KEY.kid, 16: TYPE} if header is None else header,
        external_aad=aad,
        sign=KEY.sign,
    )


KEYS = {1: 1, 2: NAME, 3: 1, 5: [cose_key(KEY)]}
REVOKED: dict[int, Any] = {1: 2, 2: NAME, 3: 1, 6: [b"token-1"], 7: [BOB]}


def refusal(raw: bytes) -> str:
    with pytest.raises(IssuerObjectError) as caught:
        parse_object(raw)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_key_is_named_by_the_beginning_of_its_hash() -> None:
    assert KEY.kid == key_id(KEY.public)
    assert len(KEY.kid) == 8
    assert PublicKey.of(KEY.public) == KEY.public_key
    again = IssuerKey.from_private_bytes(KEY.private_bytes())
    assert again.public_key == KEY.public_key
    assert IssuerKey.generate().kid != IssuerKey.generate().kid
    assert KEY.public_key.verify(KEY.sign(b"data"), b"data")
    assert not KEY.public_key.verify(KEY.sign(b"data"), b"other")
    assert not KEY.public_key.verify(b"", b"data")


@pytest.mark.parametrize(
    ("kid", "public"),
    [
        (b"", KEY.public),
        (NEXT.kid, KEY.public),
        (KEY.kid + b"\0", KEY.public),
        (key_id(SMALL_ORDER), SMALL_ORDER),
        (key_id(b"\xff" * 32), b"\xff" * 32),
        (key_id(b"short"), b"short"),
    ],
)
def test_what_cannot_be_a_key_is_refused(kid: bytes, public: bytes) -> None:
    with pytest.raises(IssuerObjectError, match="key"):
        PublicKey(kid, public)


def test_a_key_set_says_what_it_was_signed_with() -> None:
    made = sign_key_set(
        KEY, issuer=NAME, number=7, keys=[KEY.public_key, NEXT.public_key], issued_at=BEGIN
    )
    found = parse_object(made.raw)
    assert found == made
    assert isinstance(found, KeySet)
    assert (found.issuer, found.number, found.signer, found.issued_at) == (NAME, 7, KEY.kid, BEGIN)
    assert found.key(NEXT.kid) == NEXT.public_key
    assert found.key(STRANGER.kid) is None
    assert is_signed_by(found, KEY.public_key)
    assert not is_signed_by(found, NEXT.public_key)


def test_a_revocation_list_says_what_it_was_signed_with() -> None:
    made = sign_revocations(
        KEY, issuer=NAME, number=3, token_ids=[b"2", b"1", b"2"], peer_keys=[BOB, ALICE]
    )
    found = parse_object(made.raw)
    assert found == made
    assert isinstance(found, RevocationList)
    assert found.token_ids == {b"1", b"2"}
    assert found.peer_keys == {ALICE, BOB}
    assert found.issued_at is None
    assert is_signed_by(found, KEY.public_key)
    empty = sign_revocations(KEY, issuer=NAME, number=0)
    assert empty.token_ids == empty.peer_keys == frozenset()


def test_an_object_is_the_cose_that_the_protocol_describes() -> None:
    raw = sign_key_set(KEY, issuer=NAME, number=1, keys=[KEY.public_key]).raw
    header, unprotected, payload, signature = cbor2.loads(raw)
    assert cbor2.loads(header) == {1: -19, 4: KEY.kid, 16: TYPE}
    assert unprotected == {}
    assert cbor2.loads(payload) == KEYS
    signed = cbor2.dumps(["Signature1", header, AAD, payload])
    assert keys.verify(KEY.public, signature, signed)
    assert raw == forge(KEYS)
    assert forge(REVOKED) == (
        sign_revocations(KEY, issuer=NAME, number=1, token_ids=[b"token-1"], peer_keys=[BOB]).raw
    )


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert parse_object(forge(KEYS | {8: "later", -1: [1]})).number == 1
    with_note = KEYS | {5: [cose_key(KEY) | {4: [2], -70_000: "note"}]}
    assert parse_object(forge(with_note)).keys == (KEY.public_key,)  # type: ignore[union-attr]


def test_keys_of_kinds_that_are_not_known_are_passed_over() -> None:
    """RFC 9052 §7: each key is looked at by itself."""
    others = [
        {1: 2, -1: 1, -2: b"x" * 32, -3: b"y" * 32},
        cose_key(KEY) | {-1: 4},
        cose_key(KEY) | {3: -8},
        {1: 1, 2: KEY.kid, -1: 6, -2: KEY.public},
        {},
    ]
    found = parse_object(forge(KEYS | {5: [*others, cose_key(NEXT)]}))
    assert isinstance(found, KeySet)
    assert found.keys == (NEXT.public_key,)
    assert "no Ed25519 key" in refusal(forge(KEYS | {5: others}))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (KEYS | {1: 3}, "neither"),
        (KEYS | {1: 0}, "neither"),
        (KEYS | {1: True}, "kind"),
        (KEYS | {1: 1.0}, "kind"),
        ({2: NAME, 3: 1, 5: [cose_key(KEY)]}, "kind"),
        (KEYS | {2: ""}, "name"),
        (KEYS | {2: "i" * 257}, "name"),
        (KEYS | {2: b"bytes"}, "name"),
        (KEYS | {3: -1}, "number"),
        (KEYS | {3: 2**63}, "number"),
        (KEYS | {3: 1.5}, "number"),
        (KEYS | {3: None}, "number"),
        (KEYS | {4: -1}, "time"),
        (KEYS | {4: 1.5}, "time"),
        (KEYS | {5: []}, "no Ed25519 key"),
        (KEYS | {5: None}, "list"),
        (KEYS | {5: {}}, "list"),
        (KEYS | {5: [cose_key(KEY)] * (MAX_KEYS + 1)}, "at most 16"),
        (KEYS | {5: [cose_key(KEY), cose_key(KEY)]}, "twice"),
        (KEYS | {5: ["key"]}, "map"),
        (KEYS | {5: [cose_key(KEY) | {2: NEXT.kid}]}, "id of a key"),
        (KEYS | {5: [cose_key(KEY) | {2: b""}]}, "id of a key"),
        (KEYS | {5: [cose_key(KEY) | {-2: b"short"}]}, "32 bytes"),
        (KEYS | {5: [cose_key(KEY) | {2: key_id(SMALL_ORDER), -2: SMALL_ORDER}]}, "small order"),
        (REVOKED | {6: None}, "list"),
        (REVOKED | {7: {}}, "list"),
        (REVOKED | {6: [b""]}, "token id"),
        (REVOKED | {6: [b"x" * 65]}, "token id"),
        (REVOKED | {6: ["text"]}, "bytes"),
        (REVOKED | {6: [[1]]}, "bytes"),
        (REVOKED | {6: [b"1", b"1"]}, "twice"),
        (REVOKED | {7: [ALICE[:31]]}, "peer key"),
        (REVOKED | {7: [BOB, BOB]}, "twice"),
        (REVOKED | {6: [b"%d" % n for n in range(MAX_TOKEN_IDS + 1)]}, "2,000"),
        (REVOKED | {7: [b"%032d" % n for n in range(MAX_PEER_KEYS + 1)]}, "1,000"),
        ([1], "map"),
        (b"", "malformed"),
        (b"\xff", "malformed"),
        ({"kind": 1}, "name"),
    ],
)
def test_what_breaks_a_rule_is_refused(payload: Any, reason: str) -> None:
    assert reason in refusal(forge(payload))


@pytest.mark.parametrize(
    "header",
    [
        {},
        {1: -19},
        {1: -8, 4: KEY.kid, 16: TYPE},
        {1: -19.0, 4: KEY.kid, 16: TYPE},
        {1: -19, 4: b"", 16: TYPE},
        {1: -19, 4: "text", 16: TYPE},
        {1: -19, 4: KEY.kid, 16: "presence-mesh-id+cwt"},
        {1: -19, 2: [16], 4: KEY.kid, 16: TYPE},
        {1: -19, 4: [[]], 16: TYPE},
    ],
)
def test_the_header_is_exactly_what_it_should_be(header: dict[Any, Any]) -> None:
    refusal(forge(KEYS, header))


def test_a_signature_for_something_else_is_none() -> None:
    for aad in (b"", b"presence-mesh/presence/1"):
        assert not is_signed_by(parse_object(forge(KEYS, aad=aad)), KEY.public_key)
    refusal(token())


@pytest.mark.parametrize(
    "settings_",
    [
        {"issuer": ""},
        {"issuer": "\ud800"},
        {"number": -1},
        {"number": 2**63},
        {"number": 2**64},
        {"keys": []},
        {"keys": [KEY.public_key] * 2},
        {"issued_at": -1},
    ],
)
def test_nothing_is_signed_that_nobody_would_accept(settings_: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"issuer": NAME, "number": 1, "keys": [KEY.public_key]}
    with pytest.raises(IssuerObjectError):
        sign_key_set(KEY, **(usual | settings_))


def test_as_much_is_revoked_as_fits_a_message() -> None:
    ids = [b"%016d" % n for n in range(MAX_TOKEN_IDS)]
    peers = [bytes([1, n >> 8, n & 255]) * 10 + b"\1\1" for n in range(MAX_PEER_KEYS)]
    assert len(sign_revocations(KEY, issuer=NAME, number=1, token_ids=ids).raw) < MAX_OBJECT
    assert len(sign_revocations(KEY, issuer=NAME, number=1, peer_keys=peers).raw) < MAX_OBJECT
    with pytest.raises(IssuerObjectError, match="65000"):
        sign_revocations(KEY, issuer=NAME, number=1, token_ids=ids, peer_keys=peers)
    with pytest.raises(IssuerObjectError, match="2,000"):
        sign_revocations(KEY, issuer=NAME, number=1, token_ids=[*ids, b"more"])
    with pytest.raises(IssuerObjectError, match="1,000"):
        sign_revocations(KEY, issuer=NAME, number=1, peer_keys=[*peers, ALICE])


def test_the_same_is_the_same_whoever_signed_it() -> None:
    one, other = (key_set(1, KEY, NEXT, signer=signer) for signer in (KEY, NEXT))
    assert one.raw != other.raw
    assert same_content(one, other)
    assert not same_content(one, key_set(2, KEY, NEXT))


# -- the text form


@pytest.mark.parametrize(
    "made",
    [
        key_set(1, KEY, NEXT, STRANGER),
        sign_revocations(KEY, issuer=NAME, number=9, token_ids=[b"1"], peer_keys=[BOB]),
        sign_revocations(KEY, issuer=NAME, number=9, token_ids=[b"%d" % n for n in range(2_000)]),
    ],
)
def test_an_object_is_read_from_its_text_and_from_its_bytes(made: KeySet | RevocationList) -> None:
    text = object_text(made)
    assert text.isascii()
    assert text.endswith("\n")
    assert all(len(line) <= 76 for line in text.splitlines() if not line.startswith("#"))
    assert f"# {'key set' if isinstance(made, KeySet) else 'revocation list'} {made.number}" in text
    assert NAME in text
    assert KEY.kid.hex() in text
    windows = "\r\n".join(["# learned", "", *text.splitlines(), "  # end", " "])
    for form in (text, text.encode(), windows, windows.encode(), made.raw):
        assert read_object(form) == made.raw


def test_comments_are_for_eyes_only() -> None:
    made = key_set(issuer="Evil\n\x1b[31m# \u202e\nAAAA")
    text = object_text(made)
    assert text.count("\n# ") == 2
    assert "\x1b" not in text
    lies = text.replace("key set 1", "key set 9").replace("# key", "# KEY")
    assert parse_object(read_object(lies)) == made


@pytest.mark.parametrize(
    "data",
    [
        "",
        b"",
        "# nothing\n",
        " \n",
        "a",
        "ab",
        "aa=\n",
        "a+b/",
        "aa aa",
        "\ufeffaaaa",
        b"\xff\xfe",
        "ä",
        "aaaa\0",
        b"\x84" + bytes(MAX_OBJECT),
        "# x" + "x" * MAX_OBJECT_TEXT,
        b"# x" + b"x" * MAX_OBJECT_TEXT,
        base64url.encode(bytes(MAX_OBJECT + 1)),
    ],
)
def test_what_is_neither_is_refused(data: str | bytes) -> None:
    with pytest.raises(IssuerObjectError) as caught:
        read_object(data)
    assert "\n" not in str(caught.value)


def test_the_largest_object_has_a_text() -> None:
    text = base64url.encode(bytes([0x84]) + bytes(MAX_OBJECT - 1))
    assert len(read_object(text)) == MAX_OBJECT


# -- no damage goes unseen


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=200).map(forge))
def test_garbage_is_refused_with_one_kind_of_error(data: bytes) -> None:
    refusal(data)


@settings(max_examples=300)
@given(st.text(max_size=100) | st.binary(max_size=100))
def test_any_text_is_read_or_refused_with_one_kind_of_error(data: str | bytes) -> None:
    try:
        raw = read_object(data)
    except IssuerObjectError:
        return
    assert len(raw) <= MAX_OBJECT


@pytest.mark.parametrize("raw", [forge(KEYS), forge(REVOKED)])
def test_no_bit_of_an_object_can_be_changed(raw: bytes) -> None:
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            try:
                found = parse_object(bytes(changed))
            except IssuerObjectError:
                continue
            assert not is_signed_by(found, KEY.public_key)


@given(st.binary(max_size=100))
def test_base64url_has_one_text_for_each_value(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@settings(max_examples=500)
@given(st.text(st.sampled_from("AQgw_-Zz9+/= \n"), max_size=9))
def test_base64url_reads_only_what_it_writes(text: str) -> None:
    try:
        data = base64url.decode(text)
    except base64url.Base64Error:
        return
    assert base64url.encode(data) == text
