"""From what a person types to the peer that is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from presence_core.codec.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Named(Protocol):
    """What peers are found by."""

    @property
    def peer_key(self) -> str:
        """``pk1…``."""

    @property
    def short_id(self) -> str:
        """Eight characters for eyes."""

    @property
    def device_name(self) -> str:
        """What it calls itself."""


_P = TypeVar("_P", bound=Named)


def matching(everybody: Sequence[_P], text: str) -> list[_P]:
    """Find peers by key, beginning of the key, short id, or exact name; the first that fits."""
    lower = text.removesuffix("…").lower()  # as tables show it
    tests: tuple[Callable[[_P], bool], ...] = (
        lambda p: p.peer_key == lower,
        lambda p: len(lower) >= 4 and p.peer_key.startswith(lower),
        lambda p: p.short_id == lower,
        lambda p: p.device_name == text,
    )
    for fits in tests:
        found = [peer for peer in everybody if fits(peer)]
        if found:
            return found
    return []


def candidates(found: Sequence[Named]) -> str:
    """Name some of those that fit, and say what to do."""
    shown = ", ".join(
        f"{peer.peer_key[:16]} ({safe_text(peer.device_name, limit=32)})" for peer in found[:5]
    )
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"{shown}{more}; give more of the key"
