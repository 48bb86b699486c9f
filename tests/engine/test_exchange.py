"""Records through a whole mesh of nodes: they arrive, whatever is done to them on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.codec.metadata import MAX_METADATA_BYTES, encode_metadata, metadata_size
from presence_core.gossip import exchange as exchange_module
from presence_core.gossip.exchange import Message
from presence_core.gossip.messages import PREFIX_BYTES, Have, Records, Summary, Want
from presence_core.gossip.quota import COOL_DOWN, Offence
from presence_core.gossip.record import Body, Edge, Record, sign_record
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.identity.keys import Identity
from tests.engine.field import BLE, LAN, MESH, WALL, Field, value_of

MALLORY = Identity.from_private_bytes(b"M" * 32)
STRANGERS = [Identity.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, 91)]


def record(
    identity: Identity = MALLORY,
    seq: int = 1,
    name: str = "x",
    *,
    epoch: int = WALL,
    lifetime: int = 3_600,
    metadata: Body | None = None,
    edges: tuple[bytes, ...] = (),
) -> Record:
    return sign_record(
        identity,
        MESH,
        epoch=epoch,
        seq=seq,
        issued_at=1,
        name=name,
        lifetime=lifetime,
        metadata=metadata,
        edges=[Edge(key, LAN, 1) for key in edges],
    )


def records(*items: Record, age: int = 0) -> bytes:
    return Records(tuple((age, item.raw) for item in items)).encode()


def name_of(field: Field, where: str, key: bytes) -> str | None:
    entry = field.nodes[where].table.get(key)
    return None if entry is None else entry.record.name


def metadata_of(size: int) -> bytes | None:
    if not size:
        return None
    return encode_metadata({"a": "x" * (2 * size - metadata_size({"a": "x" * size}))})


@pytest.fixture
def field() -> Field:
    field = Field()
    for name in ("alice", "bob", "carol", "dave"):
        field.add(name)
    return field


def line(field: Field) -> Field:
    field.chain("alice", "bob", "carol", "dave")
    field.wait(5)
    return field


def blamed(field: Field) -> set[tuple[str, str]]:
    """Return who holds something against whom."""
    names = {node.key: name for name, node in field.nodes.items()}
    return {
        (name, names.get(key, "stranger"))
        for name, node in field.nodes.items()
        for key in node.exchange.strikes.offenders
    }


# -- arriving


@pytest.mark.parametrize("size", [0, 200, 20_000, MAX_METADATA_BYTES])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("large", [False, True])
def test_record_and_metadata_cross_three_links(
    field: Field, monkeypatch: pytest.MonkeyPatch, size: int, before: bool, large: bool
) -> None:
    if large:
        monkeypatch.setattr(exchange_module, "LARGE_MESH", 0)
    data = metadata_of(size)
    assert size < 100 or (data is not None and len(data) == size)
    alice, dave = field.nodes["alice"], field.nodes["dave"]
    if before:
        alice.set_metadata(data, field.now)
    line(field)
    if not before:
        alice.set_metadata(data, field.now)
        field.wait(5)
    assert len(field.roots()) == 1
    assert value_of(dave, alice) == data
    way = dave.topology.way(alice.key)
    assert way is not None
    assert (way.hops, way.via) == (3, (field.nodes["carol"].key,))
    assert not dave.bodies.fetching()
    assert not blamed(field)


def test_on_slow_links_records_are_offered_and_asked_for(field: Field) -> None:
    field.chain("alice", "bob", "carol", transport=BLE)
    field.wait(10)
    field.carried.clear()
    field.nodes["alice"].set_metadata(metadata_of(100), field.now)
    field.wait(1)
    assert value_of(field.nodes["carol"], field.nodes["alice"]) == metadata_of(100)
    assert field.carried["bob", MessageType.HAVE] == 1
    assert field.carried["carol", MessageType.WANT] == 1


def test_what_was_asked_for_is_offered_to_the_others_and_not_sent(field: Field) -> None:
    field.chain("alice", "bob", "dave")
    field.wait(5)
    field.carried.clear()
    for name in ("alice", "dave"):
        for who in STRANGERS:
            field.nodes[name].table.accept(record(who), 0.0, field.now, None)
    field.wait(100)  # bob compares its table with one of them, and asks for what is new there
    assert len(field.nodes["bob"].table) == len(STRANGERS) + 3
    assert field.carried["bob", MessageType.HAVE]
    assert not field.carried["bob", MessageType.RECORDS]  # whom it did not ask has them


def test_a_version_that_follows_another_at_once_is_offered(field: Field) -> None:
    line(field)
    field.wait(30)
    for number in (1, 2, 3):
        field.carried.clear()
        field.nodes["alice"].set_metadata(encode_metadata({"n": number}), field.now)
        field.wait(1.0)
        assert value_of(field.nodes["dave"], field.nodes["alice"]) == encode_metadata({"n": number})
        assert field.carried["bob", MessageType.HAVE] == (number > 1)
    field.wait(30)
    field.carried.clear()
    field.nodes["alice"].set_metadata(encode_metadata({"n": 4}), field.now)
    field.wait(1.0)
    assert field.carried["bob", MessageType.HAVE] == 0
    assert value_of(field.nodes["dave"], field.nodes["alice"]) == encode_metadata({"n": 4})


def test_what_everybody_has_is_told_nobody_twice(field: Field) -> None:
    names = list(field.nodes)
    for n, one in enumerate(names):
        for other in names[n + 1 :]:
            field.link(one, other)
    field.wait(20)
    assert len(field.roots()) == 1
    field.carried.clear()
    field.wait(30)
    assert field.carried[("alice", MessageType.RECORDS)] == 0
    field.nodes["alice"].set_metadata(metadata_of(100), field.now)
    field.wait(0.5)
    sent = sum(n for (_, kind), n in field.carried.items() if kind == MessageType.RECORDS)
    assert 3 <= sent <= 3 + 6  # alice tells three; of the others each pair at most once
    assert len(field.roots()) == 1


def test_the_age_of_a_record_grows_on_its_way(field: Field) -> None:
    field.chain("alice", "bob")
    field.wait(30)
    field.chain("bob", "carol")
    field.wait(1)
    entry = field.nodes["carol"].table.get(field.nodes["alice"].key)
    assert entry is not None
    assert 25 <= entry.age_at_receipt <= 31


def test_two_halves_that_meet_become_one(field: Field) -> None:
    field.add("erin")
    field.add("frank")
    field.chain("alice", "bob", "carol")
    field.chain("dave", "erin", "frank")
    field.wait(20)
    assert len(field.roots()) == 2
    field.link("carol", "dave")
    field.wait(2)
    assert len(field.roots()) == 1
    for node in field.nodes.values():
        assert node.topology.reach() == 5
    assert not blamed(field)


def test_a_newcomer_between_two_halves_is_not_blamed_for_the_old_records_of_one(
    field: Field,
) -> None:
    old = [record(who, 1) for who in STRANGERS]
    new = [record(who, 2) for who in STRANGERS]
    field.chain("alice", "bob")
    field.chain("carol", "dave")
    field.say("bob", "alice", MessageType.RECORDS, records(*old[:30]))
    field.say("bob", "alice", MessageType.RECORDS, records(*old[30:]))
    field.say("dave", "carol", MessageType.RECORDS, records(*new[:30]))
    field.say("dave", "carol", MessageType.RECORDS, records(*new[30:]))
    field.wait(60)
    field.add("frank")
    field.link("frank", "alice", settle=False)
    field.link("frank", "carol", settle=False)
    field.wait(5)
    for who in STRANGERS:
        for name in ("alice", "bob", "carol", "dave", "frank"):
            entry = field.nodes[name].table.get(who.peer_key)
            assert entry is not None
            assert entry.record.seq == 2
    assert not blamed(field)
    assert field.hung_up == []


def test_metadata_that_was_replaced_before_it_came_is_not_waited_for(field: Field) -> None:
    line(field)
    for seq in range(1, 60):  # of each the sender has no body, and nobody else either
        body = Body(seq.to_bytes(32, "big"), 100)
        edges = (field.nodes["bob"].key,)
        made = record(field.identities["alice"], seq, epoch=WALL + 5, metadata=body, edges=edges)
        field.say("alice", "bob", MessageType.RECORDS, records(made))
        field.settle()
        field.now += 1.0
    bob = field.nodes["bob"]
    assert len(bob.bodies._waiting) + len(bob.bodies._running) <= 2
    field.nodes["carol"].set_metadata(metadata_of(100), field.now)
    field.wait(1)
    assert value_of(bob, field.nodes["carol"]) == metadata_of(100)


# -- ends


def test_a_leaving_record_crosses_also_after_many_changes(field: Field) -> None:
    line(field)
    alice = field.nodes["alice"]
    for number in range(12):
        alice.set_metadata(encode_metadata({"n": number}), field.now)
        field.wait(0.3)
    for _ in range(6):
        alice._publish(field.now)
        field.settle()
    alice.leave(field.now)
    field.settle()
    del field.nodes["alice"]
    field.wait(10)
    for name in ("bob", "carol", "dave"):
        entry = field.nodes[name].table.get(alice.key)
        assert entry is not None
        assert entry.record.leaving
        assert not field.nodes[name].topology.reachable(alice.key)


def test_who_stood_behind_a_lost_hub_is_out_of_reach_with_the_metadata_last_known(
    field: Field,
) -> None:
    dave = field.nodes["dave"]
    dave.set_metadata(metadata_of(100), field.now)
    line(field)
    alice = field.nodes["alice"]
    assert alice.topology.reachable(dave.key)
    alice.rerouted.clear()
    field.kill("bob")
    field.wait(10)
    for name in ("carol", "dave"):
        key = field.nodes[name].key
        assert not alice.topology.reachable(key)
        assert alice.table.get(key) is not None
        assert key in alice.rerouted
    assert value_of(alice, dave) == metadata_of(100)
    field.link("alice", "carol")
    field.wait(1)
    assert alice.topology.reachable(dave.key)
    assert value_of(alice, dave) == metadata_of(100)


# -- what a hostile member does


@pytest.mark.parametrize("greater_first", [True, False])
def test_two_contents_of_one_version_converge_everywhere(field: Field, greater_first: bool) -> None:
    line(field)
    for name, end in (("m1", "alice"), ("m2", "dave")):
        field.add(name)
        field.link(name, end)
    one, other = sorted((record(name="a"), record(name="b")), key=lambda item: item.hash)
    first, second = (other, one) if greater_first else (one, other)
    field.say("m1", "alice", MessageType.RECORDS, records(first))
    field.say("m2", "dave", MessageType.RECORDS, records(second))
    field.wait(2)
    for name in ("alice", "bob", "carol", "dave"):
        entry = field.nodes[name].table.get(MALLORY.peer_key)
        assert entry is not None
        assert entry.record.hash == other.hash
    flagged = [
        name
        for name in ("alice", "bob", "carol", "dave")
        if field.nodes[name].table.entries()[MALLORY.peer_key].equivocating
    ]
    assert flagged
    field.wait(20)
    field.say("m1", "alice", MessageType.RECORDS, records(one))
    field.wait(2)
    assert name_of(field, "alice", MALLORY.peer_key) == other.name
    blame = blamed(field)
    assert ("alice", "m1") in blame  # for what it could know to be over
    assert {whom for _, whom in blame} == {"m1", "stranger"}  # and who signed both, wherever seen


def test_old_records_of_a_peer_that_was_dropped_are_not_taken(field: Field) -> None:
    line(field)
    old, newer = record(seq=1), record(seq=2, lifetime=60)
    field.say("alice", "bob", MessageType.RECORDS, records(newer))
    field.wait(61)
    for name in field.nodes:
        assert name_of(field, name, MALLORY.peer_key) is None
    field.say("alice", "bob", MessageType.RECORDS, records(old))
    field.say("alice", "bob", MessageType.RECORDS, records(newer))
    field.wait(5)
    for name in ("bob", "carol"):
        assert name_of(field, name, MALLORY.peer_key) is None


def test_an_old_record_is_answered_with_the_newer(field: Field) -> None:
    line(field)
    field.say("alice", "bob", MessageType.RECORDS, records(record(seq=5, name="new")))
    field.wait(20)
    behind = record(seq=4, name="old")
    field.nodes["dave"].table.forget(MALLORY.peer_key, field.now)
    field.nodes["dave"].table._floors.clear()
    field.nodes["dave"].table.accept(behind, 0, field.now, None)
    field.say("dave", "carol", MessageType.RECORDS, records(behind))
    field.wait(1)
    assert name_of(field, "dave", MALLORY.peer_key) == "new"
    dave = field.nodes["dave"].key
    assert not field.nodes["carol"].exchange.strikes.cooling(dave, field.now)


def test_an_own_record_that_is_heard_from_elsewhere_is_overtaken_everywhere(field: Field) -> None:
    line(field)
    copy = record(field.identities["alice"], 7, "copy", epoch=WALL + 100)
    field.say("dave", "carol", MessageType.RECORDS, records(copy))
    field.wait(10)
    for name in field.nodes:
        assert name_of(field, name, field.nodes["alice"].key) == "alice"
    assert field.nodes["alice"].own_epoch == WALL + 101
    assert not blamed(field)


@pytest.mark.parametrize("transport", [LAN, BLE])
def test_who_starts_again_below_its_last_epoch_learns_it_also_where_records_are_only_offered(
    transport: int,
) -> None:
    field = Field()
    field.add("alice")
    field.add("bob")
    field.chain("alice", "bob", transport=transport)
    field.wait(10)
    field.kill("alice")
    field.add("alice", field.identities["alice"], epoch=WALL - 1_000_000)
    field.chain("alice", "bob", transport=transport)
    field.wait(10)
    alice = field.nodes["alice"]
    assert alice.own_epoch > WALL
    assert field.nodes["bob"].topology.reachable(alice.key)
    assert len(field.roots()) == 1


def test_records_that_do_not_hold_cost_the_sender_its_link_once_for_each_message(
    field: Field,
) -> None:
    line(field)
    broken = [item.raw[:-1] + bytes([item.raw[-1] ^ 1]) for item in map(record, STRANGERS)]
    body = Records(tuple((0, raw) for raw in broken)).encode()
    field.say("alice", "bob", MessageType.RECORDS, body)
    field.settle()
    assert field.hung_up == [("bob", ByeCode.LIMIT)]
    strikes = field.nodes["bob"].exchange.strikes
    offender = strikes.offenders[field.nodes["alice"].key]
    assert offender.closed == 1
    assert offender.counts == {Offence.INVALID: 3}
    assert strikes.cool_until(field.nodes["alice"].key) == field.now + COOL_DOWN
    assert len(field.nodes["bob"].table) == 4


def test_what_follows_on_a_link_that_is_to_be_closed_is_not_looked_at(field: Field) -> None:
    line(field)
    bob = field.nodes["bob"]
    link = field.link_of("bob", "alice")
    bad = record().raw[:-1] + b"!"
    for _ in range(9):
        bob.message(link, MessageType.RECORDS, Records(((0, bad),)).encode(), field.now)
    bob.message(link, MessageType.RECORDS, records(record(seq=3)), field.now)
    field.settle()
    assert bob.exchange.strikes.offenders[field.nodes["alice"].key].closed == 1
    assert name_of(field, "bob", MALLORY.peer_key) is None


def test_a_flood_of_new_peers_is_dropped_and_ends_the_link(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "NEW_BURST", 20.0)
    field.add("erin")
    field.link("erin", "alice")
    field.wait(1)
    for who in STRANGERS[:40]:
        field.say("alice", "erin", MessageType.RECORDS, records(record(who)))
    field.settle()
    erin = field.nodes["erin"]
    assert len(erin.table) == 2 + 20
    assert erin.exchange.strikes.offenders[field.nodes["alice"].key].counts == {Offence.FLOOD: 20}
    assert field.hung_up == []
    for who in STRANGERS[20:]:
        if not field.hung_up:
            field.say("alice", "erin", MessageType.RECORDS, records(record(who)))
            field.settle()
    assert field.hung_up == [("erin", ByeCode.LIMIT)]


def test_nobody_is_blamed_for_what_it_was_asked_for(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "MAX_PEERS", 20)
    field.add("erin")
    field.link("erin", "alice")
    field.wait(1)
    monkeypatch.setattr(exchange_module, "LARGE_MESH", 0)
    alice = field.nodes["alice"]
    for who in STRANGERS[:40]:
        alice.table.accept(record(who), 0.0, field.now, None)
        alice.exchange.spread.news(who.peer_key, None, field.now)
    field.wait(0.1)
    assert 2 + 15 < len(field.nodes["erin"].table) <= 2 + 20
    assert not blamed(field)


def test_a_peer_that_changes_without_end_is_slowed_down_where_it_enters(field: Field) -> None:
    line(field)
    for seq in range(1, 400):
        field.say("alice", "bob", MessageType.RECORDS, records(record(seq=seq)))
        field.wait(0.05)
        if field.hung_up:
            break
    assert field.hung_up == [("bob", ByeCode.LIMIT)]
    assert blamed(field) == {("bob", "alice")}


def test_nobody_draws_more_records_than_it_was_offered(field: Field) -> None:
    field.chain("alice", "bob")
    field.wait(5)
    for who in STRANGERS:
        field.nodes["bob"].table.accept(record(who), 0.0, field.now, None)
    prefixes = [who.peer_key[:PREFIX_BYTES] for who in STRANGERS]

    def drawn() -> int:
        """Ask for everything, and more than there is; return how many records come."""
        wanted = Want((b"nothing!", *prefixes, *prefixes[:50])).encode()
        field.say("alice", "bob", MessageType.WANT, wanted)
        bob = field.nodes["bob"]
        bob.tick(field.now)
        said = [item for item in bob.take_output() if isinstance(item, Message)]
        assert {item.type for item in said} <= {MessageType.RECORDS}
        return sum(len(Records.decode(item.body).items) for item in said)

    bob, link = field.nodes["bob"], field.link_of("bob", "alice")
    offered = bob.exchange._lines[link].offered
    assert drawn() <= offered
    assert drawn() == 0
    assert bob.exchange.strikes.offenders[field.nodes["alice"].key].counts == {Offence.FLOOD: 2}
    bob.exchange.summary(link, Summary(1, ()).encode(), field.now)  # asks for all that differs
    bob.tick(field.now)
    bob.take_output()
    assert bob.exchange._lines[link].offered == len(STRANGERS) + 2
    assert len(STRANGERS) <= drawn() <= len(STRANGERS) + 2
    assert drawn() == 0


def test_an_offer_that_is_not_kept_is_forgotten(field: Field) -> None:
    line(field)
    root = field.nodes["bob"].table.root()
    offers = tuple((n.to_bytes(8, "big"), b"lie!") for n in range(300))
    field.say("alice", "bob", MessageType.HAVE, Have(offers).encode())
    field.wait(30)
    assert len(field.nodes["bob"].exchange.pulls) == 0
    assert field.nodes["bob"].table.root() == root


def test_offers_of_many_records_fit_into_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_module, "LARGE_MESH", 0)
    field = Field()
    for name in ("alice", "bob"):
        field.add(name)
    field.link("alice", "bob")
    field.wait(1)
    alice = field.nodes["alice"]
    made = record(STRANGERS[0])
    for number in range(6_000):  # as if so many had come within one window
        key = number.to_bytes(32, "big")
        clone = sign_free(made, key)
        alice.table.accept(clone, 0.0, field.now, None)
        alice.exchange.spread.news(key, None, field.now)
    field.settle()
    field.wait(0.05)
    assert field.carried["alice", MessageType.HAVE] >= 5
    assert not blamed(field)


def sign_free(made: Record, key: bytes) -> Record:
    """Make a record of somebody whose key nobody has: only its place in a table matters."""
    return replace(made, key=key, hash=key[::-1])


FLOOD = st.lists(
    st.tuples(
        st.sampled_from(["m1", "m2", "m3"]),
        st.sampled_from(["alice", "bob"]),
        st.lists(
            st.tuples(st.integers(0, 59), st.integers(1, 9), st.sampled_from("ab")),
            min_size=1,
            max_size=40,
        ),
        st.sampled_from([0, 30, 59, 60]),
        st.sampled_from([0.0, 0.01, 0.2, 3.0, 15.0]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(flood=FLOOD, offering=st.booleans())
def test_whoever_passes_on_what_hostile_members_flood_is_never_blamed(
    flood: list[tuple[str, str, list[tuple[int, int, str]], int, float]], offering: bool
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        if offering:
            monkeypatch.setattr(exchange_module, "LARGE_MESH", 0)
        for name, value in (("NEW", 20.0), ("UNASKED", 10.0)):
            monkeypatch.setattr(exchange_module, f"{name}_BURST", value)
            monkeypatch.setattr(exchange_module, f"{name}_RATE", value / 10)
        field = Field()
        hostile, honest = ("m1", "m2", "m3"), ("alice", "bob", "carol", "dave")
        for name in (*honest, *hostile):
            field.add(name)
        field.chain(*honest)
        for name in hostile:
            field.link(name, "alice")
            field.link(name, "bob")
        field.wait(1)
        for source, target, items, age, pause in flood:
            if (source, target) in {(s, t) for (s, _), (t, _) in field.ends.items()}:
                made = [forged(*item) for item in items]
                field.say(source, target, MessageType.RECORDS, records(*made, age=age))
            field.wait(pause)
        field.wait(5)
        names = {node.key: name for name, node in field.nodes.items()}
        for name in honest:
            for key in field.nodes[name].exchange.strikes.offenders:
                assert names.get(key) not in honest  # those who sign two of one are no neighbours


_FORGED: dict[tuple[int, int, str], Record] = {}


def forged(who: int, seq: int, name: str) -> Record:
    """Make a record of somebody invented; signing takes time, so each is made once."""
    item = (who, seq, name)
    if item not in _FORGED:
        _FORGED[item] = record(STRANGERS[who], seq, name, lifetime=60)
    return _FORGED[item]
