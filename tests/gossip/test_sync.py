"""Tables that are compared: they become equal, whatever was in them before."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip import sync as sync_module
from presence_core.gossip.exchange import Exchange, Message, TooMuch
from presence_core.gossip.messages import Have, Summary
from presence_core.gossip.record import Record, sign_record
from presence_core.gossip.sync import COMPARE_SECONDS, EXCHANGE_BURST
from presence_core.gossip.table import Table
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

MESH = MeshKey(b"m" * 32, "test")
OWN = [Identity.from_private_bytes(bytes([n]) * 32) for n in (200, 201)]
PEERS = [Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, 41)]
LINK = 5


def signed(identity: Identity, seq: int) -> Record:
    return sign_record(identity, MESH, epoch=1, seq=seq, issued_at=1, name="x")


VERSIONS = [[signed(peer, seq) for seq in (1, 2, 3)] for peer in PEERS]
OWN_RECORDS = [signed(own, 1) for own in OWN]


class Nobody:
    """Is told of records and does nothing."""

    def record_taken(self, record: Record, link: int, now: float) -> None: ...

    def record_held(self, record: Record, link: int, now: float) -> None: ...

    def own_record_heard(self, record: Record, now: float) -> None: ...


class Pair:
    """Two tables with a link between them that carries one message at a time, in any order."""

    def __init__(self, *contents: Sequence[int], seed: int = 1) -> None:
        """Fill the tables: which version of each peer, 0 for none."""
        self.now = 0.0
        self.rng = random.Random(seed)
        self.count = 0
        self.kinds: list[MessageType] = []
        self.wires: list[list[Message]] = [[], []]
        self.ends: list[Exchange] = []
        for n in (0, 1):
            table = Table(OWN[n].peer_key)
            self.ends.append(
                Exchange(table, OWN[n].peer_key, MESH, random.Random(seed + n), Nobody())
            )
            table.accept(OWN_RECORDS[n], 0, 0.0, None)
            for peer, version in enumerate(contents[n] if n < len(contents) else ()):
                if version:
                    table.accept(VERSIONS[peer][version - 1], 0, 0.0, None)

    def open(self) -> None:
        """Bring the link up; the first end has dialled."""
        roots = [end.table.root() for end in self.ends]
        for n, end in enumerate(self.ends):
            other = 1 - n
            end.open(
                LINK, OWN[other].peer_key, OWN_RECORDS[other], roots[other], self.now,
                leads=n == 0, slow=False,
            )  # fmt: skip

    def step(self) -> bool:
        """Let both ends do what is due, and carry one message of one of them."""
        for n, end in enumerate(self.ends):
            end.tick(self.now)
            for item in end.take_output():
                assert not isinstance(item, TooMuch)
                self.wires[n].append(item)
        ready = [n for n in (0, 1) if self.wires[n]]
        if not ready:
            return False
        n = self.rng.choice(ready)
        message = self.wires[n].pop(0)
        self.count += 1
        self.kinds.append(message.type)
        end = self.ends[1 - n]
        handle = {
            MessageType.RECORDS: end.records,
            MessageType.SUMMARY: end.summary,
            MessageType.HAVE: end.have,
            MessageType.WANT: end.want,
        }[message.type]
        handle(LINK, message.body, self.now)
        return True

    def run(self) -> None:
        """Carry messages until there are none, without a pause but for what waits some ms."""
        while self.step() or self.soon():
            pass

    def soon(self) -> bool:
        at = min(end.next_time() for end in self.ends)
        if at > self.now + 1.0:
            return False
        self.now = max(self.now, at)
        return True

    def equal(self) -> bool:
        return self.ends[0].table.root() == self.ends[1].table.root()

    def confirmed(self) -> bool:
        return all(not end.sync.awaited() for end in self.ends)


def test_equal_tables_confirm_each_other() -> None:
    pair = Pair([1] * 40, [1] * 40)
    for n, end in enumerate(pair.ends):
        end.table.accept(OWN_RECORDS[1 - n], 0, 0.0, None)
    assert pair.equal()
    pair.open()
    assert not pair.confirmed()
    assert pair.ends[0].sync.confirmed_at() == float("-inf")
    pair.run()
    assert pair.kinds == [MessageType.SUMMARY, MessageType.SUMMARY]
    assert pair.confirmed()
    assert [end.sync.confirmed_at() for end in pair.ends] == [0.0, 0.0]


CONTENT = st.lists(st.integers(0, 3), min_size=40, max_size=40)


@settings(max_examples=100, deadline=None)
@given(CONTENT, CONTENT, st.integers(0, 1_000))
def test_any_two_tables_become_equal_within_a_few_messages(
    one: list[int], other: list[int], seed: int
) -> None:
    pair = Pair(one, other, seed=seed)
    pair.open()
    pair.run()
    assert pair.equal()
    assert pair.confirmed()
    assert pair.count <= 5 + 2 + 80  # the exchange, two Wants, and records in some messages
    newest = [max(a, b) for a, b in zip(one, other, strict=True)]
    for end in pair.ends:
        for peer, version in enumerate(newest):
            entry = end.table.get(PEERS[peer].peer_key)
            assert (entry.record.seq if entry else 0) == version


@settings(max_examples=100, deadline=None)
@given(CONTENT, CONTENT, st.integers(0, 1_000), st.integers(0, 2))
def test_comparing_later_finds_what_was_missed_also_when_both_begin_at_once(
    one: list[int], other: list[int], seed: int, starters: int
) -> None:
    pair = Pair(seed=seed)
    pair.open()
    pair.run()
    for n, content in enumerate((one, other)):
        for peer, version in enumerate(content):
            if version:  # as if it had got in without being told
                pair.ends[n].table.accept(VERSIONS[peer][version - 1], 0, pair.now, None)
    pair.now += 2 * COMPARE_SECONDS
    for n, end in enumerate(pair.ends):
        end.sync._compare_at = pair.now if starters in (n, 2) else float("inf")
    pair.run()
    assert pair.equal()
    assert pair.confirmed()
    assert {end.sync.confirmed_at() for end in pair.ends} != {float("-inf")}


def test_a_table_is_compared_about_once_a_minute() -> None:
    pair = Pair()
    pair.open()
    pair.run()
    begin, pair.kinds = pair.now, []
    while pair.now < begin + 600:
        pair.now = min(end.next_time() for end in pair.ends)
        pair.run()
    asked = len(pair.kinds) / 2
    assert 2 * 600 / (1.2 * COMPARE_SECONDS) - 2 <= asked <= 2 * 600 / (0.8 * COMPARE_SECONDS) + 2
    assert min(end.sync.confirmed_at() for end in pair.ends) > pair.now - 1.3 * COMPARE_SECONDS


def test_without_a_neighbour_nothing_is_compared() -> None:
    pair = Pair()
    pair.open()
    pair.run()
    for end in pair.ends:
        end.close(LINK)
        assert end.sync.next_time() == float("inf")
        assert end.sync.confirmed_at() == float("-inf")
        assert not end.sync.awaited()
        end.tick(1e6)
        assert end.take_output() == []


def test_a_table_that_is_empty_but_for_ourselves_is_filled() -> None:
    for fuller in (0, 1):
        pair = Pair([1] * 40 * (1 - fuller), [1] * 40 * fuller)
        pair.open()
        pair.run()
        assert pair.equal()
        assert len(pair.ends[0].table) == 42


def test_large_tables_are_offered_in_messages_that_fit() -> None:
    pair = Pair()
    for number in range(3_000):
        key = number.to_bytes(32, "little")
        pair.ends[1].table.accept(
            replace(VERSIONS[0][0], key=key, hash=hashlib.sha256(key).digest()), 0, 0.0, None
        )
    said = Summary(1, tuple(pair.ends[0].table.digests()))
    pair.open()
    pair.ends[1].take_output()
    pair.ends[1].summary(LINK, said.encode(), 0.0)
    sent = [item for item in pair.ends[1].take_output() if isinstance(item, Message)]
    offers = [Have.decode(item.body).offers for item in sent if item.type == MessageType.HAVE]
    assert sum(map(len, offers)) >= 3_000
    assert len(offers) == 3
    assert all(len(item.body) < 16 * 1024 for item in sent)


def test_who_asks_without_end_is_answered_now_and_then() -> None:
    pair = Pair([1] * 40)
    pair.open()
    pair.run()
    end = pair.ends[1]
    answers = 0
    for n in range(1_000):
        now = pair.now + n / 100
        end.summary(LINK, Summary(0, ((0, b"differs!"),)).encode(), now)
        end.summary(LINK, Summary(1, ()).encode(), now)
        end.tick(now)
        answers += bool(end.take_output())
    assert answers <= EXCHANGE_BURST + 10 * sync_module.EXCHANGE_RATE + 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.lists(st.tuples(st.integers(0, 255), st.binary(min_size=8, max_size=8)), max_size=6),
            st.floats(0, 10),
        ),
        max_size=20,
    )
)
def test_no_summaries_bring_a_table_out_of_step_for_good(
    said: list[tuple[int, list[tuple[int, bytes]], float]],
) -> None:
    pair = Pair([1] * 40, [2] * 40)
    pair.open()
    end = pair.ends[1]
    for depth, digests, pause in said:
        pair.now += pause
        unique = dict(digests) if depth else {}
        if not depth and digests:
            unique = {0: digests[0][1]}
        end.summary(LINK, Summary(depth, tuple(unique.items())).encode(), pair.now)
        end.tick(pair.now)
    pair.run()
    pair.now += 100
    for _ in range(4):
        pair.run()
        pair.now += 2 * COMPARE_SECONDS
    pair.run()
    assert pair.equal()
