"""Metadata: a JSON object that a peer publishes about itself, and its limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from presence_core.codec import cbor
from presence_core.codec.cbor import CborError
from presence_core.codec.text import safe_text

MAX_METADATA_BYTES = 131_072
"""Limit of the deterministic CBOR form."""

WARN_METADATA_BYTES = 4_096
"""Beyond it metadata is accepted with a warning: it costs on Bluetooth."""

MAX_METADATA_DEPTH = 16
"""Nested objects and lists; the object itself is the first level."""

_MAX_INT = (1 << 64) - 1
_MIN_INT = -(1 << 63)
_MAX_DIGITS = 20
"""More digits, with a sign, than any 64-bit integer has are not worth converting."""


class MetadataError(ValueError):
    """Metadata that cannot be accepted: why, where (RFC 6901 pointer), and the limit if any.

    ``pointer`` is exact; in the message, which is one line that can be shown as it is, it is made
    safe and short.
    """

    def __init__(self, reason: str, pointer: str = "", limit: int | None = None) -> None:
        self.reason = reason
        self.pointer = pointer
        self.limit = limit
        super().__init__(f"{reason} (at {safe_text(pointer, limit=120)})" if pointer else reason)


def encode_metadata(metadata: Mapping[str, Any]) -> bytes:
    """Check metadata and return its deterministic CBOR form. Raises MetadataError."""
    check_metadata(metadata)
    data = cbor.encode(metadata)
    if len(data) > MAX_METADATA_BYTES:
        raise MetadataError(
            f"metadata takes {len(data):,} bytes; the limit is {MAX_METADATA_BYTES:,} bytes",
            limit=MAX_METADATA_BYTES,
        )
    return data


def metadata_size(metadata: Mapping[str, Any]) -> int:
    """Return the size of the CBOR form in bytes, whatever the limit. Raises MetadataError."""
    check_metadata(metadata)
    return len(cbor.encode(metadata))


def decode_metadata(data: bytes) -> dict[str, Any]:
    """Decode metadata that somebody sent. Raises MetadataError unless it keeps every rule."""
    if len(data) > MAX_METADATA_BYTES:
        raise MetadataError(
            f"metadata takes {len(data):,} bytes; the limit is {MAX_METADATA_BYTES:,} bytes",
            limit=MAX_METADATA_BYTES,
        )
    try:
        value = cbor.decode(
            data,
            max_size=MAX_METADATA_BYTES,
            max_depth=MAX_METADATA_DEPTH,
            max_items=MAX_METADATA_BYTES,
        )
    except CborError as error:
        raise MetadataError(f"not deterministic CBOR: {error}") from None
    return check_metadata(value)


def parse_metadata_json(text: str) -> dict[str, Any]:
    """Parse the JSON text of a metadata object.

    Stricter than ``json.loads``: a key that comes twice, NaN and infinities are errors. Raises
    MetadataError, with line and column for broken JSON. The size is not checked here.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise MetadataError(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep("") from None
    return check_metadata(value)


class _Ambiguous(dict[str, Any]):
    """A parsed object in which ``key`` came twice; kept until its place is known."""

    key: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    ambiguous = _Ambiguous()
    for key, _ in pairs:
        if key not in result:
            ambiguous.key = key
            break
        del result[key]
    return ambiguous


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else _MAX_INT + 1


def check_metadata(metadata: Any) -> dict[str, Any]:
    """Return the value when it is a JSON object in the limits; its size is not looked at.

    Walks it without recursion, however deep it is. Raises MetadataError.
    """
    if type(metadata) is dict and _is_plain(metadata, MAX_METADATA_DEPTH):
        return metadata
    if not isinstance(metadata, Mapping):
        raise MetadataError(f"metadata must be a JSON object, not {_kind(metadata)}")
    todo: list[tuple[Any, str, int]] = [(metadata, "", 1)]
    while todo:
        value, pointer, depth = todo.pop()
        if isinstance(value, Mapping | list | tuple):
            if depth > MAX_METADATA_DEPTH:
                raise _too_deep(pointer)
            todo.extend((item, place, depth + 1) for item, place in _items(value, pointer))
        else:
            _check_scalar(value, pointer)
    return metadata  # type: ignore[return-value]


def _is_plain(value: dict[str, Any] | list[Any], levels: int) -> bool:
    """Whether everything is right, and of the plain types: no more than that, but soon."""
    if levels == 0:
        return False
    if type(value) is dict:
        if any(type(key) is not str or not _is_unicode(key) for key in value):
            return False
        inner: Iterable[Any] = value.values()
    else:
        inner = value
    for item in inner:
        kind = type(item)
        if kind is str:
            if not _is_unicode(item):
                return False
        elif kind is int:
            if not _MIN_INT <= item <= _MAX_INT:
                return False
        elif kind is dict or kind is list:
            if not _is_plain(item, levels - 1):
                return False
        elif not (kind is bool or item is None or (kind is float and math.isfinite(item))):
            return False
    return True


def _items(value: Any, pointer: str) -> Iterable[tuple[Any, str]]:
    if not isinstance(value, Mapping):
        return ((item, f"{pointer}/{place}") for place, item in enumerate(value))
    if isinstance(value, _Ambiguous):
        raise MetadataError("a key comes twice in one object", _join(pointer, value.key))
    for key in value:
        if not isinstance(key, str):
            raise MetadataError(f"{_kind(key)} is the key of an object; only text can be", pointer)
        _check_scalar(key, pointer)
    return ((item, _join(pointer, key)) for key, item in value.items())


def _check_scalar(value: Any, pointer: str) -> None:
    match value:
        case None | bool():
            pass
        case int():
            if not _MIN_INT <= value <= _MAX_INT:
                raise MetadataError("an integer does not fit 64 bits", pointer)
        case float():
            if not math.isfinite(value):
                raise MetadataError(f"{json.dumps(value)} is not a finite number", pointer)
        case str():
            if not _is_unicode(value):
                raise MetadataError(
                    "a text holds half of a surrogate pair, which is no character", pointer
                )
        case _:
            raise MetadataError(f"{_kind(value)} is not a JSON value", pointer)


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep(pointer: str) -> MetadataError:
    reason = f"nested deeper than the limit of {MAX_METADATA_DEPTH} levels"
    return MetadataError(reason, pointer, MAX_METADATA_DEPTH)


def _join(pointer: str, key: str) -> str:
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    names = {bool: "boolean", int: "number", float: "number", str: "text", list: "list"}
    return f"a {names.get(type(value), type(value).__name__)}"
