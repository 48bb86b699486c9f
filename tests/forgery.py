"""Records as no honest peer makes them: well signed nonsense, and ill signed sense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from presence_core.codec import cbor, cose
from presence_core.gossip.record import external_aad
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey


def forge(
    signer: Identity,
    mesh: MeshKey,
    *,
    epoch: int,
    seq: int,
    name: str,
    key: bytes | None = None,
    edges: Sequence[tuple[bytes, int, int]] = (),
    metadata: tuple[bytes, int] | None = None,
) -> bytes:
    """Sign a record without asking whether it is one. ``key``: whom it claims to be of."""
    payload: dict[int, Any] = {
        1: key or signer.peer_key,
        2: epoch,
        3: seq,
        4: 1_790_000_000,
        5: 3_600,
        6: name,
    }
    if metadata is not None:
        payload[9] = list(metadata)
    payload[11] = [list(edge) for edge in sorted(edges)]
    return cose.sign1(
        cbor.encode(payload),
        protected={cose.ALG: cose.ED25519},
        external_aad=external_aad(mesh),
        sign=signer.sign,
    )


def rename(raw: bytes, old: str, new: str) -> bytes:
    """Change a name in a record, and leave its signature as it was. Both are equally long."""
    assert len(old) == len(new)
    changed = raw.replace(old.encode(), new.encode(), 1)
    assert changed != raw
    return changed
