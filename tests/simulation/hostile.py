"""Members of the mesh that do what they should not.

Each keeps the rules of a session, as it would be thrown out otherwise, and runs a real node, so
that it has links and something to lie about. What it lies about are its habits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from presence_core.engine.output import Output
from presence_core.gossip.exchange import Message
from presence_core.gossip.messages import (
    DIGEST_BYTES,
    MARK_BYTES,
    PREFIX_BYTES,
    BodyChunk,
    Have,
    MessageError,
    Records,
    Summary,
    Want,
)
from presence_core.gossip.record import Edge, Record
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey
from tests.authority import Authority
from tests.forgery import forge
from tests.simulation.device import Device
from tests.simulation.peer import Peer
from tests.simulation.wire import End

if TYPE_CHECKING:
    from tests.simulation.world import World

HABITS = (
    "replay",
    "equivocate",
    "flood",
    "edges",
    "withhold",
    "garbage",
    "signatures",
    "shapes",
    "crowd",
    "offers",
    "ages",
    "bodies",
    "issuers",
    "hold",
    "deny",
)
MAX_KEPT = 300
PAUSE = (0.05, 1.0)
FLOOD_VERSIONS = 40
CROWD = 30
"""Peers that one device invents, at most."""


class HostilePeer(Peer):
    """A run of a hostile member."""

    device: HostileDevice

    def start(self) -> None:
        """Look for others, and begin."""
        self._kept: list[bytes] = []
        self._held: dict[tuple[bytes, int], Edge] = {}
        self._signs = self.node._own.sign
        self.node._own.sign = self._sign  # type: ignore[method-assign]
        super().start()
        self._clock.after(self._rng.uniform(*PAUSE), self._misbehave)

    def arrived(self, end: End, kind: int, body: bytes) -> None:
        """Keep what is said, to say it again later."""
        if kind == MessageType.RECORDS:
            with contextlib.suppress(MessageError):  # there may be others like this one
                self._kept += [raw for _, raw in Records.decode(body).items]
            while len(self._kept) > MAX_KEPT:
                del self._kept[self._rng.randrange(len(self._kept))]
        super().arrived(end, kind, body)

    def _sign(self, edges: Iterable[Edge], now: float) -> Record:
        """Sign the own record, with lies about links that it stays with."""
        edges = tuple(edges)
        if edges and "hold" in self.device.habits:  # whoever has ever been a neighbour is one still
            self._held |= {(edge.key, edge.transport): edge for edge in edges}
            edges = tuple(self._held.values())
        if "deny" in self.device.habits:  # of all neighbours it owns up to one
            edges = edges[:1]
        return self._signs(edges, now)

    def _carry_out(self, output: list[Output]) -> None:
        """Say what the node says, bent by habit."""
        habits = self.device.habits
        if "withhold" in habits:
            output = [item for item in map(self._only_mine, output) if item is not None]
        if "ages" in habits:
            output = [self._aged(item) for item in output]
        if "bodies" in habits:
            output = [self._spoiled(item) for item in output]
        super()._carry_out(output)

    def _only_mine(self, item: Output) -> Output | None:
        if not isinstance(item, Message) or item.type in (MessageType.BODY_WANT, MessageType.WANT):
            return item
        if item.type != MessageType.RECORDS:
            return None
        mine = self.node.table.get(self.key)
        own = [
            pair for pair in Records.decode(item.body).items if mine and pair[1] == mine.record.raw
        ]
        return Message(item.link, item.type, Records(tuple(own)).encode()) if own else None

    def _aged(self, item: Output) -> Output:
        """Pass a record on as if it were about to expire."""
        if not isinstance(item, Message) or item.type != MessageType.RECORDS:
            return item
        ages = (3_500, 3_590, 3_599, 3_600, 4_000, 1 << 40)
        pairs = tuple((self._rng.choice(ages), raw) for _, raw in Records.decode(item.body).items)
        return Message(item.link, item.type, Records(pairs).encode())

    def _spoiled(self, item: Output) -> Output:
        """Answer with another body than the one that was asked for."""
        if not isinstance(item, Message) or item.type != MessageType.BODY_CHUNK:
            return item
        chunk = BodyChunk.decode(item.body)
        other = replace(chunk, data=self._rng.randbytes(len(chunk.data)))
        return Message(item.link, item.type, other.encode())

    def _misbehave(self) -> None:
        if not self.running:
            return
        self._clock.after(self._rng.uniform(*PAUSE), self._misbehave)
        if self.admitted:
            habit = self._rng.choice(self.device.habits)
            acts: dict[str, Callable[[], None]] = {
                "replay": self._replay,
                "equivocate": self._equivocate,
                "flood": self._flood,
                "edges": self._lie_about_edges,
                "garbage": self._send_garbage,
                "signatures": self._send_bad_signatures,
                "shapes": self._send_bad_shapes,
                "crowd": self._invent_peers,
                "offers": self._offer_what_is_not_there,
                "issuers": self._lie_about_issuers,
            }
            if habit in acts:
                acts[habit]()

    # -- how

    def _say(self, end: End, *records: bytes, age: int = 0) -> None:
        body = Records(tuple((age, raw) for raw in records)).encode()
        end.transmit(MessageType.RECORDS, body, self._moment())

    def _links(self) -> list[End]:
        return list(self.admitted.values())

    def _forge(
        self,
        name: str,
        seq: int,
        edges: tuple[tuple[bytes, int, int], ...] = (),
        metadata: tuple[bytes, int] | None = None,
    ) -> bytes:
        self.device.names.add(name)
        return forge(
            self.device.identity,
            self.world.mesh,
            epoch=self.node.own_epoch,
            seq=seq,
            name=name,
            edges=edges,
            metadata=metadata,
        )

    def _next_seq(self) -> int:
        mine = self.node.table.get(self.key)
        assert mine is not None
        return mine.record.seq + self._rng.randrange(1, 5)

    def _replay(self) -> None:
        if self._kept:
            old = [self._rng.choice(self._kept) for _ in range(self._rng.randrange(1, 20))]
            self._say(self._rng.choice(self._links()), *old)

    def _equivocate(self) -> None:
        seq = self._next_seq()
        faces = [self._forge(f"{self.device.name} {face}", seq) for face in ("yes", "no")]
        for number, end in enumerate(self._links()):
            self._say(end, faces[number % 2])

    def _flood(self) -> None:
        first = self._next_seq()
        versions = [self._forge(self.device.name, first + n) for n in range(FLOOD_VERSIONS)]
        for end in self._links():
            for raw in versions:
                self._say(end, raw)

    def _lie_about_edges(self) -> None:
        others = [d.key for d in self.world.devices if d.key != self.key]
        chosen = self._rng.sample(others, self._rng.randrange(1, len(others) + 1))
        edges = tuple((key, 1, 1_790_000_000) for key in chosen[:64])
        raw = self._forge(self.device.name, self._next_seq(), edges)
        for end in self._links():
            self._say(end, raw)

    def _send_garbage(self) -> None:
        body = self._rng.randbytes(self._rng.randrange(200))
        end = self._rng.choice(self._links())
        end.transmit(self._rng.randrange(1, 20), body, self._moment())

    def _send_bad_signatures(self) -> None:
        end = self._rng.choice(self._links())
        victim = self._rng.choice([d for d in self.world.devices if d is not self.device])
        epoch = victim.wall_ms() + 1_000_000
        mesh, identity = self.world.mesh, self.device.identity
        stolen = forge(identity, mesh, epoch=epoch, seq=1, name="owned", key=victim.key)
        elsewhere = MeshKey(b"elsewhere".ljust(32), "elsewhere")
        foreign = forge(identity, elsewhere, epoch=epoch, seq=1, name="foreign")
        bent = self._bend(self._rng.choice(self._kept)) if self._kept else stolen
        self._say(end, self._rng.choice((stolen, foreign, bent)))

    def _bend(self, raw: bytes) -> bytes:
        """Turn one bit of a record over."""
        place = self._rng.randrange(len(raw))
        bent = raw[place] ^ 1 << self._rng.randrange(8)
        return raw[:place] + bytes([bent]) + raw[place + 1 :]

    def _send_bad_shapes(self) -> None:
        """Message records that are signed well and break a bound."""
        keys = [Identity.from_private_bytes(self._rng.randbytes(32)).peer_key for _ in range(65)]
        wide = self._forge("wide", self._next_seq(), tuple((key, 1, 0) for key in keys))
        heavy = self._forge("heavy", self._next_seq(), metadata=(bytes(32), 200_000))
        long = self._forge("n" * 65, self._next_seq())
        self._say(self._rng.choice(self._links()), self._rng.choice((wide, heavy, long)))

    def _lie_about_issuers(self) -> None:
        """Say again what the issuer said before, or what it never said; show another's token."""
        office = self.world.office
        end = self._rng.choice(self._links())
        old = self._rng.choice(office.objects)
        impostor = Authority(office.authority.name, self._rng)
        said = self._rng.choice((old, old, self._bend(old), impostor.revoke(number=1_000).raw))
        end.transmit(MessageType.ISSUER_OBJECT, said, self._moment())
        if office.tokens and self._rng.random() < 0.1:
            self.set_token(self._rng.choice(office.tokens))

    def _invent_peers(self) -> None:
        """Sign for peers that do not exist, and confirm links with them."""
        crowd = self.device.crowd
        if len(crowd) < CROWD:
            crowd.append(Identity.from_private_bytes(self._rng.randbytes(32)))
            self.world.invented[crowd[-1].peer_key] = self.device
        back = ((self.key, 1, 1_790_000_000),)
        records = [
            forge(who, self.world.mesh, epoch=self.node.own_epoch, seq=1, name="ghost", edges=back)
            for who in crowd
        ]
        edges = tuple((who.peer_key, 1, 1_790_000_000) for who in crowd)
        records.append(self._forge(self.device.name, self._next_seq(), edges))
        for end in self._links():
            self._say(end, *records[-40:])

    def _offer_what_is_not_there(self) -> None:
        """Offer newer versions of others, and tables unlike any; ask for everything."""
        end = self._rng.choice(self._links())
        prefixes = [device.key[:PREFIX_BYTES] for device in self.world.devices]
        have = Have(tuple((prefix, self._rng.randbytes(MARK_BYTES)) for prefix in prefixes))
        want = Want(tuple(prefixes))
        digests = ((n, self._rng.randbytes(DIGEST_BYTES)) for n in range(0, 256, 3))
        summary = self._rng.choice((Summary(0, ((0, bytes(8)),)), Summary(1, tuple(digests))))
        for kind, message in (
            (MessageType.HAVE, have),
            (MessageType.WANT, want),
            (MessageType.SUMMARY, summary),
        ):
            end.transmit(kind, message.encode(), self._moment())


class HostileDevice(Device):
    """A device whose owner means harm."""

    def __init__(self, world: World, number: int, identity: Identity) -> None:
        super().__init__(world, number, identity)
        self.habits: tuple[str, ...] = ("withhold",)
        self.names = {self.name}
        """All names that were ever signed with its key."""
        self.crowd: list[Identity] = []

    def _new_peer(self, epoch: int) -> Peer:
        return HostilePeer(self.world, self, epoch)
