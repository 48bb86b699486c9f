"""Which peers are other objects in a newer graph. Pure; at the speed of comparing by ``is``.

Ten thousand peers of which one in ten has changed take less than a millisecond: no attribute of an
unchanged peer is looked at.
"""

from __future__ import annotations

from itertools import compress, filterfalse
from operator import attrgetter, eq, is_not
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_core.model import Peer

Pair: TypeAlias = "tuple[Peer | None, Peer]"
"""What a peer was, and what it is; None: it was not there."""

_KEY = attrgetter("peer_key")


class Differing(NamedTuple):
    """The peers that are other objects than before, and those that are gone."""

    pairs: list[Pair]
    gone: list[Peer]


def differing(before: Sequence[Peer], after: Sequence[Peer]) -> Differing:
    """Compare the peers of two graphs; what is found is in the order of the graphs.

    No two peers of one graph have the same key.
    """
    if len(before) == len(after):  # mostly nobody has come or gone: the same places
        places = list(map(is_not, before, after))
        old, new = list(compress(before, places)), list(compress(after, places))
        if all(map(eq, map(_KEY, old), map(_KEY, new))):
            return Differing(list(zip(old, new, strict=True)), [])
    there, here = set(before), set(after)  # peers compare by identity
    known = {peer.peer_key: peer for peer in filterfalse(here.__contains__, before)}
    found: list[Pair] = [
        (known.pop(peer.peer_key, None), peer) for peer in filterfalse(there.__contains__, after)
    ]
    return Differing(found, list(known.values()))
