"""Each of the twelve identity statuses, by a real record or token, in the table and in the pane."""

from __future__ import annotations

import pytest

from presence_core.model import IdentityStatus
from presence_tui.viewmodel.identity import status_words
from presence_tui.widgets.identity import IdentityPane
from tests.engine.test_identity_statuses import WAYS, Scene
from tests.ui.hosts import screen_text
from tests.ui.test_dashboard import dashboard


@pytest.mark.parametrize("status", list(WAYS), ids=str)
async def test_a_status_by_a_real_token_is_shown(status: IdentityStatus) -> None:
    scene = Scene()
    WAYS[status](scene)
    words = status_words(status)
    async with dashboard(scene.graph("carol"), size=(120, 60)) as one:
        await one.press("home")
        while one.selected != "alice":
            await one.press("down")
        row = screen_text(one.table).splitlines()[one.line_of("alice")]
        first = words.word.split()[0] if status is IdentityStatus.UNSUPPORTED_ALG else words.word
        assert f"{words.symbol} {first} " in row.replace("\xa0", " ")
        await one.press("2")
        pane = screen_text(one.screen.query_one(IdentityPane)).replace("\xa0", " ")
        assert "alice" in pane
        assert f"{words.symbol} {words.word}" in pane
        assert ("captain" in pane) is (status in (IdentityStatus.VERIFIED, IdentityStatus.EXPIRED))
