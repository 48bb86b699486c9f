"""The web server of a wall display: textual-serve, with what it leaves open closed.

It has no login. So that it is this device's own browsers that look, and not every web page that is
open in one of them, requests must name the server by address or as ``localhost`` (a page of
somebody else's can point a name of its own at 127.0.0.1), and must come from its own page (a
WebSocket may be opened from any). Nothing that the page needs comes from the network, and its
content security policy would not let it.
"""

from __future__ import annotations

import ipaddress
import secrets
import shlex
import sys
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from aiohttp import web
from textual_serve.server import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from yarl import URL

MAX_FONT = 64
DEFAULT_FONT = 16

_PAGE = Template(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


class WallServer(Server):
    """Serves the dashboard to browsers; each gets a process that looks at ``control``.

    ``home``: where viewers keep what went wrong; ``theme``: what they look like. ``names``: what
    the server may be called beside ``localhost`` and addresses. ``viewers``: how many browsers may
    look at once; each is a process of some 50 MB.
    """

    def __init__(
        self,
        control: Path,
        home: Path,
        *,
        theme: str,
        names: frozenset[str],
        viewers: int,
    ) -> None:
        viewer = [sys.executable, "-m", "presence_tui.wall.viewer", str(control), str(home), theme]
        super().__init__(f"exec {shlex.join(viewer)}", title="presence-tui")
        self._names = names | {"localhost"}
        self._room = viewers

    async def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = await self._make_app()
        app.middlewares.append(self._guard)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: stdout has the address, and it alone."""

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Refuse who calls this server by a foreign name, or comes from a foreign page."""
        if not self._is_ours(request.url):
            raise web.HTTPForbidden(text="open this display by its address")
        origin = request.headers.get("Origin")
        if origin is not None and origin != str(request.url.origin()):
            raise web.HTTPForbidden(text="this display is not for other pages")
        response = await handler(request)
        if not response.prepared:
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _is_ours(self, url: URL) -> bool:
        try:
            host = url.host or ""
            if host.lower() in self._names:
                return True
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page. ``?fontsize=24`` makes the letters larger."""
        size = request.query.get("fontsize", "")
        fits = size.isascii() and size.isdecimal() and 0 < int(size[:4]) <= MAX_FONT
        nonce = secrets.token_urlsafe(16)
        host = request.url.origin().authority
        page = _PAGE.substitute(
            nonce=nonce, websocket=f"ws://{host}/ws", size=size if fits else DEFAULT_FONT
        )
        policy = (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
            f"style-src 'self' 'unsafe-inline'; font-src 'self'; connect-src 'self' ws://{host}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a viewer for as long as a browser looks; a browser too many is turned away."""
        if not web.WebSocketResponse().can_prepare(request).ok:
            raise web.HTTPBadRequest(text="this is where the page's terminal connects")
        if not self._room:
            raise web.HTTPServiceUnavailable(text="as many browsers as there is room for look now")
        self._room -= 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._room += 1
