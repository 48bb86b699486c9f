"""What relays say of a record's age: no single one can hide a peer, or keep one for ever."""

from __future__ import annotations

from presence_core.gossip.messages import MARK_BYTES, PREFIX_BYTES, Have, Records
from presence_core.gossip.record import Record, sign_record
from presence_core.gossip.table import Accepted, Table
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity
from tests.engine.field import BLE, MESH, Field

BOB = Identity.generate()
LIFETIME = 3_600
OWN = b"own".ljust(32)


def record(seq: int = 1) -> Record:
    return sign_record(BOB, MESH, epoch=1, seq=seq, issued_at=0, lifetime=LIFETIME, name="bob")


def test_the_least_age_that_is_said_counts() -> None:
    table, bob = Table(OWN), record()
    table.accept(bob, LIFETIME - 1, 0.0, b"liar")
    assert table.accept(bob, 10, 0.5, b"honest") is Accepted.SAME
    assert table.expire(LIFETIME - 11.0) == []
    assert table.expire(LIFETIME - 9.0) == [BOB.peer_key]


def test_a_record_that_a_lie_has_dropped_comes_back_with_the_truth() -> None:
    table, bob = Table(OWN), record()
    table.accept(bob, LIFETIME - 1, 0.0, b"liar")
    assert table.expire(2.0) == [BOB.peer_key]
    assert table.accept(bob, 60, 60.0, b"honest") is Accepted.NEW
    entry = table.get(BOB.peer_key)
    assert entry is not None
    assert entry.expires_at() == LIFETIME


def test_nobody_holds_a_record_beyond_its_lifetime_since_it_first_came() -> None:
    table, bob = Table(OWN), record()
    table.accept(bob, 100, 0.0, b"honest")
    for now in (1_000.0, 2_000.0, 3_000.0):
        table.accept(bob, 0, now, b"liar")
    assert table.expire(LIFETIME - 1.0) == []
    assert table.expire(LIFETIME + 0.0) == [BOB.peer_key]
    assert table.accept(bob, 0, LIFETIME + 1.0, b"liar") is Accepted.REPLAY


def test_older_versions_of_a_dropped_peer_stay_replays() -> None:
    table = Table(OWN)
    table.accept(record(2), LIFETIME - 1, 0.0, b"liar")
    table.expire(2.0)
    assert table.accept(record(1), 0, 3.0, b"liar") is Accepted.REPLAY
    assert table.accept(record(3), 0, 3.0, b"honest") is Accepted.NEW


def test_a_version_is_not_older_than_the_one_that_it_replaces() -> None:
    table = Table(OWN)
    table.accept(record(1), 20, 0.0, b"honest")
    for seq, age in ((2, LIFETIME - 1), (3, LIFETIME + 1), (4, 1 << 40)):
        assert table.accept(record(seq), age, 10.0, b"liar") is Accepted.NEWER
    entry = table.get(BOB.peer_key)
    assert entry is not None
    assert entry.age(10.0) == 30


def test_who_can_be_reached_does_not_expire_by_what_somebody_says() -> None:
    in_reach = {BOB.peer_key}
    table = Table(OWN, keep=in_reach.__contains__)
    table.accept(record(), LIFETIME - 1, 0.0, b"liar")
    assert table.expire(2.0) == []
    assert table.next_expiry() == LIFETIME
    assert table.expire(LIFETIME) == [BOB.peer_key]


def test_what_is_said_to_be_too_old_to_live_is_asked_of_the_next() -> None:
    field = Field()
    for name in ("alice", "liar", "bob"):
        field.add(name)
    field.chain("liar", "alice", "bob", transport=BLE)
    bob = record()
    offer = Have(((bob.key[:PREFIX_BYTES], bob.hash[:MARK_BYTES]),)).encode()
    for name in ("liar", "bob"):
        field.say(name, "alice", MessageType.HAVE, offer)
    field.say("liar", "alice", MessageType.RECORDS, Records(((LIFETIME + 1, bob.raw),)).encode())
    assert not field.nodes["alice"].exchange.pulls.idle(field.link_of("alice", "bob"))
