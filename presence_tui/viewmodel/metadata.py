"""Values of peers' own metadata as columns: by a path of keys, in one line, and which there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from presence_core.codec.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from presence_core.model import Peer

META = "meta:"
"""What the key of a column of metadata begins with; the path follows, as ``meta:deck.place``."""

_LOOKED_AT = 1_000
_KEYS_OF_ONE = 32
_OFFERED = 40
_ELEMENTS = 4
_CHARACTERS = 64


def metadata_value(peer: Peer, key: str) -> Any:
    """Return the value of a column of metadata; None when there is none (or it is null)."""
    value: Any = peer.peer_metadata
    for step in key.removeprefix(META).split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def metadata_words(value: Any) -> str:
    """Return a value in one line that is safe to show."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return safe_text(value, limit=_CHARACTERS)
        case Mapping():
            return f"{{{len(value)}}}"
        case list() | tuple():
            return ", ".join(metadata_words(one) for one in value[:_ELEMENTS])
        case _:
            return safe_text(str(value), limit=_CHARACTERS)


def metadata_keys(peers: Iterable[Peer]) -> list[str]:
    """Return the columns of metadata that most peers could fill, the commonest first; bounded."""
    counts: Counter[str] = Counter()
    for _, peer in zip(range(_LOOKED_AT), peers, strict=False):
        for key, value in [*peer.peer_metadata.items()][:_KEYS_OF_ONE]:
            if isinstance(value, Mapping):
                inner = [*value][:_KEYS_OF_ONE]
                counts.update(f"{META}{key}.{name}" for name in inner if "." not in name)
            elif "." not in key:
                counts[f"{META}{key}"] += 1
    return [key for key, _ in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:_OFFERED]]
