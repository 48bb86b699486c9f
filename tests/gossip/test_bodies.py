from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip import bodies as bodies_module
from presence_core.gossip.bodies import CHUNK_SECONDS, MAX_FETCHES, BodyStore
from presence_core.gossip.messages import CHUNK_BYTES, MIN_CHUNK_BYTES, BodyChunk
from presence_core.gossip.record import Body
from presence_core.handshake.session import BLUETOOTH


def body(data: bytes) -> Body:
    return Body(hashlib.sha256(data).digest(), len(data))


def answer(store: BodyStore, sha256: bytes, offset: int) -> BodyChunk | None:
    """Ask a store for a chunk; None when it has nothing to answer."""
    store.ask(9, sha256, offset)
    answers = store.take_answers()
    assert {link for link, _ in answers} <= {9}
    return answers[0][1] if answers else None


def fetch(store: BodyStore, sources: dict[int, BodyStore], now: float = 0.0) -> int:
    """Carry chunks until nothing is asked for; return how many were."""
    count = 0
    while wants := store.wants(now):
        for link, sha256, offset in wants:
            chunk = answer(sources[link], sha256, offset)
            if chunk is not None:
                count += 1
                store.receive_chunk(link, chunk)
    return count


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1, max_size=131_072))
def test_a_body_of_any_size_arrives_whole(data: bytes) -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(data)
    here.announce(named, 1)
    fetch(here, {1: there})
    assert here.get(named.sha256) == data
    assert here.next_time() == float("inf")


def test_the_largest_body_takes_chunks_that_fit_a_message() -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(bytes(131_072))
    here.announce(named, 1)
    assert fetch(here, {1: there}) == 9
    assert here.get(named.sha256) == bytes(131_072)


def test_a_body_is_fetched_once_and_two_at_a_time() -> None:
    here, there = BodyStore(), BodyStore()
    names = [there.put(bytes([n]) * 100) for n in range(5)]
    for named in names:
        here.announce(named, 1)
        here.announce(named, 2)
    assert len(here.wants(0)) == MAX_FETCHES
    assert here.wants(0) == []


def test_a_silent_source_gives_way_to_the_next() -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(b"data")
    here.announce(named, 1)
    here.announce(named, 2)
    assert here.wants(0) == [(1, named.sha256, 0)]
    assert here.next_time() == CHUNK_SECONDS
    assert here.wants(CHUNK_SECONDS) == [(2, named.sha256, 0)]
    chunk = answer(there, named.sha256, 0)
    assert chunk is not None
    assert here.receive_chunk(2, chunk) == b"data"


@pytest.mark.parametrize(
    ("total", "data"), [(4, b"liar"), (5, b"data"), (4, b""), (4, b"data!"), (0, b"data")]
)
def test_a_source_that_lies_is_not_asked_again(total: int, data: bytes) -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(b"data")
    here.announce(named, 1)
    here.wants(0)
    assert here.receive_chunk(1, BodyChunk(named.sha256, total, 0, data)) is None
    here.announce(named, 1)
    assert here.wants(0) == []
    here.announce(named, 2)
    fetch(here, {2: there})
    assert here.get(named.sha256) == b"data"


def test_what_comes_over_a_slow_link_may_take_as_long_as_that_link_lives() -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(bytes(30_000))
    here.go_easy(1)
    here.announce(named, 1)
    assert here.wants(0) == [(1, named.sha256, 0)]
    assert here.next_time() == BLUETOOTH.dead
    assert here.wants(BLUETOOTH.dead - 0.1) == []
    first = answer(there, named.sha256, 0)
    assert first is not None
    here.receive_chunk(1, first)
    assert here.wants(BLUETOOTH.dead) == [(1, named.sha256, len(first.data))]


def test_the_only_source_goes_on_where_it_was_and_another_begins_anew() -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(bytes(range(256)) * 400)
    here.announce(named, 1)
    now, got = 0.0, 0
    while got < named.size:  # each chunk comes only when it is asked for a second time
        assert here.wants(now) == [(1, named.sha256, got)]
        now += CHUNK_SECONDS
        assert here.wants(now) == [(1, named.sha256, got)]
        chunk = answer(there, named.sha256, got)
        assert chunk is not None
        here.receive_chunk(1, chunk)
        got += len(chunk.data)
    assert here.get(named.sha256) == bytes(range(256)) * 400

    here = BodyStore()
    here.announce(named, 1)
    here.wants(0)
    chunk = answer(there, named.sha256, 0)
    assert chunk is not None
    here.receive_chunk(1, chunk)
    here.wants(0)
    here.announce(named, 2)
    assert here.wants(CHUNK_SECONDS) == [(2, named.sha256, 0)]


