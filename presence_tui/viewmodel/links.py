"""The way to a peer, and its links: with this device as measured, with others as they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import Connection, Peer, PresenceGraph, PresenceState, ViewState
from presence_tui.viewmodel.moments import ago, stamp
from presence_tui.viewmodel.names import Names
from presence_tui.viewmodel.page import BLANK, Line, Page, Span, Tone, heading, line, unbroken
from presence_tui.viewmodel.table import rtt_words
from presence_tui.viewmodel.trust import cautions
from presence_tui.viewmodel.words import is_last_known, presence_words, type_signs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

MAX_LINKS = 64
"""Links that are listed of a peer: a record holds as many, and others may claim any number."""

_NAMED = 3
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a peer, seen from it. ``said_by``: the name of the only end that lists it."""

    other: str
    name: str
    connection: Connection
    said_by: str | None = None

    @property
    def doubt(self) -> str:
        """Why it is not confirmed, in words; empty when it is."""
        if self.connection.confirmed:
            return ""
        return f"one-sided: only {self.said_by or 'one of the two'} says so"


def links_of(graph: PresenceGraph, peer: Peer) -> list[Link]:
    """Return the links of a peer: those with this device first, confirmed ones, then by name."""
    names, own = Names(graph), graph.local_peer.peer_key
    links = []
    for connection in peer.connections:
        other = connection.peer2 if connection.peer1 == peer.peer_key else connection.peer1
        name = "this device" if other == own else names.name(other)
        said_by = None if connection.said_by is None else names.name(connection.said_by)
        links.append(Link(other, name, connection, said_by))
    links.sort(
        key=lambda link: (
            link.other != own,
            not link.connection.confirmed,
            link.name.casefold(),
            link.connection.id,
        )
    )
    return links


def some_names(keys: Sequence[str], names: Names, last: str) -> str:
    """Return the names of some peers in a row, ``last`` before the last of them."""
    shown = [names.name(key) for key in keys[:_NAMED]]
    if len(keys) > _NAMED:
        return f"{', '.join(shown)} {last} {len(keys) - _NAMED} more"
    return f" {last} ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def way_words(graph: PresenceGraph, peer: Peer) -> str:
    """Return how a peer is reached, or why it is not, in words."""
    presence, view = peer.presence, graph.view.state
    if presence.state is PresenceState.LEFT:
        return "it said goodbye"
    if view is ViewState.BLIND:
        return "this device has no link: what became of it is not known"
    if presence.state is PresenceState.LOST:
        return "out of reach: no confirmed way leads to it"
    if presence.direct:
        return "direct: a link of our own"
    over = some_names(presence.via, Names(graph), "or")
    return f"{presence.hops} hops{over and ', over '}{over}"


def lost_with(graph: PresenceGraph, peer: Peer) -> list[str]:
    """Return the keys of peers that are out of reach as well and were linked with a lost one."""
    if graph.view.state is ViewState.BLIND or peer.presence.state is not PresenceState.LOST:
        return []
    names = Names(graph)
    others = {link.other for link in links_of(graph, peer) if link.connection.confirmed}
    found = [other for other in map(names.peer, sorted(others)) if other is not None]
    return [other.peer_key for other in found if other.presence.state is PresenceState.LOST]


def where_line(graph: PresenceGraph, peer: Peer) -> Line:
    """Return one line about whether a peer is here, and how it is reached."""
    return line(presence_words(peer, graph.view.state), Span(f"  {way_words(graph, peer)}"), hang=2)


