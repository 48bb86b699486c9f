"""When to publish the own record (protocol §6.5): at once, then ever more slowly while it changes.

Pure; time is passed in.
"""

from __future__ import annotations

DELAYS = (0.0, 0.25, 1.0, 2.0, 5.0)
URGENT_SECONDS = 0.25
"""How soon after another version one that tells of a lost link may follow, whatever went before."""

CALM_SECONDS = 1.0
"""Each such time without a change, beyond the delay, takes one step back."""


class PublishPacer:
    """Paces what changes of one kind in a record: its links, or what its peer says of itself."""

    def __init__(self) -> None:
        self._step = 0
        self._last = float("-inf")
        self._due: float | None = None
        self._latest = float("-inf")
        """Until when patient changes may put the publishing off."""

    def request(self, now: float, *, patience: float = 0.0) -> None:
        """Say that the record has changed. Several changes before it is due are one.

        ``patience``: this change may wait so many seconds for another to come along with it, and
        that one for a third, up to twice as long in all.
        """
        if self._due is None:
            calm = now - self._last - DELAYS[self._step]
            if calm > 0:
                self._step = max(0, self._step - int(min(calm / CALM_SECONDS, len(DELAYS))))
        due = max(now + patience, self._last + DELAYS[self._step])
        if self._due is None:
            self._due = due
            self._latest = now + 2 * patience
        elif not patience:
            self._due = min(self._due, due)
            self._latest = self._due
        else:
            self._due = max(self._due, min(due, self._latest))

    def urge(self, now: float) -> None:
        """Say that a link is lost: until others are told, they take for online who is gone.

        (How many versions leave here in the end is bounded for each link, see ``spread``.)
        """
        self.request(now)
        self._due = min(self._due or now, max(now, self._last + URGENT_SECONDS))
        self._latest = self._due

    def due(self, now: float) -> bool:
        """Whether it is to be published now."""
        return self._due is not None and now >= self._due

    def next_time(self) -> float | None:
        """When it will be due; None when nothing has changed."""
        return self._due

    def published(self, now: float, *, heard: bool = True) -> None:
        """Note that it has been published, with all changes until now.

        A version without any change of this kind puts none off, nor one that nobody has ``heard``,
        as there was no neighbour.
        """
        if self._due is None:
            return
        self._due = None
        if not heard:
            return
        self._last = now
        self._step = min(self._step + 1, len(DELAYS) - 1)
