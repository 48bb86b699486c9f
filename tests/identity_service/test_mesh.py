"""A real service, a real webhook and three engines: who logs in is verified on the others."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from presence_core.identity.mesh import MeshKey
from presence_core.model import IdentityStatus, Peer, PresenceGraph
from presence_core.presence import Presence
from presence_tui.identity_service.renewal import Renewal
from tests.cli.command import run
from tests.identity_service.support import ServiceProcess, secret_file, webhook
from tests.support import config, until

MESH = MeshKey(b"i" * 32, "identity")


def peer(graph: PresenceGraph, name: str) -> Peer | None:
    return next((p for p in graph.remote_peers if p.device_name == name), None)


def is_(status: IdentityStatus, name: str) -> Any:
    def condition(graph: PresenceGraph) -> bool:
        found = peer(graph, name)
        return found is not None and found.identity.status is status

    return condition


async def test_a_login_is_seen_as_verified_by_the_others(tmp_path: Path) -> None:
    with webhook() as url:
        options = ("--webhook", url, "--webhook-secret-file", secret_file(tmp_path))
        with ServiceProcess(tmp_path / "s", "--issuer-name", "team", *options) as service:
            await _three_engines(tmp_path, service)


async def _login(home: Path, service: ServiceProcess, credential: str) -> int:
    argv = ("identity", "login", "--home", home, "--service", service.url, "--trust-issuer")
    done = await asyncio.to_thread(run, *argv, stdin=credential)
    return done.code


async def _three_engines(folder: Path, service: ServiceProcess) -> None:
    names = ("one", "two", "three")
    assert await _login(folder / "one", service, "user:mina") == 0
    async with contextlib.AsyncExitStack() as stack:
        engines: dict[str, Presence] = {}
        for name in names:
            engines[name] = await stack.enter_async_context(Presence(config(folder / name, MESH)))
        # One logged in before it started, the others do so while they run.
        assert await _login(folder / "two", service, "user:ole") == 0
        assert await _login(folder / "three", service, "no:") == 1
        assert await _login(folder / "three", service, "user:kari") == 0
        for name, subject in zip(names, ("mina", "ole", "kari"), strict=True):
            for other in names:
                if other != name:
                    graph = await until(
                        engines[other], is_(IdentityStatus.VERIFIED, name), f"{name} at {other}"
                    )
                    found = peer(graph, name)
                    assert found is not None
                    assert found.identity.subject == subject
                    assert found.identity.issuer == "team"
                    assert found.identity_service_metadata["role"] == "medic"
        # Renewal of any one of them carries what was revoked into the mesh, also to the one itself.
        found = peer(engines["two"].graph, "one")
        assert found is not None
        revoke = ("identity", "revoke", "--peer-key", found.peer_key, "--data", service.data)
        assert (await asyncio.to_thread(run, *revoke)).code == 0
        await Renewal(folder / "three").step()
        for other in ("two", "three"):
            graph = await until(
                engines[other], is_(IdentityStatus.REVOKED, "one"), f"revoked at {other}"
            )
            found = peer(graph, "one")
            assert found is not None
            assert not found.identity_service_metadata
        await until(
            engines["one"],
            lambda graph: graph.local_peer.identity.status is IdentityStatus.REVOKED,
            "one knows that it is revoked",
        )
