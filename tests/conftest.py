"""What every test gets: nothing from outside, nothing that blocks, nothing left behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every asynchronous test the check for forgotten tasks, as its outermost fixture."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.fixturenames.insert(0, "no_task_left")


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what would configure an engine or a screen from this machine.

    An engine that a test starts without a home of its own gets one in the test's folder.
    """
    for name in tuple(os.environ):
        if name.startswith(("PRESENCE_", "TEXTUAL")) and "SNAPSHOT" not in name:
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere" / name.lower()))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[None]:
    """Fail a test in which our code blocks the event loop with files, sleeps or processes.

    Code of Textual and pytest may. So may what looks once whether a package is there.
    """
    blockbuster = BlockBuster(["presence_core", "presence_tui"])
    for function in blockbuster.functions.values():
        function.can_block_in("presence_tui/widgets/json_area.py", "highlighting_works")
        function.can_block_in("textual/_path.py", "_make_path_object_relative")
        function.can_block_in("textual/css/stylesheet.py", {"read", "read_all", "_read"})
        function.can_block_in("textual/widgets/_text_area.py", {"__init__", "_set_document"})
    blockbuster.activate()
    yield
    blockbuster.deactivate()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test after which a thread is still running that was not there before."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10.0)
        assert not thread.is_alive(), f"the test left a thread behind: {thread}"


@pytest.fixture
async def no_task_left(no_thread_left: None) -> AsyncIterator[None]:
    """Fail a test that leaves a task in its loop, or an asynchronous generator half read."""
    before = asyncio.all_tasks()
    yield
    left: set[asyncio.Task[object]] = set()
    for _ in range(10):
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    names = sorted(f"{task.get_name()} {task.get_coro()}" for task in left)
    raise AssertionError(f"the test left {len(names)} tasks behind: {names}")
