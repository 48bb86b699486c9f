"""What is measured on our own links, as it is shown: anew now and then, not with each byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from presence_core.engine.connections import LinkMeasure

MEASURE_SECONDS = 5.0
"""How often round trips and byte counters of links are shown anew."""


class Measures:
    """The measures of links that are shown, by link id. ``measure`` gives those of now."""

    def __init__(self, measure: Callable[[], Mapping[int, LinkMeasure]]) -> None:
        self.shown: Mapping[int, LinkMeasure] = {}
        self._measure = measure
        self._taken_at = float("-inf")

    def take(self, now: float) -> bool:
        """Take measurements over now and then; the first round trip of a link at once.

        Returns whether something is to be shown anew.
        """
        due = now - self._taken_at >= MEASURE_SECONDS
        if due:
            self._taken_at = now
        taken = {
            link_id: new
            if due
            or (known := self.shown.get(link_id)) is None
            or (known.rtt_ms is None and new.rtt_ms is not None)
            else known
            for link_id, new in self._measure().items()
        }
        changed = any(taken[link_id] is not self.shown.get(link_id) for link_id in taken)
        self.shown = taken
        return changed
