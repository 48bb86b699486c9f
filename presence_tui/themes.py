"""The colours: calm, readable in the sun, and told apart without red and green."""

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
THEMES = (DARK, LIGHT)
