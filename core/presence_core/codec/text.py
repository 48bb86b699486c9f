"""Making text that a peer chose safe to show.

A terminal obeys what it is sent, and a toolkit passes control bytes through: so every such text
goes through here once, before any screen, log or table, and is then shown literally.
"""

from __future__ import annotations

import unicodedata

_MAX_MARKS = 3
"""Combining marks kept on one character; a pile of them paints over neighbouring lines."""

_JOINERS_AND_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Characters of harmless category that show as nothing, or as a blank."""


def safe_text(text: str, *, limit: int = 256) -> str:
    """Return text as one line that no terminal can take for anything but text.

    Drops control, format (bidi controls, zero-width, tags), surrogate, private and unassigned
    characters; white space of any kind becomes a blank; the rest is in NFC, at most ``limit``
    characters, with an ellipsis where it was cut.
    """
    return _cut(_clean(text[: limit * 8], keep=""), limit)


def safe_block(text: str, *, limit: int = 65_536) -> str:
    """Return text as :func:`safe_text` does, with its line breaks."""
    return _cut(_clean(text[: limit * 8].replace("\r\n", "\n"), keep="\n"), limit)


def _clean(text: str, keep: str) -> str:
    out: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        if char in keep:
            out.append(char)
        elif char in "\t\n\r\v\f" or category in ("Zs", "Zl", "Zp"):
            out.append(" ")
        elif category[0] == "C" or char in _JOINERS_AND_FILLERS or _is_variation(char):
            continue
        elif category[0] == "M":
            marks += 1
            if marks <= _MAX_MARKS and out:
                out.append(char)
            continue
        else:
            out.append(char)
        marks = 0
    return unicodedata.normalize("NFC", "".join(out))


def _is_variation(char: str) -> bool:
    """Variation selectors change how wide a terminal draws a character, each its own way."""
    return (
        "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
        or char in "\u180b\u180c\u180d\u180f"
    )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
