"""A service that runs for one test, and a device that knows its address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.identity_service.support import Device, ServiceProcess, add_user


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a service, with one user, mina."""
    folder = tmp_path / "service"
    add_user(folder)
    return folder


@pytest.fixture
def service(data: Path) -> Iterator[ServiceProcess]:
    with ServiceProcess(data, "--issuer-name", "team") as running:
        yield running


@pytest.fixture
async def device(service: ServiceProcess) -> AsyncIterator[Device]:
    async with aiohttp.ClientSession(service.url) as http:
        yield Device(http)
