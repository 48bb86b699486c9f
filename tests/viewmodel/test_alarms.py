from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from presence_core.model import (
    Identity,
    IdentityStatus,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    View,
    ViewState,
)
from presence_tui.viewmodel.alarms import GATHER_SECONDS, REST_SECONDS, Alarm, Alarms
from presence_tui.viewmodel.timeline import Timeline
from tests.canned import HOSTILE, NOW, Link, Member, make_graph, peer_key
from tests.viewmodel.peers import FORBIDDEN

LOST = PeerPresence(PresenceState.LOST)
GOOD = Identity(IdentityStatus.VERIFIED, "good", subject="anna")


class Watch:
    """A mesh that changes, and the alarms of one who watches it."""

    def __init__(self, count: int = 12) -> None:
        members = [Member(n, f"n{n}", identity=GOOD) for n in range(1, count + 1)]
        self.graph: PresenceGraph = make_graph(members, [Link(0, m.number) for m in members])
        self.now = NOW
        self.timeline = Timeline()
        self.alarms = Alarms()
        self.timeline.take(self.graph)

    def change(self, *numbers: int, **changes: object) -> None:
        keys = {peer_key(number) for number in numbers}
        peers = tuple(
            replace(peer, **changes) if peer.peer_key in keys else peer  # type: ignore[arg-type]
            for peer in self.graph.remote_peers
        )
        self.see(replace(self.graph, remote_peers=peers, sequence=self.graph.sequence + 1))

    def see(self, graph: PresenceGraph) -> None:
        self.graph = graph
        self.alarms.hear(self.timeline.take(graph), graph, self.now)

    def after(self, seconds: float) -> list[Alarm]:
        self.now += timedelta(seconds=seconds)
        return [*self.alarms.due(self.now)]

    def words(self, seconds: float = GATHER_SECONDS) -> list[str]:
        return [alarm.words for alarm in self.after(seconds)]


def test_one_that_is_lost_is_named() -> None:
    watch = Watch()
    watch.change(3, presence=LOST)
    assert watch.after(GATHER_SECONDS) == [Alarm("n3: lost", severe=False)]
    assert watch.after(60) == []


def test_those_that_are_lost_together_are_told_together() -> None:
    watch = Watch()
    watch.change(1, presence=LOST)
    assert watch.words(GATHER_SECONDS / 2) == []
    watch.change(2, 3, 4, 5, 6, 7, presence=LOST)
    (words,) = watch.words()
    assert words.startswith("7 peers lost: n1, ")
    assert words.endswith(" and 4 more")


def test_a_storm_is_told_once_in_a_while() -> None:
    watch = Watch()
    told = []
    for number in range(1, 13):  # one is lost every second
        watch.change(number, presence=LOST)
        told += watch.words(1.0)
    told += watch.words(REST_SECONDS)
    assert [words.split(":")[0] for words in told] == ["n1", "10 peers lost", "n12"]


def test_who_is_back_before_it_was_told_is_not_told_of() -> None:
    watch = Watch()
    here = watch.graph.peer(peer_key(1))
    assert here is not None
    watch.change(1, 2, presence=LOST)
    watch.change(1, presence=here.presence)
    assert watch.words() == ["n2: lost"]


def test_in_a_blind_view_nobody_else_is_lost() -> None:
    watch = Watch()
    watch.change(1, presence=LOST)
    watch.see(replace(watch.graph, view=View(ViewState.BLIND, NOW, "no link to any peer")))
    watch.change(2, 3, presence=LOST)
    assert watch.words() == []


def test_key_warnings_are_severe_and_do_not_wait_for_the_lost() -> None:
    watch = Watch()
    watch.change(1, presence=LOST)
    watch.change(2, key_warning="this name was met under another key")
    assert watch.after(GATHER_SECONDS) == [
        Alarm("n2: key warning: this name was met under another key", severe=True),
        Alarm("n1: lost", severe=False),
    ]
    watch.change(3, key_warning="and this")
    watch.change(4, key_warning="and that")
    assert watch.words() == []
    assert watch.words(REST_SECONDS) == ["2 key warnings: n3, n4"]


def test_an_identity_that_was_verified_and_ends_is_told() -> None:
    watch = Watch()
    watch.change(1, identity=Identity(IdentityStatus.EXPIRED, "ran out at 12:00"))
    watch.change(2, identity=Identity(IdentityStatus.REVOKED, "taken back"))
    watch.change(3, identity=Identity(IdentityStatus.PENDING, "on its way"))
    assert watch.after(GATHER_SECONDS) == [
        Alarm("n2: identity revoked: taken back", severe=True),
        Alarm("n1: identity expired: ran out at 12:00", severe=False),
    ]
    watch.change(3, identity=Identity(IdentityStatus.EXPIRED, "was not verified before"))
    assert watch.words(REST_SECONDS + GATHER_SECONDS) == []


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    watch = Watch()
    watch.change(1, presence=LOST)
    assert watch.words() == ["n1: lost"]
    watch.change(2, presence=LOST)
    assert watch.words(-3_600) == ["n2: lost"]


def test_hostile_texts_are_harmless() -> None:
    watch = Watch()
    watch.change(1, device_name=HOSTILE, key_warning=HOSTILE)
    for alarm in watch.after(GATHER_SECONDS):
        assert not FORBIDDEN & set(alarm.words)
        assert len(alarm.words) < 400
