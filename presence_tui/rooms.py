"""Where keys mean something: the app, each screen, each pane, and the bindings of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from presence_tui.app import PresenceApp
from presence_tui.screens.columns import ColumnsScreen
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.screens.help import HelpScreen
from presence_tui.screens.main import MainScreen
from presence_tui.widgets.field_list import FieldList
from presence_tui.widgets.mesh_graph import MeshGraphView
from presence_tui.widgets.metadata_editor import MetadataEditor
from presence_tui.widgets.metadata_form import FieldLine, MetadataForm
from presence_tui.widgets.peer_key import PeerKeyPane
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.search_line import SearchLine
from presence_tui.widgets.timeline import TimelineView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from textual.dom import DOMNode


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
