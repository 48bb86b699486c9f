"""A webhook as somebody else would write it, with every kind of behaviour: run as a process.

The credential says what it does. It checks the signature of each call, with code of its own.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import sys
import time

from aiohttp import web

BIG = 1024 * 1024 * 1024
SECRET = b"a secret that both of them know"


def genuine(request: web.Request, body: bytes) -> bool:
    timestamp = request.headers["presence-timestamp"]
    wanted = hmac.new(SECRET, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(timestamp)) < 300
    return fresh and hmac.compare_digest(wanted, request.headers["presence-signature"])


async def stream(
    request: web.Request, chunk: bytes, total: int, pause: float
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(total // len(chunk)):
        await response.write(chunk)
        if pause:
            await asyncio.sleep(pause)
    return response


async def answer(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    if not genuine(request, body):
        return web.Response(status=400, text="the signature is wrong")
    call = json.loads(body)
    assert call.keys() == {"version", "provider", "token"}
    what, _, rest = call["token"].partition(":")
    match what:
        case "user":
            return web.json_response(
                {
                    "authenticated": True,
                    "userID": rest,
                    "identityServiceMetadata": {"role": "medic", "provider": call["provider"]},
                    "clientInfo": {"motd": "be careful"},
                }
            )
        case "short":
            return web.json_response(
                {"authenticated": True, "userID": "short", "expirationSeconds": int(rest)}
            )
        case "no":
            return web.json_response({"authenticated": False, "clientInfo": "ask at the desk"})
        case "hang":
            await asyncio.sleep(3_600)
        case "drip":
            return await stream(request, b" ", 3_600, 1.0)
        case "huge":
            return await stream(request, b" " * 1024 * 1024, BIG, 0.0)
        case "bomb":
            data = gzip.compress(b"[" * 64 * 1024 * 1024, 1)
            return web.Response(body=data, headers={"Content-Encoding": "gzip"})
        case "redirect":
            return web.Response(status=307, headers={"Location": str(request.url)})
        case "status":
            return web.Response(status=int(rest))
        case "raw":
            return web.Response(text=rest, content_type="application/json")
        case "deep":
            return web.Response(text='{"authenticated":' + "[" * 60_000, content_type="text/plain")
        case "metadata":
            return web.json_response(
                {
                    "authenticated": True,
                    "userID": "x",
                    "identityServiceMetadata": {"text": "x" * int(rest)},
                }
            )
    return web.Response(status=404)


async def main() -> None:
    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]))
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
