"""Engines in processes of their own, with nothing but Bluetooth between them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from tests.support import PATIENCE

ROOT = Path(__file__).parents[2]
LINE = 1024 * 1024


class Process:
    """A program of ours: what it prints, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = process.stdout

    @classmethod
    async def start(cls, module: str, *argv: str) -> Process:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", module, *argv),
                cwd=ROOT,
                limit=LINE,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    async def line(self) -> str:
        line = await self._lines.readline()
        assert line, "it has ended"
        return line.decode().strip()

    async def tell(self, text: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())
        return await self.line()

    async def until(self, condition: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait for a graph."""
        graph: dict[str, Any] = {}
        try:
            async with asyncio.timeout(2 * PATIENCE):
                while True:
                    graph = json.loads(await self.line())
                    if condition(graph):
                        return graph
        except TimeoutError:
            seen = states(graph), [c for c in graph["conditions"] if c["source"] == "ble"]
            raise AssertionError(f"{what} did not come true: {seen}") from None

    async def kill(self) -> None:
        self._process.kill()
        await self._process.communicate()

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.returncode is None:
            await asyncio.wait_for(self._process.communicate(), 2 * PATIENCE)


class Ether:
    """The air, and the devices in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mesh = MeshKey.generate("ether")
        self.devices: dict[str, Process] = {}
        self.path = ""
        self._air: Process
        self._numbers = 0

    async def start(self) -> None:
        self._air = await Process.start("tests.bluetooth.ether")
        self.path = await self._air.line()
        await asyncio.to_thread(write_mesh_key, self.folder / "mesh.key", self.mesh)

    async def enter(self, name: str, metadata: dict[str, Any] | None = None) -> Process:
        self._numbers += 1
        device = self.devices[name] = await Process.start(
            "tests.bluetooth.device",
            *(self.path, name, str(self._numbers), str(self.folder / name), self.mesh.text()),
            json.dumps({"of": name} if metadata is None else metadata),
        )
        return device

    async def run(self, name: str, *argv: str) -> tuple[int, str, str]:
        """Run the command line on a machine of its own; return its code and what it has said."""
        self._numbers += 1
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.bluetooth.command_line", self.path, name, str(self._numbers), *argv),
            *("--home", str(self.folder / name), "--name", name, "--transport", "ble"),
            *("--mesh-key-file", str(self.folder / "mesh.key")),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 4 * PATIENCE)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def part(self, one: str, other: str) -> None:
        assert await self._air.tell(f"part {one} {other}") == "done"

    async def close(self) -> None:
        for device in self.devices.values():
            await device.end()
        await self._air.end()


@pytest.fixture
async def ether(no_task_left: None, tmp_path: Path) -> AsyncIterator[Ether]:
    ether = Ether(tmp_path)
    await ether.start()
    yield ether
    await ether.close()


def states(graph: dict[str, Any]) -> dict[str, str]:
    return {p["deviceName"]: p["presence"]["state"] for p in graph["remotePeers"]}


def sees(**wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda graph: states(graph) == wanted


def has_metadata_of(*names: str) -> Callable[[dict[str, Any]], bool]:
    wanted = {name: {"of": name} for name in names}
    return lambda graph: (
        wanted == {p["deviceName"]: p["peerMetadata"] for p in graph["remotePeers"]}
    )


async def test_three_processes_meet_and_notice_a_kill_a_restart_and_a_wall(ether: Ether) -> None:
    await ether.part("alice", "carol")
    alice, bob, carol = [await ether.enter(name) for name in ("alice", "bob", "carol")]
    graph = await alice.until(sees(bob="online", carol="online"), "carol through bob")
    peers = {p["deviceName"]: p for p in graph["remotePeers"]}
    assert peers["carol"]["presence"]["hops"] == 2
    assert peers["carol"]["presence"]["via"] == [peers["bob"]["peerKey"]]
    assert {c["type"] for c in graph["connections"].values()} == {"Bluetooth"}
    await carol.until(sees(alice="online", bob="online"), "alice through bob")
    await alice.until(has_metadata_of("bob", "carol"), "everybody's metadata")

    await bob.kill()
    await alice.until(sees(bob="lost", carol="lost"), "bob and carol lost")
    await carol.until(sees(bob="lost", alice="lost"), "bob and alice lost")

    await ether.enter("bob")
    await alice.until(sees(bob="online", carol="online"), "both back")
    await carol.until(sees(bob="online", alice="online"), "both back")


async def test_show_fetches_what_is_large_and_a_snapshot_does_not(ether: Ether) -> None:
    large = {"note": "x" * 6_000}
    await ether.enter("bob", large)
    wait = ("--until-peers", "1", "--until-current", "--wait", str(2 * PATIENCE))
    code, out, err = await ether.run("alice", "--json", *wait)
    assert (code, err) == (0, "")
    (bob,) = json.loads(out)["remotePeers"]
    assert (bob["peerMetadataState"], bob["peerMetadata"]) == ("pending", {})
    code, out, err = await ether.run("carol", "show", "bob", "--json", *wait)
    assert (code, err) == (0, "")
    (bob,) = [p for p in json.loads(out)["peers"] if p["deviceName"] == "bob"]
    assert (bob["peerMetadataState"], bob["peerMetadata"]) == ("present", large)
