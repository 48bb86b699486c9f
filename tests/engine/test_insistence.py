"""Whoever is denied by a neighbour says again and again that it lives, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from presence_core.engine.node import Node
from presence_core.gossip.contradictions import INSIST_SECONDS, OVER_SECONDS
from presence_core.gossip.record import Edge, Record
from presence_core.model import PresenceState
from tests.engine.field import LAN, Field


class Liar:
    """Has a node leave neighbours out of its record."""

    def __init__(self, node: Node) -> None:
        self.denied: set[bytes] = set()
        self._node = node
        self._signs = node._own.sign
        node._own.sign = self._sign  # type: ignore[method-assign]

    def _sign(self, edges: Iterable[Edge], now: float) -> Record:
        return self._signs((edge for edge in edges if edge.key not in self.denied), now)

    def deny(self, field: Field, *nodes: Node) -> None:
        self.denied = {node.key for node in nodes}
        self._node._own.change(field.now)
        field.wait(10)


@pytest.fixture
def field() -> Field:
    """A ring of four, which has been at rest for a while."""
    field = Field()
    for name in ("reader", "friend", "denied", "liar"):
        field.add(name)
    field.chain("reader", "friend", "denied", "liar", "reader")
    field.wait(OVER_SECONDS)
    return field


def version(field: Field, name: str) -> int:
    entry = field.nodes[name].table.get(field.nodes[name].key)
    assert entry is not None
    return entry.record.seq


def test_in_a_mesh_that_agrees_nobody_insists(field: Field) -> None:
    before = {name: version(field, name) for name in field.nodes}
    field.wait(10 * INSIST_SECONDS)
    assert {name: version(field, name) for name in field.nodes} == before


def test_a_new_link_is_told_once(field: Field) -> None:
    field.link("friend", "liar")
    field.wait(1)
    before = {name: version(field, name) for name in field.nodes}
    field.wait(10 * INSIST_SECONDS)
    assert {name: version(field, name) for name in field.nodes} == before


def test_who_is_denied_insists_and_is_never_lost(field: Field) -> None:
    Liar(field.nodes["liar"]).deny(field, field.nodes["denied"])
    before = version(field, "denied")
    for _ in range(20):
        field.wait(OVER_SECONDS / 4)
        assert field.seen("reader", "denied").presence.state is PresenceState.ONLINE
        (doubtful,) = (c for c in field.seen("reader", "denied").connections if not c.confirmed)
        assert doubtful.said_by == field.seen("reader", "denied").peer_key
    insisted = version(field, "denied") - before
    assert insisted == 20 * OVER_SECONDS / 4 // INSIST_SECONDS
    assert version(field, "friend") < before + insisted  # nobody denies the others


def test_who_does_not_insist_would_be_lost(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presence_core.engine.own_record.INSIST_SECONDS", float("inf"))
    Liar(field.nodes["liar"]).deny(field, field.nodes["denied"])
    field.wait(OVER_SECONDS)
    assert field.seen("reader", "denied").presence.state is PresenceState.LOST
    assert field.seen("friend", "denied").presence.state is PresenceState.ONLINE


def test_who_was_denied_for_a_moment_insists_once(field: Field) -> None:
    """Others may have heard only what denies it, if the liar chooses well when to say what."""
    liar = Liar(field.nodes["liar"])
    before = version(field, "denied")
    liar.deny(field, field.nodes["denied"])
    liar.deny(field)
    field.wait(INSIST_SECONDS)
    assert version(field, "denied") == before + 1
    field.wait(10 * INSIST_SECONDS)
    assert version(field, "denied") == before + 1


def test_the_dead_whom_a_liar_holds_are_lost(field: Field) -> None:
    """Its links end without a word, and the liar goes on listing it."""
    liar, dead = field.nodes["liar"], field.nodes["denied"]
    signs, held = liar._own.sign, Edge(dead.key, LAN, 1)

    def hold(edges: Iterable[Edge], now: float) -> Record:
        return signs((*(edge for edge in edges if edge.key != dead.key), held), now)

    liar._own.sign = hold  # type: ignore[method-assign]
    key = field.seen("reader", "denied").peer_key
    field.kill("denied")
    field.wait(OVER_SECONDS / 2)
    shown = field.graph("reader").peer(key)
    assert shown is not None
    assert shown.presence.state is PresenceState.ONLINE
    field.wait(OVER_SECONDS / 2 + 10)
    for name in ("reader", "friend"):
        shown = field.graph(name).peer(key)
        assert shown is not None
        assert shown.presence.state is PresenceState.LOST
