"""How a value is written down that only the engine itself handles.

What a program is given (``model``, ``config``) is frozen while it runs: an observer that changes a
graph is told so. Inside, the type checker sees to that nobody changes a value, and it costs
nothing: a class frozen while it runs is twice as large, and its objects take four times as long to
make, of which a record and its messages make thousands in a first sync.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, dataclass_transform, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@overload
def value_object(cls: type[T], /) -> type[T]: ...
@overload
def value_object(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(
    cls: type[T] | None = None, /, *, eq: bool = True
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class one of values: like a dataclass that is frozen, as far as types are checked.

    ``eq=False``: an object is equal to itself only, and is not looked into to find its hash.
    """

    def made(one: type[T]) -> type[T]:
        return dataclass(slots=True, eq=eq, unsafe_hash=eq)(one)

    return made if cls is None else made(cls)
