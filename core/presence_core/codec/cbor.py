"""Deterministic CBOR (RFC 8949 §4.2.1), strict on the way in and on the way out.

Decoders that can be had are lenient: they take trailing bytes, tags, unsorted and duplicate keys,
and long forms of short numbers. This one reads and checks in one pass; what it accepts has exactly
one encoding.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

MAX_DEPTH = 16
MAX_ITEMS = 65_536

_SIMPLE = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
_SIMPLES = {0xF4: False, 0xF5: True, 0xF6: None}
_FLOATS = {0xF9: struct.Struct(">e"), 0xFA: struct.Struct(">f"), 0xFB: struct.Struct(">d")}


class CborError(ValueError):
    """Bytes or a value that are not, or cannot be, one item of deterministic CBOR in the limits."""


def encode(value: Any, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Encode null, booleans, integers of 64 bits, finite floats, text, bytes, lists and maps.

    The keys of a map are all text or all unsigned integers; maps come out sorted, floats in the
    shortest form that keeps their value. Raises CborError for anything else, and for lists and
    maps nested deeper than ``max_depth``.
    """
    out = bytearray()
    _encode(value, out, max_depth)
    return bytes(out)


def encode_bytes(data: bytes) -> bytes:
    """Encode bytes: as :func:`encode` does, at once."""
    return _head(2, len(data)) + data


def _encode(value: Any, out: bytearray, levels: int) -> None:
    scalar = _scalar(value)
    if scalar is not None:
        out += scalar
        return
    if levels == 0:
        raise CborError("lists and maps are nested too deeply")
    if isinstance(value, list | tuple):
        out += _head(4, len(value))
        for item in value:
            _encode(item, out, levels - 1)
    elif isinstance(value, Mapping):
        entries = sorted(((_key(key), item) for key, item in value.items()), key=itemgetter(0))
        if len({key[0] >> 5 for key, _ in entries}) > 1:
            raise CborError("the keys of a map are all text or all unsigned integers")
        out += _head(5, len(entries))
        for key, item in entries:
            out += key
            _encode(item, out, levels - 1)
    else:
        raise CborError(f"a {type(value).__name__} cannot be encoded")


def _scalar(value: Any) -> bytes | None:
    match value:
        case None | bool():
            return _SIMPLE[value]
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case float():
            return _float(value)
        case bytes():
            return encode_bytes(value)
        case str():
            return _text(value)
    return None


def _key(key: Any) -> bytes:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, int) and not isinstance(key, bool) and key >= 0:
        return _head(0, key)
    raise CborError(f"a {type(key).__name__} cannot be the key of a map, nor a negative number")


def _text(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise CborError("a text holds half of a surrogate pair, which is no character") from None
    return _head(3, len(data)) + data


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | info,)) + argument.to_bytes(size, "big")
    raise CborError("an integer does not fit 64 bits")


def _float(value: float) -> bytes:
    if not math.isfinite(value):
        raise CborError(f"{value} is not a finite number")
    for head, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            short = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, short)[0] == value:
            return head + short
    return b"\xfb" + struct.pack(">d", value)


def decode(
    data: bytes, *, max_size: int, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS
) -> Any:
    """Decode exactly one item of deterministic CBOR.

    ``max_depth`` counts nested arrays and maps, ``max_items`` every item in the whole. Raises
    CborError for anything that :func:`encode` would have written otherwise.
    """
    if len(data) > max_size:
        raise CborError(f"{len(data)} bytes are more than the {max_size} allowed")
    if max_items < 1:
        raise CborError("too many items")
    try:
        value, end = _Reader(bytes(data), max_depth, max_items).item(0, max_depth)
    except IndexError:
        raise CborError("ends too early") from None
    if end != len(data):
        raise CborError(f"{len(data) - end} bytes follow the item")
    return value


