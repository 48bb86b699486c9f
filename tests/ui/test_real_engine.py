"""The dashboard over a real engine: a decision that is made on the screen counts in the mesh."""

from __future__ import annotations

from pathlib import Path

from presence_core.identity.mesh import MeshKey
from presence_core.model import PresenceGraph, PresenceState, Trust
from presence_core.presence import Presence
from presence_tui.app import PresenceApp
from presence_tui.screens.confirm import ConfirmScreen
from presence_tui.widgets.peer_table import PeerTable
from presence_tui.widgets.timeline import TimelineView
from tests.support import config, online
from tests.ui.hosts import screen_text, until


def trust_of(graph: PresenceGraph, name: str) -> Trust:
    return next(peer.trust for peer in graph.remote_peers if peer.device_name == name)


async def test_a_key_is_verified_blocked_and_forgotten_from_the_screen(tmp_path: Path) -> None:
    mesh = MeshKey.generate("test")
    async with (
        Presence(config(tmp_path / "here", mesh)) as here,
        Presence(config(tmp_path / "there", mesh)) as there,
    ):
        app = PresenceApp(here)
        async with app.run_test(size=(120, 36)) as pilot:
            table = app.screen.query_one(PeerTable)
            await until(pilot, lambda: [p.device_name for p in table.peers] == ["there"])
            await until(pilot, lambda: online(here.graph) == {"there"})

            async def decide(key: str) -> None:
                await pilot.press("3", key)
                await until(pilot, lambda: getattr(app.screen, "painted", False))
                assert isinstance(app.screen, ConfirmScreen)
                await pilot.press("y")

            await decide("v")
            await until(pilot, lambda: trust_of(here.graph, "there") is Trust.VERIFIED)
            assert " verified " in (tmp_path / "here" / "trust").read_text()
            await decide("b")
            await until(pilot, lambda: trust_of(here.graph, "there") is Trust.BLOCKED)
            await until(pilot, lambda: online(there.graph) == set())  # the link is gone at once
            await until(pilot, lambda: "✗ blocked" in screen_text(table))
            await decide("u")
            await until(pilot, lambda: trust_of(here.graph, "there") is Trust.UNKNOWN)
            state = PresenceState.ONLINE
            await until(pilot, lambda: here.graph.remote_peers[0].presence.state is state)
            await pilot.press("8")
            timeline = app.screen.query_one(TimelineView)
            await until(pilot, lambda: "verified → blocked" in screen_text(timeline))
