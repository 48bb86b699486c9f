"""What it costs to verify the identity tokens of 10,000 peers, beside the bare signature checks.

All tokens are real: signed by one issuer, each bound to the key of its peer, with a handful of
identity metadata. ``bare`` is nothing but the Ed25519 check of the same signatures under a key that
is loaded already. ``together`` is what a peer does with many tokens, when it joins, and when an
issuer is trusted anew or has new keys: slices of 100, read, then verified, then judged. The budget
is for that. ``one by one`` is the same for each token alone, as when they trickle in; it costs
more, because the caches of the processor have to change sides for every signature.
``time only`` is the same question asked again, when a bound of time or a revocation list came:
no signature is checked. All are measured in turns, slice by slice, in CPU time.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from presence_core.identity.issuer import IssuerKey, sign_key_set
from presence_core.identity.issuers import Issuers
from presence_core.identity.keys import Identity
from presence_core.identity.token import issue_token, parse_token
from presence_core.identity.verdict import Verdict
from presence_core.model import IdentityStatus

BUDGET = 1.3
SLICE = 100
BEGIN = 1_790_000_000
END = BEGIN + 86_400
NOW = BEGIN + 3_600.0


def make(peers: int) -> tuple[list[tuple[bytes, bytes]], IssuerKey]:
    """Issue a token to each peer."""
    key = IssuerKey.generate()
    tokens = []
    for number in range(peers):
        peer = Identity.from_private_bytes(hashlib.sha256(b"%d" % number).digest()).peer_key
        metadata = {
            "name": f"Person {number}", "role": "medic", "team": number % 40, "on_call": True,
            "skills": ["triage", "radio"],
        }  # fmt: skip
        raw = issue_token(
            key,
            issuer="Field Office",
            subject=f"person-{number}@example.org",
            peer_key=peer,
            token_id=number.to_bytes(16, "big"),
            not_before=BEGIN,
            expires_at=END,
            issued_at=BEGIN,
            metadata=metadata,
        )
        tokens.append((raw, peer))
    return tokens, key


def trusting(key: IssuerKey) -> Issuers:
    issuers = Issuers()
    issuers.trust(sign_key_set(key, issuer="Field Office", number=1, keys=[key.public_key]))
    return issuers


def spent(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def expect(verdicts: list[Verdict], status: IdentityStatus) -> None:
    if any(verdict.identity.status is not status for verdict in verdicts):
        raise SystemExit(f"not every token is {status}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--short", action="store_true", help="a fifth of the peers")
    args = parser.parse_args()
    peers = args.peers // 5 if args.short else args.peers
    tokens, key = make(peers)
    signed = [(token.signature, token.signed) for token in (parse_token(raw) for raw, _ in tokens)]
    public = Ed25519PublicKey.from_public_bytes(key.public)
    alone, together = trusting(key), trusting(key)
    gc.collect()
    gc.freeze()  # what waits to be verified is not garbage to look through while one measures

    verdicts: dict[str, list[Verdict]] = {"one by one": [], "together": [], "time only": []}
    cost = dict.fromkeys(["bare", *verdicts], 0.0)
    for at in range(0, peers, SLICE):
        some = tokens[at : at + SLICE]

        def bare(at: int = at) -> None:
            for signature, data in signed[at : at + SLICE]:
                public.verify(signature, data)

        def one_by_one(some: list[tuple[bytes, bytes]] = some) -> None:
            verdicts["one by one"] += [alone.check(raw, peer, NOW) for raw, peer in some]

        def all_together(some: list[tuple[bytes, bytes]] = some) -> None:
            verdicts["together"] += together.check_all(some, NOW)

        def time_only(some: list[tuple[bytes, bytes]] = some) -> None:
            verdicts["time only"] += alone.check_all(some, END + 3_600.0)

        for name, work in (
            ("bare", bare),
            ("one by one", one_by_one),
            ("together", all_together),
            ("time only", time_only),
        ):
            cost[name] += spent(work)
    expect(verdicts["one by one"] + verdicts["together"], IdentityStatus.VERIFIED)
    expect(verdicts["time only"], IdentityStatus.EXPIRED)

    size = sum(len(raw) for raw, _ in tokens) / peers
    print(f"{peers:,} tokens of {peers:,} peers, {size:.0f} bytes each in the mean")
    print(f"{'':14}{'CPU µs/token':>14}{'of bare':>10}{'a slice of 100, ms':>20}")
    for name, seconds in cost.items():
        each = seconds / peers
        print(f"{name:14}{each * 1e6:14.1f}{seconds / cost['bare']:10.2f}{each * 1e5:20.1f}")
    kept = cost["together"] <= BUDGET * cost["bare"]
    print(f"budget of {BUDGET} times bare for many together: {'kept' if kept else 'NOT kept'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
