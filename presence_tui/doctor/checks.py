"""Which checks there are, in the order in which they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from presence_tui.doctor import (
    bluetooth,
    clock,
    configuration,
    home,
    identity,
    mesh,
    multicast,
    network,
    program,
    running,
    terminal,
)
from presence_tui.doctor.examination import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from presence_tui.doctor.examination import Case
    from presence_tui.doctor.finding import Finding


@dataclass(frozen=True, slots=True)
class Check:
    """A check: what it is about, and how it looks. Its findings may have other names too."""

    name: str
    look: Callable[[Case], Awaitable[Sequence[Finding]]]


def _blocking(
    look: Callable[[Case], Sequence[Finding]],
) -> Callable[..., Awaitable[Sequence[Finding]]]:
    return lambda case: in_thread(lambda: look(case))


CHECKS: tuple[Check, ...] = (
    Check("version", _blocking(program.look)),
    Check("terminal", _blocking(terminal.look)),
    Check("home", _blocking(home.look_at_home)),
    Check("key", _blocking(home.look_at_key)),
    Check("files", _blocking(home.look_at_files)),
    Check("settings", _blocking(configuration.look)),
    Check("mesh", _blocking(mesh.look)),
    Check("clock", _blocking(clock.look)),
    Check("engine", _blocking(running.look)),
    Check("interfaces", _blocking(network.look_at_interfaces)),
    Check("port", network.look_at_port),
    Check("multicast", multicast.look),
    Check("peer", network.look_at_addresses),
    Check("bluetooth", bluetooth.look),
    Check("identity", _blocking(identity.look)),
)
