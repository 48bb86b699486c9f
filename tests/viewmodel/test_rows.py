from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from presence_core.model import (
    IdentityStatus,
    MetadataState,
    Peer,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    Trust,
)
from presence_tui.viewmodel.orders import GROUPS, SORTS, rtt_of
from presence_tui.viewmodel.rows import GroupTitle, Query, Row, Rows, Show
from presence_tui.viewmodel.tally import Tallies
from tests import canned
from tests.canned import NOW, Link, Member, ago, make_graph, make_peer, peer_key

LATER = NOW + timedelta(seconds=30)


def rows_of(peers: tuple[Peer, ...], query: Query | None = None) -> Rows:
    rows = Rows()
    rows.ask(query or Query())
    rows.take(peers, NOW)
    rows.arrange(hold=False)
    return rows


def names(rows: Rows) -> list[str]:
    return [row.peer.device_name for row in rows.shown]


def named(*wanted: str) -> tuple[Peer, ...]:
    peers = [make_peer(number, name) for number, name in enumerate(wanted, 1)]
    return tuple(sorted(peers, key=lambda peer: peer.peer_key))


def with_peer(peers: tuple[Peer, ...], number: int, **changes: Any) -> tuple[Peer, ...]:
    key = peer_key(number)
    return tuple(replace(p, **changes) if p.peer_key == key else p for p in peers)


# -- order


def test_names_are_sorted_without_case_and_the_nameless_come_last_either_way() -> None:
    peers = named("delta", "Alpha", "", "charlie", "Bravo")
    assert names(rows_of(peers)) == ["Alpha", "Bravo", "charlie", "delta", ""]
    turned = rows_of(peers, Query(reverse=True))
    assert names(turned) == ["delta", "charlie", "Bravo", "Alpha", ""]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_column_sorts_all_peers(sort: str, reverse: bool) -> None:
    graph = canned.many()
    rows = rows_of(graph.remote_peers, Query(sort=sort, reverse=reverse))
    assert {row.peer.peer_key for row in rows.shown} == {p.peer_key for p in graph.remote_peers}


def test_the_online_come_before_the_lost_before_those_who_left() -> None:
    rows = rows_of(canned.many().remote_peers, Query(sort="presence"))
    states = [row.peer.presence.state for row in rows.shown]
    assert states == sorted(states, key=["online", "lost", "left"].index)
    assert len(set(states)) == 3


def test_the_verified_come_first_and_the_missing_last() -> None:
    rows = rows_of(canned.many().remote_peers, Query(sort="identity"))
    statuses = [row.peer.identity.status for row in rows.shown]
    assert statuses == sorted(statuses, key=list(reversed(IdentityStatus)).index)


def test_whoever_is_blocked_comes_after_all_others_and_at_once() -> None:
    rows = Rows()
    rows.ask(Query(sort="identity"))
    graph = canned.statuses()
    rows.take(graph.remote_peers, NOW)
    rows.arrange(hold=False)
    assert rows.shown[-1].peer.trust is Trust.BLOCKED
    best = rows.shown[0].peer
    assert best.identity.status is IdentityStatus.VERIFIED
    peers = tuple(
        replace(peer, trust=Trust.BLOCKED) if peer is best else peer for peer in graph.remote_peers
    )
    rows.take(peers, NOW)
    rows.arrange(hold=False)
    assert best.peer_key in {row.peer.peer_key for row in rows.shown[-2:]}


@pytest.mark.parametrize("reverse", [False, True])
def test_round_trips_that_are_not_known_come_last(reverse: bool) -> None:
    rows = rows_of(canned.many().remote_peers, Query(sort="rtt", reverse=reverse))
    found = [rtt_of(row.peer) for row in rows.shown]
    known = [rtt for rtt in found if rtt is not None]
    assert len(known) == 8
    assert known == sorted(known, reverse=reverse)
    assert found == known + [None] * 32


def test_sorting_again_by_the_same_column_turns_it_round() -> None:
    query = Query().sorted_by("rtt")
    assert (query.sort, query.reverse) == ("rtt", False)
    assert query.sorted_by("rtt").reverse
    assert not query.sorted_by("rtt").sorted_by("name").reverse


