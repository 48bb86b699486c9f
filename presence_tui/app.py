"""The dashboard: a Textual app over any source of presence graphs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from presence_tui.look import Look
from presence_tui.messages import GraphArrived
from presence_tui.screens.columns import ColumnsScreen
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.screens.help import HelpScreen
from presence_tui.screens.main import PANES, MainScreen
from presence_tui.themes import NAMES, THEMES, theme_after
from presence_tui.viewmodel.export import Form
from presence_tui.viewmodel.orders import SORTS
from presence_tui.viewmodel.rows import Show
from presence_tui.viewmodel.timeline import Topic
from presence_tui.viewmodel.trust import DECISIONS
from presence_tui.widgets.ascii_filter import AsciiFilter
from presence_tui.widgets.field_list import FieldList
from presence_tui.widgets.local_peer import LocalPeerPane
from presence_tui.widgets.mesh_graph import MeshGraphView
from presence_tui.widgets.metadata_editor import MetadataEditor
from presence_tui.widgets.metadata_form import FieldLine, MetadataForm
from presence_tui.widgets.peer_key import PeerKeyPane
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.search_line import SearchLine
from presence_tui.widgets.timeline import TimelineView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path, PurePath

    from textual.dom import DOMNode
    from textual.filter import LineFilter
    from textual.screen import Screen

    from presence_core.model import PresenceGraph
    from presence_tui.source import PresenceSource, Watching


_USUAL = Look()


def local_now() -> datetime:
    """Return now, in the time zone of this device."""
    return datetime.now().astimezone()


class PresenceApp(App[int]):
    """Shows the graphs of a source until the person quits.

    ``now`` is the clock of everything on the screen; ``draft`` the file that keeps an unfinished
    metadata text, ``layout_file`` the one that keeps the columns and the order of the table.
    ``look``: theme, ASCII or not, and keys other than the usual ones.
    """

    TITLE = "presence-tui"
    ENABLE_COMMAND_PALETTE = True
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        "screens/main.tcss",
        "screens/help.tcss",
        "screens/confirm.tcss",
        "screens/columns.tcss",
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", id="app.help"),
        Binding("f1", "help", "Help", id="app.help-anywhere"),
        Binding("ctrl+p", "command_palette", "Commands", key_display="^p", id="app.commands"),
        Binding("t", "toggle_theme", "Theme", show=False, id="app.theme"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+q", "quit", "Quit", id="app.quit-anywhere"),
    ]

    def __init__(
        self,
        source: PresenceSource,
        *,
        now: Callable[[], datetime] = local_now,
        draft: Path | None = None,
        layout_file: Path | None = None,
        look: Look = _USUAL,
    ) -> None:
        super().__init__()
        self._source = source
        self._watching: Watching | None = None
        self._main = MainScreen(
            source, clock=now, draft=draft, layout_file=layout_file, toasts=look.toasts
        )
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = NAMES[look.theme].name
        self.ascii_only = look.ascii_only
        self._ascii = AsciiFilter()
        self.keys = dict(look.keys)
        self.set_keymap(self.keys)

    def get_default_screen(self) -> Screen[None]:
        """Return the main screen: there is nothing to show before it."""
        return self._main

    def on_mount(self) -> None:
        """Begin to follow the source."""
        self._watching = self._source.observe(self._arrived)

    def _arrived(self, graph: PresenceGraph) -> None:
        self.post_message(GraphArrived(graph))

    def on_unmount(self) -> None:
        """Stop following."""
        if self._watching is not None:
            self._watching.stop()

    def on_graph_arrived(self, message: GraphArrived) -> None:
        """Show a newer graph."""
        self._main.show(message.graph)

    # -- commands

    def action_help(self) -> None:
        """Show every key and sign."""
        self.push_screen(HelpScreen(self.keys))

    def action_toggle_theme(self) -> None:
        """Change to the next theme."""
        self.theme = theme_after(self.theme).name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line passes on its way to the terminal."""
        filters = super().get_line_filters()
        return [*filters, self._ascii] if self.ascii_only else filters

    def toggle_ascii(self) -> None:
        """Show nothing but ASCII, or everything."""
        self.ascii_only = not self.ascii_only
        self._main.show_ascii(only=self.ascii_only)
        self.refresh_css()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """Offer every action by name."""
        main = self._main
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
        yield SystemCommand("Pin", "keep the selected peer on top, or not", main.action_pin)
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
            yield SystemCommand(
                f"{decision.title()} peer", meaning, lambda d=decision: main.decide(d)
            )
        editor = main.query_one(LocalPeerPane).editor
        yield SystemCommand("Save metadata", "publish what is edited", editor.action_save)
        yield SystemCommand("Revert metadata", "to what is published", editor.action_revert)
        yield SystemCommand("Metadata as a form", "or as JSON again", editor.action_form)
        yield SystemCommand(
            "Difference", "what saving changes for others", editor.action_difference
        )
        yield SystemCommand("Edit elsewhere", "the metadata in $EDITOR", editor.action_elsewhere)
        yield SystemCommand("Template", "team, role and location", editor.action_template)
        yield SystemCommand("Theme", "the next one", self.action_toggle_theme)
        for name, theme in NAMES.items():
            yield SystemCommand(
                f"Theme: {name}", "colours", lambda t=theme.name: setattr(self, "theme", t)
            )
        yield SystemCommand("ASCII only", "or every sign there is", self.toggle_ascii)
        yield SystemCommand("Help", "every key and sign", self.action_help)
        yield SystemCommand("Quit", "leave the mesh", self.action_quit)


def rooms() -> Iterator[Mapping[str, str]]:
    """Yield the bindings of the app, of each screen, and of each pane: from their names to keys."""
    nodes: tuple[type[DOMNode], ...] = (
        PresenceApp,
        MainScreen,
        HelpScreen,
        ConfirmScreen,
        ColumnsScreen,
        PeerTable,
        PeerKeyPane,
        MeshGraphView,
        TimelineView,
        SearchLine,
        MetadataEditor,
        MetadataForm,
        FieldLine,
        FieldList,
    )
    for node in nodes:
        yield {
            binding.id: binding.key
            for kind in node.__mro__
            for binding in vars(kind).get("BINDINGS", ())
            if isinstance(binding, Binding) and binding.id is not None
        }
