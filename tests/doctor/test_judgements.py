"""What is said of a clock, a terminal, an adapter and probes: pure judgements."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presence_core.config import PresenceConfig
from presence_core.discovery.probe import Heard
from presence_core.transports.ble.bluez_adapter import BluezAdapter, adapters_of
from presence_tui.doctor import bluetooth, clock, terminal
from presence_tui.doctor.examination import Case
from presence_tui.doctor.finding import FindingState, failed, off, ok, unknown, warning, worst
from presence_tui.doctor.multicast import judge_probes
from presence_tui.doctor.running import Running

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("now", "ran", "state", "words"),
    [
        (NOW, NOW - DAY, FindingState.OK, "can be true"),
        (NOW, None, FindingState.OK, "can be true"),
        (NOW, NOW + 200, FindingState.OK, "can be true"),
        (0.0, None, FindingState.FAILED, "is before this Python was built"),
        (NOW, NOW + 3 * DAY, FindingState.WARNING, "3 d before an engine last started here"),
        (NOW + 30 * 366 * DAY, NOW, FindingState.WARNING, "years after this was built"),
    ],
)
def test_a_clock_is_judged_by_what_lies_before_it(
    now: float, ran: float | None, state: FindingState, words: str
) -> None:
    finding = clock.judge(now, built={"this Python was built": NOW - 9 * DAY}, ran=ran)
    assert finding.state is state
    assert words in finding.found
    assert finding.hint is None or "set the clock" in finding.hint


XTERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("size", "encoding", "environment", "state", "words"),
    [
        ((120, 36), "utf-8", XTERM, FindingState.OK, "120 x 36, 256 colours, Unicode"),
        ((80, 24), "UTF-8", XTERM | {"COLORTERM": "truecolor"}, FindingState.OK, "16 million"),
        ((80, 24), "utf-8", XTERM | {"NO_COLOR": "1"}, FindingState.OK, "NO_COLOR"),
        ((79, 24), "utf-8", XTERM, FindingState.WARNING, "too little room"),
        ((80, 23), "utf-8", XTERM, FindingState.WARNING, "too little room"),
        ((80, 24), "iso-8859-1", XTERM, FindingState.WARNING, "shows ASCII only"),
        ((80, 24), "utf-8", {"TERM": "dumb"}, FindingState.WARNING, "TERM is dumb"),
        ((80, 24), "utf-8", {}, FindingState.WARNING, "TERM is not set"),
    ],
)
def test_a_terminal_is_judged_by_what_the_dashboard_needs(
    size: tuple[int, int],
    encoding: str,
    environment: dict[str, str],
    state: FindingState,
    words: str,
) -> None:
    finding = terminal.judge(size, encoding, environment)
    assert finding.state is state
    assert words in finding.found
    assert (finding.hint is None) == (state is FindingState.OK)


GOOD = BluezAdapter(
    "/org/bluez/hci0", "ship", powered=True, can_be_found=True, at_once=True, free_adverts=5
)


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({}, FindingState.OK, "hci0 (ship), BlueZ 5.66: switched on, can look"),
        ({"alias": ""}, FindingState.OK, "hci0, BlueZ 5.66"),
        ({"free_adverts": None}, FindingState.OK, "switched on"),
        ({"powered": False}, FindingState.WARNING, "is switched off"),
        ({"can_be_found": False}, FindingState.WARNING, "cannot be found by others"),
        ({"free_adverts": 0}, FindingState.WARNING, "refuses to advertise"),
        ({"at_once": False}, FindingState.WARNING, "cannot look for others while"),
    ],
)
def test_an_adapter_is_judged_by_what_it_can(
    changes: dict[str, Any], state: FindingState, words: str
) -> None:
    finding = bluetooth.judge(replace(GOOD, **changes), version="BlueZ 5.66", asked=False)
    assert finding.state is state
    assert words in finding.found


@pytest.mark.parametrize(
    ("transports", "state", "words"),
    [
        (None, FindingState.OFF, "has not been proven on hardware yet"),
        (("lan", "ble"), FindingState.UNKNOWN, "not proven on hardware yet"),
        (("lan",), FindingState.OFF, "switched off"),
    ],
)
async def test_bluetooth_on_systems_where_nobody_has_seen_it_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transports: tuple[str, ...] | None,
    state: FindingState,
    words: str,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    config = PresenceConfig(home=tmp_path, transports=transports)
    (finding,) = await bluetooth.look(Case(tmp_path, config, None, None, Running()))
    assert finding.state is state
    assert words in finding.found


def test_of_two_adapters_the_one_that_is_switched_on_is_used() -> None:
    name = "org.bluez.Adapter1"
    objects: dict[str, dict[str, dict[str, Any]]] = {
        "/org/bluez": {"org.bluez.AgentManager1": {}},
        "/org/bluez/hci0": {name: {"Powered": False, "Alias": 7}},
        "/org/bluez/hci1": {name: {"Powered": True, "Roles": ["central"]}},
    }
    first, second = adapters_of(objects)
    assert (first.name, first.powered, first.can_be_found) == ("hci1", True, False)
    assert (second.name, second.alias) == ("hci0", "7")
    assert [one.name for one in adapters_of(objects, "hci0")] == ["hci0"]
    assert adapters_of({}) == ()


def test_probes_are_judged_together() -> None:
    back, lost, refused = Heard(echo=True), Heard(), OSError(98, "Address already in use")
    (good,) = judge_probes({"eth0 by IPv4": back}, shared=True)
    assert good.state is FindingState.OK
    assert "beside other programs" in good.found
    some = judge_probes({"eth0 by IPv4": back, "wlan0 by IPv4": lost}, shared=False)
    assert [one.state for one in some] == [FindingState.OK, FindingState.WARNING]
    assert "wlan0" in some[1].found
    none = judge_probes({"eth0 by IPv4": lost, "eth0 by IPv6": refused}, shared=False)
    assert [one.state for one in none] == [FindingState.FAILED, FindingState.FAILED]
    assert "holds UDP port 5353 for itself" in (none[1].hint or "")
    many = judge_probes({f"veth{n} by IPv4": lost for n in range(40)}, shared=False)
    assert len(many) == 1
    assert "and 34 more" in many[0].found


def test_the_worst_state_counts_and_what_is_off_is_fine() -> None:
    assert worst([ok("a", ""), off("b", "")]) is FindingState.OK
    assert worst([ok("a", ""), unknown("b", "")]) is FindingState.UNKNOWN
    assert worst([unknown("a", ""), warning("b", "")]) is FindingState.WARNING
    assert worst([warning("a", ""), failed("b", ""), ok("c", "")]) is FindingState.FAILED
    assert worst([]) is FindingState.OK
