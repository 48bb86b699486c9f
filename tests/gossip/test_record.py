from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor, cose
from presence_core.gossip.record import (
    MAX_EDGES,
    MAX_NAME_BYTES,
    Body,
    Edge,
    RecordError,
    external_aad,
    parse_record,
    sign_record,
    truncate_name,
)
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

ALICE = Identity.from_private_bytes(b"a" * 32)
BOB = Identity.from_private_bytes(b"b" * 32)
MESH = MeshKey(b"m" * 32, "test")
PAYLOAD: dict[int, Any] = {
    1: ALICE.peer_key,
    2: 1_790_000_000_000,
    3: 7,
    4: 1_790_000_000,
    5: 3_600,
    6: "alice",
    11: [],
}


def signed(
    payload: Any, *, identity: Identity = ALICE, mesh: MeshKey = MESH, alg: int = -19
) -> bytes:
    """Sign whatever it is, as somebody would who means no good."""
    data = payload if isinstance(payload, bytes) else cbor.encode(payload)
    return cose.sign1(data, protected={1: alg}, external_aad=external_aad(mesh), sign=identity.sign)


def test_a_record_reads_back_as_it_was_signed() -> None:
    edges = [Edge(BOB.peer_key, 1, 5), Edge(BOB.peer_key, 99, 6)]
    record = sign_record(
        ALICE,
        MESH,
        epoch=3,
        seq=4,
        issued_at=5,
        name="ålice",
        os="Linux",
        version="1",
        metadata=Body(b"h" * 32, 131_072),
        token=Body(b"t" * 32, 0),
        edges=edges,
        leaving=True,
    )
    read = parse_record(record.raw, MESH)
    assert read.key == ALICE.peer_key
    assert (read.epoch, read.seq, read.issued_at, read.lifetime) == (3, 4, 5, 3_600)
    assert (read.name, read.os, read.version) == ("ålice", "Linux", "1")
    assert read.metadata == Body(b"h" * 32, 131_072)
    assert read.token == Body(b"t" * 32, 0)
    assert read.edges == tuple(sorted(edges))
    assert read.leaving
    assert read.hash == record.hash


def test_a_record_of_another_mesh_is_refused() -> None:
    record = sign_record(ALICE, MESH, epoch=1, seq=1, issued_at=1, name="alice")
    with pytest.raises(RecordError, match="another mesh"):
        parse_record(record.raw, MeshKey.generate("test"))


def test_nobody_signs_for_another() -> None:
    with pytest.raises(RecordError, match="signature"):
        parse_record(signed(PAYLOAD, identity=BOB), MESH)


def test_unknown_keys_are_kept_under_the_signature_and_ignored() -> None:
    raw = signed(PAYLOAD | {30: "of a later version"})
    record = parse_record(raw, MESH)
    assert record.raw == raw
    assert record.name == "alice"


def test_unknown_transports_survive() -> None:
    record = parse_record(signed(PAYLOAD | {11: [[BOB.peer_key, 2**40, 0]]}), MESH)
    assert record.edges[0].transport == 2**40


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({1: b"short"}, "key"),
        ({1: (1).to_bytes(32, "little")}, "small order"),
        ({2: -1}, "epoch"),
        ({2: "x"}, "epoch"),
        ({3: True}, "sequence"),
        ({4: 1.5}, "issued-at"),
        ({5: 59}, "lifetime"),
        ({5: 86_401}, "lifetime"),
        ({6: "n" * (MAX_NAME_BYTES + 1)}, "name"),
        ({6: "é" * 33}, "name"),
        ({6: b"bytes"}, "name"),
        ({7: 5}, "os"),
        ({8: "v" * 65}, "version"),
        ({9: [b"h" * 31, 1]}, "hash"),
        ({9: [b"h" * 32, 131_073]}, "131072"),
        ({9: [b"h" * 32]}, "body"),
        ({10: "token"}, "body"),
        ({11: [[bytes([n]) * 32, 1, 0] for n in range(MAX_EDGES + 1)]}, "edges"),
        ({11: [[ALICE.peer_key, 1, 0]]}, "itself"),
        ({11: [[BOB.peer_key, 1, 0], [BOB.peer_key, 1, 9]]}, "twice"),
        ({11: [[BOB.peer_key, 1]]}, "edge"),
        ({11: [[b"short", 1, 0]]}, "edge"),
        ({11: [[(1).to_bytes(32, "little"), 1, 0]]}, "small order"),
        ({11: [[b"\xff" * 32, 1, 0]]}, "canonical"),
        ({11: None}, "edges"),
        ({12: "x"}, "flags"),
    ],
)
def test_values_outside_the_protocol_are_refused(change: dict[int, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        parse_record(signed(PAYLOAD | change), MESH)


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 6, 11])
def test_what_a_record_must_have_is_not_left_out(missing: int) -> None:
    with pytest.raises(RecordError):
        parse_record(signed({k: v for k, v in PAYLOAD.items() if k != missing}), MESH)


