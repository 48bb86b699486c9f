"""What becomes of an adapter, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from presence_core.engine import adapter, ble
from presence_core.engine.ble_troubles import say_trouble
from presence_core.engine.conditions import Conditions
from presence_core.identity.mesh import MeshKey
from presence_core.model import Condition, ConditionState, PresenceGraph
from presence_core.presence import Presence
from presence_core.transports.ble.radio import Trouble
from tests.bluetooth.bumble_radio import radio_in
from tests.bluetooth.room import Room, room_in
from tests.support import config, online, until


@pytest.fixture
async def room(no_task_left: None, tmp_path: Path) -> AsyncIterator[Room]:
    async with room_in(tmp_path) as room:
        yield room


def said(graph: PresenceGraph) -> Condition | None:
    return next((c for c in graph.conditions if c.source == "ble"), None)


def says(graph: PresenceGraph, words: str) -> bool:
    condition = said(graph)
    return condition is not None and words in (condition.message or "")


def is_said(graph: PresenceGraph, state: ConditionState, words: str = "") -> bool:
    condition = said(graph)
    return condition is not None and condition.state is state and says(graph, words)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_is_said_in_words_with_what_to_do(trouble: Trouble) -> None:
    conditions = Conditions(lambda: datetime.now(UTC), lambda: None)
    say_trouble(conditions, trouble, "why")
    (condition,) = conditions.all()
    assert condition.state is not ConditionState.OK
    assert condition.message is not None
    assert condition.message.endswith(": why")
    assert condition.hint
    say_trouble(conditions, None)
    assert conditions.all()[0].state is ConditionState.OK


async def test_what_was_switched_off_comes_back_by_itself(room: Room) -> None:
    alice, bob = await room.enter("alice"), await room.enter("bob")
    await until(alice, lambda g: online(g) == {"bob"}, "bob online")
    await until(alice, partial(is_said, state=ConditionState.OK), "all is well")
    for trouble, words in (
        (Trouble.POWERED_OFF, "switched off"),
        (Trouble.NO_SERVICE, "does not answer"),
        (Trouble.NO_PERMISSION, "may not use"),
    ):
        radio = room.radios["bob"]
        assert radio.peripheral is not None
        await radio.peripheral.silence()  # what was registered is lost
        await radio.central.stop_scan()
        radio.set_trouble(trouble)
        await until(bob, partial(says, words=words), words)
        hint = said(bob.graph)
        assert hint is not None
        assert hint.hint
        radio.set_trouble(None)
        await until(bob, partial(is_said, state=ConditionState.OK), "all is well again")
    await room.enter("carol")
    await until(bob, lambda g: online(g) == {"alice", "carol"}, "found again")


async def test_a_refused_advert_is_said_and_tried_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "RETRY_SECONDS", 0.1)
    alice = await room.enter("alice")
    await until(alice, partial(is_said, state=ConditionState.OK), "all is well")
    peripheral = room.radios["alice"].peripheral
    assert peripheral is not None
    peripheral.refuse = Trouble.ADVERT_REFUSED
    room.radios["alice"].set_trouble(Trouble.NO_SERVICE)
    room.radios["alice"].set_trouble(None)
    await until(alice, partial(is_said, state=ConditionState.WARNING, words="refuses"), "refused")
    bob = await room.enter("bob")  # alice dials him, whoever has the smaller tag
    await until(bob, lambda g: online(g) == {"alice"}, "alice online")
    peripheral.refuse = None
    await until(alice, partial(is_said, state=ConditionState.OK), "all is well again")


async def test_what_cannot_be_done_at_once_is_done_in_turns(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "SLICE_SECONDS", 0.5)
    monkeypatch.setattr(ble, "AGAIN_SECONDS", 0.05)
    alice = await room.enter("alice", not_at_once=True)
    await until(alice, partial(is_said, state=ConditionState.WARNING, words="cannot look"), "said")
    bob = await room.enter("bob")
    await until(alice, lambda g: online(g) == {"bob"}, "bob online")
    await until(bob, lambda g: online(g) == {"alice"}, "alice online")


async def test_an_adapter_that_is_busy_for_a_moment_is_asked_again(room: Room) -> None:
    alice = await room.enter("alice", busy=1)
    await until(alice, partial(is_said, state=ConditionState.OK), "all is well")
    bluetooth = alice._running()._adapter.bluetooth
    assert bluetooth is not None
    assert not bluetooth._slicing
    assert room.radios["alice"].central.busy_for == 0


async def test_after_sleep_everything_begins_anew(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await room.enter("alice")
    await until(alice, partial(is_said, state=ConditionState.OK), "all is well")
    radio = room.radios["alice"]
    assert radio.peripheral is not None
    await radio.peripheral.silence()  # the system has not kept it
    await radio.central.stop_scan()
    bluetooth = alice._running()._adapter.bluetooth
    assert bluetooth is not None
    clock = bluetooth._clock
    wall_ms = clock.wall_ms
    monkeypatch.setattr(bluetooth, "_clock", type(clock)(clock.now, lambda: wall_ms() + 60_000))
    bob = await room.enter("bob")
    await until(bob, lambda g: online(g) == {"alice"}, "alice online")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells without asking the system")
async def test_a_machine_without_an_adapter_says_so_calmly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presence_core.transports.ble.system._LINUX_ADAPTERS", tmp_path / "none")
    for transports, state in ((None, ConditionState.OFF), (("ble",), ConditionState.WARNING)):
        settings = config(tmp_path / str(state), MeshKey.generate("nobody"), transports=transports)
        async with Presence(settings) as presence:
            graph = await until(presence, partial(is_said, state=state, words="no Bluetooth"))
            condition = said(graph)
            assert condition is not None
            assert condition.hint


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells without asking the system")
async def test_an_adapter_that_is_plugged_in_is_used(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = tmp_path / "adapters"
    monkeypatch.setattr("presence_core.transports.ble.system._LINUX_ADAPTERS", adapters)
    monkeypatch.setattr(adapter, "ADAPTER_SECONDS", 0.05)
    monkeypatch.setattr(adapter, "system_radio", lambda: radio_in(room.air, "bob"))
    alice = await room.enter("alice")
    async with Presence(config(tmp_path / "bob", room.mesh, transports=("ble",))) as bob:
        await until(bob, partial(says, words="no Bluetooth"), "none yet")
        (adapters / "hci0").mkdir(parents=True)
        await until(bob, lambda g: online(g) == {"alice"}, "alice online")
        await until(alice, lambda g: online(g) == {"bob"}, "bob online")
