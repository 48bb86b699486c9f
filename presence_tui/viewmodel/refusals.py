"""What a dashboard refuses to do, and why: what it refuses it need not offer either."""

from __future__ import annotations

from dataclasses import dataclass

ONLY_SHOWS = "this display only shows: changes are made on the device itself"

_CHANGES = frozenset(
    (
        *("decide", "block"),
        *("save", "revert", "form", "difference", "elsewhere"),
        *("value", "add", "name", "kind", "remove", "template", "undo"),
    )
)
"""Actions that change something in the mesh, or lead to it."""

_WRITES = frozenset(("export", "elsewhere"))
"""Actions that write on the disk of this device."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """``shows_only``: the source takes no commands. ``no_files``: who looks is somewhere else."""

    shows_only: bool = False
    no_files: bool = False

    def why(self, action: str) -> str | None:
        """Return why an action is refused, in words for the person; None: it is not.

        ``action`` as a binding has it: ``screen.export('csv')``.
        """
        name = action.partition("(")[0].rpartition(".")[2]
        if self.no_files and name in _WRITES:
            return "a browser writes no files of this device"
        if self.shows_only and name in _CHANGES:
            return ONLY_SHOWS
        return None
