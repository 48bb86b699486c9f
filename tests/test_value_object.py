"""Values behave as dataclasses do, whichever way their classes are made."""

from __future__ import annotations

import gc
from collections import Counter as Counts
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import Any

import pytest

from presence_core.value_object import entity, public_value, value_object


@public_value
class Place:
    """What a program is given."""

    name: str
    floor: int = 0
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)


@value_object
class Step:
    """What the engine handles."""

    name: str
    floor: int = 0
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)


@public_value
class Yes:
    """Without any field."""


@value_object
class One:
    """With one field."""

    only: int


@public_value(eq=False)
class Thing:
    """Equal to itself only."""

    name: str


@value_object(eq=False)
class Item:
    """Equal to itself only."""

    name: str


@entity
class Counter:
    """What changes."""

    name: str
    count: int = 0


@pytest.mark.parametrize("kind", [Place, Step])
def test_values_are_equal_by_what_is_in_them(kind: Callable[..., Any]) -> None:
    one, other = kind("hall", 2, note="a"), kind("hall", 2, note="b")
    assert one == other
    assert hash(one) == hash(other)
    assert one != kind("hall", 3)
    assert one != kind("hall", 2, secret="s")
    assert replace(one, floor=3) == kind("hall", 3)
    assert {one: 1}[other] == 1


def test_values_of_different_classes_are_never_equal() -> None:
    others: list[Any] = [Step("hall"), "hall", Yes(), (), One(1), 1]
    for value in (Place("hall"), Yes(), One(1)):
        assert [other for other in others if other == value] == [
            other for other in others if type(other) is type(value)
        ]
    assert One(1) != One(2)


@pytest.mark.parametrize("kind", [Thing, Item, Counter])
def test_some_are_equal_to_themselves_only(kind: Callable[..., Any]) -> None:
    one = kind("lamp")
    assert one == one
    assert one != kind("lamp")


@pytest.mark.parametrize("kind", [Place, Step])
def test_values_show_what_is_in_them_and_no_secret(kind: Callable[..., Any]) -> None:
    shown = repr(kind("hall", secret="s"))
    assert shown == f"{kind.__name__}(name='hall', floor=0, note='')"
    assert repr(Yes()) == "Yes()"


def test_what_a_program_is_given_is_frozen() -> None:
    place: Any = Place("hall")
    for name in ("name", "other"):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(place, name, "cellar")
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'name'"):
        del place.name
    assert place.name == "hall"
    step: Any = Step("hall")
    with pytest.raises(AttributeError):
        step.other = "no place for it"


def test_an_entity_changes_and_stays_the_same() -> None:
    counter = Counter("visits")
    before = hash(counter)
    counter.count += 1
    assert hash(counter) == before
    assert repr(counter) == "Counter(name='visits', count=1)"


@pytest.mark.parametrize("made_by", [public_value, value_object, entity])
def test_the_class_that_was_replaced_is_gone(made_by: Callable[[type], type]) -> None:
    class Short:
        """Of this test."""

        name: str

    class Other:
        """Of this test, too: some versions of Python themselves keep what they have replaced."""

        name: str

    short, other = made_by(Short), dataclass(slots=True)(Other)
    del Short, Other
    gc.collect()
    alive = Counts(cls.__qualname__ for cls in object.__subclasses__())
    assert alive[short.__qualname__] == alive[other.__qualname__]
