"""The stream over fragments: whole and in order, or failed; never a wrong byte."""

from __future__ import annotations

import heapq
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.transports.ble.channel import ACK_EVERY, MAX_SENDS, WINDOW, Channel
from presence_core.transports.ble.fragments import (
    DEFAULT_FRAGMENT,
    HEADER_BYTES,
    MIN_FRAGMENT,
    SEQUENCES,
    Flag,
    Fragment,
)

TAG = 0x0B1E


class Air:
    """Two ends, and fragments between them that meet a fate each, under a clock in our hands."""

    def __init__(self, size: int = DEFAULT_FRAGMENT) -> None:
        self.now = 0.0
        self.ends = (
            Channel(opens=True, tag=TAG, size=size),
            Channel(opens=False, tag=TAG, size=size),
        )
        self.heard = (bytearray(), bytearray())
        self.carried: list[Fragment] = []
        self.cut_at = float("inf")
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._count = itertools.count()

    def fate(self, value: bytes) -> list[float]:
        """After how many seconds copies of a fragment arrive."""
        return [0.01]

    def _send(self) -> None:
        for number, end in enumerate(self.ends):
            while (value := end.next_fragment(self.now)) is not None:
                self.carried.append(Fragment.decode(value))
                if self.now < self.cut_at:
                    for delay in self.fate(value):
                        item = (self.now + delay, next(self._count), 1 - number, value)
                        heapq.heappush(self._under_way, item)

    def run(self) -> None:
        """Go on until nothing happens any more."""
        for _ in range(100_000):
            self._send()
            due = min(end.next_time() for end in self.ends)
            if self._under_way:
                due = min(due, self._under_way[0][0])
            if due == float("inf"):
                return
            self.now = max(self.now, due)
            while self._under_way and self._under_way[0][0] <= self.now:
                _, _, number, value = heapq.heappop(self._under_way)
                self.heard[number].extend(
                    self.ends[number].receive(Fragment.decode(value), self.now)
                )
            for end in self.ends:
                end.tick(self.now)
        raise AssertionError("it never comes to rest")


class BadAir(Air):
    """Loses, doubles and delays fragments at random, for a while."""

    def __init__(self, rng: random.Random, size: int, loss: float, troubled: int) -> None:
        super().__init__(size)
        self._rng = rng
        self._loss = loss
        self._troubled = troubled

    def fate(self, value: bytes) -> list[float]:
        self._troubled -= 1
        if self._troubled < 0:
            return [0.01]
        if self._rng.random() < self._loss:
            return []
        copies = 2 if self._rng.random() < 0.1 else 1
        return [self._rng.uniform(0.0, 0.3) for _ in range(copies)]


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def unframed(data: bytes) -> list[bytes]:
    """Return the messages that are there whole."""
    messages = []
    while len(data) >= 2 and len(data) >= 2 + (size := int.from_bytes(data[:2], "big")):
        messages.append(bytes(data[2 : 2 + size]))
        data = data[2 + size :]
    return messages


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([MIN_FRAGMENT, 100, DEFAULT_FRAGMENT]),
    loss=st.sampled_from([0.0, 0.02, 0.2, 0.5]),
    troubled=st.integers(0, 400),
    cut=st.none() | st.floats(0.0, 3.0),
    lengths=st.lists(st.integers(0, 3_000), max_size=12),
)
def test_every_message_arrives_whole_and_in_order_or_the_link_is_closed(
    seed: int, size: int, loss: float, troubled: int, cut: float | None, lengths: list[int]
) -> None:
    rng = random.Random(seed)
    air = BadAir(rng, size, loss, troubled)
    air.cut_at = float("inf") if cut is None else cut
    said: tuple[list[bytes], list[bytes]] = ([], [])
    for length in lengths:
        speaker = rng.randrange(2)
        said[speaker].append(rng.randbytes(length))
        air.ends[speaker].send(framed(said[speaker][-1]))
    air.run()
    for speaker, end in enumerate(air.ends):
        sent = b"".join(map(framed, said[speaker]))
        heard = bytes(air.heard[1 - speaker])
        assert sent.startswith(heard), "a wrong byte"
        whole = unframed(heard)
        assert whole == said[speaker][: len(whole)]
        if end.failed is None:
            assert end.settled
            assert heard == sent


