"""The network of the simulator shows what TCP would show of it."""

from __future__ import annotations

import random

import pytest

from tests.simulation.clock import Clock
from tests.simulation.network import DEAD_SECONDS, LinkQuality, Network, Pipe


class Line:
    """A pipe between two hosts, and what comes out of it."""

    def __init__(self, *, bandwidth: float = 1e6) -> None:
        self.clock = Clock()
        quality = LinkQuality(latency=(0.005, 0.005), bandwidth=bandwidth)
        self.network = Network(self.clock, random.Random(1), quality)
        self.pipe: Pipe = self.network.pipe("a", "b")
        self.pipe.silent = lambda: self.dead.append(self.clock.now)
        self.came: list[tuple[float, int]] = []
        self.dead: list[float] = []

    def send(self, number: int, size: int = 100) -> None:
        self.pipe.send(size, self.clock.now, self._come, number)

    def _come(self, number: int) -> None:
        self.came.append((self.clock.now, number))

    def wait(self, seconds: float) -> None:
        self.clock.run(self.clock.now + seconds)


@pytest.fixture
def line() -> Line:
    return Line()


def test_messages_take_the_latency_and_their_size(line: Line) -> None:
    began = line.clock.now
    line.send(1, 1_000)
    line.send(2, 1_000)
    line.wait(1)
    assert [number for _, number in line.came] == [1, 2]
    assert [round(moment - began, 6) for moment, _ in line.came] == [0.006, 0.007]


def test_losses_delay_and_keep_the_order(line: Line) -> None:
    line.network.lose(0.2)
    began = line.clock.now
    for number in range(200):
        line.send(number)
    line.wait(60)
    assert [number for _, number in line.came] == list(range(200))
    assert line.came[-1][0] - began > 0.2


def test_a_short_cut_holds_messages_back_and_kills_nobody(line: Line) -> None:
    line.send(1)
    line.network.part({"a": 1})
    line.send(2)
    line.wait(0.3)
    assert not line.came
    line.network.heal()
    line.wait(10)
    assert [number for _, number in line.came] == [1, 2]
    assert not line.dead


def test_who_hears_nothing_for_long_is_told_once(line: Line) -> None:
    line.wait(10)
    assert not line.dead
    began = line.clock.now
    line.network.mute("b")
    line.wait(60)
    assert len(line.dead) == 1
    assert line.dead[0] - began <= DEAD_SECONDS
    assert line.pipe.silent_since() <= began


def test_a_pipe_that_is_closed_says_nothing(line: Line) -> None:
    line.send(1)
    line.pipe.close()
    line.network.mute("b")
    line.wait(60)
    assert not line.came
    assert not line.dead
