"""The backends of operating systems, as far as any machine can tell."""

from __future__ import annotations

import platform
import sys

import pytest

from presence_core.transports.ble import system
from presence_core.transports.ble.bluez import BluezRadio
from presence_core.transports.ble.bluez_bus import BluezError
from presence_core.transports.ble.bluez_peripheral import central_of
from presence_core.transports.ble.corebluetooth import CoreBluetoothRadio
from presence_core.transports.ble.radio import Radio, RadioError, Trouble
from presence_core.transports.ble.winrt import WinrtRadio


@pytest.mark.parametrize(
    ("name", "kind"),
    [("linux", BluezRadio), ("darwin", CoreBluetoothRadio), ("win32", WinrtRadio)],
)
def test_each_system_has_its_backend(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Radio]
) -> None:
    monkeypatch.setattr(sys, "platform", name)
    assert isinstance(system.system_radio(), kind)


def test_a_system_without_a_backend_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    assert system.system_radio() is None


@pytest.mark.parametrize(
    ("radio", "at_home"), [(CoreBluetoothRadio, "Darwin"), (WinrtRadio, "Windows")]
)
async def test_on_another_system_a_backend_says_so(radio: type[Radio], at_home: str) -> None:
    if platform.system() == at_home:
        pytest.skip("this is its own system")
    with pytest.raises(RadioError) as refused:
        await radio().open(lambda: None)
    assert refused.value.trouble is Trouble.NO_LIBRARY


async def test_without_a_system_bus_bluez_is_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    radio = BluezRadio()
    with pytest.raises(RadioError) as refused:
        await radio.open(lambda: None)
    assert refused.value.trouble is Trouble.NO_SERVICE
    await radio.close()


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("org.freedesktop.DBus.Error.AccessDenied", Trouble.NO_PERMISSION),
        ("org.freedesktop.DBus.Error.ServiceUnknown", Trouble.NO_SERVICE),
        ("org.bluez.Error.NotReady", Trouble.POWERED_OFF),
        ("org.bluez.Error.Failed", Trouble.FAILED),
    ],
)
def test_what_bluez_answers_has_a_meaning(name: str, trouble: Trouble) -> None:
    error = BluezError(name, ["why"])
    assert error.trouble is trouble
    assert str(error) == "why"
    assert str(BluezError(name, [])) == name


def test_a_central_is_named_by_its_address() -> None:
    assert central_of("/org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF") == "AA:BB:CC:DD:EE:FF"
