from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from presence_core.handshake.noise import NoiseError, NoiseHandshake
from tests.handshake.foreign import connection

PATTERNS = ["XX", "XXpsk0", "XXpsk3"]
VECTORS = Path(__file__).parent / "vectors" / "noise.json"
PSK = hashlib.sha256(b"psk").digest()
PAYLOADS = [b"", b"second", b"third" * 50, b"after, there", b"after, back", b"", b"x" * 1_000]


def key(label: str) -> bytes:
    return hashlib.sha256(label.encode()).digest()


def psk_of(pattern: str) -> bytes | None:
    return PSK if "psk" in pattern else None


def ours(
    pattern: str,
    *,
    initiator: bool,
    prologue: bytes = b"prologue",
    fixed: bool = False,
    psk: bytes | None = None,
) -> NoiseHandshake:
    name = "initiator" if initiator else "responder"
    ephemeral = X25519PrivateKey.from_private_bytes(key(name + " ephemeral")) if fixed else None
    return NoiseHandshake(
        pattern,
        initiator=initiator,
        prologue=prologue,
        psk=psk or psk_of(pattern),
        static=X25519PrivateKey.from_private_bytes(key(name + " static")),
        ephemeral=ephemeral,
    )


def theirs(pattern: str, *, initiator: bool, fixed: bool = False) -> Any:
    name = "initiator" if initiator else "responder"
    return connection(
        f"Noise_{pattern}_25519_ChaChaPoly_SHA256",
        initiator=initiator,
        prologue=b"prologue",
        psk=psk_of(pattern),
        static=key(name + " static"),
        ephemeral=key(name + " ephemeral") if fixed else None,
    )


def shake(initiator: NoiseHandshake, responder: NoiseHandshake) -> None:
    writer, reader = initiator, responder
    while not writer.finished:
        reader.read_message(writer.write_message())
        writer, reader = reader, writer


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_other_library_as_responder(pattern: str) -> None:
    mine, other = ours(pattern, initiator=True), theirs(pattern, initiator=False)
    assert other.read_message(mine.write_message(PAYLOADS[0])) == PAYLOADS[0]
    assert mine.read_message(bytes(other.write_message(PAYLOADS[1])))[0] == PAYLOADS[1]
    assert other.read_message(mine.write_message(PAYLOADS[2])) == PAYLOADS[2]
    talk(mine, other)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_other_library_as_initiator(pattern: str) -> None:
    mine, other = ours(pattern, initiator=False), theirs(pattern, initiator=True)
    assert mine.read_message(bytes(other.write_message(PAYLOADS[0])))[0] == PAYLOADS[0]
    assert other.read_message(mine.write_message(PAYLOADS[1])) == PAYLOADS[1]
    assert mine.read_message(bytes(other.write_message(PAYLOADS[2])))[0] == PAYLOADS[2]
    talk(mine, other)


def talk(mine: NoiseHandshake, other: Any) -> None:
    assert mine.finished
    assert mine.handshake_hash == other.get_handshake_hash()
    send, receive = mine.ciphers()
    for number in range(4):
        for text in (b"", b"hello", bytes(65_519)):
            assert other.decrypt(send.encrypt(b"", text)) == text
            assert receive.decrypt(b"", other.encrypt(text)) == text
        if number % 2:
            send.rekey()
            other.rekey_inbound_cipher()
        else:
            receive.rekey()
            other.rekey_outbound_cipher()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_vectors_made_by_the_other_library(pattern: str) -> None:
    vector = json.loads(VECTORS.read_text())["vectors"][pattern]
    initiator = ours(pattern, initiator=True, fixed=True)
    responder = ours(pattern, initiator=False, fixed=True)
    writer, reader = initiator, responder
    for payload, message in zip(PAYLOADS[:3], vector["handshake"], strict=True):
        assert writer.write_message(payload).hex() == message
        assert reader.read_message(bytes.fromhex(message))[0] == payload
        writer, reader = reader, writer
    assert initiator.handshake_hash.hex() == vector["handshake_hash"]
    assert responder.handshake_hash.hex() == vector["handshake_hash"]
    there = initiator.ciphers()[0], responder.ciphers()[1]
    for payload, message in zip(PAYLOADS[3:], vector["transport"], strict=True):
        assert there[0].encrypt(b"", payload).hex() == message
        assert there[1].decrypt(b"", bytes.fromhex(message)) == payload


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_vectors_are_what_the_other_library_says(pattern: str) -> None:
    assert json.loads(VECTORS.read_text())["vectors"][pattern] == made_vector(pattern)


