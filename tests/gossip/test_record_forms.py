"""Records of the usual form are read in a way of their own; the general way must say the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor, cose
from presence_core.gossip import record as record_module
from presence_core.gossip.record import (
    MAX_EDGES,
    Body,
    Edge,
    Record,
    RecordError,
    external_aad,
    parse_record,
    parse_records,
    sign_record,
)
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from tests.mangling import mangled

ALICE = Identity.from_private_bytes(b"a" * 32)
OTHERS = [Identity.from_private_bytes(bytes([n]) * 32).peer_key for n in range(1, 65)]
MESH = MeshKey(b"m" * 32, "test")
NOW = 1_790_000_000


def signed(payload: dict[int, Any] | bytes, identity: Identity = ALICE) -> bytes:
    return cose.sign1(
        payload if isinstance(payload, bytes) else cbor.encode(payload),
        protected={1: -19},
        external_aad=external_aad(MESH),
        sign=identity.sign,
    )


def fields(record: Record) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def assert_no_other_outcome(raw: bytes) -> bool:
    """If the raw bytes are of the usual form, the general way must read them the same."""
    usual = record_module._usual(raw)
    if usual is None:
        return False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_module, "verify", lambda *_: True)
        general = record_module._parse_any(raw, MESH)
    assert fields(usual[0]) == fields(general)
    assert all(type(edge) is Edge for edge in usual[0].edges)
    message = cose.parse_sign1(raw, max_size=4_096)
    assert record_module._signed(usual, record_module._signed_head(MESH)) == (
        usual[0].key,
        message.signature,
        message.to_be_signed(external_aad(MESH)),
    )
    return True


NUMBERS = st.sampled_from(
    [0, 1, 23, 24, 255, 256, 65_535, 65_536, NOW, 2**32 - 1, 2**32, 2**64 - 1]
)
TEXTS = st.text(max_size=70) | st.sampled_from(
    ["", "n" * 23, "n" * 24, "é" * 32, "n" * 64, "n" * 65]
)
BODIES = st.tuples(
    st.sampled_from([b"h" * 32, b"h" * 31]),
    st.sampled_from([0, 23, 24, 256, 65_536, 131_072, 131_073]),
).map(list)
EDGES = st.lists(
    st.tuples(
        st.sampled_from(
            [*OTHERS[:5], *OTHERS[:5], ALICE.peer_key, b"\1" + bytes(31), b"\xff" * 32]
        ),
        st.sampled_from([1, 2, 23, 24]),
        st.sampled_from([NOW, NOW, NOW, 65_536, 65_535, 2**32 - 1, 2**32]),
    ).map(list),
    max_size=6,
)
GOOD_EDGES = st.integers(0, MAX_EDGES + 1).map(
    lambda n: [[key, 1, NOW] for key in (*OTHERS, b"\3" * 32)[:n]]
)
PAYLOADS = st.fixed_dictionaries(
    {
        1: st.just(ALICE.peer_key),
        2: NUMBERS,
        3: NUMBERS,
        4: NUMBERS,
        5: st.sampled_from([60, 255, 256, 3_600, 65_536, 86_400]) | NUMBERS,
        6: TEXTS,
        11: GOOD_EDGES | EDGES,
    },
    optional={
        7: TEXTS,
        8: TEXTS,
        9: BODIES,
        10: BODIES,
        12: st.sampled_from([0, 1, 2, 3, 23, 24]),
        13: st.just("later"),
    },
)


@settings(max_examples=300, deadline=None)
@given(PAYLOADS)
def test_what_is_read_at_once_is_what_the_general_way_reads(payload: dict[int, Any]) -> None:
    raw = signed(payload)
    usual = assert_no_other_outcome(raw)
    edges = payload[11]
    limits = (
        60 <= payload[5] <= 86_400
        and all(len(payload.get(at, "").encode()) <= 64 for at in (6, 7, 8))
        and all(
            body[1] <= 131_072 and len(body[0]) == 32 for body in map(payload.get, (9, 10)) if body
        )
        and len({edge[0] for edge in edges} - {ALICE.peer_key}) == len(edges) <= MAX_EDGES
        and all(edge[1] < 24 and 65_536 <= edge[2] < 2**32 for edge in edges)
        and not {b"\1" + bytes(31), b"\xff" * 32} & {edge[0] for edge in edges}
        and payload.get(12, 0) < 24
        and 13 not in payload
    )
    assert usual is limits


@settings(max_examples=500, deadline=None)
@given(PAYLOADS, st.data())
def test_no_byte_is_passed_over_when_it_is_read_at_once(
    payload: dict[int, Any], data: st.DataObject
) -> None:
    raw = mangled(signed(payload), data)
    assert_no_other_outcome(raw)


def test_every_changed_bit_is_read_the_same_or_left_to_the_general_way() -> None:
    record = sign_record(
        ALICE, MESH, epoch=NOW * 1_000, seq=3, issued_at=NOW, name="alice", os="Linux", version="1",
        metadata=Body(b"h" * 32, 131_072), token=Body(b"t" * 32, 7),
        edges=[Edge(key, 1, NOW) for key in OTHERS[:2]], leaving=True,
    )  # fmt: skip
    assert assert_no_other_outcome(record.raw)
    for place in range(len(record.raw)):
        for bit in range(8):
            changed = bytearray(record.raw)
            changed[place] ^= 1 << bit
            assert_no_other_outcome(bytes(changed))


USUAL: dict[int, Any] = {
    1: ALICE.peer_key, 2: NOW * 1_000, 3: 300, 4: NOW, 5: 3_600, 6: "alice", 7: "Linux",
    9: [b"h" * 32, 20], 11: [[OTHERS[0], 1, 65_536]], 12: 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "longer"),
    [
        ("1a00010000", "1a0000ffff"),
        ("19012c", "1900ff"),
        ("19012c", "1a0000ffff"),
        ("19012c", "1b00000000ffffffff"),
        ("19012c", "1817"),
        ("65616c696365", "7805616c696365"),
        ("654c696e7578", "78054c696e7578"),
        ("65616c696365", "7f65616c696365ff"),
        ("0b81", "0b9801"),
        ("0c01", "0c1801"),
        ("0c01", "0c0100"),
        ("aa0158", "ab0158"),
        ("aa0158", "b80a0158"),
    ],
)
def test_what_is_written_longer_than_it_needs_to_be_is_refused(written: str, longer: str) -> None:
    raw = signed(USUAL)
    assert assert_no_other_outcome(raw)
    payload = cbor.encode(USUAL)
    assert payload.count(bytes.fromhex(written)) == 1
    changed = payload.replace(bytes.fromhex(written), bytes.fromhex(longer))
    assert not assert_no_other_outcome(signed(changed))
    with pytest.raises(RecordError, match="malformed"):
        parse_record(signed(changed), MESH)


@pytest.mark.parametrize(
    "change",
    [
        {11: [[ALICE.peer_key, 1, NOW]]},
        {11: [[OTHERS[0], 1, NOW], [OTHERS[0], 1, NOW]]},
        {11: [[b"\1" + bytes(31), 1, NOW]]},
        {11: [[b"\xff" * 32, 1, NOW]]},
        {11: [[key, 1, NOW] for key in (*OTHERS, b"\3" * 32)]},
        {1: b"\1" + bytes(31)},
        {5: 59},
        {5: 86_401},
        {6: "n" * 65},
        {7: "n" * 65},
        {9: [b"h" * 32, 131_073]},
    ],
)
def test_what_breaks_a_rule_is_not_read_at_once(change: dict[int, Any]) -> None:
    assert not assert_no_other_outcome(signed(USUAL | change))
    with pytest.raises(RecordError):
        parse_record(signed(USUAL | change), MESH)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_not_of_the_usual_form(data: bytes) -> None:
    assert not assert_no_other_outcome(data)


def test_what_we_sign_ourselves_is_of_the_usual_form() -> None:
    for edges in (0, 1, 6, 23, 24, MAX_EDGES):
        record = sign_record(
            ALICE, MESH, epoch=NOW * 1_000, seq=1, issued_at=NOW, name="å" * 32,
            edges=[Edge(key, 1, NOW) for key in OTHERS[:edges]],
        )  # fmt: skip
        assert record_module._usual(record.raw) is not None
        assert len(record.edges) == edges


def test_many_records_are_read_each_by_itself() -> None:
    usual = {1: ALICE.peer_key, 2: NOW * 1_000, 3: 3, 4: NOW, 5: 3_600, 6: "alice", 11: []}
    unusual = usual | {30: "later"}
    forged = {1: OTHERS[0]}
    raws = [
        signed(usual),
        signed(usual | forged),
        b"garbage",
        signed(unusual),
        signed(unusual | forged),
        signed(usual | {5: 59}),
        sign_record(ALICE, MeshKey.generate("x"), epoch=1, seq=1, issued_at=1, name="x").raw,
        signed(usual | {3: 4}),
    ]
    outcomes = parse_records(raws, MESH)
    assert [isinstance(outcome, Record) for outcome in outcomes] == [
        True, False, False, True, False, False, False, True,
    ]  # fmt: skip
    for raw, outcome in zip(raws, outcomes, strict=True):
        if isinstance(outcome, Record):
            assert fields(outcome) == fields(parse_record(raw, MESH))
        else:
            with pytest.raises(RecordError) as caught:
                parse_record(raw, MESH)
            assert str(outcome) == str(caught.value)
    assert parse_records([], MESH) == []
