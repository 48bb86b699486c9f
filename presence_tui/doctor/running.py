"""An engine that runs on this home already: what it says of itself is worth more than our trials.

None is started to find out. It would take the key from one that is about to start, make files in a
home that is only looked at, and everybody in the mesh would see this device come and go.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from presence_core.engine.home import mesh_of
from presence_core.identity.keyfile import IDENTITY_FILE, HomeError, is_locked
from presence_core.model import ConditionState, ViewState
from presence_tui.doctor.finding import (
    Finding,
    FindingState,
    of_condition,
    off,
    ok,
    unknown,
    warning,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.model import PresenceGraph
    from presence_tui.doctor.examination import Case

NAME = "engine"
ASK_SECONDS = 1.5
"""How long it may take to answer: less than a check, so that there is time to say that it did not.
"""

_LOCKS = Path("/proc/locks")
_VIEWS = {
    ViewState.CURRENT: FindingState.OK,
    ViewState.FILLING: FindingState.UNKNOWN,
    ViewState.STALE: FindingState.WARNING,
    ViewState.BLIND: FindingState.WARNING,
}


_TROUBLED = (ConditionState.WARNING, ConditionState.FAILED)


@dataclass(frozen=True, slots=True)
class Running:
    """Whether an engine holds the key of the home, and what it shows; ``problem``: why nothing."""

    locked: bool = False
    process: int | None = None
    graph: PresenceGraph | None = None
    problem: str | None = None

    @property
    def words(self) -> str:
        """Who holds the key, for a sentence; nothing when nobody does."""
        if not self.locked:
            return ""
        which = f" (process {self.process})" if self.process is not None else ""
        return f"in use by the engine that runs{which}"


def find_running(home: Path) -> Running:
    """Look whether an engine runs on a home, and ask it. Raises OSError."""
    path = home / IDENTITY_FILE
    if not path.exists():
        return Running()
    process = _process_of(path)
    if process is None and not is_locked(path):
        return Running()
    try:
        return Running(locked=True, process=process, graph=asyncio.run(_ask(home)))
    except TimeoutError:
        problem = f"it did not answer within {ASK_SECONDS} s"
    except Exception as error:  # noqa: BLE001  whatever it says, or is: it cannot be asked
        problem = str(error) or type(error).__name__
    return Running(locked=True, process=process, problem=problem)


def _process_of(path: Path) -> int | None:
    """Return the process that has the file locked, as far as Linux tells."""
    inode = path.stat().st_ino
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _LOCKS.read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == inode:
                return int(words[4])
    return None


async def _ask(home: Path) -> PresenceGraph:
    from presence_tui.control.home import looking

    async with asyncio.timeout(ASK_SECONDS), looking(home) as source:
        return source.graph


def look(case: Case) -> Sequence[Finding]:
    """Tell what an engine that runs says of its view and of what does not work."""
    from presence_tui.viewmodel.conditions import source_name

    running = case.running
    if not running.locked and running.problem is not None:
        return [unknown(NAME, f"whether one runs on this home cannot be seen: {running.problem}")]
    if not running.locked:
        return [off(NAME, "none runs on this home; what follows is tried without one")]
    if running.graph is None:
        said = f"one runs{_process(running)}, but cannot be asked: {running.problem}"
        hint = "its conditions are in its dashboard (5), or in what it prints with --json"
        return [unknown(NAME, said, hint)]
    graph = running.graph
    found = [_view(running, graph), *_other_mesh(case, graph)]
    for one in graph.conditions:
        if one.state in _TROUBLED:
            said = f"{source_name(one.source)}: {one.message or one.state}"
            found.append(of_condition(NAME, one.state, said, one.hint))
    if not any(one.state in _TROUBLED for one in graph.conditions):
        found.append(ok(NAME, f"it reports no trouble, in {len(graph.conditions)} conditions"))
    return found


def _other_mesh(case: Case, graph: PresenceGraph) -> list[Finding]:
    """Say when what is tried here is about another mesh than the one that the engine is in."""
    if case.trouble is not None:
        return []
    try:
        mesh = mesh_of(case.config, case.home)
    except HomeError:
        return []
    if (mesh.name, mesh.open) == (graph.mesh.name, graph.mesh.open):
        return []
    said = f"it is in the mesh {graph.mesh.name}, and what is tried here is about {mesh.name}"
    return [warning(NAME, said, "give the same options here as to that engine, or restart it")]


def _process(running: Running) -> str:
    return f" (process {running.process})" if running.process is not None else ""


def _view(running: Running, graph: PresenceGraph) -> Finding:
    counts = graph.counts
    said = (
        f"one runs{_process(running)}; its view is {graph.view.state}, {counts.online} of "
        f"{counts.peers} known peers online, {counts.direct} direct"
    )
    if graph.view.reason:
        said += f": {graph.view.reason}"
    return Finding(NAME, _VIEWS[graph.view.state], said)
