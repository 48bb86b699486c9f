"""What every test gets: no configuration from outside, and a loop in which nothing blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear what would configure an engine or a screen from the environment."""
    for name in tuple(os.environ):
        if name.startswith("PRESENCE_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(autouse=True)
def nothing_blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which the engine blocks the event loop with files, sleeps or processes."""
    blockbuster = BlockBuster(["presence_core"], excluded_modules=[])
    blockbuster.activate()
    yield
    blockbuster.deactivate()