@pytest.mark.parametrize("epoch", [0, 2**63, 2**64 - 1])
def test_versions_of_64_bits_are_allowed(epoch: int) -> None:
    assert parse_record(signed(PAYLOAD | {2: epoch}), MESH).epoch == epoch


@pytest.mark.parametrize("alg", [-8, 0, -7, 5])
def test_other_algorithms_are_refused(alg: int) -> None:
    with pytest.raises(RecordError, match="Ed25519"):
        parse_record(signed(PAYLOAD, alg=alg), MESH)


@pytest.mark.parametrize("payload", [b"", b"\xa0\xa0", cbor.encode([1]), cbor.encode("x")])
def test_a_payload_that_is_no_map_is_refused(payload: bytes) -> None:
    with pytest.raises(RecordError):
        parse_record(signed(payload), MESH)


def test_a_record_over_4096_bytes_is_refused() -> None:
    with pytest.raises(RecordError, match="4096"):
        parse_record(signed(PAYLOAD | {30: "x" * 4_096}), MESH)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 2**64},
        {"epoch": -1},
        {"seq": 2**64},
        {"lifetime": 59},
        {"lifetime": 86_401},
        {"name": "n" * 65},
        {"name": "\ud800"},
        {"edges": [Edge(bytes([3, n]) * 16, 1, 0) for n in range(65)]},
        {"edges": [Edge(ALICE.peer_key, 1, 0)]},
        {"edges": [Edge(BOB.peer_key, 1, 0), Edge(BOB.peer_key, 1, 1)]},
        {"metadata": Body(b"h" * 32, 131_073)},
    ],
)
def test_nothing_outside_the_protocol_is_signed(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"epoch": 1, "seq": 1, "issued_at": 1, "name": "alice"}
    with pytest.raises(RecordError):
        sign_record(ALICE, MESH, **values | change)


def test_the_borders_themselves_are_allowed() -> None:
    edges = [Edge(BOB.peer_key, n, 2**64 - 1) for n in range(MAX_EDGES)]
    for lifetime in (60, 86_400):
        record = sign_record(
            ALICE,
            MESH,
            epoch=2**64 - 1,
            seq=2**64 - 1,
            issued_at=0,
            lifetime=lifetime,
            name="n" * 64,
            metadata=Body(b"h" * 32, 131_072),
            edges=edges,
        )
        assert len(record.edges) == MAX_EDGES


def test_every_changed_bit_is_noticed() -> None:
    raw = sign_record(
        ALICE, MESH, epoch=1, seq=1, issued_at=1, name="alice", edges=[Edge(BOB.peer_key, 1, 0)]
    ).raw
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            with pytest.raises(RecordError):
                parse_record(bytes(changed), MESH)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    raw = sign_record(
        ALICE, MESH, epoch=1, seq=1, issued_at=1, name="alice", edges=[Edge(BOB.peer_key, 1, 0)]
    ).raw
    place = data.draw(st.integers(0, len(raw) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != raw[place]))
    with pytest.raises(RecordError):
        parse_record(raw[:place] + bytes([value]) + raw[place + 1 :], MESH)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(RecordError):
        parse_record(data, MESH)


@given(st.text())
def test_a_name_is_cut_between_characters(name: str) -> None:
    cut = truncate_name(name)
    assert len(cut.encode()) <= MAX_NAME_BYTES
    assert name.encode("utf-8", "replace").decode().startswith(cut)
