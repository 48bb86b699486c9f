"""kill -9 in the middle of 200 logins: no token that was handed out is lost, no id used twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from presence_core.identity.keys import peer_key_text
from presence_core.identity.token import Token
from presence_tui.identity_service.state import State
from tests.cli.command import run
from tests.identity_service.support import PASSWORD, Answer, Device, ServiceProcess, add_users

LOGINS = 200
KILLED_AFTER = (1, 40, 120)
"""Logins that have their answer when the service is killed."""


async def log_in(device: Device, user: str, enough: asyncio.Semaphore) -> Answer | None:
    """Log in; None when the service was gone before it answered."""
    try:
        answer = await device.log_in(f"{user}:{PASSWORD}")
    except aiohttp.ClientError:
        return None
    enough.release()
    return answer


@pytest.mark.parametrize("killed_after", KILLED_AFTER)
async def test_what_was_handed_out_is_there_after_kill(
    data: Path, service: ServiceProcess, killed_after: int
) -> None:
    users = [f"user {number}" for number in range(LOGINS)]
    add_users(data, users)
    enough = asyncio.Semaphore(0)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(service.url, connector=connector) as http:
        devices = [Device(http) for _ in range(LOGINS)]
        tasks = [
            asyncio.create_task(log_in(device, user, enough))
            for device, user in zip(devices, users, strict=True)
        ]
        for _ in range(killed_after):
            await enough.acquire()
        service.process.kill()  # now, in the middle of the others
        answers = await asyncio.gather(*tasks)
    await asyncio.to_thread(service.kill)
    held = [
        (device, answer)
        for device, answer in zip(devices, answers, strict=True)
        if answer is not None
    ]
    assert killed_after <= len(held) < LOGINS
    await asyncio.to_thread(service.restart)

    async with aiohttp.ClientSession(service.url) as http:
        for device in devices:
            device.http = http
        renewed = [await device.renew(answer.raw) for device, answer in held]
        late = [
            await device.log_in(f"{user}:{PASSWORD}")
            for device, user, answer in zip(devices, users, answers, strict=True)
            if answer is None
        ]
    tokens = [answer.token for _, answer in held] + [answer.token for answer in (*renewed, *late)]
    assert len({token.token_id for token in tokens}) == len(tokens) == LOGINS + len(held)

    await asyncio.to_thread(service.end)
    await asyncio.to_thread(check_database, data, tokens)


def check_database(data: Path, tokens: Sequence[Token]) -> None:
    state = State.open(data)
    assert all(state.login_of(token.token_id) is not None for token in tokens)
    (count,) = state.connection.execute("SELECT count(*) FROM tokens").fetchone()
    assert count >= len(tokens)  # more: those whose answer was lost with the service
    assert state.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    state.close()


async def test_a_revocation_that_was_answered_is_there_after_kill(
    device: Device, service: ServiceProcess
) -> None:
    """Its list is signed anew each time, with numbers that never go back."""
    numbers = []
    for _ in range(5):
        key = peer_key_text(Device(device.http).identity.peer_key)
        admin = (service.data / "admin.token").read_text().strip()
        answer = await device.post(
            {"peerKey": key}, "/v1/revocations", headers={"Authorization": f"Bearer {admin}"}
        )
        numbers.append(answer.value["number"])
        await asyncio.to_thread(service.kill)
        await asyncio.to_thread(service.restart)
    assert numbers == sorted(set(numbers))


async def test_a_rotation_survives_a_kill_of_the_service(
    device: Device, service: ServiceProcess
) -> None:
    first = await device.log_in()
    done = await asyncio.to_thread(run, "identity", "rotate", "--data", service.data)
    assert done.code == 0
    await asyncio.to_thread(service.kill)
    await asyncio.to_thread(service.restart)
    second = await device.renew(first.raw)
    assert second.token.kid != first.token.kid
