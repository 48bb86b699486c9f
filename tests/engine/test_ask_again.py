"""Metadata that the neighbour who should have it does not give is had from another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from presence_core.codec.metadata import encode_metadata
from presence_core.engine.bodies import ASK_AGAIN_SECONDS
from presence_core.engine.output import Hangup
from presence_core.gossip.bodies import CHUNK_SECONDS
from presence_core.gossip.exchange import Message
from presence_core.gossip.messages import BodyChunk
from presence_core.handshake.events import MessageType
from tests.engine.field import BLE, Field, value_of

VALUE = encode_metadata({"at": "the landing stage"})


class SpoiltField(Field):
    """A field in which one peer answers questions for bodies with others, or not at all.

    What bob has to tell of records never comes first: it does not come.
    """

    def __init__(self, *, silent: bool) -> None:
        super().__init__()
        self.silent = silent

    def _carry(self, name: str, item: Message | Hangup) -> None:
        if name == "liar" and isinstance(item, Message) and item.type == MessageType.BODY_CHUNK:
            if self.silent:
                return
            chunk = BodyChunk.decode(item.body)
            lie = replace(chunk, data=bytes(len(chunk.data)))
            item = Message(item.link, item.type, lie.encode())
        if name == "bob" and isinstance(item, Message) and item.type == MessageType.HAVE:
            return
        super()._carry(name, item)


@pytest.mark.parametrize("silent", [True, False])
def test_what_one_neighbour_does_not_give_is_asked_of_the_others(*, silent: bool) -> None:
    field = SpoiltField(silent=silent)
    for name in ("alice", "liar", "bob", "carol"):
        field.add(name)
    # Records are offered here, so that alice hears of carol's from one neighbour alone.
    field.chain("alice", "liar", "carol", "bob", "alice", transport=BLE)
    field.wait(20)
    field.nodes["carol"].set_metadata(VALUE, field.now)
    field.wait(ASK_AGAIN_SECONDS + 10 * CHUNK_SECONDS)
    assert value_of(field.nodes["alice"], field.nodes["carol"]) == VALUE


def test_what_nobody_has_is_asked_for_now_and_then_and_holds_up_nobody() -> None:
    field = SpoiltField(silent=True)
    field.add("alice")
    field.add("liar")
    field.chain("alice", "liar", transport=BLE)
    field.nodes["liar"].set_metadata(VALUE, field.now)
    field.wait(60)
    before = field.carried["alice", MessageType.BODY_WANT]
    field.wait(600)
    asked = field.carried["alice", MessageType.BODY_WANT] - before
    assert 0 < asked <= 2 * 600 / ASK_AGAIN_SECONDS
