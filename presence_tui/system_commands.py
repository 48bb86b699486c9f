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
    """Offer every action by name, without those that are refused anyway."""
    yield from _places(main)
    yield from _rows(main)
    for form in Form:
        if app.refusals.why("export") is None:
            yield SystemCommand(
                f"Export shown peers as {form.upper()}",
                "into a file in the current folder; the marked ones if there are any",
                lambda f=form: main.action_export(f),
            )
        yield SystemCommand(
            f"Copy shown peers as {form.upper()}",
            "the marked ones if there are any",
            lambda f=form: main.copy_shown(f),
        )
        yield SystemCommand(
            f"Copy selected peer as {form.upper()}",
            "the marked ones if there are any",
            lambda f=form: main.action_copy_peers(f),
        )
    yield SystemCommand("Zoom", "this pane over the whole screen, or back", main.action_zoom)
    yield SystemCommand("Search", "in names, keys, states, metadata", main.action_search)
    graph = main.query_one(MeshGraphView)
    yield SystemCommand("Neighbours only", "in the graph, or all", graph.action_direct_only)
    yield SystemCommand("Copy peer key", "of the selected peer", main.key_pane.action_copy_key)
    yield SystemCommand("QR code", "show or hide it", main.key_pane.action_toggle_qr)
    yield from _changes(app, main)
    yield SystemCommand("Theme", "the next one", app.action_toggle_theme)
    for name, theme in NAMES.items():
        yield SystemCommand(
            f"Theme: {name}", "colours", lambda t=theme.name: setattr(app, "theme", t)
        )
    yield SystemCommand("ASCII only", "or every sign there is", app.toggle_ascii)
    yield SystemCommand("Help", "every key and sign", app.action_help)
    if app.check_action("quit", ()):
        yield SystemCommand("Quit", "leave the mesh", app.action_quit)


def _places(main: MainScreen) -> Iterator[SystemCommand]:
    for number, (pane, title) in enumerate(PANES, 1):
        yield SystemCommand(
            f"Go to {title.lower()}", f"pane {number}", lambda p=pane: main.action_pane(p)
        )
    for topic in (None, *Topic):
        yield SystemCommand(
            f"Timeline: {'everything' if topic is None else topic}",
            "what happened",
            lambda t=topic: main.timeline_of(t),
        )


def _rows(main: MainScreen) -> Iterator[SystemCommand]:
    for column in SORTS:
        yield SystemCommand(
            f"Sort by {column}", "again: the other way round", lambda c=column: main.sort_by(c)
        )
    for show in Show:
        yield SystemCommand(
            f"Show {show} peers", "filter the table", lambda s=show: main.set_show(s)
        )
    yield SystemCommand("Reverse the order", "of the table", main.action_reverse)
    yield SystemCommand("Columns", "also order and groups", main.action_columns)
    yield SystemCommand("Pin", "keep the selected peer on top, or the marked", main.action_pin)
    yield SystemCommand("Mark", "the selected peer, or no longer", main.table.action_mark)
    yield SystemCommand("Mark shown peers", "to act on all at once", main.table.action_mark_shown)
    yield SystemCommand("Unmark all peers", "mark nobody", main.table.action_unmark)


def _changes(app: PresenceApp, main: MainScreen) -> Iterator[SystemCommand]:
    """Offer what changes something in the mesh."""
    editor = main.query_one(LocalPeerPane).editor
    if app.refusals.why("decide") is None:
        yield SystemCommand("Block marked peers", "after one question", main.action_block)
        for decision, meaning in DECISIONS.items():
            yield SystemCommand(
                f"{decision.title()} peer", meaning, lambda d=decision: main.decide(d)
            )
    for name, help_text, action in (
        ("Save metadata", "publish what is edited", editor.action_save),
        ("Revert metadata", "to what is published", editor.action_revert),
        ("Metadata as a form", "or as JSON again", editor.action_form),
        ("Difference", "what saving changes for others", editor.action_difference),
        ("Edit elsewhere", "the metadata in $EDITOR", editor.action_elsewhere),
        ("Template", "team, role and location", editor.action_template),
    ):
        if app.refusals.why(action.__name__.removeprefix("action_")) is None:
            yield SystemCommand(name, help_text, action)
