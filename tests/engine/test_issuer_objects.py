"""Key sets and revocation lists on their way through a mesh without any service."""

from __future__ import annotations

import pytest

from presence_core.engine.output import Hangup
from presence_core.gossip.issuer_objects import SENT_BURST, TAKEN_BURST
from presence_core.gossip.quota import Offence
from presence_core.handshake.events import ByeCode, MessageType
from presence_core.handshake.session import MAX_BODY
from presence_core.identity.issuer import IssuerKey, KeySet, sign_key_set, sign_revocations
from presence_core.identity.issuers import Issuers
from presence_core.model import IdentityStatus
from tests.authority import Authority
from tests.engine.field import Field

OBJECT = MessageType.ISSUER_OBJECT


class Town(Field):
    """Nodes in a line, all of which trust one issuer."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.authority = Authority()
        self.first = self.authority.key_set()
        for name in names:
            self.add(name, issuers=self.trusting(self.first))

    @staticmethod
    def trusting(*key_sets: KeySet) -> Issuers:
        issuers = Issuers()
        for key_set in key_sets:
            issuers.trust(key_set)
        return issuers

    def status(self, by: str, name: str) -> IdentityStatus:
        return self.seen(by, name).identity.status

    def vouch(self, name: str) -> None:
        node = self.nodes[name]
        node.set_token(self.authority.token(node.key, self.wall_ms() / 1000), self.now)
        self.wait(1)

    def numbers(self, name: str) -> tuple[int, int | None]:
        """Return the numbers of key set and revocation list that a node goes by."""
        issuers = self.nodes[name].issuers
        keys, revoked = (
            issuers.key_set(self.authority.name),
            issuers.revocations(self.authority.name),
        )
        assert keys is not None
        return keys.number, None if revoked is None else revoked.number

    def learn(self, name: str, raw: bytes) -> None:
        """Have one node take an object as from a file, and tell the others."""
        self.nodes[name].issuers.take(raw)
        self.nodes[name].tell_issuer(self.authority.name)
        self.wait(1)


def test_new_keys_and_then_what_they_sign_cross_the_mesh() -> None:
    town = Town("alice", "bob", "carol", "dave")
    town.chain("alice", "bob", "carol", "dave")
    town.learn("alice", town.authority.rotate(keep=1).raw)
    town.vouch("alice")
    assert {town.numbers(name)[0] for name in town.nodes} == {2}
    assert town.status("dave", "alice") is IdentityStatus.VERIFIED
    town.vouch("dave")
    assert town.status("alice", "dave") is IdentityStatus.VERIFIED


def test_who_is_revoked_is_so_on_every_node_across_hops() -> None:
    town = Town("alice", "bob", "carol", "dave")
    town.chain("alice", "bob", "carol", "dave")
    town.vouch("alice")
    assert town.status("dave", "alice") is IdentityStatus.VERIFIED
    town.learn("dave", town.authority.revoke(town.nodes["alice"].key).raw)
    for name in town.nodes:
        assert town.status(name, "alice") is IdentityStatus.REVOKED
        assert town.seen(name, "alice").identity_service_metadata == {}


def test_an_older_list_undoes_nothing_and_its_sender_gets_the_newer_one() -> None:
    town = Town("alice", "bob")
    older = town.authority.revoke()
    town.vouch("alice")
    newer = town.authority.revoke(town.nodes["alice"].key)
    town.nodes["bob"].issuers.take(newer.raw)
    town.nodes["alice"].issuers.take(older.raw)
    town.link("alice", "bob")
    town.wait(1)
    assert town.numbers("alice") == town.numbers("bob") == (1, 2)
    town.wait(5)
    before = town.carried["bob", OBJECT]
    for _ in range(5):
        town.say("alice", "bob", OBJECT, older.raw)
        town.wait(1)
    assert town.numbers("bob") == (1, 2)
    assert town.status("bob", "alice") is IdentityStatus.REVOKED
    assert not town.nodes["bob"].exchange.strikes.offenders
    assert town.carried["bob", OBJECT] == before + 2  # key set and list, once a minute at most


def test_a_new_link_brings_both_up_to_date() -> None:
    town = Town("alice", "bob", "carol", "dave")
    town.link("alice", "bob")
    town.link("carol", "dave")
    town.learn("alice", town.authority.rotate().raw)
    town.learn("alice", town.authority.revoke(town.nodes["dave"].key).raw)
    town.vouch("dave")
    assert town.numbers("dave") == (1, None)
    town.link("bob", "carol")
    town.wait(1)
    assert {town.numbers(name) for name in town.nodes} == {(2, 1)}
    assert town.status("dave", "dave") is IdentityStatus.REVOKED


def test_what_is_known_is_not_handed_on() -> None:
    town = Town("alice", "bob", "carol")
    town.chain("alice", "bob", "carol")
    town.wait(1)
    before = town.carried["bob", OBJECT]
    for _ in range(5):
        town.say("alice", "bob", OBJECT, town.first.raw)
    town.wait(1)
    assert town.carried["bob", OBJECT] == before


def test_objects_of_an_issuer_that_is_not_trusted_go_no_further_and_are_no_offence() -> None:
    town = Town("alice", "bob", "carol")
    town.chain("alice", "bob", "carol")
    town.wait(1)
    before = town.carried["bob", OBJECT]
    stranger = Authority("Somebody Else")
    town.say("alice", "bob", OBJECT, stranger.key_set().raw)
    town.say("alice", "bob", OBJECT, stranger.revoke().raw)
    town.wait(1)
    assert town.nodes["bob"].issuers.names() == (town.authority.name,)
    assert town.carried["bob", OBJECT] == before
    assert not town.nodes["bob"].exchange.strikes.offenders


def test_who_begins_to_trust_an_issuer_is_told_what_it_did_not_keep() -> None:
    town = Town("alice", "bob")
    town.add("carol")
    town.chain("alice", "bob", "carol")
    town.vouch("alice")
    town.learn("alice", town.authority.rotate().raw)
    town.learn("alice", town.authority.revoke(town.nodes["alice"].key).raw)
    town.wait(5)
    carol = town.nodes["carol"]
    assert town.status("carol", "alice") is IdentityStatus.UNKNOWN_ISSUER
    for key_set in (town.first, town.authority.key_set(signer=town.authority.keys[0])):
        carol.issuers.trust(key_set)
        carol.tell_issuer(town.authority.name)
        town.wait(1)
        assert town.numbers("carol") == (2, 1)
        assert town.status("carol", "alice") is IdentityStatus.REVOKED
        carol.issuers.distrust(town.authority.name)
        town.wait(60)


def test_a_wrong_signature_is_an_offence_and_in_the_end_the_link() -> None:
    town = Town("alice", "bob", "carol")
    town.chain("alice", "bob", "carol")
    town.wait(1)
    good = town.authority.revoke(town.nodes["carol"].key).raw
    forged = good[:-1] + bytes([good[-1] ^ 1])
    for count in (1, 2, 3):
        town.say("alice", "bob", OBJECT, forged)
        town.settle()
        (offender,) = town.nodes["bob"].exchange.strikes.offenders.values()
        assert offender.counts == {Offence.BAD_ISSUER_OBJECT: count}
    assert town.hung_up == [("bob", ByeCode.LIMIT)]
    assert town.numbers("bob") == town.numbers("carol") == (1, None)


@pytest.mark.parametrize(
    "body", [b"", b"\x80", b"\xff" * 100, bytes(65_000)], ids=["empty", "list", "ones", "zeros"]
)
def test_what_is_no_signed_object_is_an_offence(body: bytes) -> None:
    town = Town("alice", "bob")
    town.link("alice", "bob")
    town.say("alice", "bob", OBJECT, body)
    (offender,) = town.nodes["bob"].exchange.strikes.offenders.values()
    assert offender.counts == {Offence.BAD_ISSUER_OBJECT: 1}


def test_whoever_passes_on_what_the_issuer_itself_contradicts_is_not_to_blame() -> None:
    town = Town("alice", "bob")
    yes, no = (town.authority.revoke(bytes([n]) * 32, number=7) for n in (1, 2))
    town.nodes["alice"].issuers.take(yes.raw)
    town.nodes["bob"].issuers.take(no.raw)
    town.link("alice", "bob")
    town.wait(1)
    for name, own in (("alice", yes), ("bob", no)):
        assert not town.nodes[name].exchange.strikes.offenders
        assert town.nodes[name].issuers.revocations(town.authority.name) == own


def test_a_list_under_a_key_that_is_out_of_use_here_blames_nobody() -> None:
    town = Town("alice", "bob")
    old = town.authority.key
    late = sign_revocations(old, issuer=town.authority.name, number=9)
    town.learn("bob", town.authority.rotate(keep=1).raw)
    town.link("alice", "bob", settle=False)
    town.say("alice", "bob", OBJECT, late.raw)
    town.wait(1)
    assert town.numbers("bob") == (2, None)
    assert not town.nodes["bob"].exchange.strikes.offenders


def test_an_issuer_that_floods_is_thinned_out_and_nobody_on_the_way_is_blamed() -> None:
    town = Town("mallory", "alice", "bob", "carol")
    town.chain("mallory", "alice", "bob", "carol")
    lists = [town.authority.revoke(bytes([n]) * 32) for n in range(250)]
    for signed in lists:
        town.say("mallory", "alice", OBJECT, signed.raw)
        town.settle()
    town.wait(200)
    assert town.carried["alice", OBJECT] <= 2 * (SENT_BURST + 200)
    assert not town.nodes["bob"].exchange.strikes.offenders
    assert not town.nodes["carol"].exchange.strikes.offenders
    assert town.numbers("carol") == (1, 250)


def test_more_objects_than_allowed_are_dropped_and_counted() -> None:
    town = Town("alice", "bob")
    town.link("alice", "bob")
    for _ in range(int(TAKEN_BURST)):
        town.say("alice", "bob", OBJECT, town.first.raw)
    alice = town.nodes["bob"].exchange.strikes.offenders.get(town.nodes["alice"].key)
    assert alice is not None
    assert set(alice.counts) == {Offence.FLOOD}


def test_the_largest_list_crosses_the_mesh() -> None:
    town = Town("alice", "bob", "carol")
    town.chain("alice", "bob", "carol")
    ids = tuple(n.to_bytes(16, "big") for n in range(1_700))
    keys = [n.to_bytes(32, "big") for n in range(1_000)]
    signed = town.authority.revoke(*keys, token_ids=ids)
    assert 60_000 < len(signed.raw) <= MAX_BODY
    town.learn("alice", signed.raw)
    assert town.nodes["carol"].issuers.revocations(town.authority.name) == signed


def test_sixty_four_issuers_fit_a_new_link_without_blame() -> None:
    town = Town("alice", "bob")
    many = [Authority(f"issuer {n}") for n in range(63)]
    for authority in many:
        for name in ("alice", "bob"):
            town.nodes[name].issuers.trust(authority.key_set())
        town.nodes["alice"].issuers.take(authority.revoke().raw)
    town.nodes["alice"].issuers.take(town.authority.revoke().raw)
    town.link("alice", "bob")
    town.settle()
    assert len(town.nodes["bob"].issuers.objects()) == 128
    assert not town.nodes["bob"].exchange.strikes.offenders


def test_an_issuer_of_the_same_name_with_other_keys_does_not_get_in() -> None:
    town = Town("alice", "bob")
    impostor = IssuerKey.generate()
    fake = sign_key_set(impostor, issuer=town.authority.name, number=99, keys=[impostor.public_key])
    town.link("alice", "bob")
    town.say("alice", "bob", OBJECT, fake.raw)
    town.wait(1)
    assert town.numbers("bob") == (1, None)
    assert not any(isinstance(item, Hangup) for item in town.nodes["bob"].take_output())
