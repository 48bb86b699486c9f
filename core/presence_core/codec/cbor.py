"""Deterministic CBOR (RFC 8949 §4.2.1), strict on the way in and on the way out.

``cbor2.loads`` is lenient: it takes trailing bytes, tags, unsorted and duplicate keys, and long
forms of short numbers. So everything that comes in is scanned here first; what passes the scan has
exactly one encoding.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import cbor2

MAX_DEPTH = 16
MAX_ITEMS = 65_536

_SIMPLE = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}


class CborError(ValueError):
    """Bytes or a value that are not, or cannot be, one item of deterministic CBOR in the limits."""


def encode(value: Any, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Encode null, booleans, integers of 64 bits, finite floats, text, bytes, lists and maps.

    The keys of a map are all text or all integers; maps come out sorted by the bytes of their
    keys, floats in the shortest form that keeps their value. Raises CborError for anything else,
    and for lists and maps nested deeper than ``max_depth``.
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
        if len({_is_text(key) for key, _ in entries}) > 1:
            raise CborError("the keys of a map are all text or all integers")
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
            return _integer(value)
        case float():
            return _float(value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _text(value)
    return None


def _key(key: Any) -> bytes:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return _integer(key)
    raise CborError(f"a {type(key).__name__} cannot be the key of a map")


def _is_text(key: bytes) -> bool:
    return key[0] >> 5 == 3


def _integer(value: int) -> bytes:
    return _head(0, value) if value >= 0 else _head(1, -1 - value)


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
    if len(data) <= max_items:  # an item has a byte or more
        value = _plain(data, max_depth)
        if value is not _NOT_PLAIN:
            return value
    return _decode_any(data, max_depth, max_items)


def _decode_any(data: bytes, max_depth: int, max_items: int) -> Any:
    """Decode what is allowed, of whatever form, or say what is wrong with it."""
    end = _Scan(data, max_depth, max_items).scan()
    if end != len(data):
        raise CborError(f"{len(data) - end} bytes follow the item")
    try:
        return cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise CborError(f"not decodable: {error}") from None


class _Scan:
    """One pass over the bytes, without recursion: a stack of what is still open."""

    def __init__(self, data: bytes, max_depth: int, max_items: int) -> None:
        self._data = data
        self._max_depth = max_depth
        self._left = max_items

    def scan(self) -> int:
        """Check one item; return where it ends."""
        # An open array or map: items to come, whether it is a map, the last key, if keys are text.
        stack: list[list[Any]] = []
        at = 0
        while True:
            at = self._item(at, stack)
            while stack and stack[-1][0] == 0:
                stack.pop()
            if not stack:
                return at

    def _item(self, at: int, stack: list[list[Any]]) -> int:
        self._left -= 1
        if self._left < 0:
            raise CborError("too many items")
        start = at
        major, argument, at = self._read_head(at)
        is_key = bool(stack) and stack[-1][1] and stack[-1][0] % 2 == 0
        if stack:
            stack[-1][0] -= 1
        if major in (2, 3):
            end = at + argument
            if end > len(self._data):
                raise CborError("ends in the middle of a string")
            if major == 3:
                self._check_utf8(at, end)
            at = end
        elif major in (4, 5):
            self._open(stack, argument * (major - 3), is_map=major == 5, at=at)
        if is_key:
            self._check_key(stack[-1] if major in (0, 1, 3) else None, self._data[start:at])
        return at

    def _open(self, stack: list[list[Any]], items: int, *, is_map: bool, at: int) -> None:
        if len(stack) >= self._max_depth:
            raise CborError(f"nested deeper than {self._max_depth}")
        if items > len(self._data) - at:
            raise CborError("claims more items than there are bytes")
        stack.append([items, is_map, b"", None])

    def _check_key(self, container: list[Any] | None, key: bytes) -> None:
        if container is None:
            raise CborError("a key of a map is neither text nor an integer")
        if container[3] not in (None, _is_text(key)):
            raise CborError("a map mixes kinds of keys")
        if container[3] is not None and key <= container[2]:
            raise CborError("the keys of a map are not sorted, or one comes twice")
        container[2], container[3] = key, _is_text(key)

    def _check_utf8(self, start: int, end: int) -> None:
        try:
            self._data[start:end].decode()
        except UnicodeDecodeError:
            raise CborError("a text is not valid UTF-8") from None

    def _read_head(self, at: int) -> tuple[int, int, int]:
        data = self._data
        if at >= len(data):
            raise CborError("ends too early")
        major, info = data[at] >> 5, data[at] & 31
        at += 1
        if major == 7:
            return major, 0, self._simple(info, at)
        if major == 6:
            raise CborError("tags are not allowed")
        if info < 24:
            return major, info, at
        if info > 27:
            raise CborError("indefinite lengths are not allowed")
        size = 1 << info - 24
        if at + size > len(data):
            raise CborError("ends too early")
        argument = int.from_bytes(data[at : at + size], "big")
        if argument < (24 if size == 1 else 1 << 4 * size):
            raise CborError("a number is written longer than it needs to be")
        return major, argument, at + size

    def _simple(self, info: int, at: int) -> int:
        if info in (20, 21, 22):
            return at
        size = {25: 2, 26: 4, 27: 8}.get(info)
        if size is None:
            raise CborError("a simple value other than false, true and null")
        raw = self._data[at : at + size]
        if len(raw) < size:
            raise CborError("ends too early")
        (value,) = struct.unpack({2: ">e", 4: ">f", 8: ">d"}[size], raw)
        if not math.isfinite(value) or _float(value) != self._data[at - 1 : at + size]:
            raise CborError("a float that is not finite, or not in its shortest form")
        return at + size


# -- plain items, at once
#
# The scan costs twenty times what decoding costs. Nearly everything that comes consists of short
# strings, numbers, and lists and maps of them. One pattern finds that there are only such heads,
# each as short as it can be, and no tag; then it is safe to let cbor2 decode it first, and to look
# at the keys and the depth of what comes out. Accepted is only what the scan accepts (a test holds
# the two beside each other); everything else, right or wrong, goes through the scan.

_NOT_PLAIN = object()
_LONGEST_PLAIN = 95
"""Bytes of a string, so that the pattern is compiled in a millisecond."""


@lru_cache(maxsize=1)
def _plain_items() -> re.Pattern[bytes]:
    """Compile the pattern when it is first needed: not every command decodes something."""
    short = b"|".join(b"[%c%c].{%d}" % (0x40 | n, 0x60 | n, n) for n in range(1, 24))
    long = b"|".join(b"%b.{%d}" % (re.escape(b"%c" % n), n) for n in range(24, _LONGEST_PLAIN + 1))
    return re.compile(
        rb"(?:"
        # Whole numbers, list and map heads in one byte, empty strings, false, true, null.
        rb"[\x00-\x17\x20-\x37\x40\x60\x80-\x97\xa0-\xb7\xf4-\xf6]"
        rb"|" + short + rb"|[\x58\x78](?:" + long + rb")"
        rb"|[\x18\x38\x98\xb8][\x18-\xff]|[\x19\x39\x99\xb9][\x01-\xff]."
        rb"|[\x1a\x3a](?!\0{2}).{4}|[\x1b\x3b](?!\0{4}).{8}"
        # Finite floats; the long ones if the last bits that a shorter form lacks are not all zero.
        rb"|\xf9[\x00-\x7b\x80-\xfb]."
        rb"|\xfa(?![\x7f\xff][\x80-\xff])(?!..[\x00\x20\x40\x60\x80\xa0\xc0\xe0]\0).{4}"
        rb"|\xfb(?![\x7f\xff][\xf0-\xff])(?!.{4}[\x00\x20\x40\x60\x80\xa0\xc0\xe0]\0{3}).{8}"
        # Not possessive: Python 3.11.2 then takes what the look-aheads forbid. A bound, as each
        # repetition costs memory.
        rb"){1,4096}",
        re.DOTALL,
    )


def _plain(data: bytes, max_depth: int) -> Any:
    """Decode one item of the plain form; ``_NOT_PLAIN``: it is another, or something is wrong."""
    items, at = _plain_items(), 0
    while at < len(data):
        found = items.match(data, at)
        if found is None:
            return _NOT_PLAIN
        at = found.end()
    try:
        # cbor2 does not say where an item ends; `undefined`, which is not plain, shows that it
        # ends where the data does.
        value, end = cbor2.loads(
            b"\x82" + data + b"\xf7", max_depth=max_depth + 2, allow_duplicate_keys=False
        )
    except (cbor2.CBORDecodeError, ValueError, TypeError):
        return _NOT_PLAIN
    return value if end is cbor2.undefined and _in_order(value, max_depth) else _NOT_PLAIN


def _in_order(value: Any, levels: int) -> bool:
    """Whether the keys of all maps are of one kind and in order, and the depth is in the limit."""
    if type(value) is dict:
        if not _sorted(value):
            return False
        inner: Iterable[Any] = value.values()
    elif type(value) is list:
        inner = value
    else:
        return True
    if levels == 0:
        return False
    for item in inner:
        if (type(item) is dict or type(item) is list) and not _in_order(item, levels - 1):
            return False
    return True


def _sorted(keys: Iterable[Any]) -> bool:
    """Whether keys are in the order of their encoding: it begins with kind and length."""
    kinds = set(map(type, keys))
    if kinds == {str}:
        ranks: list[Any] = [(len(key), key) for key in map(str.encode, keys)]
    elif kinds == {int}:
        ranks = [key if key >= 0 else (1 << 64) - key for key in keys]
    else:
        return not kinds
    return ranks == sorted(ranks)  # that none comes twice, cbor2 has seen to
