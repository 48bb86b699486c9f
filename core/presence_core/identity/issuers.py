"""The issuers of identity that are trusted here.

Many meshes have none, and no tokens: what reads and checks those is loaded when there is one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from presence_core.value_object import entity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.identity.issuer import KeySet, RevocationList, SignedObject
    from presence_core.identity.verdict import Taken, Verdict
    from presence_core.identity.verify import Verifier


@entity
class Trusted:
    """What is in force of one issuer."""

    keys: KeySet
    revoked: RevocationList | None = None


class Issuers:
    """The issuers that are trusted here, and their verdicts on tokens.

    ``version`` grows whenever a verdict may have changed.
    """

    def __init__(self) -> None:
        self.version = 0
        self.trusted: dict[str, Trusted] = {}
        """By name. Only the verifier adds to it."""

    @cached_property
    def _verifier(self) -> Verifier:
        from presence_core.identity.verify import Verifier  # 0.2 MB, for who has something to check

        return Verifier(self)

    # -- what is trusted

    def trust(self, key_set: KeySet) -> Taken:
        """See :meth:`Verifier.trust`."""
        return self._verifier.trust(key_set)

    def restore(self, kept: SignedObject) -> Taken:
        """See :meth:`Verifier.restore`."""
        return self._verifier.restore(kept)

    def consider(self, raw: bytes) -> tuple[Taken, str, SignedObject | None]:
        """See :meth:`Verifier.consider`."""
        return self._verifier.consider(raw)

    def take(self, raw: bytes) -> tuple[Taken, str]:
        """Do the same, and return what became of it, and why it is not in force."""
        return self._verifier.consider(raw)[:2]

    def weigh(self, signed: SignedObject) -> tuple[Taken, str]:
        """See :meth:`Verifier.weigh`."""
        return self._verifier.weigh(signed)

    def distrust(self, issuer: str) -> bool:
        """Forget an issuer, its keys and its revocations; return whether it was trusted."""
        if self.trusted.pop(issuer, None) is None:
            return False
        self.version += 1
        return True

    def names(self) -> tuple[str, ...]:
        """Return the names of the trusted issuers, in order."""
        return tuple(sorted(self.trusted))

    def key_set(self, issuer: str) -> KeySet | None:
        """Return the key set in force of an issuer, None if it is not trusted."""
        trusted = self.trusted.get(issuer)
        return None if trusted is None else trusted.keys

    def revocations(self, issuer: str) -> RevocationList | None:
        """Return the revocation list in force of an issuer, None if there is none."""
        trusted = self.trusted.get(issuer)
        return None if trusted is None else trusted.revoked

    def objects(self) -> tuple[bytes, ...]:
        """Return what is in force of every issuer, to hand on: key set, then revocation list."""
        return tuple(
            signed.raw
            for name in self.names()
            for signed in (self.trusted[name].keys, self.trusted[name].revoked)
            if signed is not None
        )

    # -- what follows for a token

    def check(self, raw: bytes, peer_key: bytes, now: float) -> Verdict:
        """See :meth:`Verifier.check`."""
        return self._verifier.check(raw, peer_key, now)

    def check_all(self, tokens: Sequence[tuple[bytes, bytes]], now: float) -> list[Verdict]:
        """See :meth:`Verifier.check_all`."""
        return self._verifier.check_all(tokens, now) if tokens else []
