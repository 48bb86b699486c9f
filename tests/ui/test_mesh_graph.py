"""The graph pane in the dashboard: one selection everywhere, keys and mouse, and big meshes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from presence_core.model import PresenceGraph
from presence_tui.app import PresenceApp
from presence_tui.screens.main import MainScreen
from presence_tui.viewmodel.mesh_graph import MAX_NODES
from presence_tui.widgets.mesh_graph import MeshGraphView
from presence_tui.widgets.peer_table import PeerTable
from tests import canned
from tests.ui.hosts import Host, screen_text, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Shown:
    """A dashboard with its graph."""

    def __init__(self, pilot: Pilot[int], source: canned.CannedSource) -> None:
        self.pilot = pilot
        self.source = source

    @property
    def view(self) -> MeshGraphView:
        return self.pilot.app.screen.query_one(MeshGraphView)

    @property
    def table(self) -> PeerTable:
        return self.pilot.app.screen.query_one(PeerTable)

    @property
    def selected(self) -> str:
        peer = self.table.selected
        return peer.device_name if peer is not None else ""

    def place(self, number: int) -> tuple[int, int]:
        return self.view.drawing.nodes[canned.peer_key(number)]

    async def click(self, number: int, times: int = 1) -> None:
        region = self.view.content_region
        x, y = self.place(number)
        await self.pilot.click(offset=(region.x + x, region.y + y), times=times)
        await self.pilot.pause()


@asynccontextmanager
async def graph_of(
    graph: PresenceGraph, size: tuple[int, int] = (120, 36), *keys: str
) -> AsyncIterator[Shown]:
    source = canned.CannedSource(graph)
    app = PresenceApp(source, now=lambda: canned.NOW)
    async with app.run_test(size=size) as pilot:
        await pilot.press("7", *keys)
        await pilot.pause()
        yield Shown(pilot, source)


async def test_the_peer_selected_in_the_table_is_the_one_in_focus() -> None:
    async with graph_of(canned.team()) as shown:
        shown.table.select(canned.peer_key(11))
        await shown.pilot.pause()
        mesh = shown.view.mesh
        assert mesh is not None
        assert mesh.way[0] == canned.peer_key(0)
        assert mesh.way[-1] == canned.peer_key(11)


async def test_an_arrow_selects_the_nearest_peer_everywhere() -> None:
    async with graph_of(canned.team()) as shown:
        shown.table.select(canned.peer_key(7))
        await shown.pilot.pause()
        key, (dx, dy), expected = next(
            (key, direction, found)
            for key, direction in (("up", (0, -1)), ("down", (0, 1)), ("left", (-1, 0)))
            if (found := shown.view.drawing.toward(canned.peer_key(7), *direction))
            not in (None, canned.peer_key(0))
        )
        (x, y), (to_x, to_y) = shown.place(7), shown.view.drawing.nodes[expected]
        assert (to_x - x) * dx + (to_y - y) * dy > 0
        await shown.pilot.press(key)
        await shown.pilot.pause()
        assert shown.table.selected is not None
        assert shown.table.selected.peer_key == expected
        assert shown.pilot.app.screen.focused is shown.view


async def test_an_arrow_passes_over_this_device() -> None:
    """A chain with this device in the middle: left of it one peer, right of it the other."""
    members = [canned.Member(1, "one"), canned.Member(2, "two")]
    mesh = canned.make_graph(members, [canned.Link(0, 1), canned.Link(0, 2)])
    async with graph_of(mesh) as shown:
        by_x = sorted((1, 2), key=shown.place)
        shown.table.select(canned.peer_key(by_x[0]))
        await shown.pilot.pause()
        await shown.pilot.press("right")
        await shown.pilot.pause()
        assert shown.table.selected is not None
        assert shown.table.selected.peer_key == canned.peer_key(by_x[1])


async def test_a_click_selects_and_a_double_click_opens() -> None:
    async with graph_of(canned.team()) as shown:
        await shown.click(6)
        assert shown.selected == "bridge-watch"
        await shown.click(3, times=2)
        assert shown.selected == "water-truck-1"
        assert not shown.view.is_on_screen or shown.pilot.app.screen.focused is not shown.view


async def test_a_peer_that_the_table_leaves_out_is_shown_when_it_is_chosen() -> None:
    async with graph_of(canned.team()) as shown:
        await shown.pilot.press("slash", *"radio", "enter", "7")
        await shown.pilot.pause()
        assert shown.table.count == 1
        await shown.click(6)
        assert shown.selected == "bridge-watch"
        assert shown.table.count == 11


async def test_d_leaves_the_neighbours() -> None:
    async with graph_of(canned.team()) as shown:
        shown.table.select(canned.peer_key(1))
        await shown.pilot.press("d")
        await shown.pilot.pause()
        assert {n for n in range(12) if canned.peer_key(n) in shown.view.drawing.nodes} == {
            0,
            1,
            3,
            7,
        }
        assert "direct only" in screen_text(shown.view)
        await shown.pilot.press("d")
        await shown.pilot.pause()
        assert len(shown.view.drawing.nodes) == 12


async def test_nodes_stay_where_they_are_when_a_state_changes() -> None:
    async with graph_of(canned.team()) as shown:
        before = dict(shown.view.drawing.nodes)
        text = screen_text(shown.view)
        shown.source.change(4, device_name="depot-renamed")
        await shown.pilot.pause()
        assert shown.view.drawing.nodes == before
        assert "depot-renamed" not in text
        assert "depot-renamed" in screen_text(shown.view)


async def test_a_graph_that_looks_the_same_is_not_drawn_again() -> None:
    async with graph_of(canned.team()) as shown:
        drawing = shown.view.drawing
        shown.source.change(4, version="9.9")
        await shown.pilot.pause()
        assert shown.view.drawing is drawing


async def test_a_big_mesh_is_summarised_and_followed() -> None:
    async with graph_of(canned.many(300), (120, 36), "z") as shown:
        assert len(shown.view.drawing.nodes) == MAX_NODES
        assert "behind" in screen_text(shown.view)


def crowd() -> PresenceGraph:
    members = [canned.Member(n, f"peer-{n}") for n in range(1, 601)]
    links = [canned.Link(0 if n < 9 else n % 8 + 1, n) for n in range(1, 601)]
    return canned.make_graph(members, links)


async def test_changes_and_moves_in_a_very_big_mesh_are_followed() -> None:
    async with graph_of(crowd()) as shown:
        await shown.pilot.press("1", *["down"] * 4)
        peer = shown.table.selected
        assert peer is not None
        await until(shown.pilot, lambda: peer.peer_key in _way(shown))
        shown.source.change(1, device_name="renamed")
        await until(shown.pilot, lambda: "renamed" in screen_text(shown.view))


async def test_changes_and_moves_in_a_very_big_mesh_are_drawn_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They wait; what the person does in the graph itself is answered at once."""
    monkeypatch.setattr("presence_tui.widgets.mesh_graph._CHANGES_SECONDS", 3_600.0)
    monkeypatch.setattr("presence_tui.widgets.mesh_graph._MOVES_SECONDS", 1_800.0)
    async with graph_of(crowd()) as shown:
        first = shown.view.drawing
        await shown.pilot.press("1", *["down"] * 4)
        for number in range(5):
            shown.source.change(1, device_name=f"renamed-{number}")
            await shown.pilot.pause()
        assert shown.view.drawing is first
        await shown.pilot.press("7", "left")
        await shown.pilot.pause()
        assert "renamed-4" in screen_text(shown.view)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_where_the_graph_is(size: tuple[int, int]) -> None:
    async with graph_of(canned.team(), size) as shown:
        screen = shown.pilot.app.screen
        assert isinstance(screen, MainScreen)
        assert shown.view.region.width > 70
        table = screen.query_one("#frame-peers")
        side = screen.query_one("#frame-identity")
        assert table.display is (size[0] > 80)
        assert side.display is (size[0] == 200)
        if size[0] == 120:
            await shown.pilot.press("1")
            assert shown.view.parent is not None
            assert shown.view.parent.display
            await shown.pilot.press("2")
            assert side.display
            assert not shown.view.parent.display


