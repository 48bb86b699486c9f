"""Who is blamed for what: whoever did it, and nobody who only passed it on."""

from __future__ import annotations

import pytest

from presence_core.engine.node import Node
from presence_core.gossip.exchange import RACE_SECONDS
from presence_core.gossip.messages import MARK_BYTES, PREFIX_BYTES, Have, Records
from presence_core.gossip.quota import NEW_BURST, TAKEN_BURST, Offence
from presence_core.gossip.record import Record, sign_record
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.identity.keys import Identity
from tests.engine.field import MESH, Field

CAROL = Identity.generate()


@pytest.fixture
def field() -> Field:
    field = Field()
    for name in ("alice", "bob", "mallory"):
        field.add(name)
    return field


def version(seq: int, identity: Identity = CAROL, lifetime: int = 3_600) -> Record:
    return sign_record(
        identity, MESH, epoch=1, seq=seq, issued_at=1, name="carol", lifetime=lifetime
    )


def say(field: Field, source: str, target: str, *records: Record) -> None:
    body = Records(tuple((0, record.raw) for record in records)).encode()
    field.say(source, target, MessageType.RECORDS, body)
    field.settle()


def invented(count: int) -> list[Record]:
    return [version(1, Identity.generate()) for _ in range(count)]


def blamed(node: Node, whom: Node) -> dict[Offence, int]:
    offender = node.exchange.strikes.offenders.get(whom.key)
    return {} if offender is None else offender.counts


def test_who_repeats_a_version_that_was_replaced_long_ago_is_blamed(field: Field) -> None:
    field.link("alice", "mallory")
    alice, mallory = field.nodes["alice"], field.nodes["mallory"]
    say(field, "mallory", "alice", version(2))
    say(field, "mallory", "alice", version(1))
    assert blamed(alice, mallory) == {}  # they may have crossed
    field.wait(RACE_SECONDS + 1)
    say(field, "mallory", "alice", version(1))
    assert blamed(alice, mallory) == {Offence.REPLAYED: 1}


def test_who_repeats_an_old_record_of_ours_is_blamed(field: Field) -> None:
    field.link("alice", "mallory")
    alice, mallory = field.nodes["alice"], field.nodes["mallory"]
    own = alice.table.get(alice.key)
    assert own is not None
    old = own.record
    alice.set_metadata(b"\xa0", field.now)
    field.wait(RACE_SECONDS + 1)
    say(field, "mallory", "alice", old)
    assert blamed(alice, mallory) == {Offence.REPLAYED: 1}


def test_a_newcomer_is_not_blamed_for_what_those_who_were_cut_off_tell_it(field: Field) -> None:
    many = [Identity.generate() for _ in range(30)]
    field.add("newcomer")
    field.link("alice", "bob")
    say(field, "bob", "alice", *(version(5, one) for one in many))
    field.wait(RACE_SECONDS + 1)
    field.link("newcomer", "alice")
    say(field, "newcomer", "alice", *(version(1, one) for one in many))
    assert blamed(field.nodes["alice"], field.nodes["newcomer"]) == {}
    assert field.hung_up == []


def test_nobody_is_blamed_for_not_knowing_who_is_long_gone(field: Field) -> None:
    many = [Identity.generate() for _ in range(30)]
    field.link("alice", "mallory")
    short = [version(1, one, lifetime=60) for one in many]
    say(field, "mallory", "alice", *short)
    field.wait(61)
    field.link("alice", "bob")
    field.link("mallory", "bob")
    field.wait(RACE_SECONDS + 1)
    say(field, "mallory", "bob", *short)
    field.wait(1)
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    assert bob.table.get(many[0].peer_key) is not None
    assert alice.table.get(many[0].peer_key) is None
    assert blamed(alice, bob) == {}
    assert field.hung_up == []


def test_a_flood_of_old_versions_is_a_flood(field: Field) -> None:
    field.link("alice", "mallory")
    alice, mallory = field.nodes["alice"], field.nodes["mallory"]
    for seq in range(1_000, 0, -1):
        say(field, "mallory", "alice", version(seq))
        if field.hung_up:
            break
    assert field.hung_up == [("alice", ByeCode.LIMIT)]
    assert blamed(alice, mallory)[Offence.FLOOD] < 100
    assert blamed(alice, mallory).keys() == {Offence.FLOOD}


def test_who_passes_on_what_several_bring_is_not_blamed(field: Field) -> None:
    several = ["mallory", "mary", "martin", "max"]
    for name in several[1:]:
        field.add(name)
    field.link("alice", "bob")
    for name in several:
        field.link(name, "alice")
    alice, bob = field.nodes["alice"], field.nodes["bob"]
    flood = invented(2_400)
    for at in range(0, len(flood), 40):
        # So old that they are gone in a moment: the mesh does not become a large one by them.
        body = Records(tuple((3_599, record.raw) for record in flood[at : at + 40])).encode()
        field.say(several[at // 40 % 4], "alice", MessageType.RECORDS, body)
        field.wait(0.2)
    assert field.hung_up == []
    assert blamed(bob, alice) == {}


def test_who_brings_more_new_peers_than_allowed_is_blamed(field: Field) -> None:
    field.link("alice", "mallory")
    alice, mallory = field.nodes["alice"], field.nodes["mallory"]
    for record in invented(1_200):
        say(field, "mallory", "alice", record)
        if field.hung_up:
            break
    assert field.hung_up == [("alice", ByeCode.LIMIT)]
    assert blamed(alice, mallory).keys() == {Offence.FLOOD}
    assert len(alice.table) <= NEW_BURST + 3


def test_versions_that_are_offered_have_a_quota_too(field: Field) -> None:
    field.link("alice", "mallory")
    say(field, "mallory", "alice", version(1))
    before = field.carried["alice", MessageType.WANT]
    for seq in range(2, 102):
        record = version(seq)
        offers = ((record.key[:PREFIX_BYTES], record.hash[:MARK_BYTES]),)
        field.say("mallory", "alice", MessageType.HAVE, Have(offers).encode())
        field.settle()
        say(field, "mallory", "alice", record)
        if field.hung_up:
            break
    assert 0 < field.carried["alice", MessageType.WANT] - before <= TAKEN_BURST
    assert field.hung_up == [("alice", ByeCode.LIMIT)]


def lies_of(liar: Identity) -> list[Record]:
    """Return records of one number, each of which takes the place of the one before."""
    lies = [
        sign_record(liar, MESH, epoch=2**62, seq=1, issued_at=1, name=f"m{n}") for n in range(4)
    ]
    return sorted(lies, key=lambda record: record.hash)


def test_who_says_two_things_at_once_is_blamed_by_all_and_who_passes_it_on_is_not(
    field: Field,
) -> None:
    field.chain("mallory", "alice", "bob")
    for record in lies_of(CAROL):
        say(field, "mallory", "alice", record)
        field.wait(1)
    for name in ("alice", "bob"):
        offenders = field.nodes[name].exchange.strikes.offenders
        assert offenders.keys() == {CAROL.peer_key}
        assert offenders[CAROL.peer_key].counts == {Offence.CONTRADICTED: 3}
    assert field.hung_up == []


def test_a_neighbour_that_says_two_things_at_once_is_let_go(field: Field) -> None:
    field.link("mallory", "alice")
    lies = lies_of(field.identities["mallory"])
    body = Records(tuple((0, record.raw) for record in lies)).encode()
    field.say("mallory", "alice", MessageType.RECORDS, body)
    field.settle()
    assert field.hung_up == [("alice", ByeCode.LIMIT)]
