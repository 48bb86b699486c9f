from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from presence_core.changes import changes_between
from presence_core.model import (
    Change,
    ChangeKind,
    Condition,
    ConditionState,
    Identity,
    IdentityStatus,
    Peer,
    PresenceGraph,
    PresenceState,
    Trust,
    View,
    ViewState,
)
from tests.schema.graphs import NOW, connection, graph, local, many, peer

LINK = connection(1, 2)
BOB = peer(2, "bob", LINK)


def told(before: PresenceGraph | None, after: PresenceGraph) -> list[str]:
    return [change.kind.value for change in changes_between(before, after)]


def in_state(state: PresenceState, one: Peer = BOB) -> Peer:
    return replace(one, presence=replace(one.presence, state=state))


def only(before: PresenceGraph, after: PresenceGraph) -> Change:
    (change,) = changes_between(before, after)
    return change


def with_conditions(*conditions: Condition) -> PresenceGraph:
    return graph(conditions=conditions)


def test_nothing_happened() -> None:
    assert told(many(), many()) == []
    same = many()
    assert told(same, same) == []
    assert told(same, replace(same, sequence=99)) == []


def test_without_a_graph_before_everybody_joins() -> None:
    own = connection(1, 2)
    bob = peer(2, "bob", own, peer_metadata=MappingProxyType({"a": 1}))
    after = graph(bob, local_peer=local(own, peer_metadata=MappingProxyType({"me": True})))
    assert told(None, after) == [
        "metadata_changed",  # the local peer's: it never joins
        "peer_joined",
        "metadata_changed",
        "link_up",
    ]


def test_a_change_tells_where_it_is_first_visible() -> None:
    change = changes_between(graph(), graph(BOB, sequence=7))[0]
    assert (change.sequence, change.at, change.peer_key) == (7, NOW, BOB.peer_key)
    assert change.before is None
    assert change.after == {"state": "online", "hops": 1, "deviceName": "bob"}


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (PresenceState.ONLINE, PresenceState.LEFT, "peer_left"),
        (PresenceState.ONLINE, PresenceState.LOST, "peer_lost"),
        (PresenceState.LOST, PresenceState.LEFT, "peer_left"),
        (PresenceState.LEFT, PresenceState.LOST, "peer_lost"),
        (PresenceState.LEFT, PresenceState.ONLINE, "peer_returned"),
        (PresenceState.LOST, PresenceState.ONLINE, "peer_returned"),
    ],
)
def test_coming_and_going(was: PresenceState, now: PresenceState, kind: str) -> None:
    change = only(graph(in_state(was)), graph(in_state(now)))
    assert change.kind.value == kind
    assert change.before["state"] == was.value
    assert change.after["state"] == now.value


def test_a_peer_that_was_never_here_neither_joins_nor_leaves() -> None:
    before = graph(connections={})
    for state in (PresenceState.LEFT, PresenceState.LOST):
        assert told(before, graph(in_state(state), connections={})) == []


def test_a_forgotten_peer_is_lost_only_if_it_was_here() -> None:
    change = only(graph(BOB, connections={}), graph())
    assert (change.kind, change.after) == (ChangeKind.PEER_LOST, None)
    assert told(graph(in_state(PresenceState.LEFT), connections={}), graph()) == []


def test_links_are_told_when_both_ends_stand_by_them() -> None:
    bare = peer(2, "bob")
    claim = replace(LINK, confirmed=False)
    links = {"none": {}, "claim": {LINK.id: claim}, "link": {LINK.id: LINK}}
    expected = {
        ("none", "claim"): [],
        ("none", "link"): ["link_up"],
        ("claim", "link"): ["link_up"],
        ("link", "claim"): ["link_down"],
        ("link", "none"): ["link_down"],
        ("claim", "none"): [],
    }
    for (was, now), kinds in expected.items():
        before = graph(bare, connections=links[was])
        after = replace(before, connections=MappingProxyType(links[now]))
        assert told(before, after) == kinds, (was, now)


def test_a_link_is_told_under_its_far_end() -> None:
    bare, far = peer(2, "bob"), connection(2, 3)
    before = graph(bare, connections={})
    up = only(before, graph(bare, connections={LINK.id: LINK}))
    assert up.peer_key == bare.peer_key
    up = only(before, graph(bare, connections={far.id: far}))
    assert up.peer_key == far.peer1


