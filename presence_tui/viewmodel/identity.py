"""What the identity pane says: whether a peer's identity is to be believed, why, and what to do.

The steps of the check follow from the status alone: statuses are ordered, the first that
applies is the outcome, so everything before it passed and nothing after it was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import IdentityStatus, MetadataState
from presence_tui.viewmodel.moments import stamp
from presence_tui.viewmodel.page import BLANK, Line, Page, Span, Tone, fact, heading, line, unbroken
from presence_tui.viewmodel.tree import metadata_tree
from presence_tui.viewmodel.trust import cautions, grouped
from presence_tui.viewmodel.validity import validity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from presence_core.model import Peer

_LABEL = 9


@dataclass(frozen=True, slots=True)
class StatusWords:
    """How a status is shown: one cell of symbol, a word, its meaning, and what to do."""

    symbol: str
    word: str
    tone: Tone
    meaning: str
    advice: str | None
    own_advice: str | None = None


_ASK_AGAIN = "ask its owner to log in to the identity service again"
_COMMAND = unbroken("presence-tui identity login")
_ADD_ISSUER = unbroken("presence-tui issuer add FILE")
_LOG_IN = f"log in again: {_COMMAND}"
_BEWARE = "do not rely on who it says it is; ask its owner, and tell whoever runs the issuer"

_WORDS: dict[IdentityStatus, StatusWords] = {
    IdentityStatus.MISSING: StatusWords(
        "-",
        "missing",
        Tone.DIM,
        "nobody vouches for who it is",
        "compare the safety number with its owner, or ask them to log in to the identity service",
        f"to be recognised by others: {_COMMAND}",
    ),
    IdentityStatus.PENDING: StatusWords(
        "~",
        "pending",
        Tone.WARNING,
        "its token is announced, but has not arrived here yet",
        "wait: it is fetched from any neighbour that has it",
    ),
    IdentityStatus.OVERSIZE: StatusWords(
        "✗",
        "too large",
        Tone.BAD,
        "its token is larger than the 16 KiB that a token may have, and was not fetched",
        "ask whoever runs its identity service to put less into the token",
    ),
    IdentityStatus.MALFORMED: StatusWords(
        "✗",
        "malformed",
        Tone.BAD,
        "what it publishes as its token is not one",
        _ASK_AGAIN,
        _LOG_IN,
    ),
    IdentityStatus.UNSUPPORTED_ALG: StatusWords(
        "✗",
        "unsupported algorithm",
        Tone.BAD,
        "its token is signed with an algorithm that this version does not check",
        "update this program, or ask whoever runs its identity service to sign with Ed25519",
    ),
    IdentityStatus.UNKNOWN_ISSUER: StatusWords(
        "?",
        "unknown issuer",
        Tone.WARNING,
        "its token is signed by somebody whom this device does not know",
        f"if you trust it, get its key file from a person, then: {_ADD_ISSUER}",
    ),
    IdentityStatus.BAD_SIGNATURE: StatusWords(
        "✗",
        "bad signature",
        Tone.BAD,
        "the signature of its token is not that of the issuer that it names",
        _BEWARE,
        _LOG_IN,
    ),
    IdentityStatus.KEY_MISMATCH: StatusWords(
        "✗",
        "key mismatch",
        Tone.BAD,
        "its token was issued for another key: a copied token, or a new key with an old one",
        _BEWARE,
        _LOG_IN,
    ),
    IdentityStatus.REVOKED: StatusWords(
        "✗",
        "revoked",
        Tone.BAD,
        "its issuer has taken this token back",
        "do not rely on it any more; ask the issuer why",
        f"ask the issuer why, then {_LOG_IN}",
    ),
    IdentityStatus.NOT_YET_VALID: StatusWords(
        "!",
        "not yet valid",
        Tone.WARNING,
        "its token becomes valid later",
        "wait, or set the clocks right: this device's and the issuer's",
    ),
    IdentityStatus.EXPIRED: StatusWords(
        "!",
        "expired",
        Tone.WARNING,
        "its token was good once, but has run out",
        f"{_ASK_AGAIN}; if this device's clock is wrong, set it",
        f"{_LOG_IN}; if this device's clock is wrong, set it",
    ),
    IdentityStatus.VERIFIED: StatusWords(
        "✓",
        "verified",
        Tone.GOOD,
        "an issuer that this device trusts vouches for this key",
        None,
    ),
}


def status_words(status: IdentityStatus) -> StatusWords:
    """Return how a status is shown."""
    return _WORDS[status]


class StepState(StrEnum):
    """What became of one step of the check."""

    PASSED = "passed"
    ABSENT = "none published"
    WAITING = "waiting"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of the check and what became of it."""

    name: str
    state: StepState


_STEPS: tuple[tuple[str, tuple[IdentityStatus, ...]], ...] = (
    ("record signed by this key", ()),
    (
        "token present",
        (IdentityStatus.MISSING, IdentityStatus.PENDING, IdentityStatus.OVERSIZE),
    ),
    ("token readable", (IdentityStatus.MALFORMED, IdentityStatus.UNSUPPORTED_ALG)),
    ("issuer known", (IdentityStatus.UNKNOWN_ISSUER,)),
    ("signed by the issuer", (IdentityStatus.BAD_SIGNATURE,)),
    ("bound to this key", (IdentityStatus.KEY_MISMATCH,)),
    ("not revoked", (IdentityStatus.REVOKED,)),
    ("valid from", (IdentityStatus.NOT_YET_VALID,)),
    ("valid until", (IdentityStatus.EXPIRED,)),
)

_NOT_A_FAILURE = {
    IdentityStatus.MISSING: StepState.ABSENT,
    IdentityStatus.PENDING: StepState.WAITING,
}

