"""What relays say of a record's age: no single one can hide a peer, or keep one for ever."""

from __future__ import annotations

from presence_core.gossip.record import Record, sign_record
from presence_core.gossip.table import Accepted, Table
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

MESH = MeshKey.generate("test")
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
