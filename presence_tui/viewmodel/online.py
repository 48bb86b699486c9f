"""How many peers were online lately, as a line of little columns."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

STEP_SECONDS = 5
"""The time that one column stands for; the newest one holds what is now."""

_KEPT = 240
_COLUMNS = "▁▂▃▄▅▆▇█"
UNKNOWN = " "
"""A column of a time in which nobody could say who was online."""


class OnlineHistory:
    """The number of peers online in each step of the last twenty minutes."""

    def __init__(self) -> None:
        self._counts: deque[int | None] = deque(maxlen=_KEPT)
        self._step: int | None = None

    def take(self, count: int | None, now: datetime) -> None:
        """Take how many are online now; None: the view does not tell.

        A clock that was set back starts it anew.
        """
        step = int(now.timestamp()) // STEP_SECONDS
        if self._step is None or step < self._step:
            self._counts.clear()
            self._counts.append(count)
        elif step == self._step:
            self._counts[-1] = count
        else:
            last = self._counts[-1]
            self._counts.extend([last] * min(step - self._step - 1, _KEPT))
            self._counts.append(count)
        self._step = step

    def columns(self, width: int) -> tuple[str, int, int]:
        """Return the newest columns, at most so many, and the fewest and most among them.

        Columns reach from the fewest to the most, so that one peer more or less can be seen among
        hundreds; the lowest column of all is nobody.
        """
        counts = list(self._counts)[-width:] if width > 0 else []
        known = [count for count in counts if count is not None]
        fewest, most = min(known, default=0), max(known, default=0)

        def sign(count: int | None) -> str:
            if count is None:
                return UNKNOWN
            if count == 0:
                return _COLUMNS[0]
            if fewest == most:
                return _COLUMNS[len(_COLUMNS) // 2]
            return _COLUMNS[1 + (count - fewest) * (len(_COLUMNS) - 2) // (most - fewest)]

        return "".join(map(sign, counts)), fewest, most
