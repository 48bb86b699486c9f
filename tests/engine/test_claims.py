"""Whose a name is, kept up step by step, beside the plain search."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.engine.claims import Claims, Rank

KEYS = [bytes([n]) for n in range(6)]
NAMES = ("ana", "ben")

STEPS = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.none() | st.sampled_from(NAMES),
        st.tuples(st.booleans(), st.integers(0, 2)),
    ),
    max_size=40,
)


class Plain:
    """All claims in the order in which they were made; who has the best one is looked up."""

    def __init__(self) -> None:
        self.claims: dict[bytes, tuple[str, Rank]] = {}

    def note(self, key: bytes, what: str | None, rank: Rank) -> None:
        old = self.claims.get(key)
        if what is None or (old is not None and old[0] != what):
            self.claims.pop(key, None)
        if what is not None:
            self.claims[key] = (what, rank)

    def ranks(self, what: str) -> list[Rank]:
        return sorted(rank for named, rank in self.claims.values() if named == what)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_the_best_claim_is_known_and_who_is_concerned_when_it_changes(
    steps: list[tuple[bytes, str | None, Rank]],
) -> None:
    claims: Claims[str] = Claims()
    plain = Plain()
    for key, what, rank in steps:
        before = {name: claims.best(name) for name in NAMES}
        concerned = claims.note(key, what, rank)
        plain.note(key, what, rank)
        assert claims.of(key) == what
        for name in NAMES:
            best = claims.best(name)
            ranks = plain.ranks(name)
            if best is None:
                assert ranks == []
                continue
            assert plain.claims[best] == (name, ranks[0])
            everybody = {one for one, (named, _) in plain.claims.items() if named == name}
            if best != before[name]:
                assert everybody <= concerned
            else:
                assert not everybody & concerned
            assert claims.followers(best) == everybody
            assert all(claims.followers(other) == set() for other in everybody - {best})


def test_of_two_alike_the_earlier_one_stays() -> None:
    claims: Claims[str] = Claims()
    for key in KEYS:
        claims.note(key, "ana", (True, 1))
    assert claims.best("ana") == KEYS[0]
    assert claims.note(KEYS[3], "ana", (True, 0)) == set(KEYS)
    assert claims.note(KEYS[3], None, (True, 0)) == set(KEYS) - {KEYS[3]}
    assert claims.best("ana") == KEYS[0]
