"""Searching further without working out the order anew, and making ready for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from presence_core.model import Peer, Trust
from presence_tui.viewmodel.orders import SORTS
from presence_tui.viewmodel.rows import Query, Rows, Show
from tests import canned
from tests.canned import NOW

PEERS = canned.many().remote_peers
QUERIES = st.builds(
    Query,
    sort=st.sampled_from(SORTS),
    reverse=st.booleans(),
    search=st.sampled_from(["", "t", "tr", "truck", "!truck", "hops:>1", "trust:", "trust:b"]),
    show=st.sampled_from(Show),
    group=st.sampled_from(["", "trust"]),
)
STEPS = st.lists(st.one_of(QUERIES, st.integers(0, len(PEERS) - 1)), max_size=8)


def fresh(peers: tuple[Peer, ...], query: Query, before: Rows) -> Rows:
    rows = Rows()
    rows.take(peers, NOW)
    for peer in peers:
        made, known = rows.get(peer.peer_key), before.get(peer.peer_key)
        assert made is not None
        assert known is not None
        made.changed_at = known.changed_at
    rows.ask(replace(query, pinned=frozenset({"nobody"})))  # so that every place is worked out
    rows.ask(query)
    rows.arrange(hold=False)
    return rows


@given(STEPS, QUERIES)
def test_whatever_was_asked_before_the_rows_are_those_of_a_fresh_start(
    steps: list[Query | int], last: Query
) -> None:
    peers, rows = PEERS, Rows()
    rows.take(peers, NOW)
    for number, step in enumerate([*steps, last, replace(last, search="tr"), last]):
        if isinstance(step, int):
            changed = replace(peers[step], device_name=f"Zoë {number}", trust=Trust.BLOCKED)
            peers = (*peers[:step], changed, *peers[step + 1 :])
            rows.take(peers, NOW + timedelta(seconds=number))
        else:
            rows.ask(step)
            rows.arrange(hold=False)
    expected = fresh(peers, last, rows)
    assert [row.peer for row in rows.shown] == [row.peer for row in expected.shown]


def test_it_is_made_ready_for_a_search_little_by_little() -> None:
    rows = Rows()
    rows.take(PEERS, NOW)
    assert rows.prepare(len(PEERS) - 1)
    assert not rows.prepare(len(PEERS))
    assert all(row.text for row in map(rows.get, (peer.peer_key for peer in PEERS)) if row)
    assert not rows.prepare(1)


def test_what_was_made_ready_is_not_what_a_peer_was() -> None:
    rows = Rows()
    rows.take(PEERS, NOW)
    rows.prepare(len(PEERS))
    renamed = replace(PEERS[3], device_name="quartermaster")
    rows.take((*PEERS[:3], renamed, *PEERS[4:]), NOW)
    rows.ask(Query(search="quarter"))
    rows.arrange(hold=False)
    assert [row.peer for row in rows.shown] == [renamed]
