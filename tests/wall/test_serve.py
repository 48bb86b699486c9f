"""The dashboard in a browser: who may look, who may change something, and what the page loads."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest

from presence_tui.output import EXIT_CANNOT, EXIT_USAGE
from tests.cli.command import COMMAND, NOWHERE, environment, refused, run
from tests.support import PATIENCE
from tests.wall.browser import CHROMIUM, Page, browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytest.importorskip("textual_serve", reason="textual-serve, of the extra serve, is not installed")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@contextlib.asynccontextmanager
async def served(home: Path, *more: str) -> AsyncIterator[str]:
    """Run ``serve``; yield its address. It must end well when it is told to."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--home", str(home), "--name", "field-laptop", *NOWHERE,
        "serve", "--http", "127.0.0.1:0", *more,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(2 * PATIENCE):
            address = (await process.stdout.readline()).decode().strip()
        yield address
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(2 * PATIENCE):
            out, said = await process.communicate()
        assert (process.returncode, out, said) == (0, b"", b"")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


# -- where it listens


def test_an_address_that_others_reach_wants_to_be_named_as_what_it_is(tmp_path: Path) -> None:
    answer = run("--home", tmp_path, "serve", "--http", "0.0.0.0:0")
    said = refused(answer, EXIT_USAGE)
    assert "there is no login" in said
    assert "--insecure-listen-without-login" in said


def test_control_is_never_for_others(tmp_path: Path) -> None:
    words = ("--control", "--insecure-listen-without-login")
    said = refused(run("--home", tmp_path, "serve", "--http", "0.0.0.0:0", *words), EXIT_USAGE)
    assert "in this device's name" in said


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:99999", "::1:8000"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    assert "--http" in refused(run("--home", tmp_path, "serve", "--http", address), EXIT_USAGE)


async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        words = ("--home", tmp_path, *NOWHERE, "serve", "--http", f"127.0.0.1:{port}")
        answer = await asyncio.to_thread(run, *words)
    assert f"port {port}" in refused(answer, EXIT_CANNOT)


_WITHOUT = """
import sys
sys.modules["textual_serve"] = None
from presence_tui.cli import run
sys.exit(run(["serve", "--http", "127.0.0.1:0"]))
"""


async def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WITHOUT, stderr=asyncio.subprocess.PIPE, env=environment()
    )
    _, said = await process.communicate()
    assert process.returncode == EXIT_CANNOT
    assert said.decode().count("\n") == 1
    assert "pip install 'presence-tui[serve]'" in said.decode()


# -- who is let in, without a browser


async def test_only_its_own_page_may_use_it(tmp_path: Path) -> None:
    async with served(tmp_path) as url, aiohttp.ClientSession() as session:
        port = url.rstrip("/").rpartition(":")[2]
        for headers, status in (
            ({}, 200),
            ({"Host": f"localhost:{port}"}, 200),
            ({"Host": "localhost:9"}, 200),  # through ssh -L
            ({"Host": f"evil.example:{port}"}, 403),
            ({"Origin": url.rstrip("/")}, 200),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": f"http://127.0.0.1:{int(port) - 1}"}, 403),
            ({"Origin": "null"}, 403),
        ):
            async with session.get(url, headers=headers) as answer:
                assert answer.status == status, headers
        async with session.get(f"{url}?fontsize=%22%3E%3Cscript%3E") as answer:
            assert "<script>" not in (await answer.text()).partition("terminal")[2]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(f"{url}ws", headers={"Origin": "http://evil.example"})
        assert refusal.value.status == 403


async def test_a_browser_too_many_is_turned_away(tmp_path: Path) -> None:
    async with served(tmp_path, "--viewers", "1") as url, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{url}ws") as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY and b"field-laptop" in message.data:
                    break
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(f"{url}ws")
            assert refusal.value.status == 503
        async with session.get(f"{url}ws") as answer:
            assert answer.status == 400
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(aiohttp.WSServerHandshakeError):
                    await (await session.ws_connect(f"{url}ws")).close()
                    break


# -- in a browser


async def open_page(page: Page, url: str) -> None:
    await page.ask("Page.navigate", url=url)
    await page.until(lambda: "field-laptop" in page.text)
    async with asyncio.timeout(PATIENCE):
        while not await page.evaluate("document.activeElement?.tagName === 'TEXTAREA'"):
            pass


@needs_chromium
async def test_a_browser_shows_the_dashboard_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    async with served(tmp_path / "home") as url, browser(tmp_path / "profile") as page:
        await open_page(page, url)
        assert page.size[0] > 100
        await page.press("5")
        await page.until(lambda: "room for links" in page.text)
        assert await page.evaluate('document.querySelectorAll("canvas").length') > 0
        assert await page.evaluate("""document.fonts.check('16px "Roboto Mono"')""")
        assert len(await page.picture()) > 10_000
        own = url.removeprefix("http:").rstrip("/")
        foreign = [asked for asked in page.requested if own not in asked.partition("?")[0]]
        assert [asked for asked in foreign if not asked.startswith("data:")] == ["about:blank"] * (
            "about:blank" in foreign
        )
        assert page.complaints == []


@needs_chromium
async def test_a_browser_that_may_only_look_changes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with served(home) as url, browser(tmp_path / "profile") as page:
        await open_page(page, url)
        await page.press("4")
        await page.until(lambda: "Metadata" in page.text)
        assert "Save" not in page.text
        await page.press('{"x": 1}\x13')
        await page.press("1e")
        await page.until(lambda: "writes no files" in page.text)
        await page.press("3")
        await page.until(lambda: "Copy key" in page.text)  # the keyboard is there
        await page.press("v")
        await page.until(lambda: "only shows" in page.text)
        await page.press("q")  # it does not quit either
        await page.press("?")
        await page.until(lambda: "Everywhere" in page.text)
        assert page.sessions == 1
    assert not await asyncio.to_thread((home / "metadata.json").exists)


@needs_chromium
async def test_with_control_a_browser_changes_the_metadata(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with served(home, "--control") as url, browser(tmp_path / "profile") as page:
        await open_page(page, url)
        await page.press("4")
        await page.until(lambda: "Save" in page.text)
        await page.hold("ArrowRight", 39)
        await page.ask("Input.insertText", text='"gate": 4')
        await page.until(lambda: "gate" in page.text)
        await page.hold("s", 83, modifiers=2)  # with ctrl
        await page.until(lambda: re.search(r"others see +1 key", page.text) is not None)
    kept = await asyncio.to_thread((home / "metadata.json").read_text)
    assert '"gate"' in kept


@needs_chromium
async def test_a_display_comes_back_when_the_program_does(tmp_path: Path) -> None:
    """Nobody reloads a display on a wall."""
    async with browser(tmp_path / "profile") as page:
        async with served(tmp_path / "home") as url:
            await open_page(page, url)
        await page.until(lambda: page.sessions == 1)
        address = url.removeprefix("http://").rstrip("/")
        async with served(tmp_path / "home", "--http", address):
            await page.until(lambda: page.sessions > 1 and "field-laptop" in page.text)
