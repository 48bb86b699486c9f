"""Two engines on two adapters of a real bluetoothd, from start to end. Runs inside the guest.

Prints a line for each step with its seconds, and ends with 0 when all of them came true.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from presence_core.config import PresenceConfig
from presence_core.handshake.events import CloseReason
from presence_core.identity.mesh import MeshKey
from presence_core.model import MetadataState, PresenceGraph, PresenceState
from presence_core.presence import Presence
from presence_core.transports.ble.bluez import BluezRadio
from presence_core.transports.ble.channel import WINDOW, Channel
from presence_core.transports.ble.fragments import SEQUENCES, Fragment

PATIENCE = float(os.environ.get("PATIENCE", "1200"))
"""Seconds after which a step has failed: a guest without a processor of its own is slow."""
BLUETOOTHD = ("/usr/libexec/bluetooth/bluetoothd", "/usr/lib/bluetooth/bluetoothd")
CONFIG = "/tmp/main.conf"


class Count:
    """What arrives: bytes, fragments too early (something before them is missing), and again."""

    def __init__(self) -> None:
        self.bytes = self.early = self.again = 0
        self.links: set[int] = set()
        take = Channel.receive

        def counted(channel: Channel, fragment: Fragment, now: float) -> bytes:
            self.links.add(channel.tag)
            self.bytes += len(fragment.data)
            if fragment.data and fragment.seq != channel._expected:
                ahead = (fragment.seq - channel._expected) % SEQUENCES < WINDOW
                if ahead and fragment.seq not in channel._early:
                    self.early += 1
                else:
                    self.again += 1
            return take(channel, fragment, now)

        Channel.receive = counted  # type: ignore[method-assign, assignment]


class Corrupted(logging.Handler):
    """How many links have ended because what arrived was not what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.links = 0
        logging.getLogger("presence_core.engine.links").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        wrong = (CloseReason.PROTOCOL, CloseReason.HANDSHAKE_FAILED, CloseReason.WRONG_MESH)
        self.links += isinstance(record.args, tuple) and any(arg in wrong for arg in record.args)


class Steps:
    """Says what came true, and how long it took."""

    def __init__(self, engines: dict[str, Presence]) -> None:
        self.engines = engines
        self._at = time.monotonic()

    def say(self, what: str) -> None:
        now = time.monotonic()
        print(f"STEP {now - self._at:6.2f} s  {what}", flush=True)
        self._at = now

    async def until(self, who: str, condition: Callable[[PresenceGraph], bool], what: str) -> None:
        presence = self.engines[who]
        try:
            async with asyncio.timeout(PATIENCE):
                async for change in presence.changes(interval=0.0):
                    if condition(change.graph):
                        break
        except TimeoutError:
            graph = presence.graph
            peers = [(p.device_name, str(p.presence.state)) for p in graph.remote_peers]
            said = [c for c in graph.conditions if c.source == "ble"]
            print(f"FAILED {what}: {graph.view} {peers} {said}", flush=True)
            raise SystemExit(1) from None
        self.say(f"{who}: {what}")


def online(graph: PresenceGraph) -> bool:
    return any(p.presence.state is PresenceState.ONLINE for p in graph.remote_peers)


def shows(value: dict[str, str]) -> Callable[[PresenceGraph], bool]:
    return lambda graph: any(
        p.peer_metadata_state is MetadataState.PRESENT and p.peer_metadata == value
        for p in graph.remote_peers
    )


def ble_is(*states: str) -> Callable[[PresenceGraph], bool]:
    return lambda graph: any(c.source == "ble" and c.state in states for c in graph.conditions)