def test_bodies_that_are_never_sent_do_not_keep_others_from_coming() -> None:
    here, changing, other = BodyStore(), BodyStore(), BodyStore()
    names = [changing.put_own(bytes([number]) * 40_000) for number in range(6)]
    for gone_or_last in names:  # all but the last are gone from there before we ask
        here.announce(gone_or_last, 1)
    named = other.put(b"data")
    here.announce(named, 2)
    now = 0.0
    while now < float("inf"):
        fetch(here, {1: changing, 2: other}, now)
        now = here.next_time()
    assert here.get(named.sha256) == b"data"
    assert here.get(names[-1].sha256) is not None
    assert not here._waiting
    assert not here._running


def test_a_source_that_was_silent_is_asked_again_when_it_names_the_body_anew() -> None:
    here = BodyStore()
    named = body(b"data")
    here.announce(named, 1)
    asked = [here.wants(round_ * CHUNK_SECONDS) for round_ in range(4)]
    assert [len(wants) for wants in asked] == [1, 1, 0, 0]
    here.announce(named, 1)
    assert here.wants(4 * CHUNK_SECONDS) == [(1, named.sha256, 0)]


def test_a_late_chunk_is_taken_and_its_double_is_not() -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(bytes(40_000))
    here.announce(named, 1)
    here.wants(0)
    chunk = answer(there, named.sha256, 0)
    assert chunk is not None
    assert here.wants(CHUNK_SECONDS) == [(1, named.sha256, 0)]
    here.receive_chunk(1, chunk)
    assert here.wants(CHUNK_SECONDS) == [(1, named.sha256, CHUNK_BYTES)]
    here.receive_chunk(1, chunk)
    assert here.wants(CHUNK_SECONDS) == []
    chunk = answer(there, named.sha256, CHUNK_BYTES)
    assert chunk is not None
    here.receive_chunk(1, chunk)
    fetch(here, {1: there}, CHUNK_SECONDS)
    assert here.get(named.sha256) == bytes(40_000)


def test_a_source_does_not_drip() -> None:
    here = BodyStore()
    named = body(bytes(131_072))
    here.announce(named, 1)
    here.wants(0)
    here.receive_chunk(1, BodyChunk(named.sha256, 131_072, 0, bytes(MIN_CHUNK_BYTES)))
    assert here.wants(0) == [(1, named.sha256, MIN_CHUNK_BYTES)]
    data = bytes(MIN_CHUNK_BYTES - 1)
    here.receive_chunk(1, BodyChunk(named.sha256, 131_072, MIN_CHUNK_BYTES, data))
    assert here.wants(0) == []


@pytest.mark.parametrize("true_first", [True, False])
def test_a_record_that_lies_of_a_size_does_not_spoil_the_source(true_first: bool) -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(b"data")
    claims = [named, *(Body(named.sha256, size) for size in range(10, 20))]
    for claim in claims if true_first else reversed(claims):
        here.announce(claim, 1)
    fetch(here, {1: there})
    assert here.get(named.sha256) == b"data"


def test_what_waits_is_bounded_and_the_newest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "MAX_WAITING", 10)
    monkeypatch.setattr(bodies_module, "_MAX_LIES", 10)
    here = BodyStore()
    for number in range(100):
        here.announce(body(b"%d" % number), 1)
        here.announce(body(b"other"), number)
    assert len(here._waiting) == 10
    while wants := here.wants(0):
        for link, sha256, _ in wants:
            here.receive_chunk(link, BodyChunk(sha256, 1, 0, b"!"))
    for number in range(100):
        here.announce(body(b"more %d" % number), 1)
        for link, sha256, _ in here.wants(0):
            here.receive_chunk(link, BodyChunk(sha256, 1, 0, b"!"))
    assert sum(map(len, here._lies.values())) <= 10 + 100


