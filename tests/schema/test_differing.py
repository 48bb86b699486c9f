from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from presence_core.differing import differing
from presence_core.model import Peer
from tests.schema.graphs import peer

FIRST = {number: peer(number, f"peer {number}") for number in range(1, 13)}
NUMBERS = st.sets(st.sampled_from(sorted(FIRST)))


def plainly(
    before: tuple[Peer, ...], after: tuple[Peer, ...]
) -> tuple[list[tuple[Peer | None, Peer]], list[Peer]]:
    """Look every key up."""
    known = {one.peer_key: one for one in before}
    found = [(known.pop(one.peer_key, None), one) for one in after]
    return [(old, new) for old, new in found if old is not new], list(known.values())


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_same_as_looking_every_key_up(
    there: set[int], here: set[int], changed: set[int]
) -> None:
    before = tuple(FIRST[number] for number in sorted(there))
    after = tuple(
        replace(FIRST[number], trust=FIRST[number].trust) if number in changed else FIRST[number]
        for number in sorted(here)
    )
    assert differing(before, after) == plainly(before, after)


def test_as_many_others_in_the_same_places() -> None:
    one, two, three = (FIRST[number] for number in (1, 2, 3))
    assert differing((one, two), (one, three)) == ([(None, three)], [two])


def test_nothing_differs() -> None:
    peers = tuple(FIRST.values())
    assert differing(peers, peers) == ([], [])
    assert differing((), ()) == ([], [])