class _Reader:
    """Reads and checks in one pass.

    An index beyond the end is an IndexError of Python's. Recursion is as deep as ``max_depth`` at
    most. Room is made for what an item claims to hold only when there are bytes for it.
    """

    __slots__ = ("_data", "_left", "_max_depth", "_size")

    def __init__(self, data: bytes, max_depth: int, max_items: int) -> None:
        self._data = data
        self._size = len(data)
        self._max_depth = max_depth
        self._left = max_items - 1

    def item(self, at: int, levels: int) -> tuple[Any, int]:
        """Read the item that begins there, with so many levels in it; return where it ends, too.

        The order of the cases is how often they come: this is what the first sync of a big mesh
        does most, beside checking signatures.
        """
        data = self._data
        head = data[at]
        at += 1
        if head < 24:
            return head, at
        if head >= 0xC0:
            return self._simple(head, at)
        argument = head & 31
        if argument == 24:
            argument = data[at]
            at += 1
            if argument < 24:
                raise CborError("a number is written longer than it needs to be")
        elif argument > 24:
            argument, at = self._long(argument, at)
        if head < 0x20:
            return argument, at
        if head >= 0x80:
            return self._container(head, argument, at, levels)
        if head < 0x40:
            return -1 - argument, at
        end = at + argument
        if end > self._size:
            raise CborError("ends in the middle of a string")
        if head < 0x60:
            return data[at:end], end
        try:
            return data[at:end].decode(), end
        except UnicodeDecodeError:
            raise CborError("a text is not valid UTF-8") from None

    def _container(self, head: int, argument: int, at: int, levels: int) -> tuple[Any, int]:
        items = argument if head < 0xA0 else 2 * argument
        if levels == 0:
            raise CborError(f"nested deeper than {self._max_depth}")
        if items > self._size - at:
            raise CborError("claims more items than there are bytes")
        self._left -= items
        if self._left < 0:
            raise CborError("too many items")
        if head >= 0xA0:
            return self._map(argument, at, levels - 1)
        item = self.item
        values = []
        for _ in range(argument):
            value, at = item(at, levels - 1)
            values.append(value)
        return values, at

    def _map(self, entries: int, at: int, levels: int) -> tuple[dict[Any, Any], int]:
        data, item = self._data, self.item
        found: dict[Any, Any] = {}
        kind, before = -1, b""
        for _ in range(entries):
            start = at
            key, at = item(at, levels)
            major = data[start] >> 5
            if major != kind:
                if major not in (0, 3):
                    raise CborError("a key of a map is neither text nor an unsigned integer")
                if kind >= 0:
                    raise CborError("a map mixes kinds of keys")
                kind = major
            encoded = data[start:at]
            if encoded <= before:
                raise CborError("the keys of a map are not sorted, or one comes twice")
            before = encoded
            found[key], at = item(at, levels)
        return found, at

    def _long(self, info: int, at: int) -> tuple[int, int]:
        """Read the argument of a head that is followed by 2, 4 or 8 bytes of it."""
        if info > 27:
            raise CborError("indefinite lengths are not allowed")
        size = 1 << info - 24
        end = at + size
        if end > self._size:
            raise CborError("ends too early")
        argument = int.from_bytes(self._data[at:end], "big")
        if argument < 1 << 4 * size:
            raise CborError("a number is written longer than it needs to be")
        return argument, end

    def _simple(self, head: int, at: int) -> tuple[bool | float | None, int]:
        if head < 0xE0:
            raise CborError("tags are not allowed")
        if head in _SIMPLES:
            return _SIMPLES[head], at
        form = _FLOATS.get(head)
        if form is None:
            raise CborError("a simple value other than false, true and null")
        end = at + form.size
        if end > self._size:
            raise CborError("ends too early")
        (value,) = form.unpack_from(self._data, at)
        if not math.isfinite(value) or _float(value) != self._data[at - 1 : end]:
            raise CborError("a float that is not finite, or not in its shortest form")
        return value, end
