"""What must hold in every mesh, whatever happens to it. Each check returns what is violated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from presence_core.codec.metadata import decode_metadata
from presence_core.identity.keys import parse_peer_key
from presence_core.model import IdentityStatus, MetadataState, PresenceState, ViewState
from presence_core.model import Peer as ShownPeer
from tests.simulation.device import Device
from tests.simulation.hostile import HostileDevice
from tests.simulation.peer import Peer
from tests.simulation.world import World


def correct(world: World) -> list[Device]:
    """Return the devices that mean no harm."""
    return [device for device in world.devices if not isinstance(device, HostileDevice)]


def components(world: World, *, over_all: bool = False) -> list[list[Peer]]:
    """Return the running correct peers by who is connected over links of correct peers.

    ``over_all``: links with and between hostile peers count too, and these are listed with them.
    """
    devices = world.devices if over_all else correct(world)
    peers = {d.key: d.peer for d in devices if d.peer is not None}
    found: list[list[Peer]] = []
    waiting = dict(peers)
    while waiting:
        _, first = waiting.popitem()
        part = [first]
        for peer in part:
            for end in peer.admitted.values():
                other = waiting.pop(end.key, None)
                if other is not None:
                    part.append(other)
        found.append(part)
    return found


def agreement(world: World) -> Iterator[str]:
    """(1) Correct peers that are connected have the same newest record of every correct peer.

    What runs in the same part of the mesh must be there as it is now, with its metadata.
    """
    names = {device.key: device.name for device in correct(world)}
    for part in components(world):
        inside = {peer.key: peer for peer in part}
        for key, name in names.items():
            entries = {peer.device.name: peer.node.table.get(key) for peer in part}
            hashes = {e.record.hash if e else None for e in entries.values()}
            if len(hashes) > 1:
                versions = {
                    who: (e.record.epoch, e.record.seq) if e else None for who, e in entries.items()
                }
                yield f"(1) connected peers do not agree on {name}: {versions}"
            elif key in inside and hashes != {_own_hash(inside[key])}:
                yield f"(1) the peers around {name} all have an old record of it"


def wholeness(world: World) -> Iterator[str]:
    """(1) Nobody stays apart on a network that is whole.

    A peer that has few links may depend on hostile ones; but it has found the others.
    """
    parts = [
        [peer.device.name for peer in part if not isinstance(peer.device, HostileDevice)]
        for part in components(world, over_all=True)
    ]
    apart = [names for names in parts if names]
    if len(apart) > 1:
        yield f"(1) on a whole network there are {len(apart)} parts: {apart}"


def freshness(world: World) -> Iterator[str]:
    """(1) The metadata that is shown of a connected peer is what it publishes now."""
    for part in components(world):
        for peer in part:
            shown = _shown(peer)
            for other in part:
                if other is peer:
                    continue
                seen = shown.get(other.key)
                value = other.device.metadata
                state = MetadataState.NONE if value is None else MetadataState.PRESENT
                if seen is None or seen.peer_metadata_state is not state:
                    had = seen.peer_metadata_state if seen else "no row"
                    yield f"(1) {peer.device.name} has {had} for metadata of {other.device.name}"
                elif seen.presence.state is not PresenceState.ONLINE:
                    yield (
                        f"(1) {peer.device.name} shows {other.device.name}, which is connected, "
                        f"as {seen.presence.state}"
                    )


def _own_hash(peer: Peer) -> bytes:
    entry = peer.node.table.get(peer.key)
    assert entry is not None
    return entry.record.hash


def _shown(peer: Peer) -> Mapping[bytes, ShownPeer]:
    """Return what the peer shows now, by key."""
    return {_key(p.peer_key): p for p in peer.look().remote_peers}


_key = cache(parse_peer_key)


def reachability(world: World) -> Iterator[str]:
    """(2) Nobody is shown online who is not reachable.

    A way is made of live sessions. What a hostile peer claims and the other end signs too counts
    as one: nobody can tell whether they lie together, or of the other's last word before it died.
    """
    for device in correct(world):
        if device.peer is not None:
            yield from _unreachable_online(world, device.peer)


def _unreachable_online(world: World, peer: Peer) -> Iterator[str]:
    names = {d.key: d.name for d in world.devices}
    reached = _reachable(world, peer)
    for key, shown in _shown(peer).items():
        if shown.presence.state is PresenceState.ONLINE and key not in reached:
            name = names.get(key, "an invented peer")
            yield f"(2) {peer.device.name} shows {name} online, which it cannot reach"


def outlasted(world: World) -> Iterator[str]:
    """(2) The last word of the dead, and a hostile peer that goes on holding them, do not last.

    A correct peer that is gone is not shown online where somebody connected says otherwise, whom
    its last word names.
    """
    for part in components(world):
        inside = {peer.key: peer for peer in part}
        for peer in part:
            for key, shown in _shown(peer).items():
                device, entry = world.by_key.get(key), peer.node.table.get(key)
                if device is None or entry is None or isinstance(device, HostileDevice):
                    continue
                gone = device.peer is None and shown.presence.state is PresenceState.ONLINE
                if gone and any(edge.key in inside for edge in entry.record.edges):
                    yield f"(2) {peer.device.name} shows {device.name} online, which is gone"


def belief(world: World) -> Iterator[str]:
    """(2) No correct peer that is connected is taken for one whose last word is over."""
    for part in components(world):
        for peer in part:
            for other in part:
                entry = peer.node.table.get(other.key)
                listed = peer.node.topology._listed.get(other.key)
                if other is not peer and entry is not None and entry.record.edges and not listed:
                    yield f"(2) {peer.device.name} takes the record of {other.device.name} for over"


def _reachable(world: World, peer: Peer) -> set[bytes]:
    sessions: dict[bytes, set[bytes]] = {}
    for other in world.peers():
        for end in other.admitted.values():
            if end.far is not None and not end.far.closed and end.far.peer.running:
                sessions.setdefault(other.key, set()).add(end.key)
    listed = {
        key: {edge.key for edge in entry.record.edges}
        for key, entry in peer.node.table.entries().items()
    }
    reached, ring = {peer.key}, [peer.key]
    for key in ring:
        found = set(sessions.get(key, ()))
        for far in listed.get(key, ()):
            if (_hostile(world, key) or _hostile(world, far)) and key in listed.get(far, ()):
                found.add(far)
        for far in sorted(found - reached):
            reached.add(far)
            ring.append(far)
    return reached


def _hostile(world: World, key: bytes) -> bool:
    return key in world.invented or isinstance(world.by_key.get(key), HostileDevice)


def signedness(world: World, peer: Peer) -> Iterator[str]:
    """(3) No metadata or name is shown that its owner did not sign."""
    for key, shown in _shown(peer).items():
        owner = world.by_key.get(key)
        if owner is None:
            if key not in world.invented or shown.device_name != "ghost":
                yield f"(3) {peer.device.name} shows {shown.device_name!r}, whom nobody made"
        elif shown.device_name not in _names(owner):
            yield f"(3) {peer.device.name} shows {owner.name} as {shown.device_name!r}"
        elif shown.peer_metadata and not any(
            decode_metadata(value) == dict(shown.peer_metadata) for value in owner.values
        ):
            yield f"(3) {peer.device.name} shows metadata that {owner.name} never signed"


def _names(owner: Device) -> set[str]:
    return owner.names if isinstance(owner, HostileDevice) else {owner.name}


def honesty(peer: Peer) -> Iterator[str]:
    """(5) A peer without a link is never ``current``, and then shows nobody online."""
    if peer.admitted:
        return
    graph = peer.look()
    if graph.view.state not in (ViewState.BLIND, ViewState.FILLING):
        yield f"(5) {peer.device.name} has no link and says that its view is {graph.view.state}"
    online = [p for p in graph.remote_peers if p.presence.state is PresenceState.ONLINE]
    if online:
        yield f"(5) {peer.device.name} has no link and shows {len(online)} peers online"


def currency(world: World) -> Iterator[str]:
    """(5) When all is quiet, who has links knows that its view is good."""
    for device in correct(world):
        if device.peer is not None and device.peer.admitted:
            view = device.peer.look().view
            if view.state is not ViewState.CURRENT:
                yield f"(5) {device.name} has links and says {view.state}: {view.reason}"


def vouching(world: World, peer: Peer) -> Iterator[str]:
    """(6) No identity metadata is shown that the issuer did not vouch for, of this very key."""
    for key, shown in _shown(peer).items():
        said = [dict(shown.identity_service_metadata)] if shown.identity_service_metadata else []
        if shown.expired_identity_service_metadata is not None:
            said.append(dict(shown.expired_identity_service_metadata))
        for metadata in said:
            if metadata not in world.office.vouched.get(key, ()):
                yield f"(6) {peer.device.name} shows {metadata}, which nobody said of that peer"
        verified = shown.identity.status is IdentityStatus.VERIFIED
        if verified and key not in world.office.vouched:
            yield f"(6) {peer.device.name} shows somebody as verified whom nobody vouched for"


def issuance(world: World) -> Iterator[str]:
    """(6) Correct peers that are connected go by the same key set and revocation list."""
    for part in components(world):
        numbers = {peer.device.name: peer.device.kept.numbers() for peer in part}
        if len(set(numbers.values())) > 1:
            yield f"(6) connected peers go by other key sets or revocation lists: {numbers}"


def revocation(world: World) -> Iterator[str]:
    """(6) Who is revoked is so everywhere where the list has come, whatever its token."""
    names = {device.key: device.name for device in world.devices}
    for part in components(world):
        for peer in part:
            revoked = peer.device.kept.revoked
            for key, shown in _shown(peer).items():
                if revoked is not None and key in revoked.peer_keys:
                    if shown.identity.status in (IdentityStatus.VERIFIED, IdentityStatus.EXPIRED):
                        yield f"(6) {peer.device.name} shows {names[key]} as if it had its token"
                elif shown.identity.status is IdentityStatus.REVOKED:
                    yield f"(6) {peer.device.name} shows somebody as revoked who is not"


def no_way_back(devices: Iterable[Device], seen: dict[bytes, tuple[int, int]]) -> Iterator[str]:
    """(6) Nobody goes back to an older key set or revocation list, not even by a restart."""
    for device in devices:
        now, before = device.kept.numbers(), seen.get(device.key, (0, 0))
        if now[0] < before[0] or now[1] < before[1]:
            yield f"(6) {device.name} went back from key set and list {before} to {now}"
        seen[device.key] = now


def first(found: Iterable[str], most: int = 20) -> list[str]:
    """Return some of what was found: one violation often shows at every peer."""
    return [text for text, _ in zip(found, range(most), strict=False)]
