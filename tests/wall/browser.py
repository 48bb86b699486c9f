"""A headless Chromium, driven by the DevTools protocol, and what its page's terminal shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pyte

from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1400,900",
)


class Page:
    """A tab: what it asks for, what it complains of, and the terminal in it."""

    def __init__(self, session: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.size = (80, 24)
        self._screen = pyte.Screen(*self.size)
        self._stream = pyte.ByteStream(self._screen)
        self.sessions = 0

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._session.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            result: dict[str, Any] = await answer
        return result

    async def listen(self) -> None:
        async for message in self._session:
            said = json.loads(message.data)
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if "error" in said:
                    answer.set_exception(AssertionError(said["error"]))
                else:
                    answer.set_result(said["result"])
            else:
                self._take(said["method"], said["params"])
            self._news.set()

    def _take(self, method: str, about: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requested.append(about["request"]["url"])
            case "Network.webSocketCreated":
                self.requested.append(about["url"])
                self.sessions += 1
                sizes = re.search(r"width=(\d+)&height=(\d+)", about["url"])
                assert sizes is not None
                self._resize(int(sizes[1]), int(sizes[2]))
            case "Network.webSocketFrameSent":
                said = about["response"]["payloadData"]
                if said.startswith('["resize"'):
                    size = json.loads(said)[1]
                    if (size["width"], size["height"]) != self.size:
                        self._resize(size["width"], size["height"])
            case "Network.webSocketFrameReceived" if about["response"]["opcode"] == 2:
                self._stream.feed(base64.b64decode(about["response"]["payloadData"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(about["exceptionDetails"]))
            case "Log.entryAdded" if about["entry"]["level"] == "error":
                self.complaints.append(f"{about['entry']['text']} {about['entry'].get('url')}")

    def _resize(self, width: int, height: int) -> None:
        self.size = (width, height)
        self._screen.resize(height, width)
        self._screen.reset()

    @property
    def text(self) -> str:
        """What the terminal in the page shows."""
        return "\n".join(self._screen.display)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what the page has done fulfils a condition."""
        try:
            async with asyncio.timeout(2 * PATIENCE):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"it never came true: {self.complaints}\n{self.text}") from None

    async def press(self, keys: str) -> None:
        """Type characters."""
        for key in keys:
            await self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
            await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def hold(self, key: str, number: int, modifiers: int = 0) -> None:
        """Press and let go a key that is no character; ``number`` is its Windows key code."""
        about = {"key": key, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        await self.ask("Input.dispatchKeyEvent", type="rawKeyDown", **about)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    async def evaluate(self, code: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = await self.ask("Runtime.evaluate", expression=code, returnByValue=True)
        return answer["result"].get("value")

    async def picture(self) -> bytes:
        """Return the page as PNG."""
        answer = await self.ask("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


async def _address(errors: asyncio.StreamReader) -> str:
    while line := (await errors.readline()).decode():
        found = re.search(r"DevTools listening on ws://([^/]+)/", line)
        if found is not None:
            return found[1]
    raise AssertionError("Chromium did not start")


@contextlib.asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """Run Chromium with a profile of its own in a folder; yield its page."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *_FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(2 * PATIENCE):
            address = await _address(process.stderr)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json/list") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            url = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                for domain in ("Network", "Page", "Runtime", "Log"):
                    await page.ask(f"{domain}.enable")
                try:
                    yield page
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
