"""A member that lies about its links neither holds the dead for long nor hides the living."""

from __future__ import annotations

import pytest

from presence_core.gossip.contradictions import OVER_SECONDS
from presence_core.model import PresenceState
from tests.simulation import invariants
from tests.simulation.chaos import HELD_SECONDS, NOTICE_SECONDS
from tests.simulation.device import Device
from tests.simulation.hostile import HostileDevice
from tests.simulation.network import LinkQuality
from tests.simulation.world import World, world

CORRECT = 8
LOOK_SECONDS = 0.5


def start(mesh: World, habit: str, liars: int = 1) -> list[Device]:
    """Start a mesh with members of this habit; return the others, when all have met."""
    for _ in range(CORRECT):
        mesh.add()
    for _ in range(liars):
        liar = mesh.add(HostileDevice)
        assert isinstance(liar, HostileDevice)
        liar.habits = (habit,)
    for device in mesh.devices:
        device.start()
    mesh.clock.run(mesh.clock.now + 20.0)
    return invariants.correct(mesh)


def held_by(mesh: World, liar: Device) -> Device:
    """Return a neighbour of a liar that has others beside it."""
    return next(
        mesh.by_key[end.key]
        for end in liar.running.admitted.values()
        if len(mesh.by_key[end.key].running.admitted) > 1
    )


def online(device: Device, other: Device) -> bool:
    return any(
        peer.presence.state is PresenceState.ONLINE
        for peer in device.running.look().remote_peers
        if peer.device_name == other.name
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_dead_are_held_for_a_while_and_no_longer(seed: int) -> None:
    with world(seed, graphs=True, max_links=3) as mesh:
        correct = start(mesh, "hold")
        dead = held_by(mesh, mesh.devices[-1])
        dead.power_off()
        others = [device for device in correct if device is not dead]
        mesh.clock.run(mesh.clock.now + NOTICE_SECONDS)
        assert all(online(device, dead) for device in others)  # the lie does what it is meant to
        mesh.clock.run(mesh.clock.now + HELD_SECONDS - NOTICE_SECONDS)
        assert not any(online(device, dead) for device in others)
        dead.power_on()
        mesh.clock.run(mesh.clock.now + NOTICE_SECONDS)
        assert all(online(device, dead) for device in others)


def believed(mesh: World, seconds: float) -> None:
    """Let time pass, in which nobody who is connected may be taken for dead by any record."""
    end = mesh.clock.now + seconds
    while mesh.clock.now < end:
        mesh.clock.run(mesh.clock.now + LOOK_SECONDS)
        assert not list(invariants.belief(mesh))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_the_living_are_believed_whatever_liars_leave_out(seed: int, loss: float) -> None:
    with world(seed, graphs=True, max_links=4) as mesh:
        correct = start(mesh, "deny", liars=2)
        mesh.network.lose(loss)
        believed(mesh, 3 * OVER_SECONDS)
        mesh.network.lose(0.0)
        mesh.clock.run(mesh.clock.now + NOTICE_SECONDS)
        assert all(online(one, other) for one in correct for other in correct if one is not other)


def test_the_living_are_believed_over_slow_links() -> None:
    slow = LinkQuality(latency=(0.3, 1.0), bandwidth=3_000.0)
    with world(1, graphs=True, quality=slow, max_links=3) as mesh:
        start(mesh, "deny", liars=2)
        believed(mesh, 3 * OVER_SECONDS)


def test_the_living_are_believed_when_ways_are_cut_in_one_direction() -> None:
    """One end hears nothing and gives the link up; the other hears, and must give it up too."""
    with world(3, graphs=True, max_links=3) as mesh:
        correct = start(mesh, "deny")
        for device in correct:
            near = [mesh.by_key[end.key] for end in device.running.admitted.values()]
            mesh.network.deafen(device.host, near[0].host)
            believed(mesh, OVER_SECONDS / 3)
        believed(mesh, 2 * OVER_SECONDS)


def test_the_living_are_believed_when_they_start_anew_with_another_clock() -> None:
    with world(4, graphs=True, max_links=3) as mesh:
        correct = start(mesh, "deny")
        for number, device in enumerate(correct):
            (device.kill if number % 2 else device.power_off)()
            device.skew_ms = (-1) ** number * 10**11
            mesh.clock.run(mesh.clock.now + 2.0)
            device.power_on(keep_epoch=False)
            believed(mesh, OVER_SECONDS / 4)
        believed(mesh, 2 * OVER_SECONDS)
