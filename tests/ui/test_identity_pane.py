from __future__ import annotations

from datetime import timedelta

import pytest

from presence_core.model import Identity, IdentityStatus, Peer
from presence_tui.viewmodel.identity import status_words
from presence_tui.widgets.identity import IdentityPane
from tests.ui.hosts import Host, screen_text, until
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, NOW, graph, peer


def with_status(status: IdentityStatus) -> Peer:
    identity = Identity(
        status,
        "because of a test",
        issuer="https://id.example",
        subject="anna",
        not_before=NOW - timedelta(days=1),
        expires_at=NOW + timedelta(hours=3),
    )
    secret = {"clearance": "ward nine"}
    said = {"deck": {"place": "aft"}}
    return peer(2, identity=identity, identity_service_metadata=secret, peer_metadata=said)


@pytest.mark.parametrize("width", [36, 80])
@pytest.mark.parametrize("status", list(IdentityStatus))
async def test_every_status_is_shown_with_its_word(status: IdentityStatus, width: int) -> None:
    pane = IdentityPane()
    shown_peer = with_status(status)
    async with Host(pane).run_test(size=(width, 60)) as pilot:
        pane.show(graph(shown_peer), shown_peer)
        await pilot.pause()
        shown = screen_text(pane)
        words = status_words(status)
        assert f"{words.symbol} {words.word}" in shown
        assert ("ward nine" in shown) == (status is IdentityStatus.VERIFIED)
        assert "Says about itself, not verified" in shown
        assert "place  aft" in shown


async def test_the_own_identity_without_a_selection() -> None:
    pane = IdentityPane()
    async with Host(pane).run_test(size=(60, 40)) as pilot:
        pane.show(graph(), None)
        await pilot.pause()
        shown = screen_text(pane).replace("\xa0", " ")
        assert "- missing" in shown
        assert "presence-tui identity login" in shown


async def test_another_selection_starts_at_the_top() -> None:
    pane = IdentityPane()
    first, second = with_status(IdentityStatus.VERIFIED), peer(3, "deck crew")
    async with Host(pane).run_test(size=(40, 10)) as pilot:
        pane.show(graph(first, second), first)
        pane.focus()
        await pilot.pause()
        await pilot.press("end")
        await until(pilot, lambda: pane.scroll_offset.y > 0)
        pane.show(graph(first, second), second)
        await pilot.pause()
        assert pane.scroll_offset.y == 0
        assert "deck crew" in screen_text(pane)
        assert pane.has_focus


async def test_hostile_texts_reach_no_terminal() -> None:
    metadata = {HOSTILE: [{HOSTILE: HOSTILE}]}
    hostile = peer(
        2,
        HOSTILE,
        identity=Identity(IdentityStatus.VERIFIED, HOSTILE, HOSTILE, HOSTILE),
        identity_service_metadata=metadata,
        peer_metadata=metadata,
    )
    pane = IdentityPane()
    async with Host(pane).run_test(size=(80, 60)) as pilot:
        pane.show(graph(hostile), hostile)
        await pilot.pause()
        shown = screen_text(pane)
        assert "[@click=app.quit]" in shown
        assert not FORBIDDEN & set(shown)
