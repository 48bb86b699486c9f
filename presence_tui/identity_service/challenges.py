"""Challenges: what a peer key signs to prove that it is held now, and not some time before."""

from __future__ import annotations

import hmac
import secrets
from collections import deque

from presence_tui.identity_service.wire import CHALLENGE_SECONDS

NONCE_BYTES = 16
TAG_BYTES = 16
TIME_BYTES = 8
CHALLENGE_BYTES = TIME_BYTES + NONCE_BYTES + TAG_BYTES

MAX_SPENT = 65_536
"""Challenges that are remembered as used; each for as long as it could be used again."""


class ChallengeError(ValueError):
    """A challenge that does not count: why, and what to do."""


class Challenges:
    """Hands out challenges, and takes each of them once.

    One that was handed out costs no memory: it carries its time, under a key that only this
    process knows. So nobody can push out the challenges of others by asking for many. What is
    remembered are those that were used. ``now`` is monotonic, in seconds.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._spent: set[bytes] = set()
        self._order: deque[tuple[float, bytes]] = deque()

    def new(self, now: float) -> bytes:
        """Return a new challenge, good for 60 s."""
        head = int(now * 1_000).to_bytes(TIME_BYTES, "big") + secrets.token_bytes(NONCE_BYTES)
        return head + self._tag(head)

    def spend(self, challenge: bytes, now: float) -> None:
        """Take a challenge; it is used from now on. Raises ChallengeError."""
        head, tag = challenge[:-TAG_BYTES], challenge[-TAG_BYTES:]
        if len(challenge) != CHALLENGE_BYTES or not hmac.compare_digest(tag, self._tag(head)):
            raise ChallengeError("the challenge is not of this service, or from before its start")
        ends = int.from_bytes(head[:TIME_BYTES], "big") / 1_000 + CHALLENGE_SECONDS
        if now > ends:
            raise ChallengeError(f"the challenge is older than {CHALLENGE_SECONDS} s")
        self._forget(now)
        if challenge in self._spent:
            raise ChallengeError("the challenge was used already")
        if len(self._spent) >= MAX_SPENT:
            raise ChallengeError("more logins than the service can remember")
        self._spent.add(challenge)
        self._order.append((now + CHALLENGE_SECONDS, challenge))

    def _forget(self, now: float) -> None:
        while self._order and self._order[0][0] < now:
            self._spent.discard(self._order.popleft()[1])

    def _tag(self, head: bytes) -> bytes:
        return hmac.digest(self._key, b"challenge" + head, "sha256")[:TAG_BYTES]
