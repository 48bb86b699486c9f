"""The panes of the main screen, in the order of their keys, with their titles."""

from __future__ import annotations

PANES = (
    ("peers", "Peers"),
    ("identity", "Identity"),
    ("key", "Key"),
    ("local", "This device"),
    ("conditions", "Conditions"),
    ("links", "Links"),
    ("graph", "Graph"),
    ("timeline", "Timeline"),
)
BELOW = ("graph", "timeline")
"""Panes that take the place of the side, under the table, where there is no room for all."""
