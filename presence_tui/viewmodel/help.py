"""What the help says: keys and signs, from the words that the screens use."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import IdentityStatus, PresenceState, ViewState
from presence_tui.viewmodel.identity import status_words
from presence_tui.viewmodel.page import BLANK, Line, Page, Span, Tone, heading, line
from presence_tui.viewmodel.refusals import Refusals
from presence_tui.viewmodel.trust import BLOCKED, DECISIONS
from presence_tui.viewmodel.words import LAST_KNOWN, LINKS, view_words

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Everywhere",
        (
            ("1 2 3 4", "peers, identity, key, this device"),
            ("5 6 7 8", "conditions, links, graph, timeline"),
            ("tab shift+tab", "next pane, pane before"),
            ("z", "this pane over the whole screen, or back"),
            ("esc", "one step back: to the table, to all peers"),
            ("ctrl+p", "every command, by name"),
            ("t", "the next theme: dark, light, high-contrast, monochrome"),
            ("? f1", "this help; f1 also while you type"),
            ("q ctrl+q", "quit; ctrl+q also while you type"),
        ),
    ),
    (
        "Peers",
        (
            ("↑ ↓ k j", "choose a peer; the order is held for 3 seconds"),
            ("pgup pgdn", "a screenful up, down"),
            ("home end g G", "the first peer, the last"),
            ("enter", "to the details of the peer; so does a double click"),
            ("/", "search; enter keeps it, esc clears it"),
            ("f", "all, online, direct, or missing peers only"),
            ("s S", "sort by the next column (or click one); other way round"),
            ("c", "columns, also of metadata; sort by several, group"),
            ("space", "mark this peer, or no longer; so does ctrl+click"),
            ("a A", "mark all that are shown; mark nobody (esc too)"),
            ("p", "keep this peer (or the marked) on top, or no longer"),
            ("y", "copy this peer (or the marked ones) as JSON"),
            ("e", "write peers shown (or marked) into a CSV file"),
            ("b", "block this peer (or the marked ones), after a question"),
        ),
    ),
    (
        "Columns",
        (
            ("space enter", "show a column or leave it out"),
            ("J shift+down", "further down: to the right in the table"),
            ("K shift+up", "further up"),
            ("→ + ← -", "wider, narrower"),
            ("s a", "sort by it; then by it (or shift+click its title)"),
            ("g", "keep rows together by it"),
            ("x", "the usual columns and order"),
            ("esc q c", "done"),
        ),
    ),
    (
        "What a search understands",
        (
            ("pump", "in names, keys, and what peers say of themselves"),
            ("state:lost", "facts; also type:ble identity:expired|missing trust:blocked"),
            ("name:pump", "also os: version: via: key: issuer: subject:"),
            ("warning", "peers whose name or subject was met under another key"),
            ("hops:>1", "numbers; also hops:2 hops:none rtt:<20; direct for neighbours"),
            ("role=medic", "metadata; also deck.place=aft battery<50 note=*"),
            ("!role=medic", "everybody else; all words must fit"),
            ('"north bridge"', "words that stand together"),
        ),
    ),
    (
        "Graph",
        (
            ("← → ↑ ↓", "choose the nearest peer in that direction; so does a click"),
            ("enter", "to the details of the peer; so does a double click"),
            ("d", "neighbours only, or everybody"),
        ),
    ),
    (
        "Timeline",
        (
            ("f", "the next topic only: peers, identity, metadata, links, this device"),
            ("o", "the peer of this event only, or everybody"),
            ("space", "hold back what comes; again: show it"),
            ("enter", "to the peer; so does a double click"),
            ("→ l ← h", "open a line (▸) that stands for several events; close it; so does enter"),
        ),
    ),
    (
        "Key",
        (
            ("c", "copy the full key"),
            ("r", "show or hide the QR code"),
            *(
                (key, f"{decision}: {DECISIONS[decision]}")
                for key, decision in zip("vbu", DECISIONS, strict=True)
            ),
            ("y n", "answer what is asked before that; esc is no"),
        ),
    ),
    (
        "This device",
        (
            ("ctrl+s", "publish the metadata"),
            ("ctrl+r", "return to what is published"),
            ("ctrl+z ctrl+y", "undo; make it again"),
            ("f2", "as a form, one line a key; again: as JSON"),
            ("f3", "show what saving changes for others, or hide it"),
            ("f4", "edit the text in $VISUAL or $EDITOR"),
        ),
    ),
    (
        "This device, as a form",
        (
            ("enter", "another value; yes and no just change places"),
            ("a n", "add a key; another name for it"),
            ("y", "another type: text, number, yes/no, nothing"),
            ("delete", "remove the key"),
            ("m", "add team, role and location, where they are missing"),
        ),
    ),
)
"""Every key, by where it works."""

_ACTIONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("Peers", "e"): "export",
        ("Peers", "b"): "block",
        **{("Key", key): "decide" for key in ("v", "b", "u", "y n")},
        **{("This device", key): "save" for key, _ in dict(KEYS)["This device"]},
        ("This device", "f4"): "elsewhere",
        **{
            ("This device, as a form", key): "form"
            for key, _ in dict(KEYS)["This device, as a form"]
        },
    }
)
"""What keys do that are not named where it is refused: the action by section and key."""

_SEEN = {
    PresenceState.ONLINE: ("● online", Tone.GOOD, "reachable now, over confirmed links"),
    PresenceState.LEFT: ("○ left", Tone.DIM, "it said goodbye"),
    PresenceState.LOST: (
        "✗ lost",
        Tone.BAD,
        "gone silent, or no confirmed way leads to it",
    ),
}
_VIEWS = {
    ViewState.FILLING: "the first exchange is not done yet",
    ViewState.CURRENT: "neighbours confirm what is shown",
    ViewState.STALE: "no neighbour confirms it now: who was here is the last known",
    ViewState.BLIND: "no link at all: everything shown is the last known",
}
_WIDTH = 16
_NONE: Mapping[str, str] = MappingProxyType({})
_NO_REFUSALS = Refusals()


def help_page(own_keys: Mapping[str, str] = _NONE, refusals: Refusals = _NO_REFUSALS) -> Page:
    """Return the help, without what is refused anyway.

    ``own_keys``: from the names of bindings to keys that are not the usual.
    """
    lines: list[Line] = []
    if own_keys:
        lines.append(heading("Your own keys (config.toml), in place of the usual ones"))
        for name, key in sorted(own_keys.items()):
            shown = Span(safe_text(key, limit=30).ljust(_WIDTH), Tone.KEY)
            lines.append(_row(shown, safe_text(name, limit=40)))
        lines.append(BLANK)
    for title, keys in KEYS:
        rows = [
            _row(Span(key.ljust(_WIDTH), Tone.KEY), what)
            for key, what in keys
            if refusals.why(_ACTIONS.get((title, key), "")) is None
        ]
        if rows:
            lines += [heading(title), *rows, BLANK]
    lines.append(heading("Presence"))
    for text, tone, what in _SEEN.values():
        lines.append(_row(Span(text.ljust(_WIDTH), tone), what))
    lines.append(
        _row(Span(LAST_KNOWN.text.ljust(_WIDTH), LAST_KNOWN.tone), "the view is stale or blind")
    )
    lines += [BLANK, heading("View")]
    for state, what in _VIEWS.items():
        words = view_words(state)
        lines.append(_row(Span(words.text.ljust(_WIDTH), words.tone), what))
    lines += [BLANK, heading("Links of our own")]
    lines += [_row(Span(sign.ljust(_WIDTH)), name) for name, sign in LINKS.items()]
    lines.append(_row(Span("X·".ljust(_WIDTH)), "a type that this version does not know"))
    lines += [BLANK, heading("Identity")]
    for status in IdentityStatus:
        status_word = status_words(status)
        text = f"{status_word.symbol} {status_word.word}"
        lines.append(_row(Span(text.ljust(24), status_word.tone), status_word.meaning, 24))
    lines += [
        _row(
            Span(BLOCKED.text.ljust(24), BLOCKED.tone), "at this device, whatever a token says", 24
        ),
        _row(
            Span("! before a name".ljust(24), Tone.WARNING),
            "key warning: met before under another key",
            24,
        ),
    ]
    return tuple(lines)


def _row(sign: Span, what: str, width: int = _WIDTH) -> Line:
    return line(sign, what, indent=2, hang=width + 2)
