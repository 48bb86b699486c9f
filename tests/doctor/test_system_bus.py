"""Bluetooth on a real bus (dbus-daemon), on which something stands for bluetoothd, or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from dbus_fast import BusType, Message, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from presence_core.transports.ble.bluez import BluezRadio
from presence_tui.doctor.bluetooth import look_at_bluez
from presence_tui.doctor.finding import FindingState
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="needs dbus-daemon, for a bus of its own"
)

_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    {policy}
  </policy>
</busconfig>
"""
ADAPTER, GATT, ADVERTS = (
    "org.bluez.Adapter1",
    "org.bluez.GattManager1",
    "org.bluez.LEAdvertisingManager1",
)
GOOD: Mapping[str, Mapping[str, Any]] = {
    ADAPTER: {
        "Powered": Variant("b", True),
        "Alias": Variant("s", "ship \x1b[31mred"),
        "Roles": Variant("as", ["central", "peripheral", "central-peripheral"]),
    },
    GATT: {},
    ADVERTS: {"SupportedInstances": Variant("y", 4)},
}


@contextlib.asynccontextmanager
async def bus(
    folder: Path, monkeypatch: pytest.MonkeyPatch, policy: str = ""
) -> AsyncIterator[None]:
    """Run a bus of its own, which is the system bus of this process."""
    socket = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=socket, policy=policy))
    daemon = await asyncio.create_subprocess_exec(
        "dbus-daemon",
        f"--config-file={config}",
        "--nofork",
        "--nopidfile",
        "--print-address",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert daemon.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await daemon.stdout.readline()  # it says where it is once it is there
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={socket}")
        yield
    finally:
        daemon.terminate()
        await daemon.wait()


@contextlib.asynccontextmanager
async def bluetoothd(objects: Mapping[str, Any]) -> AsyncIterator[None]:
    """Be the Bluetooth service, with these objects."""
    service = await MessageBus(bus_type=BusType.SYSTEM).connect()

    def answer(message: Message) -> Message | bool | None:
        if message.member != "GetManagedObjects":
            return None
        return Message.new_method_return(message, "a{oa{sa{sv}}}", [objects])

    service.add_message_handler(answer)
    assert await service.request_name("org.bluez") is RequestNameReply.PRIMARY_OWNER
    try:
        yield
    finally:
        service.disconnect()
        await service.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def test_an_adapter_that_can_do_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bus(tmp_path, monkeypatch), bluetoothd({"/org/bluez/hci0": GOOD}):
        finding = await look_at_bluez()
    assert finding.state is FindingState.OK
    assert "hci0 (ship" in finding.found
    assert "BlueZ" in finding.found


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({}, "no Bluetooth adapter"),
        (
            {"/org/bluez/hci0": {**GOOD, ADAPTER: {"Powered": Variant("b", False)}}},
            "is switched off",
        ),
        ({"/org/bluez/hci0": {ADAPTER: GOOD[ADAPTER]}}, "cannot be found by others"),
    ],
)
async def test_what_an_adapter_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objects: Mapping[str, Any], words: str
) -> None:
    async with bus(tmp_path, monkeypatch), bluetoothd(objects):
        finding = await look_at_bluez()
    assert finding.state is FindingState.WARNING
    assert words in finding.found
    assert finding.hint


async def test_a_bus_without_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bus(tmp_path, monkeypatch):
        finding = await look_at_bluez()
    assert "the system's Bluetooth service does not answer" in finding.found
    assert "systemctl start bluetooth" in (finding.hint or "")


async def test_no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nowhere")
    finding = await look_at_bluez()
    assert "there is no system bus" in finding.found


async def test_a_user_who_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deny = '<deny send_destination="org.bluez"/>'
    async with bus(tmp_path, monkeypatch, deny), bluetoothd({"/org/bluez/hci0": GOOD}):
        finding = await look_at_bluez()
    assert finding.state is FindingState.FAILED
    assert "may not use Bluetooth" in finding.found


async def test_an_engine_uses_the_adapter_that_is_judged_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = {**GOOD, ADAPTER: {"Powered": Variant("b", False)}}
    objects = {"/org/bluez/hci0": dark, "/org/bluez/hci1": GOOD}
    async with bus(tmp_path, monkeypatch), bluetoothd(objects):
        finding = await look_at_bluez()
        radio = BluezRadio()
        await radio.open(lambda: None)
        assert radio.trouble is None
        assert radio.peripheral is not None
        assert radio.central.adapter == "hci1"
        await radio.close()
    assert "hci1" in finding.found
