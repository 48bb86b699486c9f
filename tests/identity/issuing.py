"""An issuer, its tokens, and things that look like them, for the tests of identity."""

from __future__ import annotations

from typing import Any

from presence_core.codec import cbor, cose
from presence_core.identity.issuer import IssuerKey, KeySet, sign_key_set
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import Identity
from presence_core.identity.token import issue_token

NAME = "Field Office"
KEY = IssuerKey.from_private_bytes(b"k" * 32)
NEXT = IssuerKey.from_private_bytes(b"n" * 32)
STRANGER = IssuerKey.from_private_bytes(b"s" * 32)

ALICE = Identity.from_private_bytes(b"a" * 32).peer_key
BOB = Identity.from_private_bytes(b"b" * 32).peer_key
SMALL_ORDER = b"\1" + bytes(31)

BEGIN = 1_790_000_000
END = BEGIN + 86_400
NOW = BEGIN + 3_600
TYPE = "presence-mesh-id+cwt"
METADATA = {"role": "medic", "beds": 12, "on": [True, None, 1.5]}


def token(key: IssuerKey = KEY, **changes: Any) -> bytes:
    """Return a token of Alice that is valid, but for the changes."""
    settings: dict[str, Any] = {
        "issuer": NAME,
        "subject": "alice",
        "peer_key": ALICE,
        "token_id": b"token-1",
        "not_before": BEGIN,
        "expires_at": END,
        "issued_at": BEGIN,
        "metadata": METADATA,
    }
    return issue_token(key, **(settings | changes))


def claims(**changes: Any) -> dict[int, Any]:
    """Return the claims of a token of Alice by their numbers; ``_9="x"`` adds or replaces one.

    A claim that is None is left out.
    """
    usual: dict[int, Any] = {
        1: NAME,
        2: "alice",
        4: END,
        5: BEGIN,
        6: BEGIN,
        7: b"token-1",
        8: {1: {1: 1, -1: 6, -2: ALICE}},
        -65_537: METADATA,
    }
    for name, value in changes.items():
        usual[int(name[1:])] = value
    return {name: value for name, value in usual.items() if value is not None}


def forge(
    payload: Any, *, header: dict[Any, Any] | None = None, key: IssuerKey = KEY, aad: bytes = b""
) -> bytes:
    """Sign anything as a token, without asking whether it is one."""
    usual: dict[Any, Any] = {1: -19, 4: key.kid, 16: TYPE} if header is None else header
    return cose.sign1(
        payload if isinstance(payload, bytes) else cbor.encode(payload, max_depth=64),
        protected=usual,
        external_aad=aad,
        sign=key.sign,
    )


def damaged(raw: bytes) -> bytes:
    """Change the signature, with which what is signed ends."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def key_set(
    number: int = 1, *keys: IssuerKey, signer: IssuerKey | None = None, issuer: str = NAME
) -> KeySet:
    """Return a key set of some keys (KEY if none is given), signed by the first if not told."""
    keys = keys or (KEY,)
    return sign_key_set(
        signer or keys[0], issuer=issuer, number=number, keys=[key.public_key for key in keys]
    )


def trusting(*sets: KeySet) -> Issuers:
    """Return issuers of which these key sets are trusted; without any, that of KEY."""
    issuers = Issuers()
    for each in sets or (key_set(),):
        issuers.trust(each)
    return issuers


def pad(size: int) -> bytes:
    """Return a token of exactly this size."""
    length = size - 300
    while True:
        made = forge(claims(_3=None) | {-65_537: {"pad": "x" * length}})
        if len(made) == size:
            return made
        length += size - len(made)
