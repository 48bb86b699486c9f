"""Deciding about a peer key: ask, do it, and say what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presence_core.codec.text import safe_text
from presence_core.model import Peer, Trust
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.viewmodel.trust import (
    Decision,
    done_words,
    needless_words,
    possible,
    question,
    question_about_all,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        _say(screen, error)
    else:
        screen.notify(done_words(decision, peer), markup=False)


async def block_all(screen: Screen[None], source: PresenceSource, peers: Sequence[Peer]) -> None:
    """Ask once about the keys of one peer or more, and block them; called from a worker."""
    local = source.graph.local_peer
    left = [peer for peer in peers if possible(Decision.BLOCK, local, peer)]
    if len(left) <= 1:
        await decide(screen, source, Decision.BLOCK, left[0] if left else peers[0])
        return
    if not await screen.app.push_screen_wait(ConfirmScreen(question_about_all(left))):
        return
    for done, peer in enumerate(left):
        try:
            await source.set_trust(peer.peer_key, Trust.BLOCKED)
        except Exception as error:  # noqa: BLE001  the person is told how far it went
            _say(screen, error, before=f"{done:,} of {len(left):,} are blocked, then: ")
            return
    screen.notify(f"{len(left):,} keys are blocked now", markup=False)


def _say(screen: Screen[None], error: Exception, before: str = "") -> None:
    words = safe_text(" ".join(str(error).split()), limit=240) or type(error).__name__
    screen.notify(before + words, severity="error", timeout=_ERROR_SECONDS, markup=False)