def made_vector(pattern: str) -> dict[str, Any]:
    initiator, responder = (theirs(pattern, initiator=side, fixed=True) for side in (True, False))
    handshake = []
    writer, reader = initiator, responder
    for payload in PAYLOADS[:3]:
        handshake.append(bytes(writer.write_message(payload)))
        reader.read_message(handshake[-1])
        writer, reader = reader, writer
    return {
        "handshake": [message.hex() for message in handshake],
        "handshake_hash": initiator.get_handshake_hash().hex(),
        "transport": [initiator.encrypt(payload).hex() for payload in PAYLOADS[3:]],
    }


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_payload_is_made_with_the_transcript_that_the_reader_sees(pattern: str) -> None:
    initiator, responder = ours(pattern, initiator=True), ours(pattern, initiator=False)
    writer, reader = initiator, responder
    while not writer.finished:
        payload, transcript = reader.read_message(writer.write_message(lambda h: b"hash:" + h))
        assert payload == b"hash:" + transcript
        writer, reader = reader, writer


def test_messages_have_the_sizes_of_the_protocol() -> None:
    initiator, responder = ours("XXpsk0", initiator=True), ours("XXpsk0", initiator=False)
    sizes = []
    writer, reader = initiator, responder
    for payload in (b"", bytes(96), bytes(96)):
        message = writer.write_message(payload)
        sizes.append(len(message))
        reader.read_message(message)
        writer, reader = reader, writer
    assert sizes == [48, 192, 160]


def test_every_handshake_is_different() -> None:
    hashes = set()
    for _ in range(3):
        initiator, responder = ours("XXpsk0", initiator=True), ours("XXpsk0", initiator=False)
        shake(initiator, responder)
        hashes.add(initiator.handshake_hash)
    assert len(hashes) == 3


def test_another_psk_or_prologue_fails_at_the_first_message_of_psk0() -> None:
    first = ours("XXpsk0", initiator=True).write_message()
    for other in (
        ours("XXpsk0", initiator=False, psk=bytes(32)),
        ours("XXpsk0", initiator=False, prologue=b"other"),
    ):
        with pytest.raises(NoiseError, match="not authentic"):
            other.read_message(first)


def test_messages_out_of_turn_are_refused() -> None:
    initiator, responder = ours("XX", initiator=True), ours("XX", initiator=False)
    with pytest.raises(NoiseError, match="turn"):
        initiator.read_message(bytes(100))
    with pytest.raises(NoiseError, match="turn"):
        responder.write_message()
    first = initiator.write_message()
    with pytest.raises(NoiseError, match="turn"):
        initiator.write_message()
    with pytest.raises(NoiseError, match="not finished"):
        initiator.ciphers()
    responder.read_message(first)
    initiator.read_message(responder.write_message())
    responder.read_message(initiator.write_message())
    with pytest.raises(NoiseError, match="turn"):
        responder.write_message()


def test_keys_are_handed_out_once() -> None:
    initiator, responder = ours("XX", initiator=True), ours("XX", initiator=False)
    shake(initiator, responder)
    send, _ = initiator.ciphers()
    _, receive = responder.ciphers()
    assert receive.decrypt(b"", send.encrypt(b"", b"text")) == b"text"
    for end in (initiator, responder):
        with pytest.raises(NoiseError, match="handed out"):
            end.ciphers()


@pytest.mark.parametrize(
    ("pattern", "psk"), [("XX", PSK), ("XXpsk0", None), ("XXpsk0", b"short"), ("XXpsk3", None)]
)
def test_a_psk_of_32_bytes_goes_with_psk_patterns_only(pattern: str, psk: bytes | None) -> None:
    with pytest.raises(ValueError, match="pre-shared key"):
        NoiseHandshake(
            pattern,
            initiator=True,
            prologue=b"",
            psk=psk,
            static=X25519PrivateKey.generate(),
        )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_messages_cut_short_are_refused(pattern: str) -> None:
    first = ours(pattern, initiator=True).write_message()
    for size in range(len(first)):
        with pytest.raises(NoiseError):
            ours(pattern, initiator=False).read_message(first[:size])
    for size in (0, 31, 32, 79, 80, 95):
        initiator, responder = ours(pattern, initiator=True), ours(pattern, initiator=False)
        responder.read_message(initiator.write_message())
        with pytest.raises(NoiseError):
            initiator.read_message(responder.write_message()[:size])
