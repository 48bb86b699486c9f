from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.engine.ordered import Ordered

KEYS = st.text("abc", max_size=3)


def test_the_mapping_is_the_same_object_until_something_changes() -> None:
    ordered: Ordered[int] = Ordered()
    ordered.put("b", 1)
    first = ordered.mapping()
    assert ordered.mapping() is first
    ordered.put("b", 2)
    assert dict(first) == {"b": 1}
    assert dict(ordered.mapping()) == {"b": 2}


def test_a_mapping_that_was_handed_out_stays_as_it_was() -> None:
    ordered: Ordered[int] = Ordered()
    for key in "abc":
        ordered.put(key, 1)
    first = ordered.mapping()
    ordered.drop("b")
    ordered.put("c", 2)
    ordered.drop("c")
    second = ordered.mapping()
    ordered.put("b", 3)
    assert dict(first) == {"a": 1, "b": 1, "c": 1}
    assert list(second.items()) == [("a", 1)]
    assert list(ordered.mapping().items()) == [("a", 1), ("b", 3)]


def test_many_at_once_find_their_places() -> None:
    ordered: Ordered[int] = Ordered()
    ordered.put("0500x", -1)
    ordered.values()
    for n in range(1_000):
        ordered.put(f"{n * 7 % 1_000:04}", n * 7 % 1_000)
    expected = sorted([*range(1_000), -1], key=lambda n: "0500x" if n < 0 else f"{n:04}")
    assert list(ordered.values()) == expected
    assert list(ordered.mapping()) == sorted(ordered.mapping())


@settings(max_examples=500)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), KEYS, st.integers()),
            st.tuples(st.just("drop"), KEYS),
            st.tuples(st.sampled_from(["values", "mapping"])),
        ),
        max_size=40,
    )
)
def test_it_is_a_dictionary_in_order_whatever_happens(steps: list[tuple[object, ...]]) -> None:
    ordered: Ordered[int] = Ordered()
    plain: dict[str, int] = {}
    for step in [*steps, ("values",), ("mapping",)]:
        match step:
            case ("put", str() as key, int() as value):
                ordered.put(key, value)
                plain[key] = value
            case ("drop", str() as key):
                ordered.drop(key)
                plain.pop(key, None)
            case ("values",):
                assert ordered.values() == tuple(plain[key] for key in sorted(plain))
            case ("mapping",):
                assert list(ordered.mapping().items()) == sorted(plain.items())
