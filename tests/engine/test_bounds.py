"""What a node remembers stays bounded, whatever its neighbours send and however often they come."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.engine import peer_bodies as peer_bodies_module
from presence_core.engine.node import Node
from presence_core.gossip import bodies as bodies_module
from presence_core.gossip import exchange as exchange_module
from presence_core.gossip import pulls as pulls_module
from presence_core.gossip import quota as quota_module
from presence_core.gossip import table as table_module
from presence_core.gossip.messages import (
    BodyChunk,
    BodyWant,
    Have,
    Hello,
    Records,
    Summary,
    Want,
)
from presence_core.gossip.record import Body, Edge, Record, sign_record
from presence_core.handshake.events import MessageType
from presence_core.identity.keys import Identity
from tests.engine.field import LAN, MESH, WALL, Field

PEERS, FLOORS, OFFERED, ASKED, LATE, WAITING, OFFENDERS = 8, 10, 12, 4, 6, 5, 3
MEMBERS = [Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, 25)]
NAMES = [member.peer_key[:8] for member in MEMBERS]
HASHES = [bytes([n]) * 32 for n in range(12)]
_MADE: dict[tuple[int, int, int], Record] = {}


def made(who: int, seq: int, near: int) -> Record:
    """Make a record with metadata that nobody has; signing takes time, so each is made once."""
    item = (who, seq, near)
    if item not in _MADE:
        key = MEMBERS[near].peer_key
        _MADE[item] = sign_record(
            MEMBERS[who],
            MESH,
            epoch=WALL,
            seq=seq,
            issued_at=1,
            lifetime=60,
            name="x",
            metadata=Body(HASHES[(who + seq) % len(HASHES)], 100 + seq),
            edges=[] if who == near else [Edge(key, LAN, 1)],
        )
    return _MADE[item]


def message(seed: int) -> tuple[int, bytes]:
    """Make one of all the messages that there are, right or wrong."""
    rng = random.Random(seed)

    def item() -> Record:
        return made(rng.randrange(24), rng.randint(1, 4), rng.randrange(24))

    def prefix() -> bytes:
        return rng.choice([rng.choice(NAMES), rng.randbytes(8)])

    match rng.randrange(9):
        case 0 | 1:
            items = [(rng.randint(0, 60), item().raw) for _ in range(rng.randint(1, 8))]
            return MessageType.RECORDS, Records(tuple(items)).encode()
        case 2:
            return MessageType.RECORDS, Records(((0, item().raw[:-1] + b"!"),)).encode()
        case 3 | 4:
            offers = [(prefix(), rng.randbytes(4)) for _ in range(rng.randrange(20))]
            return MessageType.HAVE, Have(tuple(offers)).encode()
        case 5:
            return MessageType.WANT, Want(tuple(prefix() for _ in range(20))).encode()
        case 6:
            digests = [(n, rng.randbytes(8)) for n in rng.sample(range(256), 3)]
            return MessageType.SUMMARY, Summary(1, tuple(digests)).encode()
        case 7:
            want = BodyWant(rng.choice(HASHES), rng.randrange(200))
            return MessageType.BODY_WANT, want.encode()
        case _:
            chunk = BodyChunk(
                rng.choice(HASHES), rng.randint(90, 110), rng.choice([0, 0, 50]), rng.randbytes(50)
            )
            return MessageType.BODY_CHUNK, chunk.encode()


STEP = st.tuples(
    st.integers(0, 23),  # who
    st.lists(st.integers(0, 1 << 32), max_size=6),  # what it says
    st.sampled_from([0.0, 0.02, 1.0, 6.0, 70.0]),  # how long nothing happens then
    st.booleans(),  # whether it hangs up before
)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Make all limits small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "MAX_PEERS", PEERS)
        patch.setattr(table_module, "MAX_FLOORS", FLOORS)
        patch.setattr(pulls_module, "MAX_OFFERED", OFFERED)
        patch.setattr(pulls_module, "MAX_ASKED", ASKED)
        patch.setattr(pulls_module, "MAX_LATE", LATE)
        patch.setattr(bodies_module, "MAX_WAITING", WAITING)
        patch.setattr(peer_bodies_module, "MAX_AWAITED", WAITING)
        patch.setattr(quota_module, "MAX_OFFENDERS", OFFENDERS)
        patch.setattr(exchange_module, "LARGE_MESH", 4)
        yield


def check(node: Node, seen: set[bytes]) -> None:
    """Measure all that a node remembers of others."""
    links = len(node.links)
    table, exchange, bodies = node.table, node.exchange, node.bodies
    assert len(table) <= PEERS
    assert len(table._floors) <= FLOORS
    assert len(table._by_prefix) <= PEERS
    assert len(table._by_hash) == len(table)
    assert sum(map(len, table._members.values())) == len(table)
    assert len(exchange._lines) == len(exchange.sync._courses) == links
    assert len(exchange.pulls) <= links * (OFFERED + ASKED)
    for source in exchange.pulls._sources.values():
        assert len(source.queue) <= OFFERED
        assert len(source.asked) <= ASKED
        assert len(source.late) <= LATE
    assert len(exchange.spread) <= links * len(seen)
    assert len(exchange.strikes.offenders) <= OFFENDERS
    assert len(bodies._waiting) <= WAITING
    assert len(bodies._running) <= bodies_module.MAX_FETCHES
    assert not bodies._stored
    assert set(bodies._lies) <= set(node.links)
    assert set(bodies._asked) <= set(node.links)
    assert all(len(asked) <= bodies_module.MAX_ASKED for asked in bodies._asked.values())
    assert len(node.metadata._awaits) <= WAITING
    assert len(node.metadata._awaited) <= WAITING
    known = set(table.entries()) | {link.key for link in node.links.values()}
    assert set(node.sightings) <= known
    assert set(node.compatible) <= known
    assert set(node.epochs_learned) | node._newcomers <= known
    assert set(node.topology._listed) <= known


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_whatever_neighbours_send_what_is_remembered_is_bounded(
    steps: list[tuple[int, list[int], float, bool]],
) -> None:
    field = Field()
    node = field.add("alice")
    links: dict[int, int] = {}
    seen: set[bytes] = {node.key}
    now, next_link = 0.0, 1
    taken = node.record_taken

    def see(record: Record, link: int, now: float) -> None:
        seen.add(record.key)  # it may have given way to another before its message is over
        taken(record, link, now)

    node.record_taken = see  # type: ignore[method-assign]

    def carry_out() -> None:
        for item in node.take_output():
            if not hasattr(item, "type"):  # a Hangup
                node.link_down(item.link, now)
                for who in [who for who, link in links.items() if link == item.link]:
                    del links[who]
        node.rerouted.clear()

    for who, messages, pause, leaves in steps:
        if who not in links and len(links) < 3:
            record = made(who, 1, who)
            hello = Hello((1,), WALL, record.raw, bytes(8), 1)
            links[who] = next_link
            node.link_up(next_link, hello, record, now, transport=LAN, dialled=bool(who % 2))
            next_link += 1
        source = who if who in links else next(iter(links), None)
        for seed in messages:
            if source in links:
                node.message(links[source], *message(seed), now)
                node.tick(now)
                carry_out()
                check(node, seen)
        if leaves and source in links:
            node.link_down(links.pop(source), now)
        node.tick(now)
        carry_out()
        until, rounds = now + pause, 0
        while node.next_time() <= until:
            now = max(now, node.next_time())
            node.tick(now)
            carry_out()
            rounds += 1
            assert rounds < 1_000
        now = until
        check(node, seen)
    for link in links.values():
        node.link_down(link, now)
    links.clear()
    now += 10_000
    for _ in range(3):
        node.tick(now)
        carry_out()
    assert set(node.table.entries()) == {node.key}
    assert len(node.exchange.spread) == len(node.exchange.pulls) == 0
    assert not node.bodies.fetching()
    assert set(node.sightings) == {node.key}
    assert not node.compatible