def test_equal_values_are_told_apart_by_key_so_that_rows_do_not_swap() -> None:
    peers = named(*["same"] * 20)
    shown = [row.peer.peer_key for row in rows_of(peers).shown]
    assert shown == sorted(shown)


# -- kept up


def test_rows_kept_up_are_those_of_a_fresh_start() -> None:
    rng = random.Random(7)
    peers = canned.many(60).remote_peers
    everybody = {peer.peer_key: peer for peer in peers}
    rows = Rows()
    for query in (
        Query(),
        Query(sort="rtt"),
        Query(sort="presence", reverse=True, show=Show.ONLINE),
        Query(sort="hops", search="battery"),
        Query(show=Show.MISSING),
    ):
        rows.ask(query)
        for _ in range(40):
            for key in rng.sample(sorted(everybody), 8):
                peer = everybody[key]
                connections = tuple(
                    replace(c, rtt_ms=rng.uniform(0, 9)) if c.rtt_ms else c
                    for c in peer.connections
                )
                state = rng.choice(list(PresenceState))
                everybody[key] = replace(
                    peer,
                    device_name=rng.choice((peer.device_name, f"renamed-{rng.randrange(99)}")),
                    connections=connections,
                    presence=replace(peer.presence, state=state, direct=rng.random() < 0.5),
                )
            present = tuple(
                everybody[key] for key in sorted(everybody) if rng.random() < rng.choice((1, 0.9))
            )
            rows.take(present, NOW)
            rows.arrange(hold=False)
            fresh = rows_of(present, query)
            assert [row.peer for row in rows.shown] == [row.peer for row in fresh.shown]
            assert rows.tallies.now == Tallies(present).now


def test_a_row_is_the_same_object_as_long_as_its_peer_is_there() -> None:
    peers = named("a", "b", "c")
    rows = rows_of(peers)
    row = rows.get(peer_key(2))
    rows.take(with_peer(peers, 2, device_name="z"), NOW)
    rows.arrange(hold=False)
    assert rows.get(peer_key(2)) is row
    assert names(rows) == ["a", "c", "z"]
    assert row is not None
    assert rows.position(row) == 2


def test_nothing_is_arranged_when_only_measurements_change() -> None:
    graph = canned.team()
    rows = rows_of(graph.remote_peers)
    peers = tuple(
        replace(p, connections=tuple(replace(c, rtt_ms=9.9) for c in p.connections))
        for p in graph.remote_peers
    )
    rows.take(peers, LATER)
    assert not rows.stale
    assert not rows.unsorted
    assert [row.peer for row in rows.shown] != list(graph.remote_peers)
    assert not rows.arrange(hold=False)


def test_the_same_graph_again_changes_nothing() -> None:
    graph = canned.team()
    rows = rows_of(graph.remote_peers)
    rows.take(graph.remote_peers, LATER)
    rows.take(tuple(graph.remote_peers), LATER)
    assert not rows.stale
    assert not rows.unsorted


# -- held


def test_rows_that_are_held_stay_where_they_are_and_newcomers_come_last() -> None:
    peers = named("b", "c", "d")
    rows = rows_of(peers)
    newer = tuple(
        sorted((*with_peer(peers, 3, device_name="0"), make_peer(9, "a")), key=lambda p: p.peer_key)
    )
    rows.take(newer, NOW)
    rows.arrange(hold=True)
    assert names(rows) == ["b", "c", "0", "a"]
    assert rows.held
    assert rows.unsorted
    rows.arrange(hold=False)
    assert names(rows) == ["0", "a", "b", "c"]
    assert not rows.held


def test_held_rows_that_the_filter_would_drop_stay_until_the_hold_is_over() -> None:
    peers = named("a", "b", "c")
    rows = rows_of(peers, Query(show=Show.ONLINE))
    rows.take(with_peer(peers, 2, presence=PeerPresence(PresenceState.LOST)), NOW)
    rows.arrange(hold=True)
    assert names(rows) == ["a", "b", "c"]
    rows.arrange(hold=False)
    assert names(rows) == ["a", "c"]


