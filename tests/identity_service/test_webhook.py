"""Logins by a webhook: a real one, that says yes, says no, and does everything wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from presence_tui.identity_service.logins import Terms
from presence_tui.identity_service.providers import RefusedError
from presence_tui.identity_service.server import IdentityService, ServiceConfig
from presence_tui.identity_service.webhook import WebhookProvider, WebhookTarget, signature
from tests.cli.command import run
from tests.identity_service.support import Answer, Device, ServiceProcess, secret_file, webhook
from tests.identity_service.webhook_process import SECRET

MEGABYTE = 1024 * 1024
KNOWN = "bb7079132825ac793cea8c013c1dd24d926b9b02132245b10588d9e5c0df70d7"


@pytest.fixture(scope="module")
def hook() -> Iterator[str]:
    with webhook() as url:
        yield url


@pytest.fixture
def service(tmp_path: Path, hook: str) -> Iterator[ServiceProcess]:
    options = ("--webhook", hook, "--webhook-secret-file", secret_file(tmp_path))
    names = ("--provider", "desk", "--provider", "badge")
    with ServiceProcess(tmp_path / "service", "--issuer-name", "team", *options, *names) as running:
        yield running


async def ask(device: Device, credential: str, provider: str = "desk") -> Answer:
    return await device.log_in(credential, provider)


async def test_a_yes_becomes_a_token(device: Device) -> None:
    for provider in ("desk", "badge"):
        answer = await ask(device, "user:øyvind", provider)
        assert (answer.token.subject, answer.value["subject"]) == ("øyvind", "øyvind")
        assert answer.token.metadata == {"role": "medic", "provider": provider}
        assert answer.value["clientInfo"] == {"motd": "be careful"}
    assert (await device.challenge())["providers"] == {"desk": "token", "badge": "token"}


async def test_a_no_is_handed_on(device: Device) -> None:
    answer = await ask(device, "no:")
    assert (answer.status, answer.error) == (401, "not_authenticated")
    assert answer.value["clientInfo"] == "ask at the desk"


async def test_a_renewal_does_not_ask_again_and_says_the_same(device: Device) -> None:
    first = await ask(device, "user:mina")
    renewed = await device.renew(first.raw)
    assert renewed.token.metadata == first.token.metadata
    assert renewed.token.subject == "mina"


@pytest.mark.parametrize(
    ("credential", "why"),
    [
        ("redirect:", "which is not followed (HTTP 307)"),
        ("status:500", "fails (HTTP 500)"),
        ("status:204", "fails (HTTP 204)"),
        ("huge:", "larger than 65,536"),
        ("bomb:", "compressed"),
        ("deep:", "nested deeper"),
        ("raw:", "not a JSON object"),
        ("raw:{", "not valid JSON"),
        ("raw:{}", "'authenticated', true or false"),
        ('raw:{"authenticated": 1}', "'authenticated', true or false"),
        ('raw:{"authenticated": "true"}', "'authenticated', true or false"),
        ('raw:{"authenticated": true}', "'userID'"),
        ('raw:{"authenticated": true, "userID": ""}', "'userID'"),
        ('raw:{"authenticated": true, "userID": 7}', "'userID'"),
        ('raw:{"authenticated": true, "authenticated": false}', "comes twice"),
        ('raw:{"authenticated": true, "userID": "x", "expirationSeconds": 0}', "above 0"),
        ('raw:{"authenticated": true, "userID": "x", "expirationSeconds": true}', "above 0"),
        ('raw:{"authenticated": true, "userID": "x", "expirationSeconds": 1.5}', "above 0"),
        (
            'raw:{"authenticated": true, "userID": "x", "identityServiceMetadata": [1]}',
            "must be a JSON object",
        ),
        ("metadata:17000", "limit is 16,384"),
        ("metadata:63000", "limit is 16,384"),
        ("metadata:66000", "larger than 65,536"),
    ],
)
async def test_an_answer_of_no_use_is_said_and_costs_little(
    device: Device, service: ServiceProcess, credential: str, why: str
) -> None:
    before = service.peak_memory()
    answer = await ask(device, credential)
    assert answer.status == 502
    assert why in answer.value["message"]
    assert service.peak_memory() - before < 64 * MEGABYTE
    assert (await ask(device, "user:mina")).status == 200


async def test_a_webhook_that_is_not_there_is_said(tmp_path: Path, hook: str) -> None:
    with webhook() as gone:
        pass
    target = WebhookTarget(gone, SECRET)
    async with WebhookProvider(target) as provider:
        with pytest.raises(RefusedError, match="cannot be reached") as error:
            await provider.authenticate("desk", "user:mina")
    assert error.value.status == 502
    wrong = WebhookTarget(hook, b"another secret that does not fit")
    async with WebhookProvider(wrong) as provider:
        with pytest.raises(RefusedError, match="HTTP 400"):
            await provider.authenticate("desk", "user:mina")


@pytest.mark.parametrize("credential", ["hang:", "drip:"])
async def test_a_webhook_that_hangs_ends_in_time(hook: str, credential: str) -> None:
    async with WebhookProvider(WebhookTarget(hook, SECRET), seconds=0.3) as provider:
        with pytest.raises(RefusedError, match="did not answer within 0.3 s") as error:
            await provider.authenticate("desk", credential)
        assert (error.value.status, error.value.code) == (504, "webhook_timeout")
        assert (await provider.authenticate("desk", "user:mina")).subject == "mina"


async def test_webhooks_that_hang_hold_up_nobody_else(tmp_path: Path, hook: str) -> None:
    config = ServiceConfig(
        tmp_path,
        port=0,
        issuer="team",
        webhook=WebhookTarget(hook, SECRET),
        webhook_seconds=3.0,
    )
    async with (
        IdentityService(config) as running,
        aiohttp.ClientSession(running.url) as http,
    ):
        hanging = [asyncio.create_task(Device(http).log_in("hang:", "webhook")) for _ in range(20)]
        assert (await Device(http).log_in("user:mina", "webhook")).status == 200
        assert not any(task.done() for task in hanging)
        assert {answer.status for answer in await asyncio.gather(*hanging)} == {504}


def test_the_signature_is_over_time_full_stop_and_body() -> None:
    # Computed with: printf '1800000000.{}' | openssl dgst -sha256 -hmac secret
    assert signature(b"secret", "1800000000", b"{}") == KNOWN


# -- how long a login counts


async def test_a_webhook_may_shorten_the_login_but_not_lengthen_it(
    tmp_path: Path, hook: str
) -> None:
    config = ServiceConfig(
        tmp_path,
        port=0,
        issuer="team",
        webhook=WebhookTarget(hook, SECRET),
        terms=Terms(600, 3_000),
    )
    async with (
        IdentityService(config) as running,
        aiohttp.ClientSession(running.url) as http,
    ):
        device = Device(http)
        for asked, given in (("120", 120), ("100000", 600)):
            token = (await device.log_in(f"short:{asked}", "webhook")).token
            assert token.expires_at - token.not_before == given
        short = await device.log_in("short:120", "webhook")
        answer = await device.renew(short.raw)
        assert (answer.status, answer.error) == (403, "renewal_refused")
        assert "log in again" in answer.value["message"]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    path.chmod(0o644)
    done = run(
        *("identity", "service", "--data", tmp_path / "s", "--listen", "127.0.0.1:0"),
        *("--webhook", "http://127.0.0.1:1/", "--webhook-secret-file", path),
    )
    assert done.code == 3
    assert f"chmod 600 {path}" in done.err
