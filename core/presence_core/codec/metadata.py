"""Metadata: a JSON object that a peer publishes about itself, and its limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from presence_core.codec import cbor
from presence_core.codec.cbor import CborError

MAX_METADATA_BYTES = 131_072
"""Limit of the deterministic CBOR form."""

WARN_METADATA_BYTES = 4_096
"""Beyond it metadata is accepted with a warning: it costs on Bluetooth."""

MAX_METADATA_DEPTH = 16
"""Nested objects and lists; the object itself is the first level."""

_MAX_INT = (1 << 64) - 1
_MIN_INT = -(1 << 63)


class MetadataError(ValueError):
    """Metadata that cannot be accepted: why, where (RFC 6901 pointer), and the limit if any."""

    def __init__(self, reason: str, pointer: str = "", limit: int | None = None) -> None:
        self.reason = reason
        self.pointer = pointer
        self.limit = limit
        super().__init__(f"{reason} (at {pointer})" if pointer else reason)


def encode_metadata(metadata: Mapping[str, Any]) -> bytes:
    """Check metadata and return its deterministic CBOR form. Raises MetadataError."""
    if not isinstance(metadata, Mapping):
        raise MetadataError(f"metadata must be a JSON object, not {_kind(metadata)}")
    _check(metadata)
    data = cbor.encode(metadata)
    if len(data) > MAX_METADATA_BYTES:
        raise MetadataError(
            f"metadata takes {len(data):,} bytes; the limit is {MAX_METADATA_BYTES:,} bytes",
            limit=MAX_METADATA_BYTES,
        )
    return data


def metadata_size(metadata: Mapping[str, Any]) -> int:
    """Return the size of the CBOR form in bytes, whatever the limit. Raises MetadataError."""
    _check(metadata)
    return len(cbor.encode(metadata))


def decode_metadata(data: bytes) -> dict[str, Any]:
    """Decode metadata that somebody sent. Raises MetadataError unless it keeps every rule."""
    try:
        value = cbor.decode(
            data,
            max_size=MAX_METADATA_BYTES,
            max_depth=MAX_METADATA_DEPTH,
            max_items=MAX_METADATA_BYTES,
        )
    except CborError as error:
        raise MetadataError(f"not deterministic CBOR: {error}") from None
    if not isinstance(value, dict):
        raise MetadataError(f"metadata must be an object, not {_kind(value)}")
    _check(value)
    return value


def parse_metadata_json(text: str) -> dict[str, Any]:
    """Parse the JSON text of a metadata object.

    Stricter than ``json.loads``: a key that comes twice, NaN and infinities are errors. Raises
    MetadataError with line and column for broken JSON.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise MetadataError(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise MetadataError(
            f"nested deeper than the limit of {MAX_METADATA_DEPTH} levels",
            limit=MAX_METADATA_DEPTH,
        ) from None
    except MetadataError:
        raise
    except ValueError:  # an integer of thousands of digits
        raise MetadataError("a number does not fit 64 bits") from None
    if not isinstance(value, dict):
        raise MetadataError(f"metadata must be a JSON object, not {_kind(value)}")
    _check(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MetadataError(f"the key {json.dumps(key)[:60]} comes twice in one object")
            seen.add(key)
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise MetadataError(f"{name} is not a finite number, and JSON has none such")


def _check(metadata: Mapping[str, Any]) -> None:
    """Walk the value without recursion, however deep it is."""
    todo: list[tuple[Any, str, int]] = [(metadata, "", 1)]
    while todo:
        value, pointer, depth = todo.pop()
        match value:
            case None | bool():
                pass
            case int():
                if not _MIN_INT <= value <= _MAX_INT:
                    raise MetadataError("an integer does not fit 64 bits", pointer)
            case float():
                if not math.isfinite(value):
                    raise MetadataError(f"{value} is not a finite number", pointer)
            case str():
                _check_text(value, pointer)
            case Mapping():
                _check_depth(depth, pointer)
                for key, item in value.items():
                    if not isinstance(key, str):
                        raise MetadataError(f"the key {key!r:.40} is not text", pointer)
                    _check_text(key, pointer)
                    todo.append((item, f"{pointer}/{_escape(key)}", depth + 1))
            case list() | tuple():
                _check_depth(depth, pointer)
                todo.extend(_items(value, pointer, depth))
            case _:
                raise MetadataError(f"{_kind(value)} is not a JSON value", pointer)


def _items(values: Iterable[Any], pointer: str, depth: int) -> Iterable[tuple[Any, str, int]]:
    return ((item, f"{pointer}/{place}", depth + 1) for place, item in enumerate(values))


def _check_depth(depth: int, pointer: str) -> None:
    if depth > MAX_METADATA_DEPTH:
        raise MetadataError(
            f"nested deeper than the limit of {MAX_METADATA_DEPTH} levels",
            pointer,
            MAX_METADATA_DEPTH,
        )


def _check_text(text: str, pointer: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise MetadataError(
            "a text holds half of a surrogate pair, which is no character", pointer
        ) from None


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _kind(value: Any) -> str:
    names = {list: "a list", tuple: "a list", str: "a text", bool: "a boolean", dict: "an object"}
    if value is None:
        return "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return names.get(type(value), f"a {type(value).__name__}")
