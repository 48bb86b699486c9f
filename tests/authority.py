"""An issuer of identity for tests: real keys, real signatures, one name."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from typing import Any

from presence_core.identity.issuer import (
    IssuerKey,
    KeySet,
    RevocationList,
    sign_key_set,
    sign_revocations,
)
from presence_core.identity.token import issue_token

DAY = 86_400


class Authority:
    """Signs with the newest of its keys. With ``rng`` it is the same in each run."""

    def __init__(self, name: str = "Harbour Rescue", rng: random.Random | None = None) -> None:
        self.name = name
        self._bytes = secrets.token_bytes if rng is None else rng.randbytes
        self.keys = [self._new_key()]
        self.number = 1
        self._revoked = 0

    def _new_key(self) -> IssuerKey:
        return IssuerKey.from_private_bytes(self._bytes(32))

    @property
    def key(self) -> IssuerKey:
        """The key that tokens are signed with now."""
        return self.keys[-1]

    def key_set(self, *, keep: int = 16, signer: IssuerKey | None = None) -> KeySet:
        """Sign the newest keys, with the oldest that is in use unless told otherwise."""
        return sign_key_set(
            signer or self.keys[0],
            issuer=self.name,
            number=self.number,
            keys=[key.public_key for key in self.keys[-keep:]],
        )

    def rotate(self, *, keep: int = 16) -> KeySet:
        """Take a new key into use, and sign the set with the one before."""
        signer = self.key
        self.keys.append(self._new_key())
        self.number += 1
        return self.key_set(keep=keep, signer=signer)

    def revoke(
        self, *peer_keys: bytes, token_ids: tuple[bytes, ...] = (), number: int | None = None
    ) -> RevocationList:
        """Sign the next revocation list, or one of this number."""
        self._revoked = self._revoked + 1 if number is None else number
        return sign_revocations(
            self.key,
            issuer=self.name,
            number=self._revoked,
            token_ids=token_ids,
            peer_keys=peer_keys,
        )

    def token(
        self,
        peer_key: bytes,
        now: float,
        *,
        subject: str = "someone",
        begin: float = 0.0,
        end: float = DAY,
        token_id: bytes | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Issue a token; ``begin`` and ``end`` in seconds from now."""
        return issue_token(
            self.key,
            issuer=self.name,
            subject=subject,
            peer_key=peer_key,
            token_id=token_id or self._bytes(16),
            not_before=int(now + begin),
            expires_at=int(now + end),
            issued_at=int(now),
            metadata={"role": "medic"} if metadata is None else metadata,
        )
