"""Deciding about a peer key: ask, do it, and say what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import Peer, Trust
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.viewmodel.trust import Decision, done_words, needless_words, possible, question

if TYPE_CHECKING:
    from textual.screen import Screen

    from presence_tui.source import PresenceSource

_ERROR_SECONDS = 15.0


async def decide(
    screen: Screen[None], source: PresenceSource, decision: Decision, peer: Peer | None
) -> None:
    """Ask about the key of a peer, and carry out what was decided; called from a worker."""
    local = source.graph.local_peer
    if peer is None or not possible(decision, local, peer):
        screen.notify(needless_words(decision, local, peer), markup=False)
        return
    asked = question(decision, local, peer)
    if not await screen.app.push_screen_wait(ConfirmScreen(asked)):
        return
    try:
        match decision:
            case Decision.VERIFY:
                await source.set_trust(peer.peer_key, Trust.VERIFIED)
            case Decision.BLOCK:
                await source.set_trust(peer.peer_key, Trust.BLOCKED)
            case Decision.FORGET:
                await source.forget(peer.peer_key)
    except Exception as error:  # noqa: BLE001  the person is told; nothing has changed
        words = safe_text(" ".join(str(error).split()), limit=240) or type(error).__name__
        screen.notify(words, severity="error", timeout=_ERROR_SECONDS, markup=False)
    else:
        screen.notify(done_words(decision, peer), markup=False)
