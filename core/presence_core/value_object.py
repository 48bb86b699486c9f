"""How values and entities are written down: as dataclasses, at half of what their classes cost.

For each dataclass the standard library compiles ``__eq__``, ``__hash__``, ``__repr__`` and what
keeps it frozen anew: 9 to 15 KB for each of eighty classes, in every engine. Here only ``__init__``
is made for each of them; the others are the same few functions for all.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@overload
def public_value(cls: type[T], /) -> type[T]: ...
@overload
def public_value(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def public_value(
    cls: type[T] | None = None, /, *, eq: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class one of values that a program is given: frozen while it runs, too.

    An observer that changes a graph is told so. ``eq=False``: an object is equal to itself only.
    """

    def made(one: Any) -> Any:
        frozen = _made(dataclass(frozen=True, slots=True, eq=False, repr=False)(one), eq=eq)
        # Those of dataclass hold on to the class without slots that this one has replaced.
        frozen.__setattr__, frozen.__delattr__ = _refuse_to_set, _refuse_to_delete
        return frozen

    return made if cls is None else made(cls)


@overload
def value_object(cls: type[T], /) -> type[T]: ...
@overload
def value_object(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(
    cls: type[T] | None = None, /, *, eq: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class one of values that only the engine handles: frozen as far as types are checked.

    That costs nothing; an object that is frozen while it runs takes four times as long to make, and
    of records and their messages thousands are made in a first sync.
    ``eq=False``: an object is equal to itself only, and is not looked into to find its hash.
    """

    def made(one: Any) -> Any:
        return _made(dataclass(slots=True, eq=False, repr=False)(one), eq=eq)

    return made if cls is None else made(cls)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def entity(cls: type[T], /) -> type[T]:
    """Make a class one of things that change: an object is equal to itself only."""
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)
    return _made(made, eq=False)  # type: ignore[no-any-return]


def _made(cls: Any, *, eq: bool) -> Any:
    cls.__repr__ = _show
    if eq:
        compared = [one.name for one in fields(cls) if one.compare]
        cls._compared = attrgetter(*compared) if compared else type
        cls.__eq__, cls.__hash__ = _equals, _hash
    return cls


def _show(self: Any) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equals(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._compared(self) == self._compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


def _refuse_to_set(_: object, name: str, __: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
