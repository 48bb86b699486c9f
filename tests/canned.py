"""Presence graphs made by hand, the same every time, and a source that shows them.

A graph is described by its members and the links between them; who is how far away follows from
the links, as it does in the engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from presence_core.codec.metadata import encode_metadata, parse_metadata_json
from presence_core.identity.keys import Identity as Key
from presence_core.identity.keys import peer_key_text, short_id
from presence_core.model import (
    EMPTY,
    Condition,
    ConditionState,
    Connection,
    Identity,
    IdentityStatus,
    JsonObject,
    Mesh,
    MetadataState,
    Peer,
    PeerPresence,
    PresenceGraph,
    PresenceState,
    Trust,
    View,
    ViewState,
)

NOW = datetime(2026, 11, 23, 21, 41, tzinfo=UTC)

HOSTILE = "\x1b]0;owned\x07[@click=app.quit]x[/]\u202e"
"""What a peer may put into any text of its own."""

HARMLESS = "]0;owned[@click=app.quit]x[/]"
"""What is left of it on a screen."""

_ISSUER = "https://id.relief.example"
_KEY_ID = "5e1d09c2a7b34f68"


def ago(seconds: float) -> datetime:
    """Return the moment so many seconds before :data:`NOW`."""
    return NOW - timedelta(seconds=seconds)


@cache
def raw_key(number: int) -> bytes:
    """Return a valid peer key, another one for each number; 0 is the local peer."""
    return Key.from_private_bytes(number.to_bytes(32, "big")).peer_key


@cache
def peer_key(number: int) -> str:
    """Return the peer key of a number as text."""
    return peer_key_text(raw_key(number))


def make_peer(number: int, name: str = "base camp", **changes: Any) -> Peer:
    """Return a direct peer, online, with the key of that number; ``changes`` are fields of Peer."""
    fields: dict[str, Any] = {
        "peer_key": peer_key(number),
        "short_id": short_id(raw_key(number)),
        "device_name": name,
        "presence": PeerPresence(
            PresenceState.ONLINE, direct=True, hops=1, first_seen=ago(3_600), last_seen=ago(1)
        ),
        "os": "Linux",
        "version": "0.1.0",
        "is_compatible": True,
    }
    if changes.get("peer_metadata"):
        fields["peer_metadata_state"] = MetadataState.PRESENT
    return Peer(**(fields | changes))


def identity(status: IdentityStatus, subject: str | None = None) -> Identity:
    """Return the outcome of a check with what is known of it then."""
    if status is IdentityStatus.MISSING:
        return Identity()
    ends = ago(7_200) if status is IdentityStatus.EXPIRED else NOW + timedelta(hours=9)
    return Identity(status, f"canned: {status}", _ISSUER, _KEY_ID, subject, ago(86_400), ends)


@dataclass(frozen=True)
class Member:
    """A remote peer of a canned mesh. ``gone``: seconds since it left or was lost."""

    number: int
    name: str
    metadata: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    status: IdentityStatus = IdentityStatus.MISSING
    trust: Trust = Trust.UNKNOWN
    gone: float | None = None
    left: bool = False
    first_seen: float = 3_600.0
    metadata_state: MetadataState | None = None
    identity: Identity | None = None
    key_warning: str | None = None


@dataclass(frozen=True)
class Link:
    """A link between two members; 0 is the local peer."""

    one: int
    other: int
    type: str = "LAN"
    confirmed: bool = True
    rtt_ms: float | None = None
    since: float = 1_800.0


def make_graph(
    members: Sequence[Member] = (), links: Sequence[Link] = (), **changes: Any
) -> PresenceGraph:
    """Return the graph of these members and links; ``changes`` are fields of PresenceGraph.

    ``local_name`` and ``local_metadata`` may be given besides.
    """
    local_name = changes.pop("local_name", "field-laptop")
    local_metadata = changes.pop("local_metadata", {"role": "lead", "team": "alpha"})
    connections = {c.id: c for c in map(_connection, links)}
    ways = _ways(links)

    def of(number: int) -> tuple[Connection, ...]:
        own = peer_key(number)
        return tuple(c for c in connections.values() if own in (c.peer1, c.peer2))

    def presence(member: Member) -> PeerPresence:
        first = ago(member.first_seen)
        hops, via = ways.get(member.number, (None, ()))
        if hops is None or member.gone is not None:
            state = PresenceState.LEFT if member.left else PresenceState.LOST
            return PeerPresence(state, first_seen=first, last_seen=ago(member.gone or 0))
        return PeerPresence(
            PresenceState.ONLINE,
            direct=hops == 1,
            hops=hops,
            via=tuple(sorted(map(peer_key, via))) if hops > 1 else (),
            first_seen=first,
            last_seen=ago(1),
        )

    def peer(member: Member) -> Peer:
        return make_peer(
            member.number,
            member.name,
            presence=presence(member),
            connections=of(member.number),
            peer_metadata=MappingProxyType(dict(member.metadata)),
            peer_metadata_state=member.metadata_state
            or (MetadataState.PRESENT if member.metadata else MetadataState.NONE),
            identity=member.identity or identity(member.status, member.name),
            identity_service_metadata=MappingProxyType({"unit": "relief corps"})
            if member.status is IdentityStatus.VERIFIED
            else EMPTY,
            trust=member.trust,
            key_warning=member.key_warning,
        )

    fields: dict[str, Any] = {
        "generated_at": NOW,
        "sequence": 1,
        "view": View(ViewState.CURRENT, ago(1_790)),
        "mesh": Mesh("field", open=False),
        "local_peer": make_peer(
            0,
            local_name,
            presence=PeerPresence(PresenceState.ONLINE, hops=0, first_seen=ago(9_000)),
            peer_metadata=MappingProxyType(dict(local_metadata)),
            connections=of(0),
        ),
        "remote_peers": tuple(sorted(map(peer, members), key=lambda p: p.peer_key)),
        "connections": MappingProxyType(dict(sorted(connections.items()))),
        "conditions": all_well(),
    }
    return PresenceGraph(**(fields | changes))


def _ways(links: Sequence[Link]) -> dict[int, tuple[int, set[int]]]:
    """Return how far everybody is over confirmed links, and over which neighbours."""
    near: dict[int, set[int]] = {}
    for link in links:
        if link.confirmed:
            near.setdefault(link.one, set()).add(link.other)
            near.setdefault(link.other, set()).add(link.one)
    ways: dict[int, tuple[int, set[int]]] = {0: (0, set())}
    waiting = [0]
    for number in waiting:
        hops, via = ways[number]
        for other in sorted(near.get(number, ())):
            if other not in ways:
                ways[other] = (hops + 1, set())
                waiting.append(other)
            if ways[other][0] == hops + 1:
                ways[other][1].update(via or {other})
    return ways


def _connection(link: Link) -> Connection:
    peer1, peer2 = sorted((peer_key(link.one), peer_key(link.other)))
    ours = link.confirmed and 0 in (link.one, link.other)
    said_by = None if link.confirmed else peer_key(link.one or link.other)
    return Connection(
        f"{peer1}<->{peer2}:{link.type}",
        link.type,
        peer1,
        peer2,
        link.confirmed,
        since=ago(link.since),
        rtt_ms=link.rtt_ms,
        bytes_in=40_960 if ours else None,
        bytes_out=20_480 if ours else None,
        said_by=said_by,
    )


def all_well() -> tuple[Condition, ...]:
    """Return the conditions of an engine that has nothing to complain of."""
    sources = ("admission", "clock", "gossip", "lan", "mdns", "mesh", "neighbours")
    return tuple(Condition(source, ConditionState.OK, ago(9_000)) for source in sources)


def with_conditions(*troubles: Condition) -> tuple[Condition, ...]:
    """Return all conditions, with these in place of those that are fine."""
    by_source = {c.source: c for c in (*all_well(), *troubles)}
    return tuple(by_source[source] for source in sorted(by_source))


# -- graphs

_FIRST: tuple[tuple[str, dict[str, Any]], ...] = (
    ("triage-tent", {"role": "medic", "team": "medical", "location": "sector 2", "beds": 12}),
    ("field-hospital", {"role": "surgeon", "team": "medical", "location": "sector 1", "beds": 30}),
    ("water-truck-1", {"role": "driver", "team": "supply", "litres": 8000, "fuel": 71}),
    ("supply-depot", {"role": "logistics", "team": "supply", "location": "harbour"}),
    ("drone-survey", {"role": "pilot", "team": "scout", "battery": 88}),
    ("bridge-watch", {"role": "scout", "location": "north bridge", "level_cm": 214}),
    ("radio-relay", {"role": "signals", "location": "hill 402", "battery": 64}),
    ("search-team-a", {"role": "rescue", "location": "sector 4", "people": 6}),
    ("search-team-b", {"role": "rescue", "location": "sector 5", "people": 5}),
    ("kitchen", {"role": "cook", "location": "school yard", "meals": 320}),
    ("ambulance-7", {"role": "driver", "team": "medical", "fuel": 48}),
)


def filling() -> PresenceGraph:
    """Nobody yet: the first seconds."""
    return make_graph(view=View(ViewState.FILLING, ago(1), "looking for peers"), local_metadata={})


def one() -> PresenceGraph:
    """One neighbour."""
    name, metadata = _FIRST[0]
    return make_graph([Member(1, name, metadata)], [Link(0, 1, rtt_ms=0.42)])


_GONE = {5: 42.0, 8: 42.0, 9: 42.0, 10: 660.0}
"""Who of the team is gone: a hub went silent, two were behind it; the kitchen is closed."""

_TEAM_LINKS = (
    Link(0, 1, rtt_ms=0.47, since=3_700),
    Link(0, 3, rtt_ms=0.81, since=3_100),
    Link(0, 7, rtt_ms=1.49, since=1_900),
    Link(1, 3),
    Link(1, 2),
    Link(3, 4),
    Link(7, 6),
    Link(2, 11),
    Link(4, 11),
    Link(4, 6, confirmed=False),
    Link(7, 5, confirmed=False),
    Link(5, 8),
    Link(5, 9),
    Link(8, 9),
)
"""Three neighbours, others up to three hops away and one of them over two of those; a link that
only one end lists; and three who are linked with each other, but not with anybody here."""


def _team_members() -> list[Member]:
    return [
        Member(
            number,
            name,
            metadata,
            first_seen=4_000 - 300 * number,
            gone=_GONE.get(number),
            left=number == 10,
            trust=Trust.SEEN if number == 5 else Trust.UNKNOWN,
        )
        for number, (name, metadata) in enumerate(_FIRST, 1)
    ]


def team() -> PresenceGraph:
    """A field team over several hops, three of whom are lost together, and one gone home."""
    return make_graph(_team_members(), _TEAM_LINKS)


def stale() -> PresenceGraph:
    """The team when no neighbour has been answering for some seconds."""
    view = View(ViewState.STALE, ago(3), "no neighbour is answering")
    return make_graph(_team_members(), _TEAM_LINKS, view=view)


def blind() -> PresenceGraph:
    """The team after this device was cut off: its neighbours still list their links with it."""
    members = [replace(member, gone=member.gone or 95.0) for member in _team_members()]
    links = [
        replace(link, confirmed=link.confirmed and link.one != 0, rtt_ms=None)
        for link in _TEAM_LINKS
    ]
    return make_graph(
        members,
        links,
        view=View(ViewState.BLIND, ago(95), "no link to any peer; what is shown is the last known"),
        conditions=with_conditions(
            Condition(
                "mdns",
                ConditionState.WARNING,
                ago(92),
                "our own multicast announcement does not come back: multicast is blocked here",
                "allow UDP port 5353 in the firewall, and look for client isolation on the "
                "Wi-Fi; peers can still be given with --peer HOST:PORT",
            )
        ),
    )


_STATUSES = (
    IdentityStatus.VERIFIED,
    IdentityStatus.MISSING,
    IdentityStatus.VERIFIED,
    IdentityStatus.EXPIRED,
    IdentityStatus.PENDING,
    IdentityStatus.VERIFIED,
    IdentityStatus.UNKNOWN_ISSUER,
    IdentityStatus.MISSING,
    IdentityStatus.BAD_SIGNATURE,
    IdentityStatus.VERIFIED,
    IdentityStatus.NOT_YET_VALID,
    IdentityStatus.REVOKED,
    IdentityStatus.UNSUPPORTED_ALG,
)
_KINDS = ("LAN", "LAN", "LAN", "Bluetooth", "LAN", "WebSocket", "Server", "Bluetooth")
_PLACES = ("north", "south", "east", "west", "harbour")
_MORE = ("sensor", "truck", "tent", "scout", "медпункт", "équipe")


def many(count: int = 40) -> PresenceGraph:
    """A larger mesh in which every state occurs: eight neighbours, the rest behind them.

    Two that were behind a lost one are still linked with each other.
    """
    names = [(name, data) for name, data in _FIRST] + [
        (f"{_MORE[n % len(_MORE)]}-{_PLACES[n % len(_PLACES)]}-{n}", {"battery": 40 + n % 60})
        for n in range(count)
    ]
    members = [
        Member(
            n,
            names[n - 1][0],
            names[n - 1][1],
            status=_STATUSES[n % len(_STATUSES)],
            trust=(Trust.VERIFIED, Trust.SEEN, Trust.UNKNOWN)[n % 3],
            first_seen=86_400 - 60 * n,
        )
        for n in range(1, count + 1)
    ]
    for n, seconds, left in ((9, 12, False), (17, 840, True), (23, 4_000, False), (31, 90, True)):
        if n <= count:
            members[n - 1] = replace(members[n - 1], gone=seconds, left=left)
    if count >= 12:
        long = "command-post-of-the-northern-sector-with-a-very-long-name"
        members[11] = replace(members[11], name=long)
    here = {m.number for m in members if m.gone is None}
    links = []
    for n in range(1, count + 1):
        nearer = 0 if n <= 8 else (n % 8) + 1 if n <= 24 else 10 + n % 14
        if n in here and (nearer in here or nearer == 0):
            kind = _KINDS[n % len(_KINDS)]
            slow = 38.0 if kind == "Bluetooth" else 0.4
            rtt = slow + 1.7 * n if nearer == 0 else None
            links.append(Link(nearer, n, kind, rtt_ms=rtt, since=60.0 * n))
    links += [Link(0, 1, "Bluetooth", rtt_ms=61.0), Link(0, 2, "Unknown-77", rtt_ms=5.0)]
    links += [Link(3, 11), Link(30, 12, confirmed=False), Link(27, 35)]
    return make_graph(
        members,
        [link for link in links if max(link.one, link.other) <= count],
        conditions=with_conditions(
            Condition(
                "mesh",
                ConditionState.WARNING,
                ago(300),
                "2 devices of another mesh on this network",
                "if a device of yours is missing, compare its mesh name or mesh key with this one",
            )
        ),
    )


_REASONS = {
    IdentityStatus.PENDING: "its token of 312 bytes has not arrived yet",
    IdentityStatus.OVERSIZE: "its token has 20,480 bytes; at most 16,384 are taken",
    IdentityStatus.MALFORMED: "its token is not a COSE_Sign1 structure",
    IdentityStatus.UNSUPPORTED_ALG: "its token is signed with algorithm -7; only -19 is checked",
    IdentityStatus.UNKNOWN_ISSUER: f"no key of {_ISSUER} is trusted here",
    IdentityStatus.BAD_SIGNATURE: f"key 5e1d09c2a7b34f68 of {_ISSUER} did not sign this token",
    IdentityStatus.KEY_MISMATCH: "its token is bound to the key of somebody else",
    IdentityStatus.REVOKED: f"{_ISSUER} has taken this token back in its list 7",
    IdentityStatus.NOT_YET_VALID: "its token becomes valid at 22:11:00 UTC",
    IdentityStatus.EXPIRED: "its token ran out at 19:41:00 UTC",
}


def _checked(status: IdentityStatus) -> Identity:
    """Return the outcome of a check as an engine tells it, claims only where there was a token."""
    if status is IdentityStatus.MISSING:
        return Identity()
    reason = _REASONS.get(status, "signed by a trusted issuer, for this key")
    if status in (IdentityStatus.PENDING, IdentityStatus.OVERSIZE, IdentityStatus.MALFORMED):
        return Identity(status, reason)
    starts = ago(86_400)
    ends = NOW + timedelta(hours=9)
    if status is IdentityStatus.NOT_YET_VALID:
        starts = NOW + timedelta(minutes=30)
    if status is IdentityStatus.EXPIRED:
        ends = ago(7_200)
    return Identity(status, reason, _ISSUER, _KEY_ID, f"{status}@relief.example", starts, ends)


def statuses() -> PresenceGraph:
    """A neighbour in each status of identity, named after it, in the order of the statuses.

    The verified one is so in two more ways: one was met under another key before, one is blocked
    here; and one that has run out is believed for the rest of the five minutes.
    """
    numbered = enumerate(IdentityStatus, 1)
    members = [
        Member(n, f"{n:02} {status}", {"role": "medic"}, status, identity=_checked(status))
        for n, status in numbered
    ]
    verified = members[-1]
    late = replace(_checked(IdentityStatus.VERIFIED), expires_at=ago(100))
    warning = (
        "the name '12 verified' was met before under another key, k7h2-9dqp, which is verified"
    )
    members += [
        replace(verified, number=13, name="13 warned", key_warning=warning),
        replace(verified, number=14, name="14 blocked", trust=Trust.BLOCKED),
        replace(verified, number=15, name="15 in grace", identity=late, trust=Trust.VERIFIED),
    ]
    links = [Link(0, m.number, rtt_ms=1.5) for m in members if m.trust is not Trust.BLOCKED]
    graph = make_graph(members, [*links, Link(1, 14)])
    expired = MappingProxyType({"unit": "relief corps", "rank": {"grade": 3}})
    return replace(
        graph,
        remote_peers=tuple(
            replace(peer, expired_identity_service_metadata=expired)
            if peer.identity.status is IdentityStatus.EXPIRED
            else peer
            for peer in graph.remote_peers
        ),
    )


def hostile() -> PresenceGraph:
    """Names and metadata that attack the screen, and some that are only awkward."""
    attack = {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}], "\x9b31m": "\u2066\x00\ud800"}
    members = [
        Member(1, HOSTILE, attack),
        Member(2, "[bold red]markup[/] [type=x, v={'a[0]'}]", {"note": "[/"}),
        Member(3, "\x1b[2J\x1b[H\x9b31m\u200b\u2066", {"a": "\x1b]52;c;b3duZWQ=\x07"}),
        Member(4, "救援隊・北の橋を見張る", {"場所": "北の橋"}),
        Member(5, "Z" + "\u0335\u0336\u0337\u0338" * 40 + "algo", {}),
        Member(6, "\u0645\u0631\u0643\u0632 \u0627\u0644\u0625\u063a\u0627\u062b\u0629", {}),
        Member(7, "two\nlines\tand a tab", {}),
    ]
    links = [Link(0, m.number, rtt_ms=1.0) for m in members]
    links.append(Link(0, 1, HOSTILE))
    return make_graph(
        members,
        links,
        mesh=Mesh(HOSTILE, open=True),
        local_name=HOSTILE,
        local_metadata={"said": HOSTILE},
        conditions=with_conditions(
            Condition(HOSTILE, ConditionState.FAILED, ago(5), HOSTILE, HOSTILE)
        ),
        view=View(ViewState.STALE, ago(3), HOSTILE),
    )


# -- a source


class Watching:
    """What :meth:`CannedSource.observe` returns."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def stop(self) -> None:
        self._stop()


