"""What a search looks for: words, facts, distances and metadata; one language for screen and shell.

All terms must fit; a term after ``!`` must not::

    pump "north bridge"     in names, keys, and what peers say of themselves
    state:lost trust:seen   facts, by their beginning; alternatives as in state:lost|left
    hops:>1 rtt:<20         numbers
    role=medic deck.place=aft battery<50 note=*     metadata: exactly, as a number, or at all

A term that is still being typed asks nothing yet. One that can never fit is a problem, and said.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from presence_core.codec.text import safe_text
from presence_core.model import IdentityStatus, PresenceState, Trust

if TYPE_CHECKING:
    from enum import StrEnum

    from presence_core.model import Peer

_SEARCHED_LEAVES = 64
"""Values of a peer's metadata that a search looks at; a peer may publish 128 KiB of them."""

_SEARCHED_CHARACTERS = 128
_SEARCHED_WAYS = 16

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_PIECE = r"\"[^\"]*\"?|[^\s\"]"
_TYPED = re.compile(rf"(!*)((?!!)(?:{_PIECE})(?:{_PIECE})*)")
_FACT = re.compile(r"([a-z]+)(?:[:=]|(?=[<>]))(.*)", re.DOTALL)
_NUMBER = re.compile(r"(<=|>=|<|>|=)?(\d{0,9}(?:\.\d{0,9})?)")
_META = re.compile(r"([\w.-]+)(<=|>=|=|<|>)(.*)", re.DOTALL)
_TYPES = {"ble": "bluetooth", "bt": "bluetooth", "ws": "websocket", "uplink": "server"}


