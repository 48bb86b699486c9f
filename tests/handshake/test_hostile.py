"""Strangers, liars and vandals: every one of them is dropped, and told nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presence_core.handshake import session as session_module
from presence_core.handshake.events import (
    Authenticated,
    ByeCode,
    Closed,
    CloseReason,
    MessageReceived,
    MessageType,
    RttMeasured,
)
from presence_core.handshake.session import Session, State
from presence_core.identity.mesh import MeshKey
from tests.handshake.ends import (
    ANNA,
    BERT,
    MESH,
    OTHER_MESH,
    START,
    closed,
    connected,
    framed,
    frames,
    session,
)
from tests.handshake.foreign import ForeignPeer, open_initiator, open_responder

HTTP = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LOW_ORDER_KEY = b"\x01" + bytes(31)


def assert_dropped(end: Session, data: bytes, reason: CloseReason, detail: str = "") -> None:
    """Deliver bytes that must end the session without a word."""
    result = closed(end.receive(data, START))
    assert result.reason is reason
    assert detail in result.detail
    assert end.state is State.CLOSED
    assert end.data_to_send() == b""
    assert end.next_timeout() is None
    assert end.receive(data, START) == []


# -- strangers: the first message is not answered


@pytest.mark.parametrize("meshes", [(MESH,), (MESH, MeshKey.from_name("open")), ()])
def test_a_member_of_another_mesh_is_not_answered(meshes: tuple[MeshKey, ...]) -> None:
    first = session(initiator=True, meshes=(OTHER_MESH,)).data_to_send()
    assert_dropped(session(initiator=False, meshes=meshes), first, CloseReason.WRONG_MESH)


def test_another_prologue_is_not_answered() -> None:
    for prologue in (b"", b"presence-mesh/2" + MESH.mesh_id, b"presence-mesh/1" + bytes(16)):
        first = ForeignPeer(initiator=True, prologue=prologue).first()
        assert_dropped(session(initiator=False), first, CloseReason.WRONG_MESH)


@pytest.mark.parametrize("size", [1, 16, 31, 32, 47, 48, 49, 512])
def test_a_first_message_of_any_size_that_is_not_authentic_is_not_answered(size: int) -> None:
    assert_dropped(session(initiator=False), framed(bytes(size)), CloseReason.WRONG_MESH)


def test_a_first_message_with_something_after_it_is_not_answered() -> None:
    first = session(initiator=True).data_to_send()
    longer = framed(first[2:] + b"x")
    assert_dropped(session(initiator=False), longer, CloseReason.WRONG_MESH)


@pytest.mark.parametrize("data", [HTTP, b"\0\0", b"\x02\x01", b"\xff\xff", b"\x16\x03\x01\x02\x00"])
def test_another_protocol_is_dropped_at_its_first_bytes(data: bytes) -> None:
    for end in (session(initiator=False), dialling()):
        assert_dropped(end, data, CloseReason.HANDSHAKE_FAILED, "does not speak")


def test_a_frame_of_512_bytes_is_the_largest_in_a_handshake() -> None:
    responder = session(initiator=False)
    assert responder.receive(b"\x02\x00" + bytes(511), START) == []
    assert_dropped(responder, b"\0", CloseReason.WRONG_MESH)


# -- vandals: no bit of the handshake can be changed


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def assert_never_opens(end: Session, changed: bytes) -> None:
    """Deliver a changed message, then the end of the stream (a length may now ask for more)."""
    events = end.receive(changed, START) + end.eof(START)
    assert closed(events).reason in (
        CloseReason.WRONG_MESH,
        CloseReason.HANDSHAKE_FAILED,
        CloseReason.EOF,
    )
    assert len(events) == 1
    assert end.data_to_send() == b""


def test_no_bit_of_the_first_message_can_be_changed() -> None:
    first = session(initiator=True).data_to_send()
    for bit in range(len(first) * 8):
        assert_never_opens(session(initiator=False), flipped(first, bit))


def test_no_bit_of_the_second_message_can_be_changed() -> None:
    for bit in range(194 * 8):
        initiator, responder = dialling(), session(initiator=False)
        responder.receive(dial(initiator), START)
        assert_never_opens(initiator, flipped(responder.data_to_send(), bit))


def test_no_bit_of_the_third_message_can_be_changed() -> None:
    for bit in range(162 * 8):
        initiator, responder = dialling(), session(initiator=False)
        responder.receive(dial(initiator), START)
        initiator.receive(responder.data_to_send(), START)
        assert_never_opens(responder, flipped(initiator.data_to_send(), bit))


def test_no_bit_of_a_message_can_be_changed() -> None:
    for bit in range(16, (2 + 1 + 4 + 16) * 8):
        ends = connected()
        ends.initiator.send(99, b"text", ends.now)
        data = flipped(ends.initiator.data_to_send(), bit)
        assert_dropped(ends.responder, data, CloseReason.PROTOCOL, "not authentic")


# -- copies: replay, reflection, other order


def test_a_recorded_handshake_cannot_be_replayed() -> None:
    initiator, responder = dialling(), session(initiator=False)
    first = dial(initiator)
    responder.receive(first, START)
    initiator.receive(responder.data_to_send(), START)
    third = initiator.data_to_send()
    (event,) = responder.receive(third, START)
    assert isinstance(event, Authenticated)

    victim = session(initiator=False)
    assert victim.receive(first, START) == []
    assert victim.data_to_send() != b""  # to somebody who cannot read it
    assert_dropped(victim, third, CloseReason.HANDSHAKE_FAILED)


def test_a_recorded_answer_cannot_be_replayed() -> None:
    initiator, responder = dialling(), session(initiator=False)
    responder.receive(dial(initiator), START)
    second = responder.data_to_send()
    other = dialling()
    dial(other)
    assert_dropped(other, second, CloseReason.HANDSHAKE_FAILED)


def test_ones_own_messages_come_back_to_nothing() -> None:
    initiator = dialling()
    assert_dropped(initiator, dial(initiator), CloseReason.HANDSHAKE_FAILED)
    responder = session(initiator=False)
    responder.receive(dialling().data_to_send(), START)
    assert_dropped(responder, responder.data_to_send(), CloseReason.HANDSHAKE_FAILED)
    ends = connected()
    ends.initiator.send(99, b"text", ends.now)
    data = ends.initiator.data_to_send()
    assert_dropped(ends.initiator, data, CloseReason.PROTOCOL, "not authentic")


def test_messages_can_be_neither_repeated_nor_swapped_nor_left_out() -> None:
    for order in ([0, 0], [1], [1, 0], [0, 2]):
        ends = connected()
        for number in range(3):
            ends.initiator.send(99, bytes([number]), ends.now)
        sent = frames(ends.initiator.data_to_send())
        events = ends.responder.receive(b"".join(sent[number] for number in order), ends.now)
        assert closed(events).reason is CloseReason.PROTOCOL
        assert events[:-1] == ([MessageReceived(99, b"\0")] if order[0] == 0 else [])


def test_a_message_of_another_session_is_not_authentic() -> None:
    one, other = connected(), connected()
    one.initiator.send(99, b"text", one.now)
    data = one.initiator.data_to_send()
    assert_dropped(other.responder, data, CloseReason.PROTOCOL, "not authentic")


def test_the_old_key_is_of_no_use_after_a_rekey() -> None:
    foreign, responder = open_responder()
    assert responder.receive(foreign.say(MessageType.REKEY), START) == []
    assert_dropped(responder, foreign.say(99), CloseReason.PROTOCOL, "not authentic")


# -- liars: members of the mesh that claim to be somebody else


def lie(what: str, initiator: bool) -> ForeignPeer:
    """Return a peer that proves its identity in a wrong way."""
    liar = ForeignPeer(initiator=initiator)
    other_role = b"r" if initiator else b"i"
    ways: dict[str, Callable[[bytes], bytes]] = {
        "another role": partial(liar.proof, role=other_role),
        "another transcript": lambda h: liar.proof(h[::-1]),
        "another's key": lambda h: ANNA.peer_key + liar.proof(h)[32:],
        "no signature": lambda h: liar.peer_key + bytes(64),
        "nothing": lambda h: b"",
        "a key alone": lambda h: liar.peer_key,
        "too little": lambda h: liar.proof(h)[:-1],
        "too much": lambda h: liar.proof(h) + b"\0",
        # The library takes this signature under a key of small order for any text at all.
        "a key of small order": lambda h: LOW_ORDER_KEY + LOW_ORDER_KEY + bytes(32),
        "a key that is none": lambda h: b"\xff" * 32 + liar.proof(h)[32:],
    }
    return ForeignPeer(initiator=initiator, prove=ways[what])


LIES = [
    "another role",
    "another transcript",
    "another's key",
    "no signature",
    "nothing",
    "a key alone",
    "too little",
    "too much",
    "a key of small order",
    "a key that is none",
]


@pytest.mark.parametrize("what", LIES)
def test_who_dials_us_must_prove_its_key(what: str) -> None:
    liar, responder = lie(what, initiator=True), session(initiator=False)
    responder.receive(liar.first(), START)
    liar.read_identity(responder.data_to_send())
    assert_dropped(responder, liar.identify(), CloseReason.HANDSHAKE_FAILED)
    assert responder.peer_key is None


@pytest.mark.parametrize("what", LIES)
def test_whom_we_dial_must_prove_its_key_before_we_show_ours(what: str) -> None:
    liar, initiator = lie(what, initiator=False), dialling()
    liar.read_first(dial(initiator))
    assert_dropped(initiator, liar.identify(), CloseReason.HANDSHAKE_FAILED)
    assert initiator.peer_key is None


@pytest.mark.parametrize("key", ["e", "s"])
def test_noise_keys_of_small_order_are_refused(key: str) -> None:
    dialler, responder = ForeignPeer(initiator=True, low_order=key), session(initiator=False)
    events = responder.receive(dialler.first(), START)
    if key == "s":
        assert events == []
        dialler.read_identity(responder.data_to_send())
        events = responder.receive(dialler.identify(), START)
    assert closed(events).reason is CloseReason.HANDSHAKE_FAILED
    assert "small order" in closed(events).detail
    assert responder.data_to_send() == b""

    answerer, initiator = ForeignPeer(initiator=False, low_order=key), dialling()
    answerer.read_first(dial(initiator))
    message = answerer.identify()
    assert_dropped(initiator, message, CloseReason.HANDSHAKE_FAILED, "small order")


def test_another_peer_than_the_expected_one_learns_nothing() -> None:
    initiator = session(initiator=True, expected_key=ANNA.peer_key, identity=BERT)
    foreign = ForeignPeer(initiator=False)
    foreign.read_first(initiator.data_to_send())
    assert_dropped(initiator, foreign.identify(), CloseReason.HANDSHAKE_FAILED, "expected one")


def test_a_device_that_dials_itself_finds_out() -> None:
    initiator, responder = session(initiator=True), session(initiator=False, identity=ANNA)
    responder.receive(dial(initiator), START)
    data = responder.data_to_send()
    assert_dropped(initiator, data, CloseReason.PROTOCOL, "my own address")
    assert initiator.peer_key == ANNA.peer_key

    copy = ForeignPeer(initiator=True, secret=ANNA.private_bytes())
    responder = session(initiator=False, identity=ANNA)
    responder.receive(copy.first(), START)
    copy.read_identity(responder.data_to_send())
    assert_dropped(responder, copy.identify(), CloseReason.PROTOCOL, "my own address")


# -- members that break the protocol after all that


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MessageType.PING, b""),
        (MessageType.PING, b"\x80"),
        (MessageType.PING, b"\x81\x01"),
        (MessageType.PING, b"\x82\x20\x00"),
        (MessageType.PING, b"\x82\x01\x20"),
        (MessageType.PING, b"\x82\x01\xf4"),
        (MessageType.PING, b"\x82\xf5\x00"),
        (MessageType.PING, b"\x82\x01\x02\x00"),
        (MessageType.PING, b"\x83\x01\x02\x03"),
        (MessageType.PING, b"\x82\x18\x01\x02"),
        (MessageType.PING, bytes(60_000)),
        (MessageType.PONG, b"\x82\x01\x61x"),
        (MessageType.BYE, b""),
        (MessageType.BYE, b"\x01"),
        (MessageType.BYE, b"\x81\xf5"),
        (MessageType.BYE, b"\x81\x20"),
        (MessageType.BYE, b"\x82\x01\x01"),
        (MessageType.REKEY, b"\x00"),
    ],
)
def test_a_body_that_the_session_cannot_use_ends_it(kind: MessageType, body: bytes) -> None:
    foreign, responder = open_responder()
    data = foreign.say(kind, body) + foreign.say(99)
    assert_dropped(responder, data, CloseReason.PROTOCOL, f"message type {kind:d}")


def test_a_message_without_a_type_ends_the_session() -> None:
    foreign, responder = open_responder()
    data = framed(foreign._noise.encrypt(b""))
    assert_dropped(responder, data, CloseReason.PROTOCOL, "without a type")


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 65_535])
def test_frames_of_any_size_that_are_not_authentic_end_the_session(size: int) -> None:
    _, responder = open_responder()
    data = framed(bytes(size))
    assert_dropped(responder, data, CloseReason.PROTOCOL, "not authentic")


def test_an_answer_to_no_question_is_ignored() -> None:
    foreign, responder = open_responder()
    assert responder.receive(foreign.say(MessageType.PONG, b"\x82\x07\x00"), START) == []
    assert responder.state is State.OPEN


def test_who_makes_us_answer_and_does_not_read_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert session_module.MAX_PENDING == 4 * 1024 * 1024
    monkeypatch.setattr(session_module, "MAX_PENDING", 1_000)
    foreign, responder = open_responder()
    ping = cbor2.dumps([1, 1])
    for _ in range(10):  # answers that are read do not count
        assert responder.receive(foreign.say(MessageType.PING, ping), START) == []
        assert len(frames(responder.data_to_send())) == 1
    flood = b"".join(foreign.say(MessageType.PING, ping) for _ in range(100))
    assert_dropped(responder, flood, CloseReason.PROTOCOL, "reads nothing")


def test_what_waits_for_the_rest_of_a_frame_is_bounded() -> None:
    _, responder = open_responder()
    for _ in range(64):
        assert responder.receive(b"\xff\xff"[: 2 - len(responder._inbound)], START) == []
        assert responder.receive(bytes(1_000), START) == []
    assert len(responder._inbound) <= 2 + 65_535
    assert closed(responder.receive(bytes(70_000), START)).reason is CloseReason.PROTOCOL
    assert len(responder._inbound) == 0


# -- anything at all


@given(st.lists(st.binary(max_size=600), max_size=5), st.booleans())
def test_garbage_never_raises_in_a_handshake(parts: list[bytes], framing: bool) -> None:
    for end in (session(initiator=False), dialling()):
        end.data_to_send()
        events = []
        for part in parts:
            events += end.receive(framed(part) if framing else part, START)
        assert len(events) <= 1
        assert end.data_to_send() == b""
        assert all(isinstance(event, Closed) for event in events)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=10))
@settings(max_examples=200)
def test_no_message_of_a_member_raises(messages: list[tuple[int, bytes]]) -> None:
    for foreign, end in (open_responder(), open_initiator()):
        events = []
        for kind, body in messages:
            if end.state is State.OPEN:
                events += end.receive(foreign.say(kind, body), START)
            if kind == MessageType.REKEY:
                foreign.rekey(outbound=True)
        allowed = (MessageReceived, RttMeasured, Closed)
        assert all(isinstance(event, allowed) for event in events)
        assert sum(isinstance(event, Closed) for event in events) <= 1


@given(st.binary(max_size=200))
def test_no_bytes_after_the_handshake_raise(data: bytes) -> None:
    _, responder = open_responder()
    events = responder.receive(data, START) + responder.eof(START)
    assert closed(events).reason in (CloseReason.PROTOCOL, CloseReason.EOF)


def test_a_goodbye_is_the_last_thing_that_is_said() -> None:
    ends = connected()
    ends.initiator.bye(ByeCode.BLOCKED, ends.now)
    assert len(frames(ends.initiator.data_to_send())) == 1
    ends.initiator.bye(ByeCode.BLOCKED, ends.now)
    assert ends.initiator.data_to_send() == b""


def dialling() -> Session:
    """Start an initiator."""
    return session(initiator=True)


def dial(initiator: Session) -> bytes:
    """Take its first message."""
    data = initiator.data_to_send()
    assert len(data) == 50
    return data
