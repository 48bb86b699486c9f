from __future__ import annotations

from datetime import timedelta

import pytest

from presence_core.model import PeerPresence, PresenceState
from presence_tui.widgets.peer_key import PeerKeyPane
from tests.ui.hosts import Host, screen_text, until
from tests.viewmodel.peers import FORBIDDEN, HOSTILE, NOW, graph, peer

OTHER = peer(2, "base camp")
THIRD = peer(3, "deck crew")
GRAPH = graph(OTHER, THIRD)


def whole(pane: PeerKeyPane) -> str:
    return "\n".join(line.text for line in pane.page)


def has_qr(pane: PeerKeyPane) -> bool:
    return pane.shows_qr


async def test_the_selected_peer_is_shown_and_the_own_one_without_a_selection() -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=(60, 50)) as pilot:
        pane.show(GRAPH, OTHER)
        await pilot.pause()
        shown = screen_text(pane)
        assert "base camp" in shown
        assert OTHER.short_id in shown
        pane.show(GRAPH, THIRD)
        await pilot.pause()
        assert "deck crew" in screen_text(pane)
        assert "base camp" not in screen_text(pane)
        pane.show(GRAPH, None)
        await pilot.pause()
        assert "this device" in screen_text(pane)


async def test_a_graph_may_come_before_the_pane_is_mounted() -> None:
    pane = PeerKeyPane()
    pane.show(GRAPH, OTHER)
    async with Host(pane).run_test() as pilot:
        await pilot.pause()
        assert "base camp" in screen_text(pane)


@pytest.mark.parametrize("peer_shown", [OTHER, None])
async def test_c_copies_the_full_key_and_says_so(peer_shown: object) -> None:
    pane = PeerKeyPane()
    host = Host(pane)
    async with host.run_test(size=(60, 30), notifications=True) as pilot:
        pane.show(GRAPH, OTHER if peer_shown is OTHER else None)
        pane.focus()
        await pilot.press("c")
        expected = OTHER if peer_shown is OTHER else GRAPH.local_peer
        assert host.copied == [expected.peer_key]
        (note,) = host._notifications
        assert expected.device_name in note.message
        assert not note.markup


@pytest.mark.parametrize(
    ("size", "shown"), [((60, 50), True), ((60, 24), False), ((30, 60), False)]
)
async def test_the_qr_code_is_shown_when_there_is_room(size: tuple[int, int], shown: bool) -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=size) as pilot:
        pane.show(GRAPH, OTHER)
        await pilot.pause()
        assert pane.shows_qr == shown
        if not shown:
            assert "r shows the QR code" in whole(pane)
        else:
            assert "▀" in screen_text(pane)


async def test_r_shows_and_hides_the_qr_code_and_brings_it_into_view() -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=(36, 24)) as pilot:
        pane.show(GRAPH, OTHER)
        pane.focus()
        await pilot.press("r")
        await until(pilot, lambda: "▀" in screen_text(pane))
        pane.show(GRAPH, THIRD)  # the choice stays for other peers
        assert has_qr(pane)
        await pilot.press("r")
        assert not has_qr(pane)
        await pilot.resize_terminal(60, 60)
        await pilot.pause()
        assert not has_qr(pane)  # hidden by choice, whatever the room


async def test_too_narrow_for_the_qr_code_is_said() -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=(30, 24)) as pilot:
        pane.show(GRAPH, OTHER)
        pane.focus()
        await pilot.press("r")
        await pilot.pause()
        assert "needs 33 columns" in whole(pane)


async def test_the_qr_code_is_dark_on_light_in_a_dark_and_a_light_theme() -> None:
    pane = PeerKeyPane()
    host = Host(pane)
    async with host.run_test(size=(60, 50)) as pilot:
        for theme in ("textual-dark", "textual-light"):
            host.theme = theme
            pane.show(GRAPH, OTHER)
            await pilot.pause()
            blank = pane.get_component_rich_style("sheet--qr-light")
            block = pane.get_component_rich_style("sheet--qr")
            for style in (blank, block):
                assert style.color is not None
                assert style.bgcolor is not None
                assert style.color.get_truecolor() == (255, 255, 255)
                assert style.bgcolor.get_truecolor() == (0, 0, 0)
            assert blank.reverse
            assert not block.reverse


async def test_the_scroll_position_stays_for_the_same_peer_and_not_for_another() -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=(40, 8)) as pilot:
        pane.show(GRAPH, OTHER)
        await pilot.pause()
        pane.scroll_to(y=5, animate=False)
        seen = PeerPresence(PresenceState.ONLINE, last_seen=NOW)
        pane.show(graph(peer(2, "base camp", presence=seen)), peer(2, "base camp", presence=seen))
        await pilot.pause()
        assert pane.scroll_offset.y == 5
        pane.show(GRAPH, THIRD)
        await pilot.pause()
        assert pane.scroll_offset.y == 0


async def test_showing_the_same_again_builds_nothing() -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=(40, 30)) as pilot:
        pane.show(GRAPH, OTHER)
        await pilot.pause()
        page = pane.page
        pane.show(GRAPH, OTHER)
        assert pane.page is page


async def test_spans_of_time_follow_a_clock() -> None:
    now = NOW
    pane = PeerKeyPane(clock=lambda: now)
    seen = peer(2, presence=PeerPresence(PresenceState.ONLINE, last_seen=NOW))
    async with Host(pane).run_test(size=(60, 30)) as pilot:
        pane.show(graph(seen), seen)
        await pilot.pause()
        assert "just now" in whole(pane).replace("\xa0", " ")
        now = NOW + timedelta(minutes=4)
        pane.show(graph(seen), seen)
        assert "4 min ago" in whole(pane).replace("\xa0", " ")


async def test_hostile_texts_reach_no_terminal() -> None:
    hostile = peer(2, HOSTILE, short_id=HOSTILE, peer_key=HOSTILE)
    pane = PeerKeyPane()
    host = Host(pane)
    async with host.run_test(size=(60, 60), notifications=True) as pilot:
        pane.show(graph(hostile), hostile)
        pane.focus()
        await pilot.press("c")
        await pilot.pause()
        shown = screen_text(pane)
        assert "[@click=app.quit]" in shown
        assert not FORBIDDEN & set(shown)
        (note,) = host._notifications
        assert not FORBIDDEN & set(note.message)


async def test_text_can_be_selected_with_the_mouse() -> None:
    pane = PeerKeyPane()
    async with Host(pane).run_test(size=(60, 40)) as pilot:
        pane.show(GRAPH, OTHER)
        await pilot.pause()
        await pilot.mouse_down(pane, offset=(1, 0))
        await pilot.hover(pane, offset=(5, 0))
        await pilot.mouse_up(pane, offset=(5, 0))
        await pilot.pause()
        assert pilot.app.screen.get_selected_text() in ("base", "base ")
        pane.show(GRAPH, THIRD)
        await pilot.pause()
        assert not pilot.app.screen.selections
