"""The test vectors of docs/protocol.md, made from our own code with fixed keys.

``python -m tests.gossip.vectors`` prints them; a test compares them with the document.
"""

from __future__ import annotations

import hashlib

from presence_core.codec import cbor
from presence_core.discovery.ble_advert import advert_uuid
from presence_core.gossip.messages import (
    BodyChunk,
    BodyWant,
    Have,
    Hello,
    Peers,
    Records,
    Summary,
    Want,
)
from presence_core.gossip.record import Body, Edge, sign_record
from presence_core.gossip.table import Table
from presence_core.identity.keys import Identity, peer_key_text, safety_number, short_id
from presence_core.identity.mesh import MeshKey


def vectors() -> dict[str, str]:
    """Return name and value of each vector; bytes are in hexadecimal."""
    alice = Identity.from_private_bytes(bytes(range(32)))
    bob = Identity.from_private_bytes(bytes(range(32, 64)))
    mesh = MeshKey(bytes(range(64, 96)), "vectors")
    metadata = cbor.encode({"role": "medic", "beds": 12})
    body = Body(hashlib.sha256(metadata).digest(), len(metadata))
    record = sign_record(
        alice,
        mesh,
        epoch=1_790_000_000_000,
        seq=1,
        issued_at=1_790_000_000,
        name="alice",
        os="Linux",
        version="0.1.0",
        metadata=body,
        edges=[Edge(bob.peer_key, 1, 1_790_000_000)],
    )
    table = Table(bob.peer_key)
    table.accept(record, 0, 0, None)
    hello = Hello(
        versions=(1,),
        now_ms=1_790_000_000_000,
        record=record.raw,
        root=table.root(),
        count=1,
        addresses=("tcp:47700",),
        bodies=(metadata,),
    )
    return {
        "alice private key": alice.private_bytes().hex(),
        "alice peer key": alice.peer_key.hex(),
        "alice peer key, text": peer_key_text(alice.peer_key),
        "alice short id": short_id(alice.peer_key),
        "bob peer key": bob.peer_key.hex(),
        "safety number of both": safety_number(alice.peer_key, bob.peer_key),
        "mesh key": mesh.secret.hex(),
        "mesh key, text": mesh.text(),
        "mesh id": mesh.mesh_id.hex(),
        "noise psk": mesh.psk.hex(),
        "noise prologue": mesh.prologue.hex(),
        "advert tag, hour 497222": mesh.advert_tag(497_222).hex(),
        "instance name of alice": mesh.instance_name(alice.peer_key, 1_790_000_000_000),
        "Bluetooth advert of alice, quarter 1988888": str(
            advert_uuid(mesh, alice.peer_key, 1_988_888)
        ),
        "mesh id of the open mesh 'field'": MeshKey.from_name("field").mesh_id.hex(),
        "metadata body": metadata.hex(),
        "record": record.raw.hex(),
        "record hash": record.hash.hex(),
        "table root of this record alone": table.root().hex(),
        "Hello body": hello.encode().hex(),
        "Records body": Records(((0, record.raw),)).encode().hex(),
        "Summary body (depth 0)": Summary(0, ((0, table.root()),)).encode().hex(),
        "Summary body (the same here)": Summary(0, ()).encode().hex(),
        "Summary body (depth 1)": Summary(1, tuple(table.digests())).encode().hex(),
        "Have body": Have(((alice.peer_key[:8], record.hash[:4]),)).encode().hex(),
        "Want body": Want((alice.peer_key[:8],)).encode().hex(),
        "Peers body": Peers(((alice.peer_key, ("192.0.2.1:47700",)),)).encode().hex(),
        "BodyWant body": BodyWant(body.sha256, 0).encode().hex(),
        "BodyChunk body": BodyChunk(body.sha256, body.size, 0, metadata).encode().hex(),
        "Ping body (number 1)": cbor.encode([1, 1_790_000_000_000]).hex(),
        "Bye body (leaving)": cbor.encode([1]).hex(),
    }


if __name__ == "__main__":
    for name, value in vectors().items():
        print(f"{name} = {value}")