def links_page(graph: PresenceGraph, peer: Peer, now: datetime) -> Page:
    """Return the page about the way to a peer and its links; it may be the local peer."""
    own = peer.peer_key == graph.local_peer.peer_key
    name = Span(safe_text(peer.device_name) or "(no name)", Tone.STRONG)
    lines = [line(name, Span("  this device" if own else "", Tone.DIM))]
    if not own:
        lines += [*cautions(peer), where_line(graph, peer), *_lost(graph, peer), *_seen(peer, now)]
    lines.append(BLANK)
    links = links_of(graph, peer)
    if own:
        lines += _section("Links of this device", links, graph, now)
        return tuple(lines)
    ours = [link for link in links if link.other == graph.local_peer.peer_key]
    past = is_last_known(peer.presence.state, graph.view.state) or peer.presence.hops is None
    note = ", last known" if past else ""
    lines += [*_section("Links with this device", ours, graph, now), BLANK]
    lines += _section(f"Links with others{note}", links[len(ours) :], graph, now)
    return tuple(lines)


def _lost(graph: PresenceGraph, peer: Peer) -> Iterator[Line]:
    others = lost_with(graph, peer)
    if others:
        yield line(f"lost together with {some_names(others, Names(graph), 'and')}", indent=2)


def _seen(peer: Peer, now: datetime) -> Iterator[Line]:
    presence = peer.presence
    if presence.last_seen is None:
        return
    # whoever is far away is here because links confirm it, and may not have said anything for long
    far = presence.state is PresenceState.ONLINE and not presence.direct
    label = Span("its last record is of " if far else "last seen ", Tone.DIM)
    passed = Span(f"  {unbroken(ago(presence.last_seen, now))}", Tone.DIM)
    yield line(label, stamp(presence.last_seen, now), passed, indent=2)


def _section(
    title: str, links: Sequence[Link], graph: PresenceGraph, now: datetime
) -> Iterator[Line]:
    yield heading(f"{title} ({len(links)})" if links else title)
    if not links:
        yield line(Span("none", Tone.DIM), indent=2)
    names, own = Names(graph), graph.local_peer.peer_key
    blind = graph.view.state is ViewState.BLIND  # then that is true of everybody
    for link in links[:MAX_LINKS]:
        connection = link.connection
        kind = f"{''.join(type_signs({connection.type}))} {safe_text(connection.type, limit=24)}"
        mark = Span("✓ ", Tone.GOOD) if connection.confirmed else Span("! ", Tone.WARNING)
        other = names.peer(link.other)
        if link.other == own:
            what = [Span(kind)]
        else:
            what = [Span(link.name), Span(f"  {unbroken(kind)}", Tone.DIM)]
        if other is not None and other.presence.hops is None and not blind:
            what += [Span("  "), presence_words(other, graph.view.state)]
        yield line(mark, *what, indent=2, hang=4)
        yield from _details(link, now)
    if len(links) > MAX_LINKS:
        yield line(Span(f"… and {len(links) - MAX_LINKS:,} more", Tone.DIM), indent=2)


def _details(link: Link, now: datetime) -> Iterator[Line]:
    """Yield what is in doubt about a link, or was measured on it."""
    connection = link.connection
    if link.doubt:
        yield line(Span(link.doubt, Tone.WARNING), indent=4)
    measured = measured_words(connection)
    if measured:
        yield line("  ".join(map(unbroken, measured)), indent=4)
    if measured and connection.since is not None:
        passed = f"  {unbroken(ago(connection.since, now))}"
        yield line(Span(f"up since {stamp(connection.since, now)}{passed}", Tone.DIM), indent=4)


def measured_words(connection: Connection) -> list[str]:
    """Return what was measured on a link of our own: round trip, signal, bytes in and out."""
    parts = [
        None if connection.rtt_ms is None else rtt_words(connection.rtt_ms),
        None if connection.rssi is None else f"{connection.rssi} dBm",
        None if connection.bytes_in is None else f"in {bytes_words(connection.bytes_in)}",
        None if connection.bytes_out is None else f"out {bytes_words(connection.bytes_out)}",
    ]
    return [part for part in parts if part is not None]


def bytes_words(count: int) -> str:
    """Return an amount of bytes in the largest unit of which it is at least one."""
    for size, unit in _SIZES:
        if count >= size:
            return f"{count / size:.1f} {unit}" if count < 10 * size else f"{count // size} {unit}"
    return f"{count} B"