def test_a_body_that_is_forgotten_or_comes_otherwise_is_not_fetched() -> None:
    here = BodyStore()
    names = [body(b"one"), body(b"two"), body(b"three")]
    for named in names:
        here.announce(named, 1)
    here.wants(0)
    here.put(b"one")
    here.forget(names[1].sha256)
    here.forget(names[2].sha256)
    assert here.receive_chunk(1, BodyChunk(names[1].sha256, 3, 0, b"two")) is None
    assert here.wants(CHUNK_SECONDS) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_sources_do_an_honest_one_delivers(data: st.DataObject) -> None:
    here, honest = BodyStore(), BodyStore()
    names = [honest.put(bytes([n]) * size) for n, size in enumerate((1, 15_360, 15_361, 50_000))]
    order = data.draw(st.permutations([(named, link) for named in names for link in (1, 2, 3)]))
    for named, link in order:
        here.announce(named, link)
    now = 0.0
    for _ in range(200):
        asked = here.wants(now)
        assert len(here._running) <= MAX_FETCHES
        for link, sha256, offset in asked:
            chunk = answer(honest, sha256, offset)
            assert chunk is not None
            if link == 3:
                here.receive_chunk(link, chunk)
                continue
            match data.draw(st.sampled_from(("silent", "wrong", "total", "short", "honest"))):
                case "wrong":
                    chunk = replace(chunk, data=bytes(len(chunk.data) - 1) + b"!")
                case "total":
                    chunk = replace(chunk, total=chunk.total + 1)
                case "short":
                    chunk = replace(chunk, data=chunk.data[:-1])
                case "silent":
                    continue
            here.receive_chunk(link, chunk)
        now = min(here.next_time(), now + 1.0)
    assert all(here.get(named.sha256) is not None for named in names)


def test_chunks_that_nobody_asked_for_are_ignored() -> None:
    here = BodyStore()
    named = body(b"data")
    chunk = BodyChunk(named.sha256, 4, 0, b"data")
    assert here.receive_chunk(1, chunk) is None
    here.announce(named, 1)
    assert here.receive_chunk(1, chunk) is None
    here.wants(0)
    assert here.receive_chunk(2, chunk) is None
    assert here.receive_chunk(1, BodyChunk(named.sha256, 4, 2, b"ta")) is None
    assert here.receive_chunk(1, chunk) == b"data"


def test_a_link_that_ends_in_the_middle_hands_over_to_another() -> None:
    here, there = BodyStore(), BodyStore()
    named = there.put(bytes(40_000))
    here.announce(named, 1)
    here.announce(named, 2)
    ((link, sha256, offset),) = here.wants(0)
    chunk = answer(there, sha256, offset)
    assert chunk is not None
    here.receive_chunk(link, chunk)
    here.drop_link(link)
    fetch(here, {2: there})
    assert here.get(named.sha256) == bytes(40_000)


def test_without_a_source_nothing_is_asked_for() -> None:
    here = BodyStore()
    here.announce(body(b"data"), 1)
    here.drop_link(1)
    assert here.wants(0) == []
    assert here.next_time() == float("inf")


def test_an_own_body_stays_until_it_is_given_up() -> None:
    store = BodyStore()
    first = store.put_own(b"first")
    second = store.put_own(b"second")
    store.give_up_own(first)
    assert store.get(first.sha256) is None
    store.forget(second.sha256)
    assert store.get(second.sha256) == b"second"
    assert store.put_own(b"second") == second  # it is both metadata and token now
    store.give_up_own(second)
    assert store.get(second.sha256) == b"second"
    store.give_up_own(second)
    assert store.get(second.sha256) is None


def test_what_another_needs_is_not_forgotten() -> None:
    store = BodyStore()
    needed = {store.put(b"data").sha256}
    store.used_by(needed.__contains__)
    (sha256,) = needed
    store.forget(sha256)
    assert store.get(sha256) == b"data"
    awaited = body(b"more")
    needed.add(awaited.sha256)
    store.announce(awaited, 1)
    store.forget(awaited.sha256)
    assert store.wanted(awaited.sha256)
    needed.clear()
    store.forget(sha256)
    store.forget(awaited.sha256)
    assert store.get(sha256) is None
    assert not store.fetching()


def test_what_is_stored_is_bounded_and_our_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "MAX_STORED", 1_000)
    store = BodyStore()
    own = store.put_own(b"o" * 400)
    for number in range(20):
        store.put(bytes([number]) * 300)
    assert store.get(own.sha256) is not None
    assert sum(len(data) for data in store._stored.values()) <= 1_000


def test_what_is_not_here_is_not_answered() -> None:
    store = BodyStore()
    named = store.put(b"data")
    assert answer(store, b"x" * 32, 0) is None
    assert answer(store, named.sha256, 4) is None
    assert answer(store, named.sha256, 1) == BodyChunk(named.sha256, 4, 1, b"ata")


def test_a_question_that_came_too_soon_is_answered_when_the_body_is_here() -> None:
    store = BodyStore()
    named = body(b"data")
    assert answer(store, named.sha256, 0) is None
    store.put(b"data")  # nothing had been fetched: it was not known to be needed
    assert store.take_answers() == [(9, BodyChunk(named.sha256, 4, 0, b"data"))]
    store.ask(8, hashlib.sha256(b"more").digest(), 0)
    store.drop_link(8)
    store.put(b"more")
    assert store.take_answers() == []