def test_measurements_are_no_news() -> None:
    measured = replace(LINK, rtt_ms=9.0, bytes_in=1)
    assert told(graph(BOB), graph(peer(2, "bob", measured))) == []


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({}, {"a": 1}),
        ({"a": 1}, {}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),  # equal to Python, not to JSON
        ({"a": [0]}, {"a": [False]}),
        ({"a": 1}, {"a": 1.0}),
    ],
)
def test_metadata_changes(was: dict[str, Any], now: dict[str, Any]) -> None:
    before, after = (peer(2, "bob", peer_metadata=MappingProxyType(m)) for m in (was, now))
    change = only(graph(before), graph(after))
    assert change.kind is ChangeKind.METADATA_CHANGED
    assert (change.before, change.after) == (was, now)


def test_metadata_in_another_order_is_the_same() -> None:
    before, after = (
        peer(2, "bob", peer_metadata=MappingProxyType(m))
        for m in ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    )
    assert told(graph(before), graph(after)) == []


def test_own_metadata_changes_too() -> None:
    before, after = (graph(local_peer=local(peer_metadata={"n": n})) for n in (1, 2))
    assert only(before, after).peer_key == before.local_peer.peer_key


def test_a_key_warning_is_told_once_and_whenever_it_is_another() -> None:
    warned = replace(BOB, key_warning="met before under another key")
    change = only(graph(BOB), graph(warned))
    assert (change.kind, change.before) == (ChangeKind.KEY_WARNING, None)
    assert change.after == "met before under another key"
    assert changes_between(graph(warned), graph(replace(warned, os="Plan 9"))) == ()
    assert changes_between(graph(warned), graph(BOB)) == ()


def test_identity_and_trust_change() -> None:
    fresh = Identity(IdentityStatus.EXPIRED, "expired")
    change = only(graph(BOB), graph(replace(BOB, identity=fresh)))
    assert change.kind is ChangeKind.IDENTITY_CHANGED
    assert change.after["status"] == "expired"
    assert told(graph(BOB), graph(replace(BOB, identity=replace(BOB.identity)))) == []
    change = only(graph(BOB), graph(replace(BOB, trust=Trust.BLOCKED)))
    assert (change.kind, change.before, change.after) == (
        ChangeKind.TRUST_CHANGED,
        "unknown",
        "blocked",
    )


def test_conditions_change() -> None:
    fine = Condition("mdns", ConditionState.OK, NOW)
    bad = Condition("mdns", ConditionState.FAILED, NOW, "no network", "connect to one")
    assert told(None, with_conditions(bad)) == []
    assert told(with_conditions(), with_conditions(fine)) == []  # begins by being fine
    change = only(with_conditions(), with_conditions(bad))
    assert (change.before, change.after["message"]) == (None, "no network")
    change = only(with_conditions(fine), with_conditions(bad))
    assert (change.before["state"], change.after["state"]) == ("ok", "failed")
    assert change.peer_key is None
    assert only(with_conditions(bad), with_conditions()).after is None


def test_the_view_changes() -> None:
    blind = View(ViewState.BLIND, NOW, "no link to any peer")
    change = only(graph(), graph(view=blind))
    assert change.kind is ChangeKind.VIEW_CHANGED
    assert (change.before["state"], change.after["reason"]) == ("current", "no link to any peer")


def test_the_order_is_the_one_people_tell_it_in() -> None:
    carol = peer(3, "carol", connection(1, 3))
    before = graph(BOB, view=View(ViewState.FILLING, NOW))
    after = graph(in_state(PresenceState.LOST), carol, connections={})
    after = replace(after, connections=MappingProxyType({carol.connections[0].id: LINK}))
    kinds = told(before, after)
    assert sorted(kinds[:2]) == ["peer_joined", "peer_lost"]
    assert kinds[2:] == ["link_up", "link_down", "view_changed"]


def test_unchanged_peers_are_not_looked_at() -> None:
    class Untouchable(dict[str, Any]):
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None

    bob = peer(2, "bob", peer_metadata=Untouchable(a=1))
    assert told(graph(bob), graph(bob, sequence=43)) == []
    moved = replace(bob, presence=replace(bob.presence, hops=2))
    assert told(graph(bob), graph(moved)) == []  # the metadata is the same object
