"""What the key pane says about one peer: its key in every form that people can compare."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_tui.viewmodel.moments import ago, stamp
from presence_tui.viewmodel.page import BLANK, Line, Page, Span, Tone, fact, heading, line, unbroken
from presence_tui.viewmodel.trust import cautions, grouped, safety_rows, trust_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from presence_core.model import Peer

QR_COLUMNS = 33
QR_BLANK_COLUMNS = 2 * QR_COLUMNS
"""The narrowest width for the QR code of a peer key: 29 modules and two of quiet zone a side."""

_QUIET_ZONE = 4
"""Light modules around a QR code (ISO/IEC 18004); two when the pane is too narrow for four."""

_LABEL = 12


def key_page(
    local: Peer,
    peer: Peer,
    now: datetime,
    *,
    qr_width: int | None = None,
    blanks: bool = False,
    hint: str = "",
) -> Page:
    """Return the page about ``peer``, seen from ``local`` (which may be the same peer).

    ``qr_width``: columns that the QR code may take, None for no QR code. ``hint``: said in
    place of a code that is not shown. ``blanks``: it is drawn without half blocks.
    """
    own = peer.peer_key == local.peer_key
    lines = [
        line(
            Span(safe_text(peer.device_name) or "(no name)", Tone.STRONG),
            Span("  this device" if own else "", Tone.DIM),
        ),
        *cautions(peer),
        fact("short id", safe_text(peer.short_id), width=_LABEL),
        *_seen(peer, now, own=own),
        *_trust(peer, own=own),
        BLANK,
        heading("Peer key"),
        *key_lines(peer.peer_key),
        BLANK,
        *_safety(local, peer, own=own),
    ]
    if qr_width is not None:
        lines += [
            BLANK,
            heading("QR code of the peer key"),
            *qr_lines(peer.peer_key, qr_width, blanks=blanks),
        ]
    elif hint:
        lines += [BLANK, line(Span(hint, Tone.DIM))]
    return tuple(lines)


def key_lines(peer_key: str) -> Iterator[Line]:
    """Yield the full key in groups of four, four to a row, so that people can read it aloud."""
    for row in grouped(safe_text(peer_key), 4, 4):
        yield line(row, indent=2)


@lru_cache(maxsize=16)
def _light(text: str, quiet_zone: int) -> tuple[tuple[bool, ...], ...]:
    """Return which modules of a QR code are light, with those around it; an even number of rows.

    The text is taken in upper case, which makes the code smaller and is the same bech32m value.
    """
    import segno  # which loads half of the standard library: not before a code is to be drawn

    matrix = segno.make(text.upper(), error="l", boost_error=True, micro=False).matrix
    side = len(matrix) + 2 * quiet_zone
    light = [[True] * side for _ in range(side + side % 2)]
    for y, row in enumerate(matrix):
        for x, module in enumerate(row):
            light[y + quiet_zone][x + quiet_zone] = not module & 1
    return tuple(map(tuple, light))


def qr_rows(text: str, quiet_zone: int) -> tuple[str, ...]:
    """Return a QR code in half blocks, two modules to a row.

    A block is a *light* module: drawn white on black it is dark on light, whatever the
    terminal's own colours are.
    """
    light = _light(text, quiet_zone)
    return tuple(
        "".join(" ▄▀█"[2 * upper + lower] for upper, lower in zip(*pair, strict=True))
        for pair in zip(light[::2], light[1::2], strict=True)
    )


def qr_lines(peer_key: str, width: int, *, blanks: bool = False) -> Iterator[Line]:
    """Yield the QR code of a peer key, or why there is none in so few columns.

    ``blanks``: without half blocks, two cells to a module, for terminals that know ASCII only.
    """
    least = QR_BLANK_COLUMNS if blanks else QR_COLUMNS
    if width < least:
        yield line(Span(f"needs {least} columns: make this pane wider", Tone.WARNING))
        return
    margin = _QUIET_ZONE if width >= least + (8 if blanks else 4) else _QUIET_ZONE - 2
    if blanks:
        for modules in _light(peer_key, margin):
            groups = ((light, 2 * len([*cells])) for light, cells in groupby(modules))
            spans = (Span(" " * n, Tone.QR_LIGHT if light else Tone.QR) for light, n in groups)
            yield Line(tuple(spans), fixed=True)
        return
    for row in qr_rows(peer_key, margin):
        yield Line(tuple(_qr_spans(row)), fixed=True)


def _qr_spans(row: str) -> Iterator[Span]:
    """Yield a row with its light cells as light blanks: blocks leave seams in many fonts."""
    for light, cells in groupby(row, key="█".__eq__):
        if light:
            yield Span(" " * len(list(cells)), Tone.QR_LIGHT)
        else:
            yield Span("".join(cells), Tone.QR)


def _seen(peer: Peer, now: datetime, *, own: bool) -> Iterator[Line]:
    if own:
        return
    for label, moment in (
        ("first seen", peer.presence.first_seen),
        ("last seen", peer.presence.last_seen),
    ):
        if moment is None:
            yield fact(label, Span("never", Tone.DIM), width=_LABEL)
        else:
            passed = Span(f"  {unbroken(ago(moment, now))}", Tone.DIM)
            yield fact(label, stamp(moment, now), passed, width=_LABEL)


def _trust(peer: Peer, *, own: bool) -> Iterator[Line]:
    if own:
        yield fact("trust", Span("your own key", Tone.GOOD), width=_LABEL)
        return
    word, tone, meaning = trust_words(peer.trust)
    yield fact("trust", Span(word, tone), width=_LABEL)
    yield line(Span(meaning, Tone.DIM), indent=2)


def _safety(local: Peer, peer: Peer, *, own: bool) -> Iterator[Line]:
    yield heading("Safety number")
    if own:
        yield line(Span("select another peer to compare keys with its owner", Tone.DIM), indent=2)
        return
    rows = safety_rows(local.peer_key, peer.peer_key)
    if not rows:
        yield line(Span("none: this is not a valid peer key", Tone.BAD), indent=2)
        return
    for row in rows:
        yield line(row, indent=2)
    words = "their screen shows the same 60 digits for you, or somebody sits in between"
    yield line(Span(words, Tone.DIM), indent=2)
