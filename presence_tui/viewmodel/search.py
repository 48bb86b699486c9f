"""What a search looks for, and where: words that must occur in what is known of a peer, or not."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presence_core.model import Peer

_SEARCHED_LEAVES = 64
"""Values of a peer's metadata that a search looks at; a peer may publish 128 KiB of them."""

_SEARCHED_CHARACTERS = 128
_SEARCHED_WAYS = 16

_HOPS = re.compile(r"hops:(<=|>=|<|>|=)?(\d{0,4})")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Hops:
    """A distance that a peer must have, or must not: ``hops:2``, ``hops:>1``, ``!hops:<=3``."""

    sign: str
    number: int
    wanted: bool

    def fits(self, peer: Peer) -> bool:
        """Whether a peer is as far away as this wants; who is out of reach is at no distance."""
        hops = peer.presence.hops
        return (hops is not None and _COMPARE[self.sign](hops, self.number)) is self.wanted


@dataclass(frozen=True, slots=True)
class Search:
    """A search, understood. ``words``: each with whether it must occur (or must not)."""

    words: tuple[tuple[str, bool], ...] = ()
    distances: tuple[Hops, ...] = ()

    def reaches(self, peer: Peer) -> bool:
        """Whether a peer is as far away as was asked for."""
        return all(hops.fits(peer) for hops in self.distances)

    def finds(self, text: str) -> bool:
        """Whether the words are in what :func:`search_text` says of a peer."""
        return all((word in text) is wanted for word, wanted in self.words)


@lru_cache(maxsize=64)
def understand(search: str) -> Search:
    """Return what was typed into the search; a distance that is not finished asks nothing yet."""
    words: list[tuple[str, bool]] = []
    distances: list[Hops] = []
    for typed in unicodedata.normalize("NFC", search.casefold()).split():
        word, wanted = typed.lstrip("!"), not typed.startswith("!")
        distance = _HOPS.fullmatch(word)
        if distance is None:
            words += [(word, wanted)] if word else []
        elif distance[2]:
            distances.append(Hops(distance[1] or "", int(distance[2]), wanted))
    return Search(tuple(words), tuple(distances))


def search_text(peer: Peer, name: str) -> str:
    """Return what a search looks in: a bounded part of what is known of a peer of that name."""
    presence = peer.presence
    parts = [
        name,
        peer.peer_key,
        peer.short_id,
        f"state:{presence.state}",
        "direct" if presence.direct else f"hops:{presence.hops}",
        *(f"via:{key}" for key in presence.via[:_SEARCHED_WAYS]),
        f"identity:{peer.identity.status}",
        f"trust:{peer.trust}",
        "" if peer.key_warning is None else f"warning:{peer.key_warning}",
        f"os:{peer.os}",
        f"version:{peer.version}",
        *(f"link:{c.type}" for c in peer.connections),
        *_leaves(peer.peer_metadata),
    ]
    text = " ".join(part[: 2 * _SEARCHED_CHARACTERS] for part in parts)
    return unicodedata.normalize("NFC", text.casefold())


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
            said = value if isinstance(value, str) else str(value).lower()
            yield f"{label[:_SEARCHED_CHARACTERS]}:{said[:_SEARCHED_CHARACTERS]}"
