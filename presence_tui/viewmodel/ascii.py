"""Text for terminals that know ASCII only: the same number of cells, as much sense as is left."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

_SIGNS = str.maketrans(
    {
        # states
        "●": "o",
        "○": ".",
        "◌": "~",
        "◐": "~",
        "◆": "*",
        "✓": "+",
        "✔": "+",
        "✗": "x",
        "✘": "x",
        "▲": "^",
        "▼": "v",
        "▶": ">",
        "◀": "<",
        "▸": ">",
        "▾": "v",
        "…": ".",
        "·": "-",
        "•": "*",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "–": "-",
        "—": "-",
        "−": "-",
        "×": "x",
        "“": '"',
        "”": '"',
        "„": '"',
        "’": "'",
        "‘": "'",
        "\u00a0": " ",
        # lines
        "─": "-",
        "━": "-",
        "┄": "~",
        "┈": ".",
        "═": "=",
        "≡": "#",
        "│": "|",
        "┃": "|",
        "║": "|",
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋╸╺╹╻", "+"),
        # blocks
        "▌": ">",
        "▐": "|",
        "▎": "|",
        "▏": "|",
        "▕": "|",
        "▊": "|",
        "▋": "|",
        "▍": "|",
        "▉": "|",
        "▔": "-",
        "▁": "_",
        "▂": ".",
        "▃": "-",
        "▄": "=",
        "▅": "+",
        "▆": "*",
        "▇": "#",
        "█": "@",
        "▀": '"',
        "░": ".",
        "▒": ":",
        "▓": "#",
        "■": "#",
        "□": "o",
    }
)
_BRAILLE = range(0x2800, 0x2900)


def to_ascii(text: str) -> str:
    """Return a text of ASCII characters that takes as many cells.

    Signs of ours become other signs, letters lose their accents, dots of a drawing become a dot or
    a colon; for everything else stands a question mark in each cell.
    """
    if text.isascii():
        return text
    text = text.translate(_SIGNS)
    return text if text.isascii() else "".join(map(_one, text))


@lru_cache(maxsize=4096)
def _one(char: str) -> str:
    if char.isascii():
        return char
    width = cell_len(char)
    if width == 0:
        return ""
    if ord(char) in _BRAILLE:
        dots = (ord(char) - _BRAILLE.start).bit_count()
        return " " if dots == 0 else "." if dots <= 2 else ":"
    base = unicodedata.normalize("NFKD", char)[0]
    return base if base.isascii() and base.isprintable() and width == 1 else "?" * width
