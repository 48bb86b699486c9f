"""Every action of the dashboard by name: what the command palette offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import SystemCommand

from presence_tui.screens.panes import PANES
from presence_tui.themes import NAMES
from presence_tui.viewmodel.export import Form
from presence_tui.viewmodel.orders import SORTS
from presence_tui.viewmodel.rows import Show
from presence_tui.viewmodel.timeline import Topic
from presence_tui.viewmodel.trust import DECISIONS
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.mesh_graph import MeshGraphView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presence_tui.app import PresenceApp
    from presence_tui.screens.main import MainScreen


def system_commands(app: PresenceApp, main: MainScreen) -> Iterator[SystemCommand]:
    """Offer every action by name."""
    for number, (pane, title) in enumerate(PANES, 1):
        yield SystemCommand(
            f"Go to {title.lower()}", f"pane {number}", lambda p=pane: main.action_pane(p)
        )
    for column in SORTS:
        yield SystemCommand(
            f"Sort by {column}", "again: the other way round", lambda c=column: main.sort_by(c)
        )
    for show in Show:
        yield SystemCommand(
            f"Show {show} peers", "filter the table", lambda s=show: main.set_show(s)
        )
    for topic in (None, *Topic):
        yield SystemCommand(
            f"Timeline: {'everything' if topic is None else topic}",
            "what happened",
            lambda t=topic: main.timeline_of(t),
        )
    yield SystemCommand("Reverse the order", "of the table", main.action_reverse)
    yield SystemCommand("Columns", "also order and groups", main.action_columns)
    yield SystemCommand("Pin", "keep the marked or selected peers on top", main.action_pin)
    table = main.table
    yield SystemCommand(
        "Mark shown peers", "copy, export, pin or block them", table.action_mark_shown
    )
    yield SystemCommand("Unmark all peers", "", table.action_unmark)
    yield SystemCommand("Block marked peers", "after one question", main.action_block)
    for form in Form:
        yield SystemCommand(
            f"Export shown peers as {form.upper()}",
            "into a file in the current folder",
            lambda f=form: main.action_export(f),
        )
        yield SystemCommand(
            f"Copy shown peers as {form.upper()}", "", lambda f=form: main.copy_shown(f)
        )
        yield SystemCommand(
            f"Copy selected peer as {form.upper()}",
            "",
            lambda f=form: main.action_copy_peers(f),
        )
    yield SystemCommand("Zoom", "this pane over the whole screen, or back", main.action_zoom)
    yield SystemCommand("Search", "in names, keys, states, metadata", main.action_search)
    graph = main.query_one(MeshGraphView)
    yield SystemCommand("Neighbours only", "in the graph, or all", graph.action_direct_only)
    yield SystemCommand("Copy peer key", "of the selected peer", main.key_pane.action_copy_key)
    yield SystemCommand("QR code", "show or hide it", main.key_pane.action_toggle_qr)
    for decision, meaning in DECISIONS.items():
        yield SystemCommand(f"{decision.title()} peer", meaning, lambda d=decision: main.decide(d))
    editor = main.query_one(LocalPeerPane).editor
    yield SystemCommand("Save metadata", "publish what is edited", editor.action_save)
    yield SystemCommand("Revert metadata", "to what is published", editor.action_revert)
    yield SystemCommand("Metadata as a form", "or as JSON again", editor.action_form)
    yield SystemCommand("Difference", "what saving changes for others", editor.action_difference)
    yield SystemCommand("Edit elsewhere", "the metadata in $EDITOR", editor.action_elsewhere)
    yield SystemCommand("Template", "team, role and location", editor.action_template)
    yield SystemCommand("Theme", "the next one", app.action_toggle_theme)
    for name, theme in NAMES.items():
        yield SystemCommand(
            f"Theme: {name}", "colours", lambda t=theme.name: setattr(app, "theme", t)
        )
    yield SystemCommand("ASCII only", "or every sign there is", app.toggle_ascii)
    yield SystemCommand("Help", "every key and sign", app.action_help)
    yield SystemCommand("Quit", "leave the mesh", app.action_quit)
