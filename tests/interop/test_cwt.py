"""Tokens and key sets beside the library ``cwt``: each end reads what the other has signed.

`make test-interop` builds the environment that it lives in; it cannot share ours.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from presence_core.codec import cbor
from presence_core.identity.issuer import IssuerKey, parse_object, sign_revocations
from presence_core.identity.issuers import Issuers
from presence_core.identity.verdict import Taken
from presence_core.model import IdentityStatus
from tests.identity.issuing import (
    ALICE,
    BOB,
    KEY,
    METADATA,
    NAME,
    NEXT,
    TYPE,
    claims,
    damaged,
    key_set,
    token,
    trusting,
)

FOLDER = Path(__file__).parent
PYTHON = FOLDER.parents[1] / ".venv-cwt" / "bin" / "python"
AAD = b"presence-mesh/issuer/1"
OBJECT_TYPE = "presence-mesh-issuer+cbor"

Ask = Callable[..., bytes]


class ForeignError(Exception):
    """What the other library says when it refuses something."""


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Ask the other library for something; bytes in, bytes out."""
    installed = list(PYTHON.parents[1].glob("lib/python*/site-packages/cwt"))
    if not installed:
        pytest.skip("there is no .venv-cwt with the library cwt: `make test-interop` builds it")
    command = [str(PYTHON), str(FOLDER / "foreign.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def asking(do: str, **request: Any) -> bytes:
            plain = {
                name: value.hex() if isinstance(value, bytes) else value
                for name, value in request.items()
            }
            print(json.dumps({"do": do, **plain}), file=stdin, flush=True)
            said = json.loads(stdout.readline())
            if "error" in said:
                raise ForeignError(said["error"])
            return bytes.fromhex(said["found"])

        yield asking
        stdin.close()


def public(key: IssuerKey) -> bytes:
    """Return a key as it stands in our key sets."""
    listed = cbor2.loads(cbor2.loads(key_set(1, key).raw)[2])[5]
    return cbor.encode(listed[0])


def private(key: IssuerKey) -> str:
    return f"{key.private_bytes().hex()}:{key.public.hex()}:{key.kid.hex()}"


def times() -> dict[str, int]:
    """Return a validity that holds now: the other library has a clock of its own."""
    now = int(time.time())
    return {"_4": now + 3_600, "_5": now - 60, "_6": now - 60}


def test_our_token_is_theirs(ask: Ask) -> None:
    now = int(time.time())
    raw = token(not_before=now - 60, expires_at=now + 3_600, issued_at=now - 60)
    found = cbor2.loads(ask("claims", signed=raw, key=public(KEY)))
    assert found == claims(_4=now + 3_600, _5=now - 60, _6=now - 60)
    assert found[8][1] == {1: 1, -1: 6, -2: ALICE}
    assert found[-65_537] == METADATA
    with pytest.raises(ForeignError, match="VerifyError"):
        ask("claims", signed=damaged(raw), key=public(KEY))
    with pytest.raises(ForeignError, match="key is not found"):
        ask("claims", signed=raw, key=public(NEXT))


def test_our_token_runs_out_there_too(ask: Ask) -> None:
    with pytest.raises(ForeignError, match="expired"):
        ask("claims", signed=token(not_before=1, expires_at=2), key=public(KEY))


def test_our_key_set_and_our_revocation_list_hold_there(ask: Ask) -> None:
    revoked = sign_revocations(KEY, issuer=NAME, number=2, token_ids=[b"1"], peer_keys=[BOB])
    for signed in (key_set(1, KEY, NEXT), revoked):
        payload = ask("payload", signed=signed.raw, key=public(KEY), aad=AAD)
        assert cbor2.loads(payload)[2] == NAME
        with pytest.raises(ForeignError, match="VerifyError"):
            ask("payload", signed=signed.raw, key=public(KEY), aad=b"")


def sign(ask: Ask, payload: Any, *, header: Any = None, aad: bytes = b"", alg: int = -19) -> bytes:
    """Let the other library sign something with the header of ours."""
    usual = {1: alg, 4: KEY.kid, 16: TYPE}
    return ask(
        "sign", key=private(KEY), payload=cbor.encode(payload), header=cbor.encode(header or usual),
        aad=aad, algorithm=alg,
    )  # fmt: skip


def test_their_token_is_ours(ask: Ask) -> None:
    raw = sign(ask, claims(**times()))
    issuers = trusting()
    verdict = issuers.check(raw, ALICE, time.time())
    assert verdict.identity.status is IdentityStatus.VERIFIED
    assert verdict.identity.subject == "alice"
    assert verdict.metadata == METADATA
    assert issuers.check(raw, BOB, time.time()).identity.status is IdentityStatus.KEY_MISMATCH
    wrong = issuers.check(damaged(raw), ALICE, time.time())
    assert wrong.identity.status is IdentityStatus.BAD_SIGNATURE


def test_their_token_with_the_old_number_of_the_algorithm_is_not(ask: Ask) -> None:
    raw = sign(ask, claims(**times()), alg=-8)
    verdict = trusting().check(raw, ALICE, time.time())
    assert verdict.identity.status is IdentityStatus.UNSUPPORTED_ALG


def test_their_usual_token_has_another_form(ask: Ask) -> None:
    payload = cbor.encode(claims(**times()))
    raw = ask("issue", key=private(KEY), payload=payload, algorithm=-19)
    verdict = trusting().check(raw, ALICE, time.time())
    assert verdict.identity.status is IdentityStatus.MALFORMED


def test_their_key_set_is_ours(ask: Ask) -> None:
    ours = key_set(4, KEY, NEXT)
    header = {1: -19, 4: KEY.kid, 16: OBJECT_TYPE}
    theirs = sign(ask, cbor2.loads(cbor2.loads(ours.raw)[2]), header=header, aad=AAD)
    assert parse_object(theirs) == ours
    assert trusting(key_set(1, KEY)).take(theirs) == (Taken.NEWS, "")
    assert Issuers().take(theirs)[0] is Taken.UNKNOWN_ISSUER
