"""Five minutes of a canned mesh, graph by graph, in which something of every kind happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from presence_core.model import (
    Condition,
    ConditionState,
    Identity,
    IdentityStatus,
    PresenceGraph,
    Trust,
    View,
    ViewState,
)
from tests.canned import NOW, Link, Member, ago, make_graph, with_conditions

_NAMES = (
    "triage-tent",
    "field-hospital",
    "water-truck-1",
    "supply-depot",
    "drone-survey",
    "bridge-watch",
    "radio-relay",
    "search-team-a",
    "search-team-b",
    "kitchen",
    "ambulance-7",
)
_LINKS = (
    Link(0, 1, rtt_ms=0.5),
    Link(0, 3, rtt_ms=0.8),
    Link(0, 5, rtt_ms=1.1),
    Link(1, 2),
    Link(3, 4),
    Link(1, 10),
    Link(4, 11),
    Link(5, 8),
    Link(5, 9),
    Link(3, 7, "Bluetooth"),
    Link(7, 6),
)


def token(status: IdentityStatus, reason: str) -> Identity:
    """Return the outcome of a check of a token that ran out two minutes ago."""
    issuer = "https://id.relief.example"
    return Identity(status, reason, issuer, "5e1d09c2a7b34f68", "anna", ago(86_400), ago(120))


class Story:
    """A mesh that changes step by step. ``graphs``: what has been seen, the oldest first."""

    def __init__(self) -> None:
        self.members = {n: Member(n, name, {"role": "team"}) for n, name in enumerate(_NAMES, 1)}
        self.members[2] = replace(
            self.members[2], identity=token(IdentityStatus.VERIFIED, "good"), trust=Trust.SEEN
        )
        self.links = list(_LINKS)
        self.more: dict[str, Any] = {"view": View(ViewState.CURRENT, ago(900))}
        self.graphs: list[PresenceGraph] = []
        self.see(300)

    def see(self, seconds: float) -> None:
        """Add a graph of so many seconds ago."""
        graph = make_graph(
            list(self.members.values()),
            self.links,
            generated_at=NOW - timedelta(seconds=seconds),
            sequence=len(self.graphs) + 1,
            **self.more,
        )
        self.graphs.append(graph)

    def change(self, number: int, **changes: Any) -> None:
        """Change a member."""
        self.members[number] = replace(self.members[number], **changes)

    def cut(self, *numbers: int) -> None:
        """Let links of these members go down."""
        self.links = [k for k in self.links if k.one not in numbers and k.other not in numbers]


def story() -> Sequence[PresenceGraph]:
    """Return five minutes in the life of a team."""
    it = Story()
    it.change(10, gone=0.0, left=True)
    it.cut(10)
    it.see(262)
    it.links.append(Link(1, 6, "Bluetooth"))
    it.see(214)
    it.change(1, metadata={"role": "team", "beds": 9, "note": "triage full"})
    it.see(171)
    it.change(2, identity=token(IdentityStatus.EXPIRED, "its identity token ran out at 21:39:00"))
    it.see(120)
    it.members[12] = Member(
        12, "field-hospital", {}, key_warning="this name belongs to another key, frnjf3ms, seen"
    )
    it.links.append(Link(1, 12))
    it.see(88)
    it.change(12, trust=Trust.BLOCKED)
    it.see(64)
    it.change(5, gone=0.0)
    it.cut(5)
    it.see(42)
    it.more["conditions"] = with_conditions(
        Condition(
            "mdns",
            ConditionState.WARNING,
            ago(20),
            "our own multicast announcement does not come back",
            "allow UDP port 5353 in the firewall",
        )
    )
    it.more["view"] = View(ViewState.STALE, ago(20), "no neighbour is answering")
    it.see(20)
    it.more["view"] = View(ViewState.CURRENT, ago(14))
    it.see(14)
    it.links.append(Link(4, 8))
    it.see(5)
    return it.graphs