def test_without_trouble_nothing_is_sent_twice() -> None:
    air = Air()
    air.ends[0].send(bytes(range(256)) * 128)
    air.run()
    assert air.heard[1] == bytes(range(256)) * 128
    numbers = [fragment.seq for fragment in air.carried if fragment.flags & Flag.DATA]
    assert numbers == list(range(-(-32_768 // (DEFAULT_FRAGMENT - HEADER_BYTES))))
    acks = [fragment for fragment in air.carried if not fragment.flags & Flag.DATA]
    assert len(acks) <= len(numbers) / ACK_EVERY + 2


def test_numbers_may_begin_anew() -> None:
    air = Air(MIN_FRAGMENT)
    data = random.Random(1).randbytes((SEQUENCES + 100) * (MIN_FRAGMENT - HEADER_BYTES))
    air.ends[0].send(data)
    air.run()
    assert air.heard[1] == data
    assert sum(bool(fragment.flags & Flag.OPEN) for fragment in air.carried) == 1


def test_an_answer_carries_the_acknowledgement_along() -> None:
    air = Air()
    air.ends[0].send(b"question")
    value = air.ends[0].next_fragment(0.0)
    assert value is not None
    air.ends[1].receive(Fragment.decode(value), 0.0)
    air.ends[1].send(b"answer")
    answer = air.ends[1].next_fragment(0.0)
    assert answer is not None
    assert Fragment.decode(answer) == Fragment(TAG, Flag.DATA, 0, 1, b"answer")
    assert air.ends[1].next_fragment(10.0) is None  # nothing is owed any more
    air.ends[0].receive(Fragment.decode(answer), 0.0)
    assert air.ends[0].settled


def test_no_more_than_a_window_is_under_way() -> None:
    end = Channel(opens=True, tag=TAG, size=MIN_FRAGMENT)
    end.send(bytes(10_000))
    sent = list(iter(lambda: end.next_fragment(0.0), None))
    assert len(sent) == WINDOW
    assert end.queued == 10_000 - WINDOW * (MIN_FRAGMENT - HEADER_BYTES)


def test_what_is_kept_for_later_is_bounded() -> None:
    end = Channel(opens=False, tag=TAG, size=DEFAULT_FRAGMENT)
    for seq in range(1, 5_000):
        assert end.receive(Fragment(TAG, Flag.DATA, seq, 0, b"x"), 0.0) == b""
    assert end.receive(Fragment(TAG, Flag.DATA, 0, 0, b"y"), 0.0) == b"y" + b"x" * (WINDOW - 1)


def test_a_silent_end_is_given_up() -> None:
    air = Air()
    air.cut_at = 0.0
    air.ends[0].send(b"anybody?")
    air.run()
    assert air.ends[0].failed == "the other end acknowledges nothing any more"
    assert len(air.carried) == MAX_SENDS
    assert air.ends[0].next_fragment(air.now) is None
    assert air.ends[0].next_time() == float("inf")


def test_where_round_trips_are_long_nothing_is_sent_twice_for_that() -> None:
    """But for the first time, before any is known."""
    air = Air()
    air.fate = lambda value: [1.5]  # type: ignore[method-assign]
    air.ends[0].send(bytes(200 * (DEFAULT_FRAGMENT - HEADER_BYTES)))
    air.run()
    assert len(air.heard[1]) == 200 * (DEFAULT_FRAGMENT - HEADER_BYTES)
    sent = sum(1 for fragment in air.carried if fragment.flags & Flag.DATA)
    assert sent <= 200 + 4


def test_several_that_were_lost_at_once_are_not_waited_for_one_by_one() -> None:
    """One time-out, not one for each: else a burst of losses stops a link for seconds."""
    air = Air()
    lost = {2, 5, 9, 14}

    def fate(value: bytes) -> list[float]:
        fragment = Fragment.decode(value)
        if fragment.flags & Flag.DATA and fragment.seq in lost:
            lost.discard(fragment.seq)
            return []
        return [0.01]

    air.fate = fate  # type: ignore[method-assign]
    air.ends[0].send(bytes(20 * (DEFAULT_FRAGMENT - HEADER_BYTES)))
    air.run()
    assert len(air.heard[1]) == 20 * (DEFAULT_FRAGMENT - HEADER_BYTES)
    assert sum(1 for fragment in air.carried if fragment.flags & Flag.DATA) == 24


def test_a_closed_link_takes_and_says_nothing_more() -> None:
    one, other = Air().ends
    assert one.receive(Fragment.decode(other.farewell()), 0.0) == b""
    assert one.failed == "the other end has closed the link"
    one.send(b"x")
    assert one.next_fragment(0.0) is None
    assert one.receive(Fragment(TAG, Flag.DATA, 0, 0, b"x"), 0.0) == b""


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(
            Fragment,
            st.just(TAG),
            st.sampled_from([Flag.DATA, Flag(0)]),
            st.integers(0, 80),
            st.integers(0, 65_535),
            st.just(b"x"),
        )
    )
)
@pytest.mark.parametrize("opens", [True, False])
def test_made_up_numbers_take_nothing_that_was_not_sent(
    opens: bool, fragments: list[Fragment]
) -> None:
    end = Channel(opens=opens, tag=TAG, size=DEFAULT_FRAGMENT)
    end.send(bytes(50_000))
    sent = 0
    for fragment in fragments:
        while end.next_fragment(0.0) is not None:
            sent += 1
        end.receive(fragment, 0.0)
    assert sent <= WINDOW + len(fragments) * WINDOW