class Bluetoothd:
    """The service. It is started anew when it ends by itself, as elsewhere by whoever wants it.

    5.82 sometimes does, when its adapter is switched off while somebody connects.
    """

    def __init__(self) -> None:
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        path = next(path for path in BLUETOOTHD if Path(path).exists())
        while True:
            with Path("/tmp/bluetoothd.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    path, "-n", "-f", CONFIG, stdout=log, stderr=log
                )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
            print(f"NOTE bluetoothd has ended by itself ({code}); it is started anew", flush=True)

    async def kill(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


async def power(adapter: str, *, on: bool) -> None:
    """Switch an adapter on or off; again while bluetoothd is not ready."""
    command = [
        "dbus-send", "--system", "--print-reply", "--dest=org.bluez", f"/org/bluez/{adapter}",
        "org.freedesktop.DBus.Properties.Set", "string:org.bluez.Adapter1", "string:Powered",
        f"variant:boolean:{'true' if on else 'false'}",
    ]  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while (
        done := await asyncio.to_thread(subprocess.run, command, capture_output=True)
    ).returncode:
        if time.monotonic() >= deadline:
            raise SystemExit(f"FAILED {adapter} cannot be switched: {done.stderr.decode()}")
        await asyncio.sleep(0.2)


async def traffic(alice: Presence, bob: Presence, steps: Steps, megabytes: float) -> None:
    """Send so much, both ways at once, in bodies of 128 KiB that have to arrive as they were."""
    rounds = max(1, int(megabytes * 1024 * 1024) // 260_000)
    alice.fetch_peer_metadata(bob.graph.local_peer.peer_key)
    bob.fetch_peer_metadata(alice.graph.local_peer.peer_key)
    for number in range(1, rounds + 1):
        up, down = ({"note": letter * 129_000, "n": str(number)} for letter in "ud")
        await alice.set_peer_metadata(up)
        await bob.set_peer_metadata(down)
        await steps.until("bob", shows(up), f"128 KiB up, round {number} of {rounds}")
        await steps.until("alice", shows(down), f"128 KiB down, round {number}")


async def main(megabytes: float) -> None:
    count, corrupted = Count(), Corrupted()
    daemon = Bluetoothd()
    for adapter in ("hci0", "hci1"):
        await power(adapter, on=True)
    mesh = MeshKey.generate("guest")
    home = Path(tempfile.mkdtemp())
    small, large = {"note": "a" * 180}, {"note": "b" * 4_000}
    engines = {
        name: Presence(
            PresenceConfig(
                home=home / name,
                mesh_key=mesh,
                name=name,
                transports=("ble",),
                metadata=metadata,
            ),
            radio=BluezRadio(adapter),
        )
        for name, adapter, metadata in (("alice", "hci0", small), ("bob", "hci1", large))
    }
    steps = Steps(engines)
    async with contextlib.AsyncExitStack() as stack:
        for presence in engines.values():
            await stack.enter_async_context(presence)
        steps.say("two engines started")
        await steps.until("alice", online, "bob is online")
        await steps.until("bob", online, "alice is online")
        await steps.until("alice", shows(large), "metadata of 4 KiB")
        await steps.until("bob", shows(small), "metadata of 200 B")
        update = {"note": "c" * 4_000}
        await engines["bob"].set_peer_metadata(update)
        await steps.until("alice", shows(update), "an update of 4 KiB")

        if megabytes:
            await traffic(engines["alice"], engines["bob"], steps, megabytes)
        print(
            f"TRAFFIC {count.bytes:,} bytes over {len(count.links)} links; fragments that came "
            f"before an earlier one: {count.early}, that came again: {count.again}; "
            f"links on which something was corrupted: {corrupted.links}",
            flush=True,
        )
        for presence in engines.values():
            await presence.set_peer_metadata(small)

        await daemon.kill()
        for who in engines:
            await steps.until(who, ble_is("warning", "failed"), "says that the service is gone")
        daemon = Bluetoothd()
        for adapter in ("hci0", "hci1"):
            await power(adapter, on=True)
        for who in engines:
            await steps.until(who, lambda g: online(g) and ble_is("ok")(g), "back, bluetoothd anew")

        await power("hci1", on=False)
        await steps.until("bob", ble_is("warning"), "says that the adapter is off")
        await steps.until("alice", lambda g: not online(g), "bob is lost")
        await power("hci1", on=True)
        for who in engines:
            await steps.until(who, lambda g: online(g) and ble_is("ok")(g), "back, adapter on")
    steps.say("both stopped")
    await daemon.kill()
    if corrupted.links:
        raise SystemExit(f"FAILED {corrupted.links} links on which something was corrupted")


if __name__ == "__main__":
    logging.basicConfig(
        filename="/tmp/engines.log",
        level=logging.DEBUG,
        format="%(relativeCreated)d %(name)s %(message)s",
    )
    for noisy in ("dbus_fast", "bleak", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.INFO)
    asyncio.run(main(float(sys.argv[1])))
