"""The pane of the local peer: who this device is, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.message import Message

from presence_core.model import MetadataState
from presence_tui.viewmodel.local_peer import local_page
from presence_tui.widgets.metadata_editor import MetadataEditor
from presence_tui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult

    from presence_core.model import Peer, PresenceGraph

_SHORT_BELOW = 16


class LocalPeerPane(Vertical):
    """Shows the local peer and edits its metadata.

    Answer :class:`SaveRequested` with :meth:`saved` or :meth:`failed`. ``draft``: the file that
    keeps text which is not published; None keeps it in memory only. ``shows_only``: nothing can be
    edited.
    """

    @dataclass
    class SaveRequested(Message):
        """The person wants this text published as metadata; it is valid."""

        text: str

    HELP = """
## This device

**Metadata** is a JSON object that every peer of the mesh can read. It is checked as you type;
`ctrl+s` publishes it, `ctrl+r` returns to what others see, `ctrl+z` undoes either. `tab` leaves
the text. Text that is not published is kept, also when the terminal closes.
"""
    DEFAULT_CSS = """
    LocalPeerPane {
        padding: 0 1;
        & #local-facts { height: auto; max-height: 50%; margin-bottom: 1; }
        &.-short #local-facts { margin-bottom: 0; }
    }
    """

    def __init__(
        self,
        *,
        draft: Path | None = None,
        shows_only: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._draft = draft
        self._shows_only = shows_only
        self._graph: PresenceGraph | None = None

    def compose(self) -> ComposeResult:
        """Lay out the facts above the editor."""
        yield Sheet(id="local-facts")
        yield MetadataEditor(draft=self._draft, shows_only=self._shows_only)

    def show(self, graph: PresenceGraph, selected: Peer | None = None) -> None:
        """Show the local peer of a graph; which peer is selected makes no difference here."""
        self._graph = graph
        if self.is_mounted:
            self._show_graph(graph)

    def on_mount(self) -> None:
        """Show the graph that came before the widgets were there."""
        if self._graph is not None:
            self._show_graph(self._graph)

    def on_resize(self, event: events.Resize) -> None:
        """Leave explanations out when there are few rows: the text needs them more."""
        self.set_class(event.size.height < _SHORT_BELOW, "-short")
        self._show_facts()

    @property
    def editor(self) -> MetadataEditor:
        """The metadata editor."""
        return self.query_one(MetadataEditor)

    def saved(self) -> None:
        """Take note that the text of the last :class:`SaveRequested` is published."""
        self.editor.saved()

    def failed(self, error_text: str) -> None:
        """Say why the text of the last :class:`SaveRequested` was refused; it stays as it is."""
        self.editor.failed(error_text)

    @on(MetadataEditor.SaveRequested)
    def _pass_on(self, event: MetadataEditor.SaveRequested) -> None:
        event.stop()
        self.post_message(self.SaveRequested(event.text))

    def _show_graph(self, graph: PresenceGraph) -> None:
        self._show_facts()
        local = graph.local_peer
        if local.peer_metadata_state is not MetadataState.PENDING:  # else it is an older value
            self.editor.show_published(local.peer_metadata)

    def _show_facts(self) -> None:
        if self._graph is not None:
            page = local_page(self._graph, short=self.has_class("-short"))
            self.query_one("#local-facts", Sheet).show_page(page)