async def test_details_of_the_peer_in_focus() -> None:
    async with graph_of(canned.team()) as shown:
        await shown.click(6)
        await shown.pilot.press("enter")
        await shown.pilot.pause()
        focused = shown.pilot.app.screen.focused
        assert focused is not None
        assert focused.id == "identity"


async def test_nothing_that_a_peer_says_gets_through() -> None:
    for plain in (False, True):
        view = MeshGraphView(ascii_only=plain)
        app = Host(view)
        async with app.run_test(size=(100, 30)) as pilot:
            graph = canned.hostile()
            view.show(graph, graph.remote_peers[0])
            await pilot.pause()
            text = screen_text(view)
            assert canned.HARMLESS[:12] in text
            assert all(char.isprintable() or char == "\n" for char in text)
            assert not plain or text.isascii()


async def test_ascii_can_be_chosen_while_it_is_shown() -> None:
    async with graph_of(canned.many(12)) as shown:
        assert not screen_text(shown.view).isascii()
        shown.view.ascii_only = True
        await shown.pilot.pause()
        assert screen_text(shown.view).isascii()


async def test_without_peers_there_is_this_device() -> None:
    async with graph_of(canned.filling()) as shown:
        assert "field-laptop" in screen_text(shown.view)
        await shown.pilot.press("left", "right", "d", "enter")
        await shown.click(0)
        assert shown.selected == ""


async def test_a_terminal_without_room_shows_nothing_and_stays() -> None:
    async with graph_of(canned.team(), (20, 6)) as shown:
        await shown.pilot.press("left", "d")
        await shown.pilot.resize_terminal(120, 36)
        await until(shown.pilot, lambda: "field-laptop" in screen_text(shown.view))


async def test_other_colours_are_drawn_anew() -> None:
    async with graph_of(canned.team()) as shown:

        def colours() -> set[str]:
            strips = shown.view.render_lines(shown.view.size.region)
            return {str(s.style.color) for strip in strips for s in strip if s.style}

        dark = colours()
        await shown.pilot.press("t")
        await shown.pilot.pause()
        assert colours() != dark


def _way(shown: Shown) -> tuple[str, ...]:
    return shown.view.mesh.way if shown.view.mesh is not None else ()
