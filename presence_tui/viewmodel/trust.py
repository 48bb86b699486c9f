"""What a person here has decided about a peer key, what can be decided, and what there is to mind.

A decision is about a key, never about a name: the question shows both, and the safety number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.identity.keys import KeyFormatError, parse_peer_key, safety_number
from presence_core.model import Peer, Trust
from presence_tui.viewmodel.page import BLANK, Line, Page, Span, Tone, fact, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LABEL = 10
_WARNING_CHARACTERS = 400
_NAMED = 12

BLOCKED = Span("✗ blocked", Tone.BAD)
"""How a blocked peer is shown, wherever somebody else is said to be verified."""

_TRUST: dict[Trust, tuple[str, Tone, str]] = {
    Trust.UNKNOWN: ("unknown", Tone.WARNING, "this key has not been met before on this device"),
    Trust.SEEN: (
        "seen",
        Tone.PLAIN,
        "met before under this same key, but nobody here has compared it with its owner",
    ),
    Trust.VERIFIED: (
        "verified",
        Tone.GOOD,
        "somebody at this device compared the safety number with its owner: the key is theirs",
    ),
    Trust.BLOCKED: (
        "blocked",
        Tone.BAD,
        "blocked at this device: no link to this key is dialled or let in",
    ),
}


def trust_words(trust: Trust) -> tuple[str, Tone, str]:
    """Return the word for a trust state, its tone, and what it means."""
    return _TRUST[trust]


def cautions(peer: Peer) -> Iterator[Line]:
    """Yield what must be minded about a peer, whatever else is said of it."""
    if peer.key_warning is not None:
        words = safe_text(peer.key_warning, limit=_WARNING_CHARACTERS)
        yield line(Span("! key warning: ", Tone.WARNING), words, hang=2)
    if peer.trust is Trust.BLOCKED:
        yield line(BLOCKED, Span(" at this device: no link to this key", Tone.DIM), hang=2)


def grouped(text: str, size: int, per_row: int) -> list[str]:
    """Return a text in groups of ``size`` characters, ``per_row`` groups to a row."""
    groups = [text[at : at + size] for at in range(0, len(text), size)]
    return [" ".join(groups[at : at + per_row]) for at in range(0, len(groups), per_row)]


@lru_cache(maxsize=64)
def safety_rows(own_key: str, peer_key: str) -> tuple[str, ...]:
    """Return the safety number of two keys as three rows of four groups of five digits.

    Empty when one of them is no peer key. The same for both ends.
    """
    try:
        number = safety_number(parse_peer_key(own_key), parse_peer_key(peer_key))
    except KeyFormatError:
        return ()
    digits = "".join(char for char in number if char.isdigit())
    return tuple(grouped(digits, 5, 4))


class Decision(StrEnum):
    """What a person can decide about a peer key."""

    VERIFY = "verify"
    BLOCK = "block"
    FORGET = "forget"


DECISIONS = {
    Decision.VERIFY: "you have compared the safety number with its owner",
    Decision.BLOCK: "no link to its key, from now on",
    Decision.FORGET: "treat its key as one that was never met; unblocks it",
}
"""What each decision means."""

_NEEDLESS = {
    Trust.VERIFIED: Decision.VERIFY,
    Trust.BLOCKED: Decision.BLOCK,
    Trust.UNKNOWN: Decision.FORGET,
}
"""What would change nothing in a trust state."""


def possible(decision: Decision, local: Peer, peer: Peer) -> bool:
    """Whether a decision about a peer would change anything; nobody decides about his own key."""
    return peer.peer_key != local.peer_key and _NEEDLESS.get(peer.trust) is not decision


@dataclass(frozen=True, slots=True)
class Question:
    """A question before something is done. ``yes`` and ``no``: what either answer means."""

    title: str
    page: Page
    yes: str
    no: str


def question(decision: Decision, local: Peer, peer: Peer) -> Question:
    """Return what is asked before a decision about a peer is carried out."""
    who = (
        line(Span(_name(peer), Tone.STRONG), Span(f"  {safe_text(peer.short_id)}", Tone.KEY)),
        *cautions(peer),
        BLANK,
    )
    match decision:
        case Decision.VERIFY:
            return Question(
                "Verify this key?",
                (*who, *_compare(local, peer)),
                "the digits agree: verified",
                "not now",
            )
        case Decision.BLOCK:
            return Question(
                "Block this key?",
                (
                    *who,
                    line("Its links with this device end at once, and no new one is let in."),
                    line(Span("Others in the mesh may go on to trust it. u unblocks.", Tone.DIM)),
                ),
                "block it",
                "leave it",
            )
        case Decision.FORGET:
            word, tone, _ = trust_words(peer.trust)
            unblocked = " It is no longer blocked." if peer.trust is Trust.BLOCKED else ""
            return Question(
                "Forget this key?",
                (
                    *who,
                    fact("trust now", Span(word, tone), width=_LABEL),
                    line(f"This device treats it as a key that it has never met.{unblocked}"),
                ),
                "forget it",
                "keep it",
            )


def question_about_all(peers: Sequence[Peer]) -> Question:
    """Return what is asked before the keys of several peers are blocked."""
    named = [
        line(Span(_name(peer), Tone.STRONG), Span(f"  {safe_text(peer.short_id)}", Tone.KEY))
        for peer in peers[:_NAMED]
    ]
    if len(peers) > _NAMED:
        named.append(line(Span(f"and {len(peers) - _NAMED:,} more", Tone.DIM)))
    return Question(
        f"Block {len(peers):,} keys?",
        (
            *named,
            BLANK,
            line("Their links with this device end at once, and no new one is let in."),
            line(Span("Others in the mesh may go on to trust them. u unblocks each.", Tone.DIM)),
        ),
        f"block all {len(peers):,}",
        "leave them",
    )


def _compare(local: Peer, peer: Peer) -> Iterator[Line]:
    rows = safety_rows(local.peer_key, peer.peer_key)
    if not rows:
        yield line(Span("this is not a valid peer key: do not verify it", Tone.BAD))
        return
    yield line("Ask its owner, by voice or face to face, for the safety number on their screen:")
    yield BLANK
    for row in rows:
        yield line(Span(row, Tone.STRONG), indent=4)
    yield BLANK
    yield line(Span("Differing digits: somebody sits in between, or it is another peer.", Tone.DIM))


def done_words(decision: Decision, peer: Peer) -> str:
    """Return what is said when a decision has been carried out."""
    past = {
        Decision.VERIFY: "is verified now",
        Decision.BLOCK: "is blocked now",
        Decision.FORGET: "is forgotten: an unknown key again",
    }
    return f"{_name(peer)} {past[decision]}"


def needless_words(decision: Decision, local: Peer, peer: Peer | None) -> str:
    """Return why there is nothing to decide."""
    if peer is None or peer.peer_key == local.peer_key:
        return "select another peer first: this is about the key of somebody else"
    return f"nothing to {decision}: {_name(peer)} is {trust_words(peer.trust)[0]} already"


def _name(peer: Peer) -> str:
    return safe_text(peer.device_name, limit=64) or safe_text(peer.short_id, limit=16)