class CannedSource:
    """Shows the graphs it is given; takes metadata and decisions about keys as the engine does.

    ``refusal``: an error to raise in place of taking either. Safe to publish from any thread.
    """

    def __init__(self, graph: PresenceGraph) -> None:
        self.graph = graph
        self.refusal: Exception | None = None
        self.taken: list[str] = []
        self.decided: list[tuple[str, str]] = []
        self.fetched: list[str] = []
        self._callbacks: dict[object, Callable[[PresenceGraph], object]] = {}

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._callbacks)

    @property
    def peer_metadata_json(self) -> str:
        return json.dumps(dict(self.graph.local_peer.peer_metadata), ensure_ascii=False, indent=2)

    def observe(
        self, callback: Callable[[PresenceGraph], object], *, interval: float = 0.1
    ) -> Watching:
        token = object()
        self._callbacks[token] = callback
        callback(self.graph)
        return Watching(lambda: self._callbacks.pop(token, None) and None)

    def publish(self, graph: PresenceGraph) -> None:
        """Show another graph."""
        self.graph = graph
        for callback in tuple(self._callbacks.values()):
            callback(graph)

    def change(self, number: int, **changes: Any) -> Peer:
        """Publish the graph with one remote peer changed, all others being the same objects."""
        key = peer_key(number)
        peers = tuple(
            replace(peer, **changes) if peer.peer_key == key else peer
            for peer in self.graph.remote_peers
        )
        self.publish(replace(self.graph, remote_peers=peers, sequence=self.graph.sequence + 1))
        changed = self.graph.peer(key)
        assert changed is not None
        return changed

    async def set_trust(self, peer_key: str, trust: Trust) -> None:
        self._trust(peer_key, trust)

    async def forget(self, peer_key: str) -> None:
        self._trust(peer_key, Trust.UNKNOWN)

    def _trust(self, key: str, trust: Trust) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.decided.append((key, str(trust)))
        peers = tuple(
            replace(peer, trust=trust) if peer.peer_key == key else peer
            for peer in self.graph.remote_peers
        )
        self.publish(replace(self.graph, remote_peers=peers, sequence=self.graph.sequence + 1))

    async def set_peer_metadata(self, metadata: JsonObject) -> None:
        await self.set_peer_metadata_json(json.dumps(dict(metadata)))

    def fetch_peer_metadata(self, peer_key: str) -> None:
        self.fetched.append(peer_key)

    async def set_peer_metadata_json(self, text: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        metadata = parse_metadata_json(text)
        encode_metadata(metadata)
        self.taken.append(text)
        local = replace(
            self.graph.local_peer,
            peer_metadata=MappingProxyType(metadata),
            peer_metadata_state=MetadataState.PRESENT,
        )
        self.publish(replace(self.graph, local_peer=local, sequence=self.graph.sequence + 1))
