"""Published vectors through the primitives in the way that we call them."""

from __future__ import annotations

import hmac
import runpy

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from presence_core.handshake import primitives
from presence_core.handshake.cipher import CipherState, NoiseError, hkdf
from presence_core.identity.keys import Identity, verify
from presence_core.identity.mesh import MeshKey

# RFC 8032, 7.1: secret key, public key, message, signature (tests 1, 2, 3 and SHA(abc)).
ED25519 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), ED25519)
def test_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    identity = Identity.from_private_bytes(bytes.fromhex(secret))
    assert identity.peer_key.hex() == public
    assert identity.sign(bytes.fromhex(message)).hex() == signature
    assert verify(identity.peer_key, bytes.fromhex(signature), bytes.fromhex(message))
    assert not verify(identity.peer_key, bytes.fromhex(signature), b"other")


def test_rfc_7748_diffie_hellman() -> None:
    alice = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    )
    bob = X25519PublicKey.from_public_bytes(
        bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    )
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert alice.exchange(bob).hex() == shared


def test_keys_made_directly_are_those_of_the_library() -> None:
    mine, theirs = primitives.generate(), X25519PrivateKey.generate()
    assert isinstance(mine, X25519PrivateKey)
    public = primitives.public_key(mine.public_key().public_bytes_raw())
    assert isinstance(public, X25519PublicKey)
    assert theirs.exchange(public) == mine.exchange(theirs.public_key())
    assert primitives.ChaCha20Poly1305 is ChaCha20Poly1305
    with pytest.raises(ValueError, match="32 bytes"):
        primitives.public_key(bytes(31))


def test_without_the_direct_way_the_public_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(openssl, "x25519")
    module = runpy.run_path(primitives.__file__)
    assert module["generate"] == X25519PrivateKey.generate
    assert module["public_key"] == X25519PublicKey.from_public_bytes
    assert module["ChaCha20Poly1305"] is ChaCha20Poly1305


def test_rfc_8439_aead_through_a_cipher_state() -> None:
    # Appendix A.5; its nonce is one that counting would reach.
    key = bytes.fromhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
    aad = bytes.fromhex("f33388860000000000004e91")
    sealed = bytes.fromhex(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e"
        "382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd"
        "60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c76"
        "7b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a"
        "0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a67276"
        "27097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b0270"
        "9beead9d67890cbb22392336fea1851f38"
    )
    cipher = CipherState(key)
    cipher._nonce = 0x0807060504030201
    opened = cipher.decrypt(aad, sealed)
    assert opened.startswith(
        b"Internet-Drafts are draft documents valid for a maximum of six months"
    )
    cipher._nonce = 0x0807060504030201
    assert cipher.encrypt(aad, opened) == sealed
    assert cipher._nonce == 0x0807060504030202


def test_rfc_8439_aead_with_its_own_nonce() -> None:
    # Section 2.8.2.
    plaintext = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    sealed = ChaCha20Poly1305(bytes(range(0x80, 0xA0))).encrypt(
        bytes.fromhex("070000004041424344454647"),
        plaintext,
        bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
    )
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_rfc_5869_with_our_hkdf() -> None:
    # Test case 3: no salt (which is 32 zeros), no info; 42 bytes of it.
    keys = hkdf(bytes(32), b"\x0b" * 22, 2)
    assert b"".join(keys)[:42].hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )
    assert hkdf(bytes(32), b"\x0b" * 22, 3)[:2] == keys


def test_keys_of_a_mesh_are_hkdf_of_its_secret() -> None:
    mesh = MeshKey(bytes(range(32)), "field")
    extracted = hmac.digest(bytes(32), mesh.secret, "sha256")
    for info, key in ((b"mesh-id/1", mesh.mesh_id), (b"noise-psk/1", mesh.psk)):
        expanded = hmac.digest(extracted, b"presence-mesh/" + info + b"\x01", "sha256")
        assert expanded[: len(key)] == key
    assert (len(mesh.mesh_id), len(mesh.psk)) == (16, 32)
    assert mesh.prologue == b"presence-mesh/1" + mesh.mesh_id


def test_a_cipher_without_a_key_passes_bytes_on() -> None:
    cipher = CipherState()
    cipher.rekey()
    assert cipher.decrypt(b"ad", cipher.encrypt(b"ad", b"plain")) == b"plain"


def test_rekey_is_that_of_the_specification() -> None:
    # Section 4.2: the first 32 bytes of 32 zeros encrypted with the greatest nonce.
    key = bytes(range(32))
    cipher = CipherState(key)
    first = cipher.encrypt(b"", b"x")
    cipher.rekey()
    following = ChaCha20Poly1305(key).encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
    assert first == ChaCha20Poly1305(key).encrypt(bytes(12), b"x", b"")
    second = ChaCha20Poly1305(following).encrypt(bytes(4) + b"\x01" + bytes(7), b"x", b"")
    assert cipher.encrypt(b"", b"x") == second


def test_the_greatest_nonce_is_never_used() -> None:
    cipher = CipherState(bytes(32))
    cipher._nonce = 2**64 - 2
    cipher.encrypt(b"", b"last")
    with pytest.raises(NoiseError, match="no nonce"):
        cipher.encrypt(b"", b"one more")
    with pytest.raises(NoiseError, match="no nonce"):
        cipher.decrypt(b"", bytes(16))
