"""Turns what happens to links into conditions that a person understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.handshake.events import ByeCode, Closed, CloseReason
from presence_core.identity.keys import peer_key_text
from presence_core.model import ConditionState

if TYPE_CHECKING:
    from presence_core.engine.conditions import Conditions
    from presence_core.gossip.quota import Offender, Strikes

CLOCK_TOLERANCE = 300.0
"""Seconds by which clocks may differ before it is said (token times allow as much)."""


class Reports:
    """Says on behalf of the links what is wrong, and takes it back when it is over."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._foreign_adverts = 0
        self._strangers: set[str] = set()
        self._full: set[bytes] = set()
        self._refused: dict[bytes, str] = {}
        self._unreachable: dict[str, str] = {}
        for source in ("admission", "clock", "gossip", "mesh", "neighbours"):
            conditions.set(source)

    # -- other meshes on this network

    def foreign_adverts(self, count: int) -> None:
        """Discovery sees this many adverts of other meshes now."""
        self._foreign_adverts = count
        self._say_mesh()

    def stranger(self, host: str) -> None:
        """A connection from ``host`` did not know our mesh key."""
        if len(self._strangers) < 64:
            self._strangers.add(host)
        self._say_mesh()

    def _say_mesh(self) -> None:
        if not self._foreign_adverts and not self._strangers:
            self._conditions.clear("mesh")
            return
        seen = []
        if self._foreign_adverts:
            devices = (
                "1 device" if self._foreign_adverts == 1 else f"{self._foreign_adverts} devices"
            )
            seen.append(f"{devices} of another mesh on this network")
        if self._strangers:
            seen.append("a connection with another mesh key from " + _some(sorted(self._strangers)))
        self._conditions.set(
            "mesh",
            ConditionState.WARNING,
            "; ".join(seen),
            "if a device of yours is missing, compare its mesh name or mesh key with this one",
        )

    # -- who refuses whom

    def admitted(self, key: bytes) -> None:
        """A link to this peer is up: what was said against it is over. One link is enough."""
        if self._full:
            self._full.clear()
            self._say_full()
        if self._refused.pop(key, None) is not None:
            self._say_refused()

    def full(self, key: bytes) -> None:
        """The peer has no room for another link."""
        self._full.add(key)
        self._say_full()

    def no_room(self, links: int) -> None:
        """We have no room for another link."""
        self._conditions.set(
            "neighbours",
            ConditionState.WARNING,
            f"this device holds {links} links and has no room for more",
            "peers beyond that are seen over others; nothing needs to be done",
        )

    def _say_full(self) -> None:
        if not self._full:
            self._conditions.clear("neighbours")
            return
        names = _some(sorted(peer_key_text(key)[:12] + "…" for key in self._full))
        self._conditions.set(
            "neighbours",
            ConditionState.WARNING,
            f"no room at {names}: it holds as many links as it can",
            "it is tried again by itself; other peers are not affected",
        )

    def closed(self, key: bytes, closed: Closed, *, alone: bool = True) -> None:
        """A session with this peer has ended; refusals are worth saying.

        Whoever has a link (not ``alone``) misses nothing when another peer has no room.
        """
        if closed.reason is CloseReason.BYE and closed.code == ByeCode.FULL:
            if alone:
                self.full(key)
        elif closed.reason is CloseReason.BYE and closed.code in (ByeCode.DENIED, ByeCode.BLOCKED):
            self._refused[key] = "refuses this device"
            self._say_refused()

    def denied(self, key: bytes, reason: str) -> None:
        """We have denied a peer."""
        if len(self._refused) < 64:
            self._refused[key] = f"was refused by this device: {reason}"
        self._say_refused()

    def _say_refused(self) -> None:
        if not self._refused:
            self._conditions.clear("admission")
            return
        key, what = next(reversed(self._refused.items()))
        more = f" (and {len(self._refused) - 1} more)" if len(self._refused) > 1 else ""
        self._conditions.set(
            "admission",
            ConditionState.WARNING,
            f"{peer_key_text(key)[:12]}… {what}{more}",
            "whoever runs the refusing device decides; there is nothing to repair in the network",
        )

    # -- who sends what does not hold

    def offences(self, strikes: Strikes) -> None:
        """Name the neighbours that sent what an honest one does not send."""
        if not strikes.changed:
            return
        strikes.changed = False
        worst = sorted(
            strikes.offenders.items(),
            key=lambda item: (-item[1].closed, -sum(item[1].counts.values())),
        )
        said = [_accuse(key, offender) for key, offender in worst]
        self._conditions.set(
            "gossip",
            ConditionState.WARNING,
            _some(said),
            "nothing of it was believed; find that device: it is faulty, or was tampered with",
        )

    # -- configured addresses

    def static_failed(self, name: str, why: str) -> None:
        """A configured address could not be used."""
        self._unreachable[name] = why
        self._say_static()

    def static_works(self, name: str) -> None:
        """A configured address leads to a peer."""
        self._unreachable.pop(name, None)
        self._say_static()

    def _say_static(self) -> None:
        if not self._unreachable:
            self._conditions.set("static")
            return
        said = _some([f"{name}: {why}" for name, why in sorted(self._unreachable.items())])
        self._conditions.set(
            "static",
            ConditionState.WARNING,
            said,
            "it is tried again by itself; check the address, and that the peer runs in this mesh",
        )

    # -- clocks

    def clocks(self, offsets: list[float]) -> None:
        """Compare our clock with the neighbours', by how many seconds each is ahead."""
        # The lower of two in the middle will do, and statistics.median costs a megabyte to load.
        off = sorted(offsets)[(len(offsets) - 1) // 2] if offsets else 0.0
        if abs(off) <= CLOCK_TOLERANCE:
            self._conditions.clear("clock")
            return
        self._conditions.set(
            "clock",
            ConditionState.WARNING,
            f"this clock is {_span(abs(off))} {'behind' if off > 0 else 'ahead of'} "
            "those of most neighbours",
            "set the clock: times shown and the validity of identities depend on it",
        )


def _accuse(key: bytes, offender: Offender) -> str:
    counts = " and ".join(f"{count:,} {offence}" for offence, count in offender.counts.items())
    closed = f"; its link was closed {offender.closed} times" if offender.closed > 1 else ""
    if offender.closed == 1:
        closed = "; its link was closed"
    return f"{peer_key_text(key)[:12]}… sent {counts} (the last: {offender.detail}){closed}"


def _some(items: list[str], most: int = 3) -> str:
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