def test_held_rows_of_peers_that_are_forgotten_go() -> None:
    peers = named("a", "b", "c")
    rows = rows_of(peers)
    rows.take(tuple(p for p in peers if p.device_name != "b"), NOW)
    rows.arrange(hold=True)
    assert names(rows) == ["a", "c"]
    assert not rows.held


def test_a_hold_that_changes_nothing_is_not_called_one() -> None:
    peers = named("a", "b")
    rows = rows_of(peers)
    rows.take(with_peer(peers, 2, device_name="c"), NOW)
    rows.arrange(hold=True)
    assert not rows.held


def test_the_kept_peer_stays_though_the_filter_leaves_it_out_until_it_is_let_go() -> None:
    peers = named("a", "b", "c")
    rows = rows_of(peers, Query(show=Show.ONLINE))
    rows.take(with_peer(peers, 2, presence=PeerPresence(PresenceState.LOST)), NOW)
    row = rows.get(peer_key(2))
    assert row is not None
    rows.arrange(hold=False, keep=row)
    assert names(rows) == ["a", "b", "c"]
    rows.let_go(row)
    rows.arrange(hold=False, keep=rows.get(peer_key(1)))
    assert names(rows) == ["a", "c"]


# -- which


def test_filters() -> None:
    peers = canned.many().remote_peers
    shown = {show: len(rows_of(peers, Query(show=show)).shown) for show in Show}
    assert shown == {Show.ALL: 40, Show.ONLINE: 34, Show.DIRECT: 8, Show.MISSING: 6}


def test_the_filter_key_goes_through_all_filters_and_back() -> None:
    show, seen = Show.ALL, []
    for _ in Show:
        seen.append(show)
        show = show.next()
    assert seen == list(Show)
    assert show is Show.ALL


PEER = make_peer(
    1,
    "Pump House",
    peer_metadata={
        "role": "Medic",
        "beds": 12,
        "open": True,
        "at": {"sector": "North"},
        "l": ["q"],
    },
    identity=canned.identity(IdentityStatus.VERIFIED),
    trust=Trust.SEEN,
    connections=make_graph([Member(1, "x")], [Link(0, 1, "Bluetooth")]).local_peer.connections,
)


@pytest.mark.parametrize(
    "search",
    [
        "pump",
        "HOUSE pump",
        peer_key(1)[:12],
        PEER.short_id,
        "state:online",
        "direct",
        "hops:1",
        "hops:<2",
        "!hops:>1",
        "hops:>",
        "identity:verified",
        "trust:seen",
        "link:bluetooth",
        "os:linux",
        "role:medic",
        "beds:12",
        "open:true",
        "sector:north",
        "l:q",
        "!lost",
        "pump !identity:missing",
        " ",
        "!",
    ],
)
def test_searches_that_find(search: str) -> None:
    assert len(rows_of((PEER,), Query(search=search)).shown) == 1


@pytest.mark.parametrize(
    "search", ["pumps", "state:lost", "pump state:lost", "!pump", "beds:13", "hops:>1", "!hops:1"]
)
def test_searches_that_do_not_find(search: str) -> None:
    assert rows_of((PEER,), Query(search=search)).shown == []


def test_a_search_does_not_mind_how_letters_are_composed() -> None:
    peers = named("e\u0301quipe")
    assert len(rows_of(peers, Query(search="équipe")).shown) == 1


def test_a_search_follows_what_changes() -> None:
    peers = named("a", "b")
    rows = rows_of(peers, Query(search="role:medic"))
    assert rows.shown == []
    rows.take(with_peer(peers, 2, peer_metadata={"role": "medic"}), NOW)
    rows.arrange(hold=False)
    assert names(rows) == ["b"]


# -- what has changed


