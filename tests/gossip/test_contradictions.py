"""Whose last word is over: what may be concluded from signed records, and what may not."""

from __future__ import annotations

import pytest

from presence_core.gossip.contradictions import LOOK_SECONDS, OVER_SECONDS, Contradictions
from presence_core.gossip.record import Edge, sign_record
from presence_core.gossip.table import Table
from presence_core.gossip.topology import Topology, edge_key
from presence_core.identity.keys import Identity
from presence_core.identity.mesh import MeshKey

MESH = MeshKey(b"m" * 32, "test")
LAN, BLUETOOTH = 1, 2
WHO = {name: Identity.from_private_bytes(name.encode().ljust(32)) for name in "OAHDX"}
"""Ourselves, an honest neighbour, one that lies, one that dies, and somebody more."""


class Mesh:
    """What one peer, O, hears; A and H are its neighbours."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.topology = Topology(self.key("O"))
        self.table = Table(self.key("O"), self.topology.reachable)
        self.contradictions = Contradictions(self.key("O"), self.topology, self.table)
        self.seq = 0
        self.linked("A", "H")
        self.says("A", "OHD")
        self.says("H", "OAD")
        self.says("D", "AH")

    def key(self, name: str) -> bytes:
        return WHO[name].peer_key

    def linked(self, *names: str) -> None:
        """Say with whom O has live links."""
        self.topology.own_links({edge_key(self.key("O"), self.key(name), LAN): 1 for name in names})
        self.settle()

    def says(self, name: str, others: str, transport: int = LAN) -> None:
        """Have a record come that lists these others."""
        self.seq += 1
        edges = tuple(Edge(self.key(other), transport, 1) for other in others)
        record = sign_record(
            WHO[name], MESH, epoch=1, seq=self.seq, issued_at=1, name=name, edges=edges
        )
        self.table.accept(record, 0, self.now, None)
        self.topology.claim(record.key, record.edges)
        self.settle()

    def settle(self) -> None:
        settled = self.topology.settle()
        self.contradictions.follow(settled, self.now)

    def wait(self, seconds: float, *, sure: bool = True) -> None:
        """Let time pass, as the engine does: looking when there is something to look at."""
        end = self.now + seconds
        while (due := self.contradictions.next_time()) <= end:
            self.now = max(self.now, due)
            self.contradictions.judge(self.now, sure=sure)
            self.settle()
        self.now = end

    def reaches(self, name: str) -> bool:
        return self.topology.reachable(self.key(name))


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def test_in_a_mesh_that_agrees_nothing_is_ever_looked_at(mesh: Mesh) -> None:
    assert mesh.contradictions.next_time() == float("inf")
    mesh.wait(100 * OVER_SECONDS)
    assert mesh.reaches("D")


def test_who_died_is_held_by_one_that_lies_for_a_bounded_time(mesh: Mesh) -> None:
    mesh.wait(500)
    mesh.says("A", "OH")
    mesh.wait(OVER_SECONDS - 1)
    assert mesh.reaches("D")  # as H says, and D's last word
    mesh.wait(1)
    assert not mesh.reaches("D")
    mesh.wait(100 * OVER_SECONDS)
    assert not mesh.reaches("D")


def test_whoever_the_dead_alone_lead_to_is_out_of_reach_with_them(mesh: Mesh) -> None:
    mesh.says("D", "AHX")
    mesh.says("X", "D")
    mesh.says("A", "OH")
    assert mesh.reaches("X")
    mesh.wait(2 * OVER_SECONDS)
    assert not mesh.reaches("X")


def test_a_newer_word_is_believed_again(mesh: Mesh) -> None:
    mesh.says("A", "OH")
    mesh.wait(2 * OVER_SECONDS)
    mesh.says("D", "H")
    assert mesh.reaches("D")
    mesh.wait(100 * OVER_SECONDS)
    assert mesh.reaches("D")


def test_who_is_denied_and_says_again_that_it_lives_is_believed(mesh: Mesh) -> None:
    mesh.says("H", "OA")
    for _ in range(50):
        mesh.wait(OVER_SECONDS / 2)
        mesh.says("D", "AH")
        assert mesh.reaches("D")


def test_who_is_denied_now_and_listed_then_is_believed(mesh: Mesh) -> None:
    for _ in range(20):
        mesh.says("A", "OH")
        mesh.wait(OVER_SECONDS - 1)
        mesh.says("A", "OHD")
        mesh.wait(1)
        assert mesh.reaches("D")


def test_the_time_of_a_partition_does_not_count(mesh: Mesh) -> None:
    """A newer word can be on its way only where there is a way."""
    mesh.says("A", "OH")
    mesh.wait(LOOK_SECONDS)
    mesh.linked()  # both neighbours are gone, and everybody with them
    mesh.wait(10 * OVER_SECONDS)
    mesh.linked("A", "H")
    mesh.wait(OVER_SECONDS - 2 * LOOK_SECONDS)
    assert mesh.reaches("D")
    mesh.says("D", "H")
    mesh.wait(10 * OVER_SECONDS)
    assert mesh.reaches("D")


def test_a_liar_cannot_put_it_off_by_letting_the_dead_come_and_go(mesh: Mesh) -> None:
    mesh.says("A", "OH")
    shown = 0
    for _ in range(500):
        mesh.wait(1)
        shown += mesh.reaches("D")
        mesh.says("H", "OA")
        assert not mesh.reaches("D")
        mesh.wait(0.01)
        mesh.says("H", "OAD")
    assert OVER_SECONDS <= shown <= OVER_SECONDS + LOOK_SECONDS


def test_who_cannot_be_reached_is_no_witness(mesh: Mesh) -> None:
    mesh.says("D", "AHX")  # nobody lists X, and X lists nobody
    mesh.says("X", "")
    mesh.wait(10 * OVER_SECONDS)
    assert mesh.reaches("D")


def test_whom_nobody_has_a_record_of_is_no_witness(mesh: Mesh) -> None:
    mesh.says("D", "AHX")
    mesh.wait(10 * OVER_SECONDS)
    assert mesh.reaches("D")


def test_ends_that_name_different_transports_do_not_contradict_each_other(mesh: Mesh) -> None:
    mesh.says("A", "OHD", BLUETOOTH)
    mesh.says("D", "AH")
    mesh.wait(10 * OVER_SECONDS)
    assert mesh.reaches("D")


def test_we_are_a_witness_ourselves(mesh: Mesh) -> None:
    mesh.says("D", "OAH")
    mesh.wait(OVER_SECONDS)
    assert not mesh.reaches("D")


def test_with_whom_we_have_a_link_we_know_better(mesh: Mesh) -> None:
    mesh.linked("A", "H", "D")
    mesh.says("D", "OAH")
    mesh.says("A", "OH")
    mesh.wait(10 * OVER_SECONDS)
    mesh.settle()
    assert mesh.topology.edge(edge_key(mesh.key("D"), mesh.key("H"), LAN)) is not None
    assert mesh.topology.lists(mesh.key("D"), mesh.key("H"))


def test_while_many_records_are_on_their_way_nothing_is_concluded(mesh: Mesh) -> None:
    mesh.says("A", "OH")
    mesh.wait(10 * OVER_SECONDS, sure=False)
    assert mesh.reaches("D")
    mesh.wait(OVER_SECONDS)
    assert not mesh.reaches("D")


def test_a_liar_cannot_put_it_off_by_what_it_says_itself(mesh: Mesh) -> None:
    mesh.says("A", "OH")
    for _ in range(100):
        mesh.wait(1)
        mesh.says("H", "OADX" if mesh.seq % 2 else "OAD")
    assert not mesh.reaches("D")
