from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.gossip.quota import VERSION_BURST, VERSION_RATE
from presence_core.gossip.spread import WINDOW, Spread

ALICE, BOB = b"a" * 32, b"b" * 32


def spread(*links: int) -> Spread:
    made = Spread(random.Random(3))
    for link in links:
        made.add_link(link)
    return made


def told(made: Spread, now: float) -> dict[int, list[bytes]]:
    return dict(made.due(now))


def test_news_goes_to_every_link_but_the_one_it_came_from_within_the_window() -> None:
    made = spread(1, 2, 3)
    made.news(ALICE, 2, 10.0)
    assert 10.0 <= made.next_time() <= 10.0 + WINDOW
    assert told(made, 10.0 + WINDOW) == {1: [ALICE], 3: [ALICE]}
    assert made.next_time() == float("inf")
    assert told(made, 20.0) == {}


def test_each_neighbour_is_told_at_a_moment_of_its_own() -> None:
    made = spread(*range(50))
    made.news(ALICE, None, 0.0)
    times = []
    while (at := made.next_time()) < float("inf"):
        times += [at] * len(made.due(at))
    assert len(times) == 50
    assert len(set(times)) > 40
    assert max(times) <= WINDOW


def test_all_news_of_a_window_is_told_together() -> None:
    made = spread(1)
    made.news(ALICE, None, 0.0)
    made.news(BOB, None, 0.0)
    ((_, keys),) = made.due(made.next_time())
    assert keys == [ALICE, BOB]


def test_a_neighbour_that_has_it_meanwhile_is_not_told() -> None:
    made = spread(1, 2)
    made.news(ALICE, None, 0.0)
    made.known(1, ALICE)
    assert told(made, WINDOW) == {2: [ALICE]}
    made.news(ALICE, None, 1.0)
    made.news(ALICE, 2, 1.0)  # 2 has sent a newer one, before it was told ours
    assert told(made, 1.0 + WINDOW) == {1: [ALICE]}


def test_what_is_urgent_is_told_at_once_with_all_that_waits() -> None:
    made = spread(1)
    made.news(ALICE, None, 0.0)
    made.news(BOB, None, 0.0, urgent=True)
    assert made.next_time() == 0.0
    assert told(made, 0.0) == {1: [ALICE, BOB]}


def test_a_link_that_is_gone_is_told_nothing() -> None:
    made = spread(1)
    made.news(ALICE, None, 0.0)
    made.drop_link(1)
    assert made.next_time() == float("inf")
    made.tell(1, ALICE, 0.0)
    made.known(1, ALICE)
    assert told(made, 1.0) == {}


def test_a_peer_that_changes_without_end_is_passed_on_once_a_second() -> None:
    made = spread(1, 2)
    now, count = 0.0, {1: 0, 2: 0}
    while now < 20.0:
        made.news(ALICE, None, now)
        for link, keys in made.due(now + WINDOW):
            count[link] += len(keys)
        now += 0.05
    most = VERSION_BURST + VERSION_RATE * 20
    assert all(most - 2 <= told_ <= most for told_ in count.values())


def test_the_last_word_of_a_peer_that_changed_too_often_is_not_lost() -> None:
    made = spread(1)
    for _ in range(20):
        made.news(ALICE, None, 0.0)
        made.due(WINDOW)
    assert told(made, made.next_time()) == {1: [ALICE]}
    assert made.next_time() == float("inf")


def test_a_peer_that_waits_its_turn_does_not_keep_others_waiting() -> None:
    made = spread(1)
    for _ in range(20):
        made.news(ALICE, None, 0.0)
        made.due(WINDOW)
    made.news(BOB, None, 0.1)
    assert made.next_time() <= 0.1 + WINDOW
    assert told(made, 0.1 + WINDOW) == {1: [BOB]}
    assert told(made, made.next_time()) == {1: [ALICE]}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from([ALICE, BOB]),
            st.sampled_from(["news", "urgent", "known", "tell"]),
            st.floats(0, 0.5),
        ),
        max_size=60,
    )
)
def test_whatever_happens_each_is_told_in_the_end_and_time_moves_on(
    steps: list[tuple[int, bytes, str, float]],
) -> None:
    made = spread(1, 2, 3)
    owed: set[tuple[int, bytes]] = set()
    now = 0.0

    def tell(until: float) -> None:
        rounds = 0
        while made.next_time() <= until:
            for link, keys in made.due(made.next_time()):
                owed.difference_update((link, key) for key in keys)
            rounds += 1
            assert rounds < 500

    for link, key, what, pause in steps:
        now += pause
        tell(now)
        if what == "known":
            made.known(link, key)
            owed.discard((link, key))
        elif what == "tell":
            made.tell(link, key, now)
            owed.add((link, key))
        else:
            made.news(key, link, now, urgent=what == "urgent")
            owed |= {(other, key) for other in (1, 2, 3) if other != link}
            owed.discard((link, key))
        assert len(made) <= 6
    tell(now + 100)
    assert not owed
    assert len(made) == 0
