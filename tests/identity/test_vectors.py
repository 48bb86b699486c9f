from __future__ import annotations

import re
from pathlib import Path

from presence_core.identity.issuer import parse_object, read_object
from presence_core.identity.issuers import Issuers
from presence_core.identity.verdict import Taken
from presence_core.model import IdentityStatus
from tests.gossip.vectors import vectors as common_vectors
from tests.identity.vectors import vectors

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"


def documented() -> dict[str, str]:
    block = re.search(r"```identity-vectors\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return dict(line.split(" = ", 1) for line in block[1].splitlines())


def test_the_vectors_of_the_protocol_are_what_the_code_makes() -> None:
    assert documented() == vectors(), "run: python -m tests.identity.vectors"


def test_the_vectors_of_the_protocol_hold() -> None:
    said = documented()
    alice = bytes.fromhex(common_vectors()["alice peer key"])
    issuers = Issuers()
    keys = parse_object(read_object(said["key set, text without comments"]))
    assert keys.raw.hex() == said["key set"]
    assert issuers.trust(keys) is Taken.NEWS  # type: ignore[arg-type]
    assert issuers.take(bytes.fromhex(said["revocation list"])) == (Taken.NEWS, "")
    verdict = issuers.check(bytes.fromhex(said["token of alice"]), alice, 1_790_000_000)
    assert verdict.identity.status is IdentityStatus.VERIFIED
    assert verdict.metadata == {"role": "medic", "on call": True}
    assert verdict.identity.key_id == said["issuer key id"]
