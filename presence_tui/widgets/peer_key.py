"""The pane of a peer key: in groups, as a QR code, as a safety number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from presence_tui.viewmodel.page import lay_out
from presence_tui.viewmodel.peer_key import QR_BLANK_COLUMNS, QR_COLUMNS, key_page
from presence_tui.viewmodel.trust import Decision, possible
from presence_tui.widgets.peer_page import PeerPage

if TYPE_CHECKING:
    from presence_core.model import Peer, PresenceGraph
    from presence_tui.viewmodel.page import Page


class PeerKeyPane(PeerPage):
    """Shows the key of the selected peer, or of this device when none is selected.

    The QR code is shown when there is room for all of it; ``r`` shows it anyway, or hides it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy_key", "Copy key", id="peer-key.copy"),
        Binding("r", "toggle_qr", "QR code", id="peer-key.qr"),
        Binding("v", "decide('verify')", "Verify", id="peer-key.verify"),
        Binding("b", "decide('block')", "Block", id="peer-key.block"),
        Binding("u", "decide('forget')", "Forget", id="peer-key.forget"),
    ]
    HELP = """
## Peer key

The key is who a peer *is*; names are only what it says. Compare the **safety number** with the
one on the owner's screen, by voice or face to face, or scan the **QR code** (`r`). `c` copies
the full key. `v` keeps that the key is its owner's, `b` blocks it, `u` forgets either.
"""
    _qr: bool | None = None

    @dataclass
    class DecisionWanted(Message):
        """The person wants to decide something about the key of this peer."""

        decision: Decision
        peer: Peer

    def build(self, graph: PresenceGraph, peer: Peer) -> Page:
        """Return the page, with the QR code when asked for or when there is room for it."""
        local, now, width = graph.local_peer, self.now(graph), self.text_width
        if self._qr is False:
            return key_page(local, peer, now, hint="r shows the QR code")
        blanks = bool(getattr(self.app, "ascii_only", False))
        with_code = key_page(local, peer, now, qr_width=width, blanks=blanks)
        fits = (
            width >= (QR_BLANK_COLUMNS if blanks else QR_COLUMNS)
            and len(lay_out(with_code, width)) <= self.size.height
        )
        if fits or self._qr:
            return with_code
        return key_page(local, peer, now, hint="r shows the QR code")

    def show(self, graph: PresenceGraph, selected: Peer | None) -> None:
        """Show the selected peer; other things may be decided about it than before."""
        before = self.peer
        super().show(graph, selected)
        if self.has_focus and self.peer is not before:
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which decisions would change anything."""
        if action != "decide" or self.graph is None or self.peer is None:
            return True
        return possible(Decision(str(parameters[0])), self.graph.local_peer, self.peer)

    def action_decide(self, decision: str) -> None:
        """Ask for a decision about the key of the peer that is shown."""
        if self.peer is not None:
            self.post_message(self.DecisionWanted(Decision(decision), self.peer))

    def action_toggle_qr(self) -> None:
        """Show the QR code, scrolled into view, or hide it."""
        self._qr = not self.shows_qr
        self.forget_page()
        if self._qr:
            self.scroll_end(animate=False)

    @property
    def shows_qr(self) -> bool:
        """Whether the QR code is part of the page now."""
        return any(line.fixed for line in self.page)

    def action_copy_key(self) -> None:
        """Copy the full key of the peer that is shown."""
        if self.peer is None:
            return
        self.app.copy_to_clipboard(self.peer.peer_key)
        self.notify(f"copied the peer key of {self.peer_name}", markup=False)
