"""Bech32m (BIP-350), the text form of keys: one word, in any case, that shows typing errors.

Up to four wrong letters are always found.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_FOLDS = tuple(
    reduce(xor, (generator for bit, generator in enumerate(_GENERATORS) if top >> bit & 1), 0)
    for top in range(32)
)
"""What the five bits that fall out at the top are folded back in as."""
_CONSTANT = 0x2BC830A3
_CHECKSUM_LETTERS = 6
_MAX_LENGTH = 90


class Bech32Error(ValueError):
    """A text is not valid Bech32m, or not with the expected prefix."""


def encode(hrp: str, data: bytes) -> str:
    """Encode bytes under a human-readable prefix, in lower case.

    Raises Bech32Error when the text would pass 90 letters, beyond which errors may go unnoticed.
    """
    values = list(_regroup(data, 8, 5, pad=True))
    checksum = _polymod([*_expand(hrp), *values, *[0] * _CHECKSUM_LETTERS]) ^ _CONSTANT
    values += [(checksum >> 5 * (5 - place)) & 31 for place in range(_CHECKSUM_LETTERS)]
    text = hrp + "1" + "".join(_LETTERS[value] for value in values)
    if len(text) > _MAX_LENGTH:
        raise Bech32Error("is too long")
    return text


def decode(hrp: str, text: str) -> bytes:
    """Decode a text with the expected prefix; Bech32Error says what is wrong with it."""
    if not all("!" <= letter <= "~" for letter in text):  # lower() makes a Kelvin sign a "k"
        raise Bech32Error("holds a character that is never used")
    if text not in (text.lower(), text.upper()):
        raise Bech32Error("mixes upper and lower case")
    lower = text.lower()
    prefix, _, rest = lower.rpartition("1")
    if not prefix or prefix != hrp:
        raise Bech32Error(f"does not begin with {hrp}1")
    if len(text) > _MAX_LENGTH or len(rest) < _CHECKSUM_LETTERS:
        raise Bech32Error("has the wrong length")
    try:
        values = [_VALUES[letter] for letter in rest]
    except KeyError as error:
        raise Bech32Error(f"holds the letter {error.args[0]!r}, which is never used") from None
    if _polymod([*_expand(hrp), *values]) != _CONSTANT:
        raise Bech32Error("has a typing error somewhere: its checksum is wrong")
    return bytes(_regroup(values[:-_CHECKSUM_LETTERS], 5, 8, pad=False))


def _expand(hrp: str) -> list[int]:
    codes = hrp.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: Iterable[int]) -> int:
    state = 1
    for value in values:
        state = (state & 0x1FFFFFF) << 5 ^ value ^ _FOLDS[state >> 25]
    return state


def _regroup(values: Iterable[int], have: int, want: int, *, pad: bool) -> Iterable[int]:
    """Change the number of bits in a group; without padding, what is left must be zeros."""
    held = bits = 0
    for value in values:
        held = (held << have | value) & 0xFFF
        bits += have
        while bits >= want:
            bits -= want
            yield held >> bits & (1 << want) - 1
    if pad:
        if bits:
            yield held << want - bits & (1 << want) - 1
    elif bits >= have or held & (1 << bits) - 1:
        raise Bech32Error("has stray bits at its end")
