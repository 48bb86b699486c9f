"""What strangers send: each gets a clear status, costs little, and the service still answers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from presence_core.codec import base64url
from presence_core.identity.keys import Identity, peer_key_text
from presence_tui.identity_service.limits import Limits, Rate
from presence_tui.identity_service.server import IdentityService, ServiceConfig, server_tls
from tests.identity_service import certificates
from tests.identity_service.support import Device, ServiceProcess, add_user
from tests.support import PATIENCE

MEGABYTE = 1024 * 1024
GENEROUS = 64 * MEGABYTE
"""Bytes that the memory of the service may grow by while strangers do their worst."""


async def still_answers(device: Device) -> None:
    assert (await Device(device.http).log_in()).status == 200


async def test_too_much_is_refused_and_not_kept(device: Device, service: ServiceProcess) -> None:
    before = service.peak_memory()
    answer = await device.post(b"{" + b" " * 65_536)
    assert (answer.status, answer.error) == (413, "too_large")
    writer = await connect(service)
    writer.write(b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
    with pytest.raises(ConnectionError):
        await pour(writer, 1_000 * MEGABYTE)
    writer.close()
    assert service.peak_memory() - before < GENEROUS
    await still_answers(device)


async def pour(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size // MEGABYTE):
        writer.write(b" " * MEGABYTE)
        await writer.drain()


async def connect(service: ServiceProcess) -> asyncio.StreamWriter:
    host, _, port = service.url.rpartition("/")[2].partition(":")
    return (await asyncio.open_connection(host, int(port)))[1]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_nothing_is_unpacked(device: Device, service: ServiceProcess, encoding: str) -> None:
    before = service.peak_memory()
    bomb = gzip.compress(b" " * 40 * MEGABYTE)
    answer = await device.post(bomb, headers={"Content-Encoding": encoding})
    assert (answer.status, answer.error) == (415, "compressed")
    assert service.peak_memory() - before < 32 * MEGABYTE
    await still_answers(device)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff",
        b"[]",
        b"null",
        b'{"provider": "users"}',
        b'{"a":' * 12_000,
        b'{"a":' + b"[" * 60_000 + b"]" * 5_000 + b"}",
        b'{"a":[' + b"[]," * 20_000 + b"[]]}",
        b'{"a":' + b"9" * 60_000 + b"}",
        b'{"a":1e' + b"9" * 60_000 + b"}",
        b'{"a":"' + b"\\u0000" * 10_000 + b'"}',
        b'{"a":1,"a":2}',
        b"{" + b",".join(b'"%d":{}' % n for n in range(5_000)) + b"}",
    ],
    ids=range(13),
)
async def test_bombs_of_json_are_bad_requests(
    device: Device, service: ServiceProcess, body: bytes
) -> None:
    before = service.peak_memory()
    answer = await device.post(body)
    assert (answer.status, answer.error) == (400, "bad_request")
    assert len(answer.value["message"]) <= 500
    assert service.peak_memory() - before < GENEROUS
    await still_answers(device)


CHANGES: dict[str, tuple[Callable[[dict[str, str]], dict[str, Any]], int, str]] = {
    "another peer key": (
        lambda r: {**r, "peerKey": peer_key_text(Identity.generate().peer_key)},
        403,
        "bad_proof",
    ),
    "no signature": (lambda r: {**r, "signature": ""}, 403, "bad_proof"),
    "a signature of zeros": (
        lambda r: {**r, "signature": base64url.encode(bytes(64))},
        403,
        "bad_proof",
    ),
    "a long signature": (lambda r: {**r, "signature": "A" * 200}, 400, "bad_request"),
    "a made-up challenge": (
        lambda r: {**r, "challenge": base64url.encode(bytes(40))},
        400,
        "bad_challenge",
    ),
    "no challenge": (lambda r: {**r, "challenge": None}, 400, "bad_request"),
    "a list for a challenge": (lambda r: {**r, "challenge": []}, 400, "bad_request"),
    "a key of small order": (
        lambda r: {**r, "peerKey": peer_key_text(bytes(32))},
        400,
        "bad_request",
    ),
    "no key": (lambda r: {**r, "peerKey": "pk1"}, 400, "bad_request"),
    "a number for a credential": (lambda r: {**r, "credential": 3}, 400, "bad_request"),
    "an empty credential": (lambda r: {**r, "credential": ""}, 400, "bad_request"),
    "a long provider": (lambda r: {**r, "provider": "x" * 65}, 400, "bad_request"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_request_that_is_not_right_is_refused(device: Device, name: str) -> None:
    change, status, code = CHANGES[name]
    answer = await device.post(change(await device.request("users", "mina:x")))
    assert (answer.status, answer.error) == (status, code)
    await still_answers(device)


async def test_a_challenge_is_good_for_one_try(device: Device) -> None:
    request = await device.request("users", "mina:wrong")
    assert (await device.post(request)).error == "not_authenticated"
    replayed = await device.post(request)
    assert (replayed.status, replayed.error) == (400, "bad_challenge")
    assert "used already" in replayed.value["message"]
    request = await device.request("users", "mina:wrong")
    spoilt = {**request, "signature": base64url.encode(bytes(64))}
    assert (await device.post(spoilt)).error == "bad_proof"
    assert (await device.post(request)).error == "bad_challenge"


async def test_a_challenge_of_before_the_start_is_said(
    device: Device, service: ServiceProcess
) -> None:
    request = await device.request("users", "mina:wrong")
    await asyncio.to_thread(service.kill)
    await asyncio.to_thread(service.restart)
    answer = await device.post(request)
    assert (answer.status, answer.error) == (400, "bad_challenge")
    await still_answers(device)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00" + bytes(500),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"a%d: b\r\n" % n for n in range(5_000))
        + b"\r\n",
        b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    ],
    ids=range(7),
)
async def test_what_is_no_http_is_answered_or_cut_off(
    device: Device, service: ServiceProcess, junk: bytes
) -> None:
    host, _, port = service.url.rpartition("/")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(junk)
    async with asyncio.timeout(PATIENCE):
        try:
            answer = await reader.read(12)
        except ConnectionError:
            answer = b""
    writer.close()
    assert answer[:9] in (b"", b"HTTP/1.1 ", b"HTTP/1.0 ")
    assert answer[9:] != b"200"
    assert "Traceback" not in service.log.read_text()
    await still_answers(device)


async def test_requests_without_end_on_one_connection_are_not_piled_up(
    device: Device, service: ServiceProcess
) -> None:
    before = service.peak_memory()
    body = json.dumps(await device.request("users", "nobody:x")).encode()
    writer = await connect(service)
    head = f"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)  # a quarter of a second of scrypt, and more behind it
    many = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(5.0):
            for _ in range(100):
                writer.write(many)
                await writer.drain()
    writer.transport.abort()
    assert service.peak_memory() - before < GENEROUS
    elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with aiohttp.ClientSession(service.url, connector=elsewhere) as http:
        await still_answers(Device(http))  # only for that address is it too much


# -- in this process, where its times and rates can be short


@pytest.fixture
def config(tmp_path: Path) -> ServiceConfig:
    add_user(tmp_path)
    return ServiceConfig(
        tmp_path, port=0, issuer="team", users=tmp_path / "users", request_seconds=0.5
    )


@pytest.fixture
async def here(config: ServiceConfig) -> AsyncIterator[IdentityService]:
    async with IdentityService(config) as running:
        yield running


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"POST /v1/token HT",
        b"POST /v1/token HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["nothing", "half a line", "half a head", "an idle one"],
)
async def test_who_trickles_a_head_is_cut_off(here: IdentityService, head: bytes) -> None:
    host, _, port = here.url.rpartition("/")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)

    async def trickle() -> None:
        while not head.endswith(b"\r\n\r\n"):
            writer.write(b"x")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(trickle())
    async with asyncio.timeout(PATIENCE):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(100_000)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()
    async with aiohttp.ClientSession(here.url) as http:
        await still_answers(Device(http))


async def test_who_trickles_a_body_is_told(here: IdentityService) -> None:
    host, _, port = here.url.rpartition("/")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    assert b" 408 " in answer.partition(b"\r\n")[0]
    writer.close()


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(requests=Rate(0.01, 6)), "this address"),
        (Limits(failures=Rate(0.01, 3)), "failed logins"),
        (Limits(tokens=Rate(0.01, 3)), "this peer key"),
        (Limits(guesses=Rate(0.01, 3)), "for this user"),
    ],
    ids=["requests", "failures", "tokens", "guesses"],
)
async def test_who_asks_too_often_is_told_to_wait(
    config: ServiceConfig, limits: Limits, what: str
) -> None:
    async with (
        IdentityService(replace(config, limits=limits)) as running,
        aiohttp.ClientSession(running.url) as http,
    ):
        device = Device(http)
        for _ in range(3):
            assert (await device.log_in("mina:wrong")).status == 401
        body = {} if "address" in what else await device.request("users", "mina:wrong")
        async with http.post("/v1/token", json=body) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) >= 1
            value = await response.json()
        assert value["error"] == "too_many"
        assert what in value["message"]


async def test_who_opens_too_many_connections_gets_no_more(
    here: IdentityService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presence_tui.identity_service.guard.MAX_PER_ADDRESS", 3)
    address = here.url.rpartition("/")[2].partition(":")
    held = [await asyncio.open_connection(address[0], int(address[2])) for _ in range(3)]
    reader, writer = await asyncio.open_connection(address[0], int(address[2]))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    for one in (writer, *(writer for _, writer in held)):
        one.transport.abort()
    async with aiohttp.ClientSession(here.url) as http:
        async with asyncio.timeout(PATIENCE):
            while not await lets_in(http):
                await asyncio.sleep(0.05)


async def lets_in(http: aiohttp.ClientSession) -> bool:
    try:
        return (await Device(http).log_in()).status == 200
    except aiohttp.ClientError:
        return False


async def test_who_does_not_finish_the_tls_handshake_is_cut_off(
    config: ServiceConfig, tmp_path: Path
) -> None:
    files = await asyncio.to_thread(certificates.make, tmp_path / "tls")
    tls = await asyncio.to_thread(server_tls, files.certificate, files.key)
    async with IdentityService(replace(config, tls=tls)) as running:
        host, _, port = running.url.rpartition("/")[2].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x16\x03\x01\x02")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()


async def test_right_passwords_are_not_counted_as_guesses(config: ServiceConfig) -> None:
    limits = Limits(guesses=Rate(0.001, 2))
    async with (
        IdentityService(replace(config, limits=limits)) as running,
        aiohttp.ClientSession(running.url) as http,
    ):
        for _ in range(6):
            assert (await Device(http).log_in()).status == 200
        assert (await Device(http).log_in("mina:wrong")).status == 401
        assert (await Device(http).log_in()).status == 200
