"""Verdicts on tokens, kept true as tokens, issuers and the clock change."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from presence_core.engine import identities as identities_module
from presence_core.engine.identities import CHECKS_AT_ONCE, Identities
from presence_core.engine.peer_bodies import PeerBody
from presence_core.gossip.record import Body, Record, sign_record
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import Identity
from presence_core.identity.token import LEEWAY
from presence_core.identity.verdict import MAX_TOKEN, Verdict
from presence_core.model import IdentityStatus
from tests.authority import DAY, Authority
from tests.engine.field import MESH, Field

NOW = 1_790_000_000.0


class Crowd:
    """Peers with records and tokens, and a clock in our hands."""

    def __init__(self, peers: int) -> None:
        self.authority = Authority()
        self.issuers = Issuers()
        self.issuers.trust(self.authority.key_set())
        self.wall = NOW
        self.keys = [
            Identity.from_private_bytes(n.to_bytes(32, "big")).peer_key for n in range(peers)
        ]
        self.records: dict[bytes, Record] = {}
        self.tokens: dict[bytes, PeerBody] = {}
        self.changed: list[bytes] = []
        self.checks = 0
        self.identities = Identities(
            self.issuers,
            own_key=self.keys[0],
            newest=self.records.get,
            token=self.tokens.get,
            wall=lambda: self.wall,
            changed=self.changed.append,
        )
        check_all = self.issuers.check_all

        def counted(tokens: Sequence[tuple[bytes, bytes]], now: float) -> list[Verdict]:
            self.checks += len(tokens)
            return check_all(tokens, now)

        self.issuers.check_all = counted  # type: ignore[method-assign]

    def publish(self, n: int, token: bytes, *, arrived: bool = True) -> None:
        """Let a peer publish a token, which may not have arrived yet."""
        identity = Identity.from_private_bytes(n.to_bytes(32, "big"))
        named = Body(bytes([len(token) % 251]) * 32, len(token))
        self.records[identity.peer_key] = sign_record(
            identity, MESH, epoch=1, seq=1, issued_at=1, name="x", token=named
        )
        if arrived:
            self.tokens[identity.peer_key] = PeerBody(token, named.sha256)
        self.identities.look(identity.peer_key)

    def token(self, n: int, **claims: float) -> bytes:
        return self.authority.token(self.keys[n], self.wall, **claims)  # type: ignore[arg-type]

    def status(self, n: int) -> IdentityStatus:
        return self.identities.of(self.keys[n]).identity.status

    def run(self) -> int:
        """Tick until there is nothing to do; return how many ticks that took."""
        ticks = 0
        while self.identities.wait() == 0.0:
            self.identities.tick()
            ticks += 1
        return ticks


def test_it_is_expired_at_the_second_without_anybody_saying_so() -> None:
    crowd = Crowd(1)
    crowd.publish(0, crowd.token(0, end=60))
    assert crowd.status(0) is IdentityStatus.VERIFIED
    assert crowd.identities.wait() == 60
    crowd.wall = NOW + 60
    crowd.run()
    assert crowd.status(0) is IdentityStatus.VERIFIED
    assert "believed" in crowd.identities.of(crowd.keys[0]).identity.reason
    assert crowd.identities.wait() == LEEWAY
    crowd.wall = NOW + 60 + LEEWAY - 0.001
    crowd.run()
    assert crowd.status(0) is IdentityStatus.VERIFIED
    crowd.wall = NOW + 60 + LEEWAY
    crowd.changed.clear()
    crowd.run()
    assert crowd.status(0) is IdentityStatus.EXPIRED
    assert crowd.changed == [crowd.keys[0]]
    assert crowd.identities.wait() == float("inf")


def test_it_is_valid_from_the_second_on() -> None:
    crowd = Crowd(1)
    crowd.publish(0, crowd.token(0, begin=LEEWAY + 10))
    assert crowd.status(0) is IdentityStatus.NOT_YET_VALID
    crowd.wall += crowd.identities.wait()
    assert crowd.wall == NOW + 10
    crowd.run()
    assert crowd.status(0) is IdentityStatus.VERIFIED


def test_a_clock_that_is_set_back_or_forward_is_noticed() -> None:
    crowd = Crowd(1)
    crowd.publish(0, crowd.token(0, end=60))
    crowd.wall = NOW + DAY
    crowd.run()
    assert crowd.status(0) is IdentityStatus.EXPIRED
    crowd.wall = NOW + 30
    assert crowd.identities.wait() == 0.0
    crowd.run()
    assert crowd.status(0) is IdentityStatus.VERIFIED


def test_the_token_that_arrived_counts_until_the_next_is_here() -> None:
    crowd = Crowd(1)
    crowd.publish(0, crowd.token(0, end=1_000))
    crowd.publish(0, crowd.token(0, end=2_000), arrived=False)
    assert crowd.status(0) is IdentityStatus.VERIFIED
    crowd.wall = NOW + 1_000 + LEEWAY
    crowd.run()
    assert crowd.status(0) is IdentityStatus.EXPIRED
    crowd.publish(0, crowd.token(0, end=1_000))
    assert crowd.status(0) is IdentityStatus.VERIFIED


def test_what_the_record_alone_says_is_said_at_once() -> None:
    crowd = Crowd(1)
    assert crowd.status(0) is IdentityStatus.MISSING
    crowd.publish(0, b"t", arrived=False)
    assert crowd.status(0) is IdentityStatus.PENDING
    crowd.publish(0, b"t" * (MAX_TOKEN + 1), arrived=False)
    assert crowd.status(0) is IdentityStatus.OVERSIZE
    crowd.records.clear()
    crowd.identities.look(crowd.keys[0])
    assert crowd.status(0) is IdentityStatus.MISSING
    assert crowd.checks == 0


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    """Three thousand peers with a token each."""
    crowd = Crowd(3_000)
    for n in range(3_000):
        crowd.publish(n, crowd.token(n))
    return crowd


def test_thousands_that_come_at_once_are_judged_in_turns(crowd: Crowd) -> None:
    assert crowd.checks == CHECKS_AT_ONCE
    before = crowd.checks
    for _ in range(10):
        crowd.identities.tick()
        assert crowd.checks - before <= CHECKS_AT_ONCE
        before = crowd.checks
    crowd.run()
    assert crowd.checks == 3_000
    assert {crowd.status(n) for n in range(3_000)} == {IdentityStatus.VERIFIED}
    assert not any(crowd.identities.waits(key) for key in crowd.keys)


def test_when_the_issuer_says_something_all_are_judged_anew_in_turns_ourselves_first(
    crowd: Crowd,
) -> None:
    crowd.run()
    crowd.issuers.take(crowd.authority.revoke(crowd.keys[0], crowd.keys[2_999]).raw)
    crowd.checks = 0
    crowd.changed.clear()
    assert crowd.identities.wait() == 0.0
    crowd.identities.tick()
    assert crowd.checks == CHECKS_AT_ONCE
    assert crowd.status(0) is IdentityStatus.REVOKED
    ticks = crowd.run()
    assert ticks == -(-3_000 // CHECKS_AT_ONCE) - 1
    assert crowd.checks == 3_000
    assert crowd.status(2_999) is IdentityStatus.REVOKED
    assert crowd.changed == [crowd.keys[0], crowd.keys[2_999]]  # nobody else looks any different


def test_alarms_of_tokens_that_were_replaced_do_not_pile_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identities_module, "_SPARE_ALARMS", 10)
    crowd = Crowd(2)
    for end in range(100, 200):
        crowd.publish(0, crowd.token(0, end=end))
        crowd.identities.tick()
    assert len(crowd.identities._alarms) <= 15
    assert crowd.identities.of(crowd.keys[0]).until == NOW + 199
    crowd.wall = NOW + 199 + LEEWAY
    crowd.run()
    assert crowd.status(0) is IdentityStatus.EXPIRED


# -- in the mesh


def vouching(*names: str) -> tuple[Field, Authority]:
    field, authority = Field(), Authority()
    for name in names:
        issuers = Issuers()
        issuers.trust(authority.key_set())
        field.add(name, issuers=issuers)
    return field, authority


def vouch(field: Field, authority: Authority, name: str, **claims: object) -> bytes:
    token = authority.token(field.nodes[name].key, field.wall_ms() / 1000, **claims)  # type: ignore[arg-type]
    field.nodes[name].set_token(token, field.now)
    field.wait(1)
    return token


def test_the_mesh_shows_another_token_and_then_none() -> None:
    field, authority = vouching("alice", "bob", "carol")
    field.chain("alice", "bob", "carol")
    vouch(field, authority, "alice", subject="first", metadata={"n": 1})
    assert field.seen("carol", "alice").identity_service_metadata == {"n": 1}
    vouch(field, authority, "alice", subject="second", metadata={"n": 2})
    seen = field.seen("carol", "alice")
    assert (seen.identity.subject, seen.identity_service_metadata) == ("second", {"n": 2})
    field.nodes["alice"].set_token(None, field.now)
    field.wait(1)
    seen = field.seen("carol", "alice")
    assert seen.identity.status is IdentityStatus.MISSING
    assert seen.identity_service_metadata == {}


def test_a_token_goes_with_the_hello_before_metadata() -> None:
    field, authority = vouching("alice", "bob")
    vouch(field, authority, "alice", metadata={"n": "x" * 15_000})
    field.nodes["alice"].set_metadata(b"\xa1\x61m\x59\x10\x00" + bytes(4_096), field.now)
    field.wait(1)
    field.link("alice", "bob", settle=False)
    assert field.nodes["bob"].identities.of(field.nodes["alice"].key).identity.status is (
        IdentityStatus.VERIFIED
    )


def test_a_hello_brings_the_token_that_its_record_names_also_while_another_waits() -> None:
    field, authority = vouching("alice", "bob", "carol")
    field.link("alice", "carol")
    alice = field.nodes["alice"]
    for subject in ("first", "second", "third"):  # each waits longer until it is published
        token = authority.token(alice.key, field.wall_ms() / 1000, subject=subject)
        alice.set_token(token, field.now)
    record = alice.table.entries()[alice.key].record
    assert record.token != alice._bodies.own_token
    field.link("alice", "bob", settle=False)
    verdict = field.nodes["bob"].identities.of(alice.key)
    assert verdict.identity.status is IdentityStatus.VERIFIED
    field.wait(10)
    assert field.seen("bob", "alice").identity.subject == "third"


def test_a_body_that_is_both_metadata_and_token_serves_for_both() -> None:
    field, authority = vouching("alice", "bob", "carol")
    field.chain("alice", "bob", "carol")
    token = vouch(field, authority, "alice")
    alice = field.nodes["alice"]
    alice.set_metadata(token, field.now)
    field.wait(1)
    alice.set_metadata(None, field.now)
    field.wait(1)
    assert field.seen("carol", "alice").identity.status is IdentityStatus.VERIFIED
    field.add("dave", issuers=Issuers())
    field.link("carol", "dave")
    field.wait(1)
    dave = field.nodes["dave"]
    body = dave.tokens.get(alice.key)
    assert body is not None
    assert body.value == token  # carol had it still, to give it to dave


def test_a_stolen_token_is_no_identity_anywhere() -> None:
    field, authority = vouching("alice", "bob", "mallory")
    field.chain("alice", "bob", "mallory")
    stolen = vouch(field, authority, "alice", metadata={"clearance": "captain"})
    field.nodes["mallory"].set_token(stolen, field.now)
    field.wait(1)
    for name in field.nodes:
        seen = field.seen(name, "mallory")
        assert seen.identity.status is IdentityStatus.KEY_MISMATCH
        assert seen.identity_service_metadata == {}
        assert seen.expired_identity_service_metadata is None
        assert field.seen(name, "alice").identity.status is IdentityStatus.VERIFIED