class Term(Protocol):
    """One thing that is asked of a peer."""

    def fits(self, peer: Peer) -> bool:
        """Whether a peer is as was asked."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that begins with (or, for free texts, contains) one of some texts."""

    name: str
    values: tuple[str, ...]

    def fits(self, peer: Peer) -> bool:
        """Whether the fact is one of those asked for."""
        facts, anywhere = _FACTS[self.name]
        return any(
            value in fact if anywhere else fact.startswith(value)
            for fact in map(_folded, facts(peer))
            for value in self.values
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a peer must have: ``hops:2``, ``hops:>1``, ``rtt:<20`` (milliseconds).

    Who is out of reach is at no distance: nothing but ``None`` fits it.
    """

    name: str
    sign: str
    number: float | None

    def fits(self, peer: Peer) -> bool:
        """Whether a peer has such a number."""
        value = _NUMBERS[self.name](peer)
        if value is None or self.number is None:
            return value is None and self.number is None
        return _COMPARE[self.sign](value, self.number)


@dataclass(frozen=True, slots=True)
class Meta:
    """A value of a peer's own metadata. ``path``: keys from the top; ``*``: any value."""

    path: tuple[str, ...]
    sign: str
    values: tuple[str, ...]

    def fits(self, peer: Peer) -> bool:
        """Whether the metadata has such a value."""
        return any(self._is(leaf) for leaf in _at(peer.peer_metadata, self.path))

    def _is(self, leaf: object) -> bool:
        if self.sign == "=" and any(value in ("*", _said(leaf)) for value in self.values):
            return True
        number = leaf if isinstance(leaf, int | float) and not isinstance(leaf, bool) else None
        return number is not None and any(
            _COMPARE[self.sign](number, asked)
            for asked in map(_as_number, self.values)
            if asked is not None
        )


@dataclass(frozen=True, slots=True)
class Not:
    """What a peer must not be."""

    term: Term

    def fits(self, peer: Peer) -> bool:
        """Whether a peer is not so."""
        return not self.term.fits(peer)


@dataclass(frozen=True, slots=True)
class Search:
    """A search, understood. ``words``: each with whether it must occur (or must not).

    ``problem``: why a term can never fit, in one line; empty when there is nothing to say.
    """

    words: tuple[tuple[str, bool], ...] = ()
    terms: tuple[Term, ...] = ()
    problem: str = ""

    def reaches(self, peer: Peer) -> bool:
        """Whether a peer is as the terms ask."""
        return all(term.fits(peer) for term in self.terms)

    def finds(self, text: str) -> bool:
        """Whether the words are in what :func:`search_text` says of a peer."""
        return all((word in text) is wanted for word, wanted in self.words)

    def fits(self, peer: Peer, name: str) -> bool:
        """Whether a peer of that name is what is looked for."""
        return self.reaches(peer) and (not self.words or self.finds(search_text(peer, name)))


@lru_cache(maxsize=64)
def understand(search: str) -> Search:
    """Return what was typed into the search."""
    words: list[tuple[str, bool]] = []
    terms: list[Term] = []
    problems: list[str] = []
    for nots, typed in _TYPED.findall(_folded(search)):
        understood = _term(typed)
        match understood:
            case str():
                words += [(understood, not nots)] if understood else []
            case _Unfinished():
                pass
            case _Problem():
                problems.append(understood.words)
            case _:
                terms.append(Not(understood) if nots else understood)
    return Search(tuple(words), tuple(terms), problems[0] if problems else "")


class _Unfinished:
    pass


@dataclass(frozen=True, slots=True)
class _Problem:
    words: str


def _term(typed: str) -> Term | str | _Unfinished | _Problem:
    if typed.startswith('"'):
        return typed.strip('"')
    fact = _FACT.fullmatch(typed)
    if fact is not None and fact[1] in _NUMBERS:
        return _number(fact[1], fact[2])
    if fact is not None and fact[1] in _FACTS and fact[2][:1] not in ("<", ">"):
        return _fact(fact[1], fact[2].replace('"', ""))
    meta = _META.fullmatch(typed)
    if meta is None:
        return typed.replace('"', "")
    path, sign, value = meta[1].strip("."), meta[2], meta[3].replace('"', "")
    if not (path and value):
        return _Unfinished()
    values = tuple(filter(None, value.split("|")))
    if sign != "=" and None in map(_as_number, values):
        return _Problem(f"{safe_text(typed, limit=40)}: {sign} compares with a number")
    return Meta(tuple(path.split(".")), sign, values)


def _number(name: str, value: str) -> Term | _Unfinished | _Problem:
    if value == "none":
        return Number(name, "", None)
    number = _NUMBER.fullmatch(value)
    if number is None:
        if "none".startswith(value):
            return _Unfinished()
        example = f"{name}:2 or {name}:>1"
        return _Problem(f"{name}:{safe_text(value, limit=24)}: a number is wanted, as {example}")
    if number[2] in ("", "."):
        return _Unfinished()
    return Number(name, number[1] or "", float(number[2]))


def _fact(name: str, value: str) -> Term | _Unfinished | _Problem:
    values = tuple(filter(None, value.split("|")))
    if not values:
        return _Unfinished()
    if name in ("type", "link"):
        values = tuple(_TYPES.get(one, one) for one in values)
    known = _CHOICES.get(name)
    if known is not None:
        for one in values:
            if not any(choice.startswith(one) for choice in known):
                choices = ", ".join(known)
                return _Problem(f"{name}:{safe_text(one, limit=24)} is none of {choices}")
    return Fact(name, values)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# -- what is known of a peer


def _rtt(peer: Peer) -> float | None:
    return min((c.rtt_ms for c in peer.connections if c.rtt_ms is not None), default=None)


_NUMBERS: dict[str, Callable[[Peer], float | None]] = {
    "hops": lambda peer: peer.presence.hops,
    "rtt": _rtt,
}


def _links(peer: Peer) -> Iterable[str]:
    return (connection.type for connection in peer.connections)


def _state(peer: Peer) -> Iterable[str]:
    return (peer.presence.state,)


_FACTS: dict[str, tuple[Callable[[Peer], Iterable[str]], bool]] = {
    "state": (_state, False),
    "presence": (_state, False),
    "identity": (lambda peer: (peer.identity.status,), False),
    "trust": (lambda peer: (peer.trust,), False),
    "type": (_links, False),
    "link": (_links, False),
    "via": (lambda peer: peer.presence.via[:_SEARCHED_WAYS], False),
    "key": (lambda peer: (peer.peer_key, peer.short_id), False),
    "name": (lambda peer: (safe_text(peer.device_name, limit=64),), True),
    "os": (lambda peer: (peer.os or "",), True),
    "version": (lambda peer: (peer.version or "",), True),
    "issuer": (lambda peer: (peer.identity.issuer or "",), True),
    "subject": (lambda peer: (peer.identity.subject or "",), True),
}
"""Facts by name, and whether their text is looked for anywhere in it, or at its beginning."""


def _members(kind: type[StrEnum]) -> tuple[str, ...]:
    return tuple(map(str, kind))


_CHOICES = {
    "state": _members(PresenceState),
    "presence": _members(PresenceState),
    "identity": _members(IdentityStatus),
    "trust": _members(Trust),
}


def _at(metadata: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[object]:
    """Yield the values at a path; keys compare without case, of a list every element counts."""
    values: list[object] = [metadata]
    for step in path:
        values = [
            child
            for value in values
            if isinstance(value, Mapping)
            for key, child in value.items()
            if _folded(key) == step
        ]
    for value in values:
        yield from value[:_SEARCHED_LEAVES] if isinstance(value, list | tuple) else (value,)


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ""
    said = value if isinstance(value, str) else str(value).lower()
    return _folded(said[:_SEARCHED_CHARACTERS])


def search_text(peer: Peer, name: str) -> str:
    """Return what words are looked for in: a bounded part of what is known of a peer."""
    presence = peer.presence
    parts = [
        name,
        peer.peer_key,
        peer.short_id,
        f"state:{presence.state}",
        "direct" if presence.direct else f"hops:{presence.hops}",
        f"identity:{peer.identity.status}",
        f"trust:{peer.trust}",
        "" if peer.key_warning is None else f"warning:{peer.key_warning}",
        f"os:{peer.os}",
        f"version:{peer.version}",
        *(f"link:{c.type}" for c in peer.connections),
        *_leaves(peer.peer_metadata),
    ]
    return _folded(" ".join(part[: 2 * _SEARCHED_CHARACTERS] for part in parts))


def _leaves(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``key:value`` of metadata, however deep, as many as are looked at."""
    waiting: list[tuple[str, Any]] = [("", metadata)]
    left = _SEARCHED_LEAVES
    while waiting and left > 0:
        label, value = waiting.pop()
        left -= 1
        if isinstance(value, Mapping):
            waiting += [(key, child) for key, child in list(value.items())[-left:]]
        elif isinstance(value, list | tuple):
            waiting += [(label, child) for child in value[-left:]]
        else:
            yield f"{label[:_SEARCHED_CHARACTERS]}:{_said(value)}"
