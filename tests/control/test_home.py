"""The control socket of a home: who may look, where it is, and what happens where it cannot be."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from presence_core.identity.mesh import MeshKey
from presence_core.presence import Presence
from presence_tui.control.client import ControlError
from presence_tui.control.home import looking, open_to_looks
from tests.support import config

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_engine_is_looked_through_and_not_changed(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 40) / "home"
    home.parent.mkdir()
    async with Presence(config(home, MeshKey.generate("field"))) as presence:
        for _ in range(2):  # what a run before has left is replaced
            async with open_to_looks(presence, home), looking(home) as source:
                assert source.graph.local_peer.peer_key == presence.graph.local_peer.peer_key
                with pytest.raises(ControlError, match="only shows"):
                    await source.set_peer_metadata_json('{"a": 1}')
                run = home / "run"
                assert stat.S_IMODE(run.stat().st_mode) == 0o700
                assert stat.S_IMODE((run / "control").stat().st_mode) == 0o600
        with pytest.raises(ControlError, match="no engine answers"):
            async with looking(home):
                pass


async def test_without_an_engine_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no control socket"):
        async with looking(tmp_path):
            pass


@pytest.mark.parametrize("what", ["link", "file"])
async def test_where_it_cannot_be_the_engine_runs_without(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    async with Presence(config(home, MeshKey.generate("field"))) as presence:
        if what == "link":
            (home / "run").symlink_to(elsewhere)
        else:
            (home / "run").write_text("")
        async with open_to_looks(presence, home):
            assert presence.graph is not None
    assert "commands cannot look through this engine" in caplog.text
    assert list(elsewhere.iterdir()) == []
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
