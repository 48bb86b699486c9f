"""The colours: calm, readable in the sun, and told apart without red and green.

What a colour says is always said by a sign and a word too; ``tests/ui/test_themes.py`` looks after
contrast (WCAG 2.2, 1.4.3 and 1.4.6) and after who sees no red or no green.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="presence-dark",
    primary="#4ba3d9",
    secondary="#c9a8f0",
    accent="#f0c060",
    success="#5cc8b0",
    warning="#f0b040",
    error="#ff7a66",
    foreground="#e4e8ec",
    background="#10151a",
    surface="#182028",
    panel="#1e2831",
    dark=True,
)
LIGHT = Theme(
    name="presence-light",
    primary="#00679e",
    secondary="#6a3fa0",
    accent="#8a5a00",
    success="#00705a",
    warning="#8a5200",
    error="#b3261e",
    foreground="#12181d",
    background="#fafbfc",
    surface="#f0f3f5",
    panel="#e3e9ed",
    dark=False,
)
HIGH_CONTRAST = Theme(
    name="presence-high-contrast",
    primary="#66ccff",
    secondary="#ffb8ff",
    accent="#ffff00",
    success="#40ffd0",
    warning="#ffd000",
    error="#ff9a80",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
    variables={"text-muted": "#dcdcdc"},
)
MONOCHROME = Theme(
    name="presence-monochrome",
    primary="#a8a8a8",
    secondary="#c8c8c8",
    accent="#ffffff",
    success="#e0e0e0",
    warning="#f0f0f0",
    error="#ffffff",
    foreground="#e0e0e0",
    background="#101010",
    surface="#1a1a1a",
    panel="#262626",
    dark=True,
)
THEMES = (DARK, LIGHT, HIGH_CONTRAST, MONOCHROME)
NAMES = {theme.name.removeprefix("presence-"): theme for theme in THEMES}
"""The themes by the name that a person gives."""


def theme_after(name: str) -> Theme:
    """Return the theme that follows the one with this full name."""
    order = [theme.name for theme in THEMES]
    return THEMES[(order.index(name) + 1) % len(THEMES)] if name in order else DARK