_MARKS: dict[StepState, tuple[str, Tone]] = {
    StepState.PASSED: ("✓", Tone.GOOD),
    StepState.ABSENT: ("!", Tone.WARNING),
    StepState.WAITING: ("~", Tone.WARNING),
    StepState.FAILED: ("✗", Tone.BAD),
    StepState.NOT_CHECKED: ("-", Tone.DIM),
}


def check_steps(status: IdentityStatus) -> tuple[CheckStep, ...]:
    """Return every step of the check with what became of it.

    The first step passed for whoever is in the graph at all: a record whose signature fails
    never gets there.
    """
    steps = []
    reached = True
    for name, failures in _STEPS:
        if not reached:
            state = StepState.NOT_CHECKED
        elif status not in failures:
            state = StepState.PASSED
        else:
            state = _NOT_A_FAILURE.get(status, StepState.FAILED)
            reached = False
        steps.append(CheckStep(name, state))
    return tuple(steps)


_METADATA_WORDS: dict[MetadataState, tuple[str, Tone] | None] = {
    MetadataState.NONE: ("nothing: it publishes no metadata", Tone.DIM),
    MetadataState.PENDING: (
        "pending: announced, but not here yet; what follows is the last that arrived",
        Tone.WARNING,
    ),
    MetadataState.PRESENT: None,
    MetadataState.REFUSED: (
        "refused: what arrived is not valid metadata and is not shown",
        Tone.BAD,
    ),
}

_CLAIMS_PROVEN = frozenset(
    {
        IdentityStatus.KEY_MISMATCH,
        IdentityStatus.REVOKED,
        IdentityStatus.NOT_YET_VALID,
        IdentityStatus.EXPIRED,
        IdentityStatus.VERIFIED,
    }
)
"""Statuses at which the issuer's signature has been found good."""


def identity_page(peer: Peer, now: datetime, *, own: bool, where: Page = ()) -> Page:
    """Return the page about a peer's identity; ``own``: it is the local peer.

    ``where``: what is said first, about where it is.
    """
    words = status_words(peer.identity.status)
    name = safe_text(peer.device_name) or "(no name)"
    lines = [
        line(Span(name, Tone.STRONG), Span("  this device" if own else "", Tone.DIM)),
        *where,
        *cautions(peer),
        line(Span(f"{words.symbol} {words.word}", words.tone), hang=2),
        line(words.meaning, indent=2),
    ]
    reason = safe_text(peer.identity.reason)
    if peer.identity.status is not IdentityStatus.VERIFIED and reason:
        lines.append(line(Span("reason: ", Tone.DIM), reason, indent=2, hang=4))
    advice = words.own_advice if own and words.own_advice else words.advice
    if advice:
        lines += [line(Span("what to do: ", Tone.DIM), advice, indent=2, hang=4)]
    lines += [BLANK, *_claims(peer, now), *_issued(peer, now)]
    lines += [heading("How it was checked"), *_steps(peer.identity.status), BLANK]
    lines += _said_by_itself(peer, own=own)
    return tuple(lines)


def _claims(peer: Peer, now: datetime) -> Iterator[Line]:
    identity = peer.identity
    doubt = () if identity.status in _CLAIMS_PROVEN else (Span("  claimed, not proven", Tone.DIM),)
    told = False
    key_id = " ".join(grouped(identity.key_id, 4, 8)) if identity.key_id else None
    for label, value in (
        ("issuer", identity.issuer),
        ("key id", key_id),
        ("subject", identity.subject),
    ):
        if value is not None:
            told = True
            yield fact(label, safe_text(value), *doubt, width=_LABEL)
    for entry in validity(identity, now, _LABEL):
        told = True
        yield entry
    if told:
        yield BLANK


def _issued(peer: Peer, now: datetime) -> Iterator[Line]:
    """Yield what the issuer says: only when verified, and greyed with its date when expired."""
    identity = peer.identity
    if identity.status is IdentityStatus.VERIFIED:
        yield heading("The issuer says (verified)")
        tree = metadata_tree(peer.identity_service_metadata, indent=2)
        yield from tree or (line(Span("nothing more about this peer", Tone.DIM), indent=2),)
        yield BLANK
    elif identity.status is IdentityStatus.EXPIRED and peer.expired_identity_service_metadata:
        until = f" {stamp(identity.expires_at, now)}" if identity.expires_at else ""
        yield heading("The issuer said, until it expired")
        yield line(Span(f"no longer vouched for{until and ' since'}{until}", Tone.DIM), indent=2)
        yield from metadata_tree(peer.expired_identity_service_metadata, indent=2, tone=Tone.DIM)
        yield BLANK


def _steps(status: IdentityStatus) -> Iterator[Line]:
    for step in check_steps(status):
        mark, tone = _MARKS[step.state]
        faint = Tone.DIM if step.state is StepState.NOT_CHECKED else Tone.PLAIN
        note = "" if step.state is StepState.PASSED else f"  {step.state.value}"
        yield line(
            Span(mark, tone), Span(f" {step.name}", faint), Span(note, tone), indent=2, hang=4
        )


def _said_by_itself(peer: Peer, *, own: bool) -> Iterator[Line]:
    yield heading(
        "You say about yourself, not verified" if own else "Says about itself, not verified"
    )
    words = _METADATA_WORDS[peer.peer_metadata_state]
    if words is not None:
        yield line(Span(*words), indent=2)
    if peer.peer_metadata_state in (MetadataState.PENDING, MetadataState.PRESENT):
        tree = metadata_tree(peer.peer_metadata, indent=2)
        yield from tree or (line(Span("{}", Tone.DIM), indent=2),)
