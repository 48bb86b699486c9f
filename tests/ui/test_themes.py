"""Themes: contrast, colour blindness, no colour, no Unicode."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import segno
from textual.geometry import Region
from textual.theme import Theme

from presence_core.model import IdentityStatus
from presence_tui.app import PresenceApp
from presence_tui.look import THEMES as NAMED
from presence_tui.look import Look
from presence_tui.themes import HIGH_CONTRAST, MONOCHROME, NAMES, THEMES
from presence_tui.viewmodel.identity import status_words
from presence_tui.viewmodel.page import Tone
from tests import canned
from tests.canned import peer_key
from tests.ui.hosts import screen_text, until
from tests.ui.test_dashboard import dashboard

TEXTS = ("foreground", "text-success", "text-warning", "text-error", "text-primary")
TEXTS_TOO = ("text-secondary", "text-accent")
GROUNDS = ("background", "surface", "panel")

Rgb = tuple[float, float, float]


def linear(colour: str) -> Rgb:
    """Return a colour as linear sRGB."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return red, green, blue


def luminance(rgb: Rgb) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    dark, light = sorted((luminance(linear(one)), luminance(linear(other))))
    return (light + 0.05) / (dark + 0.05)


# Viénot, Brettel, Mollon 1999: linear sRGB as those see it who lack one kind of cone
SEEN_BY = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "who sees no red": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    "who sees no green": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
}


def seen(rgb: Rgb, by: str) -> Rgb:
    red, green, blue = (
        min(1.0, max(0.0, sum(k * c for k, c in zip(row, rgb, strict=True)))) for row in SEEN_BY[by]
    )
    return red, green, blue


def lab(rgb: Rgb) -> Rgb:
    """Return a colour in CIE L*a*b* (D65)."""
    red, green, blue = rgb
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        luminance(rgb),
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str, by: str) -> float:
    a, b = (lab(seen(linear(colour), by)) for colour in (one, other))
    return float(sum((m - n) ** 2 for m, n in zip(a, b, strict=True)) ** 0.5)


def colours(theme: Theme) -> dict[str, str]:
    return {name: value[:7] for name, value in theme.to_color_system().generate().items()}


def test_every_theme_has_a_name_that_can_be_asked_for() -> None:
    assert tuple(NAMES) == NAMED
    assert tuple(NAMES.values()) == THEMES


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_texts_stand_out_from_their_ground(theme: Theme) -> None:
    least = 9.0 if theme is HIGH_CONTRAST else 7.0  # WCAG AAA asks for 7
    shown = colours(theme)
    for text in (*TEXTS, *TEXTS_TOO):
        for ground in GROUNDS:
            assert contrast(shown[text], shown[ground]) >= least, (text, ground)


@pytest.mark.parametrize("by", SEEN_BY)
@pytest.mark.parametrize(
    "theme", [t for t in THEMES if t is not MONOCHROME], ids=lambda theme: theme.name
)
def test_good_and_bad_are_told_apart_by_everybody(theme: Theme, by: str) -> None:
    shown = colours(theme)
    for one, other in combinations(("text-success", "text-error"), 2):
        assert apart(shown[one], shown[other], by) >= 12, (one, other)  # 2.3 can just be seen
    assert apart(shown["text-success"], shown["text-warning"], by) >= 12


def test_monochrome_has_no_colour() -> None:
    for name in (*TEXTS, *TEXTS_TOO, *GROUNDS, "primary"):
        colour = colours(MONOCHROME)[name]
        channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        assert max(channels) - min(channels) <= 3, name


@pytest.mark.parametrize("theme", NAMES)
async def test_every_status_can_be_read_in_every_theme(theme: str) -> None:
    app = PresenceApp(
        canned.CannedSource(canned.statuses()), now=lambda: canned.NOW, look=Look(theme)
    )
    async with app.run_test(size=(200, 60)) as pilot:
        pane = app.screen.query_one("#peers")
        await until(pilot, lambda: "IDENTITY" in screen_text(pane))
        table = screen_text(pane)
        for status in IdentityStatus:
            words = status_words(status)
            assert f"{words.symbol} {words.word.split()[0]}" in table
        assert "✗ blocked" in table
        assert app.theme == NAMES[theme].name


