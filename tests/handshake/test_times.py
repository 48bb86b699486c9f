"""What time does to a session; the clock is moved by hand."""

from __future__ import annotations

import pytest

from presence_core.handshake.events import CloseReason, MessageReceived, MessageType, RttMeasured
from presence_core.handshake.session import BLUETOOTH, LAN, Session, SessionTimes, State
from tests.handshake.ends import START, closed, connected, frames, session
from tests.handshake.foreign import open_initiator, open_responder

TIMES = SessionTimes()


def test_the_times_are_those_of_the_protocol() -> None:
    assert (TIMES.handshake, TIMES.ping_idle, TIMES.dead) == (5.0, 15.0, 45.0)
    assert (TIMES.rekey_messages, TIMES.rekey_seconds) == (65_536, 600.0)
    assert (LAN.handshake, LAN.ping_idle, LAN.dead) == (5.0, 1.0, 3.5)
    assert (BLUETOOTH.handshake, BLUETOOTH.ping_idle, BLUETOOTH.dead) == (15.0, 5.0, 15.0)


@pytest.mark.parametrize("initiator", [True, False])
def test_a_handshake_has_five_seconds_in_all(initiator: bool) -> None:
    end = session(initiator=initiator)
    end.data_to_send()
    for part in range(4):  # a drip of bytes does not buy time
        assert end.receive(b"\0\x30"[part : part + 1] or b"x", START + part) == []
    assert end.next_timeout() == START + 5
    assert end.handle_timeout(START + 4.999) == []
    result = closed(end.handle_timeout(START + 5))
    assert result.reason is CloseReason.TIMEOUT_HANDSHAKE
    assert end.data_to_send() == b""
    assert end.next_timeout() is None


def test_a_responder_that_has_answered_does_not_wait_longer() -> None:
    responder = session(initiator=False)
    responder.receive(session(initiator=True).data_to_send(), START + 4)
    assert responder.next_timeout() == START + 5
    assert closed(responder.handle_timeout(START + 5)).reason is CloseReason.TIMEOUT_HANDSHAKE


def lonely(end: Session) -> list[float]:
    """Let time pass for an end that hears nothing more; return when it spoke."""
    spoke = []
    while end.state is State.OPEN:
        now = end.next_timeout()
        assert now is not None
        events = end.handle_timeout(now)
        if end.data_to_send():
            spoke.append(now - START)
        if events:
            assert closed(events).reason is CloseReason.DEAD
            assert closed(events).detail == f"nothing was heard for {now - START:.1f} s"
            spoke.append(-(now - START))
    return spoke


def test_on_a_lan_silence_is_questioned_after_a_second_and_deadly_after_three_and_a_half() -> None:
    assert lonely(open_initiator(LAN)[1]) == [1.0, 2.0, 3.0, -3.5]
    # Who was dialled leaves the pinging to the other, but measures the round trip once.
    assert lonely(open_responder(LAN)[1]) == [1.0, 2.25, -3.5]


def test_an_end_with_other_links_asks_less_often_and_is_no_more_patient() -> None:
    _, initiator = open_initiator(LAN)
    initiator.handle_timeout(START + 1.0)
    initiator.data_to_send()
    initiator.relaxed = True
    assert lonely(initiator) == [3.25, -3.5]


def test_who_was_dialled_measures_the_round_trip_now_and_then() -> None:
    ends = connected()
    ends.wait(100)
    assert 3 <= sum(isinstance(event, RttMeasured) for event in ends.told_responder) <= 5


def test_elsewhere_there_is_more_patience() -> None:
    assert lonely(open_initiator(TIMES)[1]) == [15.0, 30.0, -45.0]


def test_a_late_timer_finds_the_other_end_dead_at_once() -> None:
    _, responder = open_responder()
    assert closed(responder.handle_timeout(START + 1_000)).reason is CloseReason.DEAD


