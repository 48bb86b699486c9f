"""Events that are told together, and those that never are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_core.model import (
    Change,
    ChangeKind,
    Identity,
    IdentityStatus,
    PresenceGraph,
    Trust,
)
from presence_tui.viewmodel.timeline import KEPT, Only, Timeline, Topic
from presence_tui.viewmodel.timeline_folds import FOLD_SECONDS, Entries, Folding
from presence_tui.viewmodel.timeline_lines import entry_line
from tests.canned import NOW, Link, Member, make_graph, peer_key
from tests.viewmodel.test_timeline import HERE, LOST, changed, crowd, lived

NAMES = ("alice", "bob", "carol", "dave")


def mesh(*names: str) -> PresenceGraph:
    members = [Member(number, name) for number, name in enumerate(names, 1)]
    return make_graph(members, [Link(0, member.number) for member in members])


class Story:
    """A timeline that is told what happens, and when."""

    def __init__(self, *names: str) -> None:
        self.timeline = Timeline()
        self.graph = replace(mesh(*names), generated_at=NOW)
        self.timeline.take(self.graph)
        self.entries = Entries(self.timeline)

    def change(self, number: int, after: float = 1.0, **changes: object) -> None:
        """Change a peer so many seconds after what was before."""
        moment = self.graph.generated_at + timedelta(seconds=after)
        self.graph = replace(changed(self.graph, number, **changes), generated_at=moment)
        self.timeline.take(self.graph)

    @property
    def told(self) -> list[str]:
        now = self.graph.generated_at
        lines = ["".join(s.text for s in entry_line(e, now, 110)) for e in self.entries.lines]
        return [" ".join(line.split()[1:]).removeprefix("now ") for line in lines]


def test_those_who_are_lost_together_are_one_line_that_names_them() -> None:
    story = Story(*NAMES)
    for number in (2, 1, 4):
        story.change(number, presence=LOST)
    assert story.told == ["✗ lost ▸ 3 peers dave, alice, bob"]
    (entry,) = story.entries.lines
    story.entries.toggle(entry)
    assert [line.removeprefix("5 s ") for line in story.told] == [
        "✗ lost ▾ 3 peers dave, alice, bob",
        "✗ lost dave",
        "✗ lost alice",
        "✗ lost bob",
    ]
    assert [line.about for line in story.entries.lines] == [None, *map(peer_key, (4, 1, 2))]
    story.entries.toggle(story.entries.lines[2])  # from one of them
    assert story.told == ["✗ lost ▸ 3 peers dave, alice, bob"]


def test_what_one_peer_does_again_is_counted_and_told_as_it_was_last() -> None:
    story = Story(*NAMES)
    for number in range(5):
        story.change(1, peer_metadata={"battery": number})
    assert story.told == ["* metadata ▸ alice ×5 ~ battery"]
    assert story.entries.lines[0].about == peer_key(1)
    story.change(2, peer_metadata={"battery": 1})
    assert story.told == ["* metadata ▸ 2 peers bob, alice ×5"]


def test_links_are_told_by_both_ends() -> None:
    timeline = lived()
    timeline.show_only(Only(Topic.LINKS))
    folds = [entry for entry in Entries(timeline).lines if entry.folds]
    words = "".join(span.text for span in entry_line(folds[0], NOW, 160))
    assert "links" in words
    assert "drone-survey – this device" in words


def test_who_somebody_is_never_hides_behind_another_peer() -> None:
    story = Story(*NAMES)
    revoked = Identity(IdentityStatus.REVOKED, "taken back")
    for number in (1, 2, 3):
        story.change(number, 0.0, key_warning="met under another key")
        story.change(number, 0.0, identity=revoked)
        story.change(number, 0.0, trust=Trust.BLOCKED)
    assert len(story.told) == 9
    assert not any(entry.folds for entry in story.entries.lines)
    for name in NAMES[:3]:
        assert sum(name in line for line in story.told) == 3


def test_of_one_peer_only_the_same_word_about_it_is_counted() -> None:
    story = Story(*NAMES)
    for status in (IdentityStatus.REVOKED, IdentityStatus.VERIFIED) * 2:
        story.change(1, identity=Identity(status, "because"))
    story.change(1, trust=Trust.BLOCKED)
    story.change(1, trust=Trust.VERIFIED)
    said = ["trust", "trust", "verified", "revoked"]
    for line, word in zip(story.told, said, strict=True):
        assert word in line.split("→")[-1] or word in line.split()
    assert [len(entry.events) for entry in story.entries.lines] == [1, 1, 2, 2]


def test_after_a_minute_another_line_begins() -> None:
    story = Story(*NAMES)
    story.change(1, presence=LOST)
    story.change(2, FOLD_SECONDS - 1, presence=LOST)
    story.change(3, 1, presence=LOST)
    assert [len(entry.events) for entry in story.entries.lines] == [1, 2]
    story.change(4, -3_600, presence=LOST)  # the clock was set back
    assert [len(entry.events) for entry in story.entries.lines] == [1, 1, 2]


def test_the_line_that_something_happened_to_last_stands_on_top() -> None:
    story = Story(*NAMES)
    story.change(1, presence=LOST)
    story.change(1, presence=HERE)
    assert [line.split()[1] for line in story.told] == ["returned", "lost"]
    story.change(1, presence=LOST)
    assert [line.split()[1] for line in story.told] == ["lost", "returned"]


def test_an_entry_is_found_again_when_there_is_more_of_it() -> None:
    story = Story(*NAMES)
    story.change(1, presence=LOST)
    story.change(1, peer_metadata={"a": 1})
    lost = story.entries.lines[1]
    story.change(2, presence=LOST)
    assert story.entries.place(lost) == 0
    (fold, _) = story.entries.lines
    story.entries.toggle(fold)
    bob = story.entries.lines[1]
    story.change(3, presence=LOST)
    assert story.entries.lines[story.entries.place(bob)].newest is bob.newest
    story.entries.toggle(fold)
    assert story.entries.place(bob) == 0
    story.timeline.show_only(Only(Topic.METADATA))
    assert story.entries.place(bob) == 0  # what is next to where it was


def test_a_filter_leaves_of_each_line_what_it_lets_through() -> None:
    story = Story(*NAMES)
    for number in (1, 2, 1, 3):
        story.change(number, peer_metadata={"n": len(story.timeline.shown)})
    story.timeline.show_only(Only(peer_key=peer_key(1)))
    assert story.told == ["* metadata ▸ alice ×2 ~ n"]
    story.timeline.show_only(Only(peer_key=peer_key(3)))
    assert story.told == ["* metadata carol + n"]


def test_a_pause_holds_the_lines_too() -> None:
    story = Story(*NAMES)
    story.change(1, presence=LOST)
    story.timeline.pause()
    lines = story.entries.lines
    story.change(2, presence=LOST)
    assert story.entries.lines is lines
    assert story.timeline.waiting == 1
    story.timeline.resume()
    assert [len(entry.events) for entry in story.entries.lines] == [2]


def test_a_storm_is_few_lines_and_every_event_of_it_is_in_one_of_them() -> None:
    timeline = Timeline()
    timeline.take(crowd(9_000))
    timeline.take(crowd(9_000, LOST))
    entries = Entries(timeline)
    (entry,) = entries.lines
    assert len(entry.events) == KEPT[Topic.PEERS]
    entries.toggle(entry)
    assert len(entries.lines) == 1 + KEPT[Topic.PEERS]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ChangeKind.PEER_LOST, ChangeKind.LINK_UP, ChangeKind.TRUST_CHANGED]),
            st.integers(0, 3),
            st.floats(-10, 70),
        ),
        max_size=60,
    )
)
def test_folds_hold_the_like_of_a_minute(happens: list[tuple[ChangeKind, int, float]]) -> None:
    folding, now, numbers = Folding(), NOW, count(1)
    folds: dict[int, list[Change]] = {}
    for kind, peer, seconds in happens:
        now += timedelta(seconds=seconds)
        change = Change(1, now, kind, peer_key(peer), None, "blocked")
        folds.setdefault(folding.fold(change, next(numbers)), []).append(change)
    for together in folds.values():
        assert len({change.kind for change in together}) == 1
        assert {0 <= (c.at - together[0].at).total_seconds() < FOLD_SECONDS for c in together} == {
            True
        }
        if together[0].kind is ChangeKind.TRUST_CHANGED:
            assert len({change.peer_key for change in together}) == 1


@pytest.mark.parametrize("size", [3, 30_000])
def test_folds_that_take_nothing_more_are_forgotten(size: int) -> None:
    folding = Folding()
    for number in range(size):
        at = NOW + timedelta(milliseconds=number)
        change = Change(1, at, ChangeKind.KEY_WARNING, f"pk1{number}", None, "met before")
        assert folding.fold(change, number) == number
    assert len(folding._open) <= 5_000
