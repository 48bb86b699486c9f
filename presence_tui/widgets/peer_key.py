"""The pane of a peer key: in groups, as a QR code, as a safety number."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from presence_tui.viewmodel.page import lay_out
from presence_tui.viewmodel.peer_key import QR_COLUMNS, key_page
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
    ]
    HELP = """
## Peer key

The key is who a peer *is*; names are only what it says. Compare the **safety number** with the
one on the owner's screen, by voice or face to face, or scan the **QR code** (`r`). `c` copies
the full key.
"""
    _qr: bool | None = None

    def build(self, graph: PresenceGraph, peer: Peer) -> Page:
        """Return the page, with the QR code when asked for or when there is room for it."""
        local, now, width = graph.local_peer, self.now(graph), self.text_width
        if self._qr is False:
            return key_page(local, peer, now, hint="r shows the QR code")
        with_code = key_page(local, peer, now, qr_width=width)
        fits = width >= QR_COLUMNS and len(lay_out(with_code, width)) <= self.size.height
        if fits or self._qr:
            return with_code
        return key_page(local, peer, now, hint="r shows the QR code")

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
