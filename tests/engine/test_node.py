"""Two nodes without sockets: what they tell each other, and what they do not take."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec import cbor
from presence_core.codec.metadata import MAX_METADATA_BYTES, encode_metadata, metadata_size
from presence_core.gossip.messages import Records
from presence_core.gossip.quota import COOL_DOWN, Offence
from presence_core.gossip.record import sign_record
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from tests.engine.field import MESH, WALL, Field, value_of


@pytest.fixture
def field() -> Field:
    field = Field()
    field.add("alice")
    field.add("bob")
    return field


def test_neighbours_learn_each_others_records_and_edges(field: Field) -> None:
    field.link("alice", "bob")
    field.wait(1)
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    entry = alice.table.get(bob.key)
    assert entry is not None
    assert entry.record.name == "bob"
    assert [edge.key for edge in entry.record.edges] == [alice.key]
    assert alice.table.root() == bob.table.root()


@pytest.mark.parametrize("size", [40, 20_000, MAX_METADATA_BYTES])
def test_metadata_of_every_size_arrives_before_and_after_the_link(field: Field, size: int) -> None:
    around = metadata_size({"a": "x" * size}) - size
    data = encode_metadata({"a": "x" * (size - around)})
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    alice.set_metadata(data, field.now)
    field.wait(1)
    field.link("alice", "bob")
    assert value_of(bob, alice) == data
    bob.set_metadata(data[:-1] + b"y", field.now)
    field.wait(10)
    assert value_of(alice, bob) == data[:-1] + b"y"
    assert not alice.bodies.fetching()


def test_metadata_that_is_taken_back_is_gone(field: Field) -> None:
    field.link("alice", "bob")
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    alice.set_metadata(encode_metadata({"a": 1}), field.now)
    field.wait(10)
    assert value_of(bob, alice) is not None
    alice.set_metadata(None, field.now)
    field.wait(10)
    assert value_of(bob, alice) is None


def test_bodies_that_nobody_is_shown_with_are_not_kept(field: Field) -> None:
    field.link("alice", "bob")
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    for number in range(5):
        alice.set_metadata(encode_metadata({"n": number}), field.now)
        field.wait(10)
    assert value_of(bob, alice) == encode_metadata({"n": 4})
    for node in (alice, bob):
        assert len(node.bodies._stored) == 1


def test_a_lost_link_leaves_the_record_and_changes_our_own(field: Field) -> None:
    link, _ = field.link("alice", "bob")
    field.wait(1)
    field.cut("alice", link)
    field.wait(10)
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    own = alice.table.get(alice.key)
    assert own is not None
    assert own.record.edges == ()
    assert alice.table.get(bob.key) is not None


def test_leaving_tells_every_neighbour(field: Field) -> None:
    field.link("alice", "bob")
    field.nodes["bob"].leave(field.now)
    field.settle()
    entry = field.nodes["alice"].table.get(field.nodes["bob"].key)
    assert entry is not None
    assert entry.record.leaving
    assert ("bob", ByeCode.LEAVING) in field.hung_up


def test_a_newer_record_of_our_own_key_makes_us_jump_above_it(field: Field) -> None:
    identity = field.identities["alice"]
    field.link("alice", "bob")
    ahead = sign_record(identity, MESH, epoch=WALL + 5, seq=9, issued_at=1, name="before")
    alice = field.nodes["alice"]
    link = next(iter(alice.links))
    alice.message(link, MessageType.RECORDS, Records(((0, ahead.raw),)).encode(), field.now)
    field.wait(10)
    assert alice.own_epoch == WALL + 6
    entry = field.nodes["bob"].table.get(alice.key)
    assert entry is not None
    assert entry.record.epoch == WALL + 6
    assert entry.record.name == "alice"


def test_records_that_do_not_hold_change_nothing_and_on_repetition_end_the_link(
    field: Field,
) -> None:
    field.link("alice", "bob")
    field.wait(1)
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    carol = Identity.generate()
    for number in range(3):
        assert field.hung_up == []
        foreign = sign_record(
            carol, MeshKey.generate("x"), epoch=1, seq=number, issued_at=1, name="carol"
        )
        field.say("bob", "alice", MessageType.RECORDS, Records(((0, foreign.raw),)).encode())
        field.settle()
        assert alice.table.entries().keys() == {alice.key, bob.key}
    assert field.hung_up == [("alice", ByeCode.LIMIT)]
    assert alice.exchange.strikes.cooling(bob.key, field.now)
    offender = alice.exchange.strikes.offenders[bob.key]
    assert offender.counts == {Offence.INVALID: 3}
    assert "signature" in offender.detail


def test_one_message_full_of_what_does_not_hold_closes_the_link_once(field: Field) -> None:
    field.link("alice", "bob")
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    foreign = sign_record(
        Identity.generate(), MeshKey.generate("x"), epoch=1, seq=1, issued_at=1, name="carol"
    )
    field.say("bob", "alice", MessageType.RECORDS, Records(((0, foreign.raw),) * 30).encode())
    field.settle()
    assert field.hung_up == [("alice", ByeCode.LIMIT)]
    offender = alice.exchange.strikes.offenders[bob.key]
    assert (offender.closed, offender.cool_until) == (1, field.now + COOL_DOWN)


def test_who_keeps_breaking_the_protocol_is_told_that_it_is_too_much(field: Field) -> None:
    for _ in range(3):
        field.link("alice", "bob")
        field.say("bob", "alice", MessageType.RECORDS, b"nonsense")
        field.settle()
    codes = [code for _, code in field.hung_up]
    assert codes == [ByeCode.PROTOCOL, ByeCode.PROTOCOL, ByeCode.LIMIT]


def test_a_message_that_breaks_the_protocol_ends_the_link(field: Field) -> None:
    field.link("alice", "bob")
    field.say("bob", "alice", MessageType.RECORDS, b"nonsense")
    field.settle()
    assert field.hung_up == [("alice", ByeCode.PROTOCOL)]


def test_records_are_refreshed_before_they_expire_and_dropped_after(field: Field) -> None:
    link, _ = field.link("alice", "bob")
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    field.wait(2 * 3_600)
    entry = alice.table.get(bob.key)
    assert entry is not None
    field.cut("alice", link)
    field.wait(3_700)
    assert alice.table.get(bob.key) is None
    assert bob.key not in alice.sightings


def test_messages_of_a_later_version_are_skipped(field: Field) -> None:
    link, _ = field.link("alice", "bob")
    field.nodes["alice"].message(link, 0x7F, b"whatever", field.now)
    field.settle()
    assert field.hung_up == []


@settings(max_examples=200, deadline=None)
@given(
    kind=st.integers(0, 20),
    body=st.binary(max_size=200)
    | st.recursive(
        st.integers(-5, 2**40) | st.binary(max_size=40) | st.text(max_size=5) | st.booleans(),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=8,
    ).map(cbor.encode),
)
def test_nothing_that_a_neighbour_sends_raises_or_changes_the_table(kind: int, body: bytes) -> None:
    field = Field()
    field.add("alice")
    field.add("bob")
    link, _ = field.link("alice", "bob")
    alice = field.nodes["alice"]
    root = alice.table.root()
    alice.message(link, kind, body, field.now)
    assert alice.table.root() == root


def test_a_copy_of_our_key_at_the_end_of_epochs_does_no_harm(field: Field) -> None:
    field.link("alice", "bob")
    last = sign_record(
        field.identities["alice"], MESH, epoch=2**64 - 1, seq=5, issued_at=1, name="copy"
    )
    alice = field.nodes["alice"]
    link = next(iter(alice.links))
    alice.message(link, MessageType.RECORDS, Records(((0, last.raw),)).encode(), field.now)
    field.wait(10)
    assert alice.own_epoch == 2**64 - 1


def test_what_is_shown_of_all_peers_together_is_bounded(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presence_core.engine.peer_bodies.MAX_SHOWN", 100)
    field.link("alice", "bob")
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    alice.set_metadata(encode_metadata({"a": "x" * 200}), field.now)
    field.wait(10)
    assert value_of(bob, alice) is None
    alice.set_metadata(encode_metadata({"a": "x" * 20}), field.now)
    field.wait(10)
    assert value_of(bob, alice) == encode_metadata({"a": "x" * 20})
