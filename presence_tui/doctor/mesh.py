"""The mesh that an engine would join here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.engine.home import DEFAULT_MESH, mesh_of
from presence_core.identity.keyfile import HomeError
from presence_tui.doctor.finding import Finding, of_error, ok, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_tui.doctor.examination import Case

NAME = "mesh"
_CLOSED = "for a mesh of your own: presence-tui mesh new, and on the others presence-tui mesh join"


def look(case: Case) -> Sequence[Finding]:
    """Say which mesh it is, and who can join it."""
    if case.trouble is not None:
        return [unknown(NAME, "which mesh it is depends on settings that cannot be used")]
    try:
        mesh = mesh_of(case.config, case.home)
    except HomeError as error:
        return [of_error(NAME, error)]
    if not mesh.open:
        return [
            ok(NAME, f"{mesh.name} (mesh id {mesh.mesh_id.hex()[:8]}…), closed: who has its key")
        ]
    if case.config.mesh is not None:
        return [ok(NAME, f"{mesh.name}, open: whoever knows the name can join")]
    said = f"nobody has chosen one, so it is the open mesh {DEFAULT_MESH!r}, which anybody can join"
    return [warning(NAME, said, _CLOSED)]
