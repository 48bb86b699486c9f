from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip import table as table_module
from presence_core.gossip.record import Record, RecordError, parse_record, sign_record
from presence_core.gossip.table import FLOOR_SECONDS, Accepted, Table
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

MESH = MeshKey(b"m" * 32, "test")
OWN = Identity.from_private_bytes(b"o" * 32)
PEERS = [Identity.from_private_bytes(bytes([n]) * 32) for n in range(3)]


def record(
    peer: int = 0, epoch: int = 1, seq: int = 1, name: str = "x", lifetime: int = 3_600
) -> Record:
    return sign_record(
        PEERS[peer], MESH, epoch=epoch, seq=seq, issued_at=1, name=name, lifetime=lifetime
    )


SHORT = record(lifetime=100)
VERSIONS = [
    record(peer, epoch, seq, name)
    for peer, epoch, seq, name in itertools.product((0, 1), (1, 2), (1, 2), ("a", "b"))
]


def test_newer_is_greater_by_epoch_then_sequence() -> None:
    table = Table(OWN.peer_key)
    assert table.accept(record(epoch=1, seq=9), 0, 0, None) is Accepted.NEW
    assert table.accept(record(epoch=1, seq=8), 0, 0, None) is Accepted.OLDER
    assert table.accept(record(epoch=2, seq=1), 0, 0, None) is Accepted.NEWER
    assert table.accept(record(epoch=1, seq=10), 0, 0, None) is Accepted.OLDER
    entry = table.get(PEERS[0].peer_key)
    assert entry is not None
    assert entry.record.epoch == 2


def test_the_same_again_is_no_news() -> None:
    table = Table(OWN.peer_key)
    table.accept(record(), 0, 0, None)
    root = table.root()
    assert table.accept(record(), 0, 5, None) is Accepted.SAME
    assert table.root() == root


def test_two_contents_of_one_version_converge_and_are_flagged() -> None:
    one, other = sorted((record(name="a"), record(name="b")), key=lambda r: r.hash)
    for first, second in ((one, other), (other, one)):
        table = Table(OWN.peer_key)
        table.accept(first, 0, 0, None)
        assert table.accept(second, 0, 0, None) is Accepted.EQUIVOCATION
        entry = table.get(PEERS[0].peer_key)
        assert entry is not None
        assert entry.record is other
        assert entry.equivocating


def test_the_loser_of_two_contents_is_no_news_when_it_comes_again() -> None:
    one, other, greatest = sorted((record(name=n) for n in "abc"), key=lambda r: r.hash)
    table = Table(OWN.peer_key)
    offers = (other, one, one, other, greatest, other, one)
    assert [table.accept(item, 0, 0, None) for item in offers] == [
        Accepted.NEW,
        Accepted.EQUIVOCATION,
        Accepted.OLDER,
        Accepted.SAME,
        Accepted.EQUIVOCATION,
        Accepted.OLDER,
        Accepted.OLDER,
    ]


@settings(max_examples=100, deadline=None)
@given(st.permutations(VERSIONS))
def test_any_order_of_arrival_leads_to_the_same_table(order: list[Record]) -> None:
    table, reference = Table(OWN.peer_key), Table(OWN.peer_key)
    for item in order:
        table.accept(item, 0, 0, None)
    for item in VERSIONS:
        reference.accept(item, 0, 0, None)
    assert table.root() == reference.root()
    assert {k: e.record.hash for k, e in table.entries().items()} == {
        k: e.record.hash for k, e in reference.entries().items()
    }
    for key, entry in table.entries().items():
        assert entry.record.order == max(r.order for r in VERSIONS if r.key == key)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(VERSIONS), max_size=20))
def test_an_entry_never_becomes_older(arrivals: list[Record]) -> None:
    table = Table(OWN.peer_key)
    best: dict[bytes, tuple[int, int, bytes]] = {}
    for item in arrivals:
        table.accept(item, 0, 0, None)
        best[item.key] = max(item.order, best.get(item.key, item.order))
        entry = table.get(item.key)
        assert entry is not None
        assert entry.record.order == best[item.key]


def test_a_record_expires_by_age_and_time_here() -> None:
    table = Table(OWN.peer_key)
    assert table.next_expiry() == float("inf")
    table.accept(record(lifetime=100), 30, 1_000, None)
    assert table.next_expiry() == 1_070
    assert table.expire(1_069.9) == []
    assert table.expire(1_070) == [PEERS[0].peer_key]
    assert len(table) == 0
    assert table.root() == Table(OWN.peer_key).root()
    assert table.next_expiry() == float("inf")


def test_a_record_that_was_too_old_on_arrival_is_not_taken() -> None:
    table = Table(OWN.peer_key)
    assert table.accept(record(lifetime=100), 101, 0, None) is Accepted.EXPIRED
    assert len(table) == 0


def test_a_negative_age_does_not_lengthen_a_life() -> None:
    table = Table(OWN.peer_key)
    table.accept(record(lifetime=100), -1_000, 0, None)
    assert table.expire(100) == [PEERS[0].peer_key]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 150), st.floats(0, 20)), min_size=1, max_size=10))
