"""How we speak HTTP to others: to a service, and to a webhook."""

from __future__ import annotations

import aiohttp


def careful_session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """Return a session that keeps no cookies, unpacks nothing and follows no proxy settings.

    What is unpacked could be a thousand times as large as what was counted.
    """
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