@pytest.mark.parametrize("start", [0.1, 1_234.567, 1e9 + 1 / 3])
def test_at_its_own_timeout_an_end_always_does_something(start: float) -> None:
    _, responder = open_responder(SessionTimes(ping_idle=0.1, dead=0.7, rekey_seconds=0.3))
    responder.last_received = responder._pinged_at = start
    responder._rekey_at = start + 0.3
    responder._measure_at = start + 0.1
    for _ in range(20):
        now = responder.next_timeout()
        if now is None:
            break
        assert responder.handle_timeout(now) or responder.data_to_send()
    assert responder.state is State.CLOSED


def test_two_ends_keep_each_other_alive_and_measure_the_way() -> None:
    ends = connected()
    ends.wait(600)
    assert ends.initiator.state is ends.responder.state is State.OPEN
    events = ends.told_initiator + ends.told_responder
    assert len(events) >= 500
    assert all(event == RttMeasured(0.0) for event in events)


def test_the_round_trip_is_the_time_between_ping_and_pong() -> None:
    foreign, responder = open_responder()
    assert responder.handle_timeout(START + 1.0) == []
    (ping,) = frames(responder.data_to_send())
    kind, (number, _) = foreign.hear(ping)
    assert kind == MessageType.PING
    pong = foreign.say(MessageType.PONG, b"\x82" + bytes([number]) + b"\x00")
    (event,) = responder.receive(pong, START + 1.25)
    assert event == RttMeasured(0.25)
    again = foreign.say(MessageType.PONG, b"\x82" + bytes([number]) + b"\x00")
    assert responder.receive(again, START + 1.5) == []


def test_messages_postpone_the_ping_but_bytes_do_not() -> None:
    foreign, initiator = open_initiator()
    initiator.receive(foreign.say(99), START + 0.9)
    assert initiator.last_received == START + 0.9
    assert initiator.next_timeout() == START + 1.0  # the first round trip is measured anyway
    initiator.handle_timeout(START + 1.0)
    initiator.receive(foreign.say(99), START + 1.5)
    assert initiator.next_timeout() == START + 2.5
    initiator.receive(foreign.say(99)[:5], START + 2.4)
    assert initiator.last_received == START + 1.5
    assert initiator.next_timeout() == START + 2.5


def test_what_we_say_postpones_nothing() -> None:
    _, responder = open_responder()
    responder.send(99, b"", START + 0.9)
    assert responder.next_timeout() == START + 1.0


def test_unanswered_pings_of_a_talkative_peer_are_forgotten() -> None:
    foreign, responder = open_responder()
    for second in range(1, 50):
        responder.handle_timeout(START + 3 * second)
        responder.receive(foreign.say(99), START + 3 * second)
    assert len(responder._pings) <= 8


def test_keys_change_after_a_time_in_each_direction() -> None:
    foreign, responder = open_responder(
        SessionTimes(ping_idle=10_000.0, dead=20_000.0, rekey_seconds=600.0)
    )
    for number in range(1, 4):
        assert responder.next_timeout() == START + 600 * number
        assert responder.handle_timeout(START + 600 * number) == []
        (rekey,) = frames(responder.data_to_send())
        assert foreign.hear(rekey) == (MessageType.REKEY, None)
        foreign.rekey(outbound=False)
    responder.send(99, b"\x00", START + 1_900)
    (frame,) = frames(responder.data_to_send())
    assert foreign.hear(frame) == (99, 0)


def test_a_change_by_count_starts_the_time_anew() -> None:
    _, responder = open_responder(
        SessionTimes(ping_idle=10_000.0, dead=20_000.0, rekey_messages=2, rekey_seconds=600.0)
    )
    responder.send(99, b"", START + 100)
    assert responder.next_timeout() == START + 600
    responder.send(99, b"", START + 100)
    assert responder.next_timeout() == START + 700


def test_a_long_session_survives_its_rekeys() -> None:
    ends = connected(SessionTimes(ping_idle=1.0, dead=3.5, rekey_messages=5, rekey_seconds=7.0))
    ends.wait(120)
    ends.initiator.send(99, b"still here", ends.now)
    ends.pump()
    assert ends.told_responder[-1] == MessageReceived(99, b"still here")
