from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from presence_core.identity.keys import (
    Identity,
    KeyFormatError,
    check_peer_key,
    parse_peer_key,
    peer_key_text,
    safety_number,
    short_id,
    verify,
)
from presence_core.identity.mesh import MeshKey

P = 2**255 - 19
D = -121_665 * pow(121_666, P - 2, P) % P

# RFC 8032, section 7.1: secret key, public key, message, signature.
RFC_8032 = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
            "f9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
            "f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f76098"
            "4dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
)


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_signatures_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    identity = Identity.from_private_bytes(bytes.fromhex(secret))
    assert identity.peer_key.hex() == public
    assert identity.sign(bytes.fromhex(message)).hex() == signature
    assert verify(identity.peer_key, bytes.fromhex(signature), bytes.fromhex(message))
    assert not verify(identity.peer_key, bytes.fromhex(signature), b"other")


def _add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P,
    )


def _points_of_small_order() -> set[tuple[int, int]]:
    """Find them: eight times any point of the curve's full group lies beside them."""
    found: set[tuple[int, int]] = set()
    order = 2**252 + 27742317777372353535851937790883648493
    y = 2
    while len(found) < 8:
        y += 1
        square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
        x = pow(square, (P + 3) // 8, P)
        if (x * x - square) % P:
            x = x * pow(2, (P - 1) // 4, P) % P
        if (x * x - square) % P:
            continue
        point, result, scalar = (x, y), (0, 1), order
        while scalar:
            if scalar & 1:
                result = _add(result, point)
            point = _add(point, point)
            scalar >>= 1
        found.add(result)
    return found


def test_every_encoding_of_a_point_of_small_order_is_refused() -> None:
    points = _points_of_small_order()
    assert len(points) == 8
    encodings = set()
    for _, y in points:
        for value in (y, y + P):
            for sign in (0, 1):
                if value < 2**255:
                    encodings.add((value | sign << 255).to_bytes(32, "little"))
    for encoding in encodings:
        with pytest.raises(KeyFormatError):
            check_peer_key(encoding)
        assert not verify(encoding, bytes(64), b"anything")


def test_the_library_would_have_accepted_a_constant_signature() -> None:
    neutral = (1).to_bytes(32, "little")
    signature = neutral + bytes(32)
    Ed25519PublicKey.from_public_bytes(neutral).verify(signature, b"whatever is said")
    assert not verify(neutral, signature, b"whatever is said")


@pytest.mark.parametrize("y", [P, P + 1, P + 2, P + 18, 2**255 - 1])
def test_keys_that_are_not_canonical_are_refused(y: int) -> None:
    with pytest.raises(KeyFormatError):
        check_peer_key(y.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(KeyFormatError, match="32 bytes"):
        check_peer_key(bytes(length))


def test_the_text_of_a_key_reads_back_in_any_case() -> None:
    key = Identity.generate().peer_key
    text = peer_key_text(key)
    assert text.startswith("pk1")
    assert len(text) == 61
    assert parse_peer_key(text) == parse_peer_key(f"  {text.upper()}\n") == key


@given(st.integers(3, 60), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_a_wrong_letter_in_a_key_is_noticed(place: int, letter: str) -> None:
    text = peer_key_text(Identity.from_private_bytes(bytes(32)).peer_key)
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong != text:
        with pytest.raises(KeyFormatError, match="not a peer key"):
            parse_peer_key(wrong)


@pytest.mark.parametrize("text", ["", "pk1", "hello", "mk1" + "q" * 58, "pk1" + "b" * 58])
def test_what_is_no_key_is_refused_with_words(text: str) -> None:
    with pytest.raises(KeyFormatError, match="not a peer key: it"):
        parse_peer_key(text)


def test_the_safety_number_is_the_same_on_both_screens_and_60_digits() -> None:
    one, other = Identity.generate().peer_key, Identity.generate().peer_key
    number = safety_number(one, other)
    assert number == safety_number(other, one)
    groups = number.split(" ")
    assert [len(group) for group in groups] == [5] * 12
    assert "".join(groups).isdecimal()
    assert number != safety_number(one, Identity.generate().peer_key)


def test_a_short_id_is_eight_letters() -> None:
    key = Identity.generate().peer_key
    assert len(short_id(key)) == 8
    assert short_id(key) == short_id(key).lower()


def test_no_secret_shows_itself() -> None:
    identity, mesh = Identity.generate(), MeshKey.generate("field")
    for thing, secret in ((identity, identity.private_bytes()), (mesh, mesh.secret)):
        shown = f"{thing!r} {thing}"
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    assert mesh.text() not in repr(mesh)
