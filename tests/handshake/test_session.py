"""Sessions that go well, between our own ends and with a peer written apart from them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import cbor2
import pytest

from presence_core.codec import cbor
from presence_core.handshake.events import (
    Authenticated,
    ByeCode,
    Closed,
    CloseReason,
    Event,
    MessageReceived,
    MessageType,
)
from presence_core.handshake.session import LocalProtocolError, SessionTimes, State
from presence_core.identity.mesh import MeshKey
from tests.handshake.ends import (
    ANNA,
    BERT,
    MESH,
    OTHER_MESH,
    START,
    WALL_MS,
    Cut,
    Ends,
    closed,
    connected,
    frames,
    session,
    whole,
)
from tests.handshake.foreign import open_initiator, open_responder


def test_both_ends_learn_who_the_other_is() -> None:
    ends = Ends(session(initiator=True), session(initiator=False))
    ends.pump()
    (of_initiator,) = ends.told_initiator
    (of_responder,) = ends.told_responder
    assert isinstance(of_initiator, Authenticated)
    assert isinstance(of_responder, Authenticated)
    assert of_initiator.peer_key == ends.initiator.peer_key == BERT.peer_key
    assert of_responder.peer_key == ends.responder.peer_key == ANNA.peer_key
    assert of_initiator.mesh is of_responder.mesh is MESH
    assert of_initiator.handshake_hash == of_responder.handshake_hash
    assert ends.initiator.state is ends.responder.state is State.OPEN


def test_the_handshake_has_the_sizes_of_the_protocol() -> None:
    initiator, responder = session(initiator=True), session(initiator=False)
    first = initiator.data_to_send()
    responder.receive(first, START)
    second = responder.data_to_send()
    initiator.receive(second, START)
    third = initiator.data_to_send()
    assert [len(first), len(second), len(third)] == [50, 194, 162]
    responder.receive(third, START)
    assert (initiator.bytes_out, initiator.bytes_in) == (212, 194)
    assert (responder.bytes_out, responder.bytes_in) == (194, 212)


def test_messages_of_known_and_unknown_types_arrive_as_they_were_sent() -> None:
    ends = connected()
    sent = [
        (int(MessageType.HELLO), b"\xa0"),
        (int(MessageType.PEERS), b""),
        (0, b"zero"),
        (99, b"unknown"),
        (255, bytes(65_000)),
    ]
    for kind, body in sent:
        ends.initiator.send(kind, body, ends.now)
        ends.responder.send(kind, body, ends.now)
    ends.pump()
    expected = [MessageReceived(kind, body) for kind, body in sent]
    assert ends.told_initiator == ends.told_responder == expected


def test_a_responder_finds_the_mesh_that_the_other_is_in() -> None:
    meshes = (OTHER_MESH, MeshKey.from_name("open"), MESH)
    for mesh in meshes:
        ends = Ends(
            session(initiator=True, meshes=(mesh,)), session(initiator=False, meshes=meshes)
        )
        ends.pump()
        (event,) = ends.told_responder
        assert isinstance(event, Authenticated)
        assert event.mesh is mesh


def test_the_expected_peer_is_let_in() -> None:
    ends = Ends(session(initiator=True, expected_key=BERT.peer_key), session(initiator=False))
    ends.pump()
    assert ends.initiator.state is ends.responder.state is State.OPEN


@pytest.mark.parametrize("code", [*ByeCode, 99])
def test_a_goodbye_is_heard_and_ends_the_session(code: int) -> None:
    ends = connected()
    ends.initiator.send(99, b"before", ends.now)
    ends.initiator.bye(code, ends.now)
    assert ends.initiator.state is State.CLOSED
    ends.responder.send(99, b"too late", ends.now)
    ends.pump()
    assert ends.told_responder[0] == MessageReceived(99, b"before")
    end = closed(ends.told_responder)
    assert (end.reason, end.code) == (CloseReason.BYE, code)
    assert end.detail
    assert ends.told_initiator == []


def test_nothing_after_a_goodbye_is_listened_to() -> None:
    foreign, responder = open_responder()
    data = foreign.say(MessageType.BYE, b"\x81\x01") + foreign.say(99) + b"\xff\xff\xff"
    assert closed(responder.receive(data, START)).reason is CloseReason.BYE
    assert responder.receive(foreign.say(99), START) == []
    assert responder.data_to_send() == b""


def test_a_goodbye_before_there_is_somebody_to_hear_it_is_silent() -> None:
    responder = session(initiator=False)
    responder.bye(ByeCode.LEAVING, START)
    assert responder.state is State.CLOSED
    assert responder.data_to_send() == b""
    assert responder.receive(session(initiator=True).data_to_send(), START) == []


def test_the_end_of_the_stream_ends_the_session_once() -> None:
    ends = connected()
    assert closed(ends.initiator.eof(ends.now)).reason is CloseReason.EOF
    assert ends.initiator.eof(ends.now) == []
    assert ends.initiator.receive(b"anything", ends.now) == []
    assert ends.initiator.handle_timeout(ends.now + 1_000) == []
    assert ends.initiator.next_timeout() is None


def test_wrong_use_is_said_and_changes_nothing() -> None:
    initiator = session(initiator=True)
    with pytest.raises(LocalProtocolError, match="not open"):
        initiator.send(99, b"", START)
    ends = connected()
    with pytest.raises(LocalProtocolError, match="65,001 bytes"):
        ends.initiator.send(99, bytes(65_001), ends.now)
    ends.initiator.send(99, b"fine", ends.now)
    ends.pump()
    assert ends.told_responder == [MessageReceived(99, b"fine")]
    ends.initiator.bye(ByeCode.LEAVING, ends.now)
    with pytest.raises(LocalProtocolError, match="not open"):
        ends.initiator.send(99, b"", ends.now)


# -- a peer written apart from ours, on another Noise library


def test_a_foreign_peer_dials_us() -> None:
    foreign, responder = open_responder()
    assert foreign.other_key == BERT.peer_key
    assert responder.receive(foreign.say(99, b"there"), START) == [MessageReceived(99, b"there")]
    responder.send(99, b"\x61x", START)
    (frame,) = frames(responder.data_to_send())
    assert foreign.hear(frame) == (99, "x")


def test_we_dial_a_foreign_peer() -> None:
    foreign, initiator = open_initiator()
    assert foreign.other_key == ANNA.peer_key
    assert initiator.receive(foreign.say(99, b"there"), START) == [MessageReceived(99, b"there")]
    initiator.send(99, b"\x61x", START)
    (frame,) = frames(initiator.data_to_send())
    assert foreign.hear(frame) == (99, "x")


def test_a_foreign_peer_is_answered_when_it_pings() -> None:
    foreign, responder = open_responder()
    assert responder.receive(foreign.say(MessageType.PING, cbor2.dumps([7, 5])), START) == []
    (frame,) = frames(responder.data_to_send())
    assert foreign.hear(frame) == (MessageType.PONG, [7, WALL_MS])


def test_keys_change_after_so_many_messages_in_each_direction() -> None:
    foreign, responder = open_responder(SessionTimes(rekey_messages=3))
    for _ in range(4):
        for number in range(3):
            responder.send(99, cbor.encode(number), START)
        *messages, rekey = frames(responder.data_to_send())
        assert [foreign.hear(message) for message in messages] == [(99, 0), (99, 1), (99, 2)]
        assert foreign.hear(rekey) == (MessageType.REKEY, None)
        foreign.rekey(outbound=False)


def test_a_foreign_peer_changes_its_key_whenever_it_likes() -> None:
    foreign, responder = open_responder()
    for number in range(5):
        assert responder.receive(foreign.say(MessageType.REKEY), START) == []
        foreign.rekey(outbound=True)
        body = cbor.encode(number)
        assert responder.receive(foreign.say(99, body), START) == [MessageReceived(99, body)]
    assert responder.data_to_send() == b""


@pytest.mark.parametrize("rekey_messages", [1, 2, 3, 7])
def test_nothing_is_lost_where_keys_change(rekey_messages: int) -> None:
    ends = connected(SessionTimes(rekey_messages=rekey_messages))
    for number in range(20):
        ends.initiator.send(99, bytes([number]), ends.now)
        if number % 3 == 0:
            ends.responder.send(99, bytes([number]), ends.now)
        if number % 4 == 0:
            ends.pump()
    ends.pump()
    assert ends.told_responder == [MessageReceived(99, bytes([n])) for n in range(20)]
    assert ends.told_initiator == [MessageReceived(99, bytes([n])) for n in range(0, 20, 3)]


# -- a stream may be cut anywhere


def whole_session(cut: Cut) -> tuple[list[Event], list[Event]]:
    """Run a session in which everything happens, with its bytes cut as told."""
    times = SessionTimes(ping_idle=1.0, dead=3.5, rekey_messages=2)
    ends = connected(times, cut)
    for number in range(3):
        ends.initiator.send(MessageType.HELLO, bytes(number), ends.now)
        ends.responder.send(99, bytes(number), ends.now)
        ends.pump()
    ends.wait(2.5)
    ends.responder.send(99, b"last", ends.now)
    ends.responder.bye(ByeCode.LEAVING, ends.now)
    ends.pump()
    return ends.told_initiator, ends.told_responder


UNCUT = whole_session(whole)


def test_the_session_that_is_cut_has_everything_in_it() -> None:
    kinds = {type(event).__name__ for event in UNCUT[0] + UNCUT[1]}
    assert kinds == {"MessageReceived", "RttMeasured", "Closed"}
    assert UNCUT[0][-2:] == [
        MessageReceived(99, b"last"),
        Closed(CloseReason.BYE, "it leaves the mesh", ByeCode.LEAVING),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 16, 49, 50, 51])
def test_the_stream_in_pieces_of_one_size(size: int) -> None:
    def pieces(data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    assert whole_session(pieces) == UNCUT


def test_the_stream_cut_once_at_every_point() -> None:
    for place in count():
        left = place
        was_cut = False

        def once(data: bytes) -> Iterator[bytes]:
            nonlocal left, was_cut
            if not was_cut and left < len(data):
                was_cut = True
                yield data[:left]
                yield data[left:]
                return
            left -= 0 if was_cut else len(data)
            yield data

        assert whole_session(once) == UNCUT
        if not was_cut:
            break
    assert place > 600
