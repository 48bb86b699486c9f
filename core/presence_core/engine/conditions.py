"""What works and what does not, said where a person looks, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.model import Condition, ConditionState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Conditions:
    """The state of each source of conditions. ``changed`` is called when one differs.

    Sources: ``lan`` (listening for connections), ``mdns`` (finding peers), ``ble`` (Bluetooth),
    ``static`` (configured
    addresses), ``mesh`` (other meshes on this network), ``neighbours`` (full peers),
    ``admission`` (who refused whom), ``gossip`` (who sends what does not hold), ``clock``, ``home``
    (files of the engine), ``identity`` (the own token, and the files of issuers), ``trust`` (the
    file of known and blocked keys).
    """

    def __init__(self, now: Callable[[], datetime], changed: Callable[[], None]) -> None:
        self._now = now
        self._changed = changed
        self._by_source: dict[str, Condition] = {}
        self._sorted: tuple[Condition, ...] = ()

    def set(
        self,
        source: str,
        state: ConditionState = ConditionState.OK,
        message: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Set the condition of a source; ``since`` moves only when its state or message does."""
        known = self._by_source.get(source)
        if known is not None and (known.state, known.message, known.hint) == (state, message, hint):
            return
        since = known.since if known is not None and known.state is state else self._now()
        self._by_source[source] = Condition(source, state, since, message, hint)
        self._sorted = tuple(self._by_source[name] for name in sorted(self._by_source))
        self._changed()

    def clear(self, source: str) -> None:
        """Say that a source which had something to report is fine again."""
        if source in self._by_source:
            self.set(source)

    def all(self) -> tuple[Condition, ...]:
        """Return the conditions, sorted by source; the same object while nothing changes."""
        return self._sorted
