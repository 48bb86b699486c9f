"""Turns what happens to links into conditions that a person understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.gossip.quota import FORGET_SECONDS, MAX_OFFENDERS
from presence_core.handshake.events import ByeCode, Closed, CloseReason
from presence_core.identity.keys import peer_key_text
from presence_core.model import ConditionState
from presence_core.value_object import value_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from presence_core.engine.conditions import Conditions
    from presence_core.gossip.quota import Offender, Strikes

CLOCK_TOLERANCE = 300.0
"""Seconds by which clocks may differ before it is said (token times allow as much)."""


_MOST = 64
"""Of one kind that are remembered: whoever makes up keys does not fill our memory."""

_THEY_DECIDE = "whoever runs the refusing device decides; there is nothing to repair in the network"
_REFUSALS: dict[int, str] = {
    ByeCode.DENIED: "refuses this device",
    ByeCode.BLOCKED: "has blocked this device",
}
_BLAMES: dict[int, str] = {
    ByeCode.PROTOCOL: "broke the protocol",
    ByeCode.LIMIT: "sent too much that does not hold",
}
_IF_BLAMED = (
    "it is tried again by itself; if it goes on, look whether both run the same version, "
    "and whether a copy of this device's home is in use elsewhere"
)


@value_object
class _Refused:
    """Why there is no link with a peer. ``at``: when it was said, of what fades away."""

    what: str
    hint: str
    at: float | None


class Reports:
    """Says on behalf of the links what is wrong, and takes it back when it is over."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._foreign_adverts = 0
        self._foreign_nearby = 0
        self._strangers: set[str] = set()
        self._full: set[bytes] = set()
        self._refused: dict[bytes, _Refused] = {}
        self._hosts: dict[bytes, str] = {}
        self._unreachable: dict[str, str] = {}
        for source in ("admission", "clock", "gossip", "mesh", "neighbours"):
            conditions.set(source)

    # -- other meshes on this network

    def foreign_adverts(self, count: int) -> None:
        """Discovery sees this many adverts of other meshes now."""
        self._foreign_adverts = count
        self._say_mesh()

    def foreign_nearby(self, count: int) -> None:
        """Bluetooth hears this many adverts of other meshes, or of clocks that are far off."""
        if count != self._foreign_nearby:
            self._foreign_nearby = count
            self._say_mesh()

    def stranger(self, host: str) -> None:
        """A connection from ``host`` did not know our mesh key."""
        if len(self._strangers) < _MOST:
            self._strangers.add(host)
        self._say_mesh()

    def _say_mesh(self) -> None:
        if not (self._foreign_adverts or self._foreign_nearby or self._strangers):
            self._conditions.clear("mesh")
            return
        seen = []
        if self._foreign_adverts:
            devices = (
                "1 device" if self._foreign_adverts == 1 else f"{self._foreign_adverts} devices"
            )
            seen.append(f"{devices} of another mesh on this network")
        if self._foreign_nearby:
            devices = "1 device" if self._foreign_nearby == 1 else f"{self._foreign_nearby} devices"
            seen.append(f"{devices} in Bluetooth range of another mesh, or with another time")
        if self._strangers:
            seen.append("a connection with another mesh key from " + _some(sorted(self._strangers)))
        self._conditions.set(
            "mesh",
            ConditionState.WARNING,
            "; ".join(seen),
            "if a device of yours is missing, compare its mesh name or mesh key with this one"
            + (", and its clock" if self._foreign_nearby else ""),
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
        if len(self._full) < _MOST:
            self._full.add(key)
        self._say_full()

    def _say_full(self) -> None:
        if not self._full:
            self._conditions.clear("neighbours")
            return
        names = _some(sorted(map(_short, self._full)))
        self._conditions.set(
            "neighbours",
            ConditionState.WARNING,
            f"no room at {names}: it holds as many links as it can",
            "it is tried again by itself; other peers are not affected",
        )

    def closed(self, key: bytes, closed: Closed, now: float, *, alone: bool = True) -> None:
        """A session with this peer has ended; refusals are worth saying.

        Whoever has a link (not ``alone``) misses nothing when another peer has no room.
        """
        if closed.reason is CloseReason.BYE and closed.code == ByeCode.FULL:
            if alone:
                self.full(key)
        elif closed.reason is CloseReason.BYE and closed.code in _REFUSALS:
            self._refuse(key, _Refused(_REFUSALS[closed.code], _THEY_DECIDE, None))
        elif closed.reason is CloseReason.BYE and closed.code in _BLAMES:
            what = f"refuses this device: it says that this device {_BLAMES[closed.code]}"
            self._refuse(key, _Refused(what, _IF_BLAMED, now))

    def denied(self, key: bytes, reason: str) -> None:
        """We have denied a peer."""
        what = f"was refused by this device: {reason}"
        self._refuse(key, _Refused(what, _THEY_DECIDE, None))

    def _refuse(self, key: bytes, refused: _Refused) -> None:
        self._refused.pop(key, None)
        if len(self._refused) >= _MOST:
            del self._refused[next(iter(self._refused))]
        self._refused[key] = refused
        self._say_refused()

    def _say_refused(self) -> None:
        if not self._refused:
            self._conditions.clear("admission")
            return
        key, refused = next(reversed(self._refused.items()))
        more = f" (and {len(self._refused) - 1} more)" if len(self._refused) > 1 else ""
        self._conditions.set(
            "admission",
            ConditionState.WARNING,
            f"{_short(key)} {refused.what}{more}",
            refused.hint,
        )

    def fade(self, now: float) -> None:
        """Say no more of a blame that has not been repeated for long."""
        old = [
            key
            for key, refused in self._refused.items()
            if refused.at is not None and now - refused.at >= FORGET_SECONDS
        ]
        for key in old:
            del self._refused[key]
            self._say_refused()

    # -- who sends what does not hold

    def met(self, key: bytes, host: str) -> None:
        """A peer was at this address, in case that it has to be found."""
        self._hosts.pop(key, None)
        if len(self._hosts) >= MAX_OFFENDERS:
            del self._hosts[next(iter(self._hosts))]
        self._hosts[key] = host

    def offences(self, strikes: Strikes, name_of: Callable[[bytes], str | None]) -> None:
        """Name those that sent what an honest peer does not send, until that is long past.

        ``name_of`` gives what a peer calls itself.
        """
        if not strikes.changed:
            return
        strikes.changed = False
        if not strikes.offenders:
            self._conditions.clear("gossip")
            return
        newest = sorted(strikes.offenders.items(), key=lambda item: -item[1].seen_at)
        said = [
            _accuse(key, offender, name_of(key), self._hosts.get(key)) for key, offender in newest
        ]
        self._conditions.set(
            "gossip",
            ConditionState.WARNING,
            _some(said, "; "),
            "nothing of it was believed; find that device: it is faulty, or was tampered with. "
            "This goes away ten minutes after the last time",
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


def _accuse(key: bytes, offender: Offender, name: str | None, host: str | None) -> str:
    who = _short(key)
    if name:
        who += f" ({safe_text(name, limit=32)!r})"  # whatever it calls itself, the key is its own
    if host:
        who += f" at {host}"
    counts = " and ".join(f"{count:,} {offence}" for offence, count in offender.counts.items())
    closed = f"; its link was closed {offender.closed} times" if offender.closed > 1 else ""
    if offender.closed == 1:
        closed = "; its link was closed"
    refused = f"; it was refused {offender.refused} times since" if offender.refused > 1 else ""
    if offender.refused == 1:
        refused = "; it was refused once since"
    return f"{who} sent {counts} (the last: {offender.detail}){closed}{refused}"


def _short(key: bytes) -> str:
    return f"{peer_key_text(key)[:12]}…"


def _some(items: list[str], between: str = ", ", most: int = 3) -> str:
    shown = between.join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def _span(seconds: float) -> str:
    """Round a span: as it is measured over the network, finer words would never stand still."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
