"""The test vectors of identity in docs/protocol.md, made from our own code with fixed keys.

``python -m tests.identity.vectors`` prints them; a test compares them with the document.
"""

from __future__ import annotations

from presence_core.codec import cose
from presence_core.identity.issuer import (
    MAX_OBJECT,
    IssuerKey,
    object_text,
    sign_key_set,
    sign_revocations,
)
from presence_core.identity.keys import Identity
from presence_core.identity.token import issue_token
from presence_core.identity.verdict import MAX_TOKEN

AAD = b"presence-mesh/issuer/1"


def vectors() -> dict[str, str]:
    """Return name and value of each vector; bytes are in hexadecimal."""
    alice = Identity.from_private_bytes(bytes(range(32)))
    bob = Identity.from_private_bytes(bytes(range(32, 64)))
    key = IssuerKey.from_private_bytes(bytes(range(96, 128)))
    following = IssuerKey.from_private_bytes(bytes(range(128, 160)))
    token = issue_token(
        key,
        issuer="Field Office",
        subject="alice@example.org",
        peer_key=alice.peer_key,
        token_id=bytes(range(16)),
        not_before=1_790_000_000,
        expires_at=1_790_086_400,
        issued_at=1_790_000_000,
        metadata={"role": "medic", "on call": True},
    )
    keys = sign_key_set(
        key,
        issuer="Field Office",
        number=2,
        keys=[key.public_key, following.public_key],
        issued_at=1_790_000_000,
    )
    revoked = sign_revocations(
        key,
        issuer="Field Office",
        number=1,
        token_ids=[bytes(range(16, 32))],
        peer_keys=[bob.peer_key],
        issued_at=1_790_000_000,
    )
    of_token = cose.parse_sign1(token, max_size=MAX_TOKEN)
    of_keys = cose.parse_sign1(keys.raw, max_size=MAX_OBJECT)
    return {
        "issuer private key": key.private_bytes().hex(),
        "issuer public key": key.public.hex(),
        "issuer key id": key.kid.hex(),
        "next private key": following.private_bytes().hex(),
        "next public key": following.public.hex(),
        "next key id": following.kid.hex(),
        "token of alice, signed bytes": of_token.to_be_signed(b"").hex(),
        "token of alice": token.hex(),
        "key set, signed bytes": of_keys.to_be_signed(AAD).hex(),
        "key set": keys.raw.hex(),
        "key set, text without comments": "".join(
            line for line in object_text(keys).splitlines() if not line.startswith("#")
        ),
        "revocation list": revoked.raw.hex(),
    }


if __name__ == "__main__":
    for name, value in vectors().items():
        print(f"{name} = {value}")
