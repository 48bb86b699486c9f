"""Nodes without sockets, the links between them, and hands that carry their messages."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import UTC, datetime

from presence_core.engine.graph import GraphBuilder
from presence_core.engine.node import Node
from presence_core.engine.output import Hangup
from presence_core.engine.own_record import NodeProfile
from presence_core.gossip.exchange import Message
from presence_core.gossip.messages import Hello
from presence_core.gossip.record import parse_record
from presence_core.handshake.events import ByeCode
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import Identity, peer_key_text
from presence_core.identity.mesh import MeshKey
from presence_core.model import Mesh, Peer, PresenceGraph, View, ViewState

MESH = MeshKey(b"f" * 32, "test")
WALL = 1_790_000_000_000
LAN, BLE = 1, 2


class Field:
    """Nodes, the links between them, and a clock in our hands."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.nodes: dict[str, Node] = {}
        self.identities: dict[str, Identity] = {}
        self.builders: dict[str, GraphBuilder] = {}
        self.ends: dict[tuple[str, int], tuple[str, int]] = {}
        self.hung_up: list[tuple[str, ByeCode]] = []
        self.carried: Counter[tuple[str, int]] = Counter()
        """How many messages each node has sent, by type."""
        self._next_link = 1

    def add(
        self,
        name: str,
        identity: Identity | None = None,
        epoch: int = WALL,
        issuers: Issuers | None = None,
    ) -> Node:
        identity = identity or Identity.generate()
        self.identities[name] = identity
        node = self.nodes[name] = Node(
            identity,
            MESH,
            NodeProfile(name, "Linux", "0"),
            epoch=epoch,
            now=self.now,
            wall_ms=self.wall_ms,
            rng=random.Random(len(self.nodes)),
            issuers=issuers,
        )
        self.builders[name] = GraphBuilder(node)
        return node

    def wall_ms(self) -> int:
        """Return what everybody's clock says."""
        return WALL + int(self.now * 1000)

    def chain(self, *names: str, transport: int = LAN) -> None:
        """Link each to the next."""
        for one, other in itertools.pairwise(names):
            self.link(one, other, transport=transport)

    def link(
        self, one: str, other: str, *, transport: int = LAN, settle: bool = True
    ) -> tuple[int, int]:
        """Link two nodes, as if the first had dialled; return the link ids of both."""
        ends = self._meet(one, other)
        nodes = (self.nodes[one], self.nodes[other])
        hellos = [Hello.decode(node.hello()) for node in nodes]
        for node, link, hello, dialled in (
            (nodes[0], ends[0], hellos[1], True),
            (nodes[1], ends[1], hellos[0], False),
        ):
            record = parse_record(hello.record, MESH)
            node.link_up(link, hello, record, self.now, transport=transport, dialled=dialled)
        if settle:
            self.settle()
        return ends

    def _meet(self, one: str, other: str) -> tuple[int, int]:
        ends = (self._next_link, self._next_link + 1)
        self._next_link += 2
        self.ends[one, ends[0]] = (other, ends[1])
        self.ends[other, ends[1]] = (one, ends[0])
        return ends

    def link_of(self, one: str, other: str) -> int:
        """Return the id by which one node knows its link to another."""
        return next(
            link for (name, link), (far, _) in self.ends.items() if (name, far) == (one, other)
        )

    def say(self, source: str, target: str, kind: int, body: bytes) -> None:
        """Put words into the mouth of a node: its neighbour hears them."""
        self.nodes[target].message(self.link_of(target, source), kind, body, self.now)

    def cut(self, one: str, link: int) -> None:
        """End a link; both ends learn of it."""
        self._part(one, link)
        self.settle()

    def _part(self, one: str, link: int) -> None:
        other, far = self.ends.pop((one, link))
        del self.ends[other, far]
        self.nodes[one].link_down(link, self.now)
        self.nodes[other].link_down(far, self.now)

    def kill(self, name: str) -> None:
        """Take a node away without a word."""
        for end in [end for end in self.ends if end[0] == name]:
            self._part(*end)
        del self.nodes[name]
        self.settle()

    def settle(self) -> None:
        """Carry messages until there are none."""
        busy = True
        while busy:
            busy = False
            for name, node in self.nodes.items():
                node.tick(self.now)
                for item in node.take_output():
                    busy = True
                    self._carry(name, item)

    def _carry(self, name: str, item: Message | Hangup) -> None:
        if isinstance(item, Hangup):
            self.hung_up.append((name, item.code))
            if (name, item.link) in self.ends:
                self._part(name, item.link)
        elif (name, item.link) in self.ends:
            other, far = self.ends[name, item.link]
            self.carried[name, item.type] += 1
            self.nodes[other].message(far, item.type, item.body, self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, as the nodes ask to be called; first what was said is carried."""
        self.settle()
        end = self.now + seconds
        while (due := min(node.next_time() for node in self.nodes.values())) <= end:
            self.now = max(self.now, due)
            self.settle()
        self.now = end
        self.settle()

    def graph(self, name: str) -> PresenceGraph:
        """Return what a node would show now."""
        moment = datetime.fromtimestamp(self.wall_ms() / 1000, UTC)
        return self.builders[name].build(
            sequence=1,
            generated_at=moment,
            view=View(ViewState.CURRENT, moment),
            mesh=Mesh("test", open=False),
            conditions=(),
            measures={},
        )

    def seen(self, by: str, name: str) -> Peer:
        """Return a peer as a node would show it now."""
        found = self.graph(by).peer(peer_key_text(self.nodes[name].key))
        assert found is not None
        return found

    def roots(self) -> set[bytes]:
        """Return the roots of all tables; one when all are equal."""
        return {node.table.root() for node in self.nodes.values()}


def value_of(node: Node, peer: Node) -> bytes | None:
    """Return the metadata of a peer that a node would show."""
    body = node.metadata.get(peer.key)
    return None if body is None else body.value