def test_no_word_on_its_age_holds_a_record_beyond_its_lifetime_since_it_first_came(
    arrivals: list[tuple[float, float]],
) -> None:
    table, now, end = Table(OWN.peer_key), 0.0, float("inf")
    for age, pause in arrivals:
        now += pause
        table.expire(now)
        verdict = table.accept(SHORT, age, now, None)
        entry = table.get(PEERS[0].peer_key)
        if entry is None:
            assert verdict in (Accepted.REPLAY, Accepted.EXPIRED)
            continue
        end = min(end, now + SHORT.lifetime)
        assert now <= entry.expires_at() <= end


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(VERSIONS), st.booleans()), max_size=30))
def test_the_root_is_that_of_the_content_whatever_came_and_went(
    steps: list[tuple[Record, bool]],
) -> None:
    table = Table(OWN.peer_key)
    for item, gone in steps:
        table.accept(item, 0, 0, None)
        if gone:
            table.forget(item.key, 0)
    fresh = Table(OWN.peer_key)
    for entry in table.entries().values():
        fresh.accept(entry.record, 0, 0, None)
    assert table.root() == fresh.root()


@pytest.mark.parametrize("raw", [b"", b"\x80", VERSIONS[0].raw[:-1], VERSIONS[0].raw + b"\x00"])
def test_what_cannot_be_verified_never_comes_near_the_table(raw: bytes) -> None:
    table = Table(OWN.peer_key)
    table.accept(VERSIONS[0], 0, 0, None)
    before = (table.root(), dict(table.entries()), table.next_expiry())
    with pytest.raises(RecordError):
        table.accept(parse_record(raw, MESH), 0, 1, None)
    assert (table.root(), dict(table.entries()), table.next_expiry()) == before


def test_the_own_record_does_not_expire() -> None:
    table = Table(PEERS[0].peer_key)
    table.accept(record(lifetime=60), 0, 0, None)
    assert table.expire(1e9) == []


def test_old_records_of_a_dropped_peer_are_replays_for_a_week() -> None:
    table = Table(OWN.peer_key)
    table.accept(record(epoch=5, seq=5), 0, 0, None)
    table.forget(PEERS[0].peer_key, 0)
    assert table.accept(record(epoch=5, seq=5), 0, 3_601, None) is Accepted.REPLAY
    assert table.accept(record(epoch=5, seq=5, name="y"), 0, 1, None) is Accepted.REPLAY
    assert table.accept(record(epoch=4, seq=9), 0, 1, None) is Accepted.REPLAY
    assert table.accept(record(epoch=5, seq=6), 0, 1, None) is Accepted.NEW
    table.forget(PEERS[0].peer_key, 2)
    assert table.accept(record(epoch=5, seq=5), 0, FLOOR_SECONDS + 2, None) is Accepted.NEW


def test_peers_and_floors_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_PEERS", 2)
    monkeypatch.setattr(table_module, "MAX_FLOORS", 1)
    table = Table(OWN.peer_key, keep=lambda _: True)
    assert table.accept(record(0), 0, 0, None) is Accepted.NEW
    assert table.accept(record(1), 0, 0, None) is Accepted.NEW
    assert table.accept(record(2), 0, 0, None) is Accepted.FULL
    assert table.take_evicted() == []
    assert table.accept(record(1, seq=2), 0, 0, None) is Accepted.NEWER
    table.forget(PEERS[0].peer_key, 0)
    table.forget(PEERS[1].peer_key, 0)
    assert len(table._floors) == 1


def test_in_a_full_table_the_newest_comer_that_is_not_to_be_kept_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table_module, "MAX_PEERS", 3)
    kept = {PEERS[1].peer_key}
    table = Table(OWN.peer_key, keep=kept.__contains__)
    own = sign_record(OWN, MESH, epoch=1, seq=1, issued_at=1, name="own")
    for item in (own, record(0), record(1)):
        assert table.accept(item, 0, 0, None) is Accepted.NEW
    assert table.accept(record(2), 0, 0, None) is Accepted.NEW
    assert table.take_evicted() == [PEERS[0].peer_key]
    assert table.take_evicted() == []
    assert set(table.entries()) == {OWN.peer_key, PEERS[1].peer_key, PEERS[2].peer_key}
    kept.add(PEERS[2].peer_key)
    assert table.accept(record(0), 0, 0, None) is Accepted.FULL
    table.forget(PEERS[1].peer_key, 0)  # there is room again: it may come back as it was
    assert table.accept(record(0), 0, 0, None) is Accepted.NEW


def test_the_bytes_of_all_records_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(record(0).raw)
    monkeypatch.setattr(table_module, "MAX_BYTES", 2 * size)
    table = Table(OWN.peer_key)
    for peer in (0, 1, 2):
        assert table.accept(record(peer), 0, 0, None) is Accepted.NEW
    assert set(table.entries()) == {PEERS[0].peer_key, PEERS[2].peer_key}
    assert table._bytes == 2 * size


def test_the_root_tells_different_tables_apart() -> None:
    roots = set()
    rng = random.Random(3)
    for _ in range(50):
        table = Table(OWN.peer_key)
        for item in rng.sample(VERSIONS, 3):
            table.accept(item, 0, 0, None)
        roots.add((table.root(), tuple(sorted(e.record.hash for e in table.entries().values()))))
    assert len({root for root, _ in roots}) == len({content for _, content in roots})