CHANGES: dict[str, dict[str, Any]] = {
    "name": {"device_name": "other"},
    "metadata": {"peer_metadata": {"x": 1}},
    "metadata state": {"peer_metadata_state": MetadataState.REFUSED},
    "identity": {"identity": canned.identity(IdentityStatus.REVOKED)},
    "trust": {"trust": Trust.BLOCKED},
    "presence": {"presence": PeerPresence(PresenceState.LEFT)},
    "hops": {"presence": PeerPresence(PresenceState.ONLINE, hops=3)},
    "link": {"connections": ()},
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_counts_as_a_change(what: str) -> None:
    peers = canned.one().remote_peers
    rows = rows_of(peers)
    rows.take(with_peer(peers, 1, **CHANGES[what]), LATER)
    row = rows.get(peer_key(1))
    assert row is not None
    assert row.changed_at == LATER


def test_measurements_and_being_heard_are_no_changes() -> None:
    peers = canned.one().remote_peers
    rows = rows_of(peers)
    peer = peers[0]
    changes: dict[str, Any] = {
        "presence": replace(peer.presence, last_seen=LATER),
        "connections": tuple(replace(c, rtt_ms=3.0, bytes_in=9) for c in peer.connections),
        "peer_metadata": dict(peer.peer_metadata),
    }
    rows.take(with_peer(peers, 1, **changes), LATER)
    row = rows.get(peer_key(1))
    assert row is not None
    assert row.changed_at < NOW


def test_a_peer_that_is_met_changed_when_it_came_linked_or_went() -> None:
    def changed(**fields: Any) -> float:
        peer = make_peer(1, **fields)
        row = rows_of((peer,)).get(peer.peer_key)
        assert row is not None
        return (NOW - row.changed_at).total_seconds()

    online, lost = PresenceState.ONLINE, PresenceState.LOST
    assert changed(presence=PeerPresence(online, first_seen=ago(50), last_seen=ago(1))) == 50
    assert changed(presence=PeerPresence(lost, first_seen=ago(50), last_seen=ago(7))) == 7
    assert changed(presence=PeerPresence(online)) == 0
    linked = canned.one().remote_peers[0].connections
    assert (
        changed(presence=PeerPresence(online, first_seen=ago(9_000)), connections=linked) == 1_800
    )


def test_a_link_from_the_future_of_a_peer_with_a_wrong_clock_is_not_believed() -> None:
    link = replace(canned.one().remote_peers[0].connections[0], since=LATER)
    peer = make_peer(1, presence=PeerPresence(PresenceState.ONLINE), connections=(link,))
    row = rows_of((peer,)).get(peer.peer_key)
    assert row is not None
    assert row.changed_at == NOW


# -- tallies


def test_tallies_count_by_kind() -> None:
    tally = Tallies(canned.many().remote_peers).now
    counts = canned.many().counts
    assert (tally.online, tally.direct, tally.verified) == (
        counts.online,
        counts.direct,
        counts.verified,
    )
    assert (tally.lost, tally.left) == (4, 2)


def test_tallies_count_warnings_and_not_the_blocked_as_verified() -> None:
    peers = canned.statuses().remote_peers
    tallies = Tallies(peers)
    assert (tallies.now.verified, tallies.now.warned) == (3, 1)
    blocked = next(peer for peer in peers if peer.trust is Trust.BLOCKED)
    warned = next(peer for peer in peers if peer.key_warning is not None)
    tallies.change(blocked, replace(blocked, trust=Trust.SEEN))
    tallies.change(warned, replace(warned, key_warning=None))
    assert (tallies.now.verified, tallies.now.warned) == (4, 0)


# -- several orders, groups, pins


ROLES = ("medic", "cook", None, "medic", 7, "cook", "medic", True, ["x"])


def roles() -> PresenceGraph:
    return make_graph(
        [
            Member(n, f"n{9 - n}", {} if role is None else {"role": role})
            for n, role in enumerate(ROLES, 1)
        ],
        [Link(0, n) for n in range(1, 10)],
    )


def told(rows: Rows) -> list[str]:
    return [
        f"{row.peer.device_name} {row.peer.peer_metadata.get('role', '-')}" for row in rows.shown
    ]


def test_metadata_sorts_numbers_before_texts_before_the_rest_and_the_unknown_come_last() -> None:
    rows = rows_of(roles().remote_peers, Query(sort="meta:role"))
    values = [row.peer.peer_metadata.get("role", "-") for row in rows.shown]
    assert values == [True, 7, "cook", "cook", "medic", "medic", "medic", ["x"], "-"]
    rows = rows_of(roles().remote_peers, Query(sort="meta:role", reverse=True))
    assert rows.shown[-1].peer.peer_metadata == {}


def test_of_equal_values_the_next_order_decides_each_in_its_direction() -> None:
    query = Query(sort="meta:role").also_sorted_by("name")
    rows = rows_of(roles().remote_peers, query)
    assert told(rows)[2:7] == ["n3 cook", "n7 cook", "n2 medic", "n5 medic", "n8 medic"]
    rows = rows_of(roles().remote_peers, query.also_sorted_by("name"))
    assert told(rows)[2:7] == ["n7 cook", "n3 cook", "n8 medic", "n5 medic", "n2 medic"]
    rows = rows_of(roles().remote_peers, query.also_sorted_by("meta:role"))
    assert told(rows)[1:6] == ["n2 medic", "n5 medic", "n8 medic", "n3 cook", "n7 cook"]
    assert told(rows)[-1] == "n6 -"


def test_sorting_by_one_column_ends_sorting_by_several() -> None:
    query = Query(sort="meta:role").also_sorted_by("name").sorted_by("hops")
    assert query.orders == (("hops", False),)


def test_the_pinned_come_first_whatever_the_order() -> None:
    pinned = frozenset({peer_key(3), peer_key(6)})
    for reverse in (False, True):
        rows = rows_of(roles().remote_peers, Query(reverse=reverse, pinned=pinned))
        assert {row.peer.peer_key for row in rows.shown[:2]} == pinned
        rest = names(rows)[2:]
        assert rest == sorted(rest, reverse=reverse)


def test_groups_have_titles_with_counts_and_lines_lead_to_rows() -> None:
    query = Query(group="meta:role", pinned=frozenset({peer_key(9)}))
    rows = rows_of(roles().remote_peers, query)
    titles = [line for line in rows.lines if isinstance(line, GroupTitle)]
    assert titles == [
        GroupTitle("pinned", 1),
        GroupTitle("role true", 1),
        GroupTitle("role 7", 1),
        GroupTitle("role cook", 2),
        GroupTitle("role medic", 3),
        GroupTitle("no role", 1),
    ]
    assert [line for line in rows.lines if isinstance(line, Row)] == rows.shown
    for row in rows.shown:
        line = rows.position(row)
        assert line is not None
        assert rows.lines[line] is row
    assert rows.row_near(0) is rows.shown[0]
    assert rows.row_near(0, -1) is rows.shown[0]
    assert rows.row_near(10_000) is rows.shown[-1]
    assert rows.row_near(2) is rows.shown[1]  # a title: the row below it
    assert rows.row_near(2, -1) is rows.shown[0]
    assert Rows().row_near(0) is None


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_of_facts_holds_together(group: str) -> None:
    peers = canned.many().remote_peers + canned.statuses().remote_peers[13:]
    rows = rows_of(tuple(sorted(peers, key=lambda p: p.peer_key)), Query(group=group))
    titles = [line.words for line in rows.lines if isinstance(line, GroupTitle)]
    assert len(titles) == len(set(titles)) >= 1


def test_rows_with_groups_are_kept_up_as_others_are() -> None:
    graph = roles()
    rows = rows_of(graph.remote_peers, Query(group="meta:role", then=(("rtt", True),)))
    before = rows.lines
    assert not rows.arrange(hold=False)
    changed = tuple(
        replace(peer, peer_metadata={"role": "cook"}) if peer.device_name == "n8" else peer
        for peer in graph.remote_peers
    )
    rows.take(changed, NOW)
    assert rows.arrange(hold=False)
    assert rows.lines != before
    assert GroupTitle("role cook", 3) in rows.lines
    assert GroupTitle("role medic", 2) in rows.lines
