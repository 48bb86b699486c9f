from __future__ import annotations

import itertools

from presence_core.gossip.neighbours import CROSSING_SECONDS, LinkClaim, keep_new

SMALL, GREAT = b"a" * 32, b"b" * 32


def test_both_ends_of_crossing_dials_keep_the_same_session() -> None:
    for order_small, order_great in itertools.product((0, 1), repeat=2):
        kept = set()
        for own, peer, order in ((SMALL, GREAT, order_small), (GREAT, SMALL, order_great)):
            sessions = [
                (b"dialled by small", LinkClaim(own == SMALL, 0.0, b"1")),
                (b"dialled by great", LinkClaim(own == GREAT, 0.0, b"2")),
            ]
            if order:
                sessions.reverse()
            (old_name, old), (new_name, new) = sessions
            kept.add(new_name if keep_new(own, peer, old, new) else old_name)
        assert kept == {b"dialled by small"}


def test_both_ends_agree_when_one_end_dialled_twice_at_once() -> None:
    for old_id, new_id in ((b"1", b"2"), (b"2", b"1")):
        answers = {
            keep_new(
                own,
                peer,
                LinkClaim(own == SMALL, 0.0, old_id),
                LinkClaim(own == SMALL, 1.0, new_id),
            )
            for own, peer in ((SMALL, GREAT), (GREAT, SMALL))
        }
        assert answers == {new_id == b"1"}


def test_a_peer_that_dials_again_later_has_lost_the_old_session() -> None:
    for old_by_us, new_by_us in itertools.product((True, False), repeat=2):
        old = LinkClaim(old_by_us, 0.0, b"1")
        new = LinkClaim(new_by_us, CROSSING_SECONDS, b"2")
        assert keep_new(SMALL, GREAT, old, new)
        assert keep_new(GREAT, SMALL, old, new)