async def test_t_goes_through_all_themes() -> None:
    async with dashboard(canned.one()) as one:
        seen_themes = []
        for _ in THEMES:
            seen_themes.append(one.app.theme)
            await one.press("t")
        assert seen_themes == [theme.name for theme in THEMES]
        assert one.app.theme == THEMES[0].name
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        for name, theme in NAMES.items():
            commands[f"Theme: {name}"]()
            assert one.app.theme == theme.name


# -- without Unicode


def all_text(app: PresenceApp) -> str:
    """Return everything as it goes to the terminal."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    assert len(lines) == height
    return "\n".join("".join(segment.text for segment in line)[:width] for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
@pytest.mark.parametrize(
    "keys", [(), ("question_mark",), ("3", "r"), ("7",), ("8",), ("4",), ("c",)]
)
async def test_an_ascii_screen_is_ascii(keys: tuple[str, ...], size: tuple[int, int]) -> None:
    app = PresenceApp(
        canned.CannedSource(canned.many()), now=lambda: canned.NOW, look=Look(ascii_only=True)
    )
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "current" in all_text(app))
        await pilot.press(*keys)
        await pilot.pause()
        assert all_text(app).isascii()


async def test_an_ascii_screen_says_the_same() -> None:
    app = PresenceApp(
        canned.CannedSource(canned.statuses()), now=lambda: canned.NOW, look=Look(ascii_only=True)
    )
    async with app.run_test(size=(80, 24)) as pilot:
        for words in ("+ verified", "x bad signature", "! expired", "x blocked", "o online"):
            await until(pilot, lambda: words in all_text(app))  # noqa: B023


async def test_ascii_can_be_switched() -> None:
    async with dashboard(canned.many()) as one:
        assert not all_text(one.app).isascii()
        commands = {c.title: c.callback for c in one.app.get_system_commands(one.screen)}
        commands["ASCII only"]()
        await one.until(lambda: all_text(one.app).isascii())
        commands["ASCII only"]()
        await one.until(lambda: not all_text(one.app).isascii())


async def test_the_qr_code_is_drawn_with_blanks_where_there_are_no_half_blocks() -> None:
    app = PresenceApp(
        canned.CannedSource(canned.team()), now=lambda: canned.NOW, look=Look(ascii_only=True)
    )
    async with app.run_test(size=(80, 60)) as pilot:
        await pilot.press("3", "r")
        await pilot.pause()
        pane: Any = app.screen.query_one("#key")
        drawn = [
            [span.tone is Tone.QR_LIGHT for span in line.spans for _ in span.text]
            for line in pane.page
            if line.fixed
        ]
        code = segno.make(peer_key(11).upper(), error="l", boost_error=True, micro=False)
        modules = [[not dark for dark in row] for row in code.matrix_iter(border=4)]
        assert [row[::2] for row in drawn[: len(modules)]] == modules
        assert all(row[::2] == row[1::2] for row in drawn)
        region = Region(0, 0, *pane.size)
        strips = pane.render_lines(region)
        assert all(segment.text.isascii() for strip in strips for segment in strip)


# -- keys of one's own


async def test_keys_from_the_config_work_and_are_shown() -> None:
    app = PresenceApp(
        canned.CannedSource(canned.team()),
        now=lambda: canned.NOW,
        look=Look(keys={"table.sort": "o", "pane.key": "f3"}),
    )
    async with app.run_test(size=(120, 36)) as pilot:
        table: Any = app.screen.query_one("#peers")
        await pilot.press("s")
        assert table.asked.sort == "name"
        await pilot.press("o")
        assert table.asked.sort == "presence"
        hints = screen_text(app.screen.query_one("#keys"))
        assert "o Sort" in hints
        assert "s Sort" not in hints
        await pilot.press("f3")
        assert app.focused is not None
        assert app.focused.id == "key"
        await pilot.press("question_mark")
        await pilot.pause()
        shown = screen_text(app.screen.query_one("#help"))
        assert "Your own keys" in shown
        assert "table.sort" in shown
