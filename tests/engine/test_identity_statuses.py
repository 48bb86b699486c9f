"""Each of the twelve identity statuses, by a real record or token, as it is seen two hops away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from presence_core.codec import cbor, cose
from presence_core.gossip.messages import BodyChunk, Records
from presence_core.gossip.record import Body, sign_record
from presence_core.handshake.events import MessageType
from presence_core.identity.issuers import Issuers
from presence_core.identity.token import LEEWAY
from presence_core.identity.verdict import MAX_TOKEN
from presence_core.model import IdentityStatus
from presence_core.schema import graph_to_json, peer_to_json
from tests.authority import DAY, Authority
from tests.engine.field import MESH, Field

SECRET = {"clearance": "captain"}


class Scene(Field):
    """Alice, whose token it is about; bob, between; carol, who looks; mallory beside bob."""

    def __init__(self) -> None:
        super().__init__()
        self.authority = Authority()
        for name in ("alice", "bob", "carol", "mallory"):
            issuers = Issuers()
            issuers.trust(self.authority.key_set())
            self.add(name, issuers=issuers)
        self.chain("alice", "bob", "carol")
        self.link("mallory", "bob")

    def wall(self) -> float:
        return self.wall_ms() / 1000

    def token(self, **claims: Any) -> bytes:
        claims.setdefault("metadata", SECRET)
        return self.authority.token(self.nodes["alice"].key, self.wall(), **claims)

    def publish(self, token: bytes | None) -> None:
        self.nodes["alice"].set_token(token, self.now)
        self.wait(1)

    def announce(self, token: bytes) -> None:
        """Sign a record for alice that names a token which nobody has yet."""
        self.wait(5)  # until alice says nothing more: she would outdo what is not from her
        alice = self.nodes["alice"]
        entry = alice.table.get(alice.key)
        assert entry is not None
        record = sign_record(
            self.identities["alice"],
            MESH,
            epoch=entry.record.epoch,
            seq=entry.record.seq + 100,
            issued_at=int(self.wall()),
            name="alice",
            token=Body(hashlib.sha256(token).digest(), len(token)),
            edges=entry.record.edges,
        )
        self.say("alice", "bob", MessageType.RECORDS, Records(((0, record.raw),)).encode())
        self.wait(1)


def resigned(token: bytes, **changes: Any) -> bytes:
    """Take a token apart, and put it together with another header or signature."""
    header, _, payload, signature = cbor.decode(token, max_size=MAX_TOKEN)
    protected = cbor.decode(header, max_size=1_024) | changes.get("header", {})
    return cbor.encode([cbor.encode(protected), {}, payload, changes.get("sign", signature)])


def missing(scene: Scene) -> None:
    scene.publish(scene.token())
    scene.publish(None)


def pending(scene: Scene) -> None:
    scene.announce(scene.token())


def oversize(scene: Scene) -> None:
    scene.publish(b"t" * (MAX_TOKEN + 1))


def malformed(scene: Scene) -> None:
    scene.publish(b"this is no token")


def unsupported_alg(scene: Scene) -> None:
    scene.publish(resigned(scene.token(), header={cose.ALG: -7}))


def unknown_issuer(scene: Scene) -> None:
    stranger = Authority("Somebody Else")
    alice = scene.nodes["alice"].key
    scene.publish(stranger.token(alice, scene.wall(), metadata=SECRET))


def bad_signature(scene: Scene) -> None:
    scene.publish(resigned(scene.token(), sign=bytes(64)))


def key_mismatch(scene: Scene) -> None:
    mallory = scene.nodes["mallory"].key
    stolen = scene.authority.token(mallory, scene.wall(), metadata=SECRET)
    scene.nodes["mallory"].set_token(stolen, scene.now)
    scene.publish(stolen)


def revoked(scene: Scene) -> None:
    scene.publish(scene.token())
    taken_back = scene.authority.revoke(scene.nodes["alice"].key)
    scene.nodes["alice"].issuers.take(taken_back.raw)
    scene.nodes["alice"].tell_issuer(scene.authority.name)
    scene.wait(1)


def not_yet_valid(scene: Scene) -> None:
    scene.publish(scene.token(begin=LEEWAY + 60))


def expired(scene: Scene) -> None:
    scene.publish(scene.token(begin=-DAY, end=-LEEWAY - 60))


def verified(scene: Scene) -> None:
    scene.publish(scene.token(subject="alice@harbour"))


WAYS: dict[IdentityStatus, Callable[[Scene], None]] = {
    IdentityStatus.MISSING: missing,
    IdentityStatus.PENDING: pending,
    IdentityStatus.OVERSIZE: oversize,
    IdentityStatus.MALFORMED: malformed,
    IdentityStatus.UNSUPPORTED_ALG: unsupported_alg,
    IdentityStatus.UNKNOWN_ISSUER: unknown_issuer,
    IdentityStatus.BAD_SIGNATURE: bad_signature,
    IdentityStatus.KEY_MISMATCH: key_mismatch,
    IdentityStatus.REVOKED: revoked,
    IdentityStatus.NOT_YET_VALID: not_yet_valid,
    IdentityStatus.EXPIRED: expired,
    IdentityStatus.VERIFIED: verified,
}


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    text = resources.files("presence_core").joinpath("schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def test_all_statuses_are_here() -> None:
    assert tuple(WAYS) == tuple(IdentityStatus)


@pytest.mark.parametrize("status", list(IdentityStatus), ids=str)
def test_a_status_is_seen_two_hops_away(
    status: IdentityStatus, schema: Draft202012Validator
) -> None:
    scene = Scene()
    WAYS[status](scene)
    graph = graph_to_json(scene.graph("carol"))
    schema.validate(graph)
    peer = peer_to_json(scene.seen("carol", "alice"))
    assert peer in graph["remotePeers"]
    assert peer["presence"]["hops"] == 2
    assert peer["identity"]["status"] == str(status)
    assert len(peer["identity"]["reason"]) > 20
    assert peer["identityServiceMetadata"] == (SECRET if status is IdentityStatus.VERIFIED else {})
    expired_metadata = peer.get("expiredIdentityServiceMetadata")
    assert expired_metadata == (SECRET if status is IdentityStatus.EXPIRED else None)
    if status not in (IdentityStatus.VERIFIED, IdentityStatus.EXPIRED):
        assert "captain" not in json.dumps(peer)
    if status is IdentityStatus.VERIFIED:
        assert peer["identity"]["issuer"] == "Harbour Rescue"
        assert peer["identity"]["subject"] == "alice@harbour"
        assert peer["identity"]["keyId"] == scene.authority.key.kid.hex()
        assert graph["counts"]["verified"] == 1


def test_an_oversize_token_is_never_asked_for() -> None:
    scene = Scene()
    before = scene.carried["bob", MessageType.BODY_WANT]
    oversize(scene)
    assert scene.carried["bob", MessageType.BODY_WANT] == before


def test_what_arrives_late_is_judged_when_it_is_here() -> None:
    scene = Scene()
    token = scene.token()
    scene.announce(token)
    assert scene.seen("carol", "alice").identity.status is IdentityStatus.PENDING
    chunk = BodyChunk(hashlib.sha256(token).digest(), len(token), 0, token).encode()
    scene.say("bob", "carol", MessageType.BODY_CHUNK, chunk)
    scene.settle()
    assert scene.seen("carol", "alice").identity.status is IdentityStatus.VERIFIED
