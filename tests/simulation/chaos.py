"""A mesh under everything at once, from a seed; then quiet; then the invariants."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from presence_core.codec.metadata import encode_metadata
from presence_core.gossip.contradictions import LOOK_SECONDS as DOUBT_SECONDS
from presence_core.gossip.contradictions import OVER_SECONDS
from tests.simulation import bounds, invariants
from tests.simulation.clock import Trace
from tests.simulation.device import Device
from tests.simulation.hostile import HABITS, HostileDevice
from tests.simulation.world import World, world

PEERS = (7, 14)
MAX_LINKS = (2, 2, 3, 4, 8)
HOSTILE_SHARE = 0.1
START_SECONDS = 3.0
CHAOS_SECONDS = 40.0
QUIET_SECONDS = 120.0
"""Longer than a minute: what flooding missed is repaired by the comparison that comes then. And
longer than the dead can be held."""

LOOK_SECONDS = 2.0
SETTLE_SECONDS = 5.0
"""Somebody may have changed its links a moment before the end: how long that may take to spread."""

NOTICE_SECONDS = 12.0
"""How long it may take at most until a peer that cannot be reached is shown as lost: 3.5 s of
silence, 5 s until its neighbours may publish again, and the rest for losses on the way."""

HELD_SECONDS = OVER_SECONDS + DOUBT_SECONDS + NOTICE_SECONDS
"""How long it may take at most where somebody goes on saying that it is its neighbour."""

ASIDE_SECONDS = 5.0
"""How long a peer that is connected may be taken for one whose last word is over."""

MAX_LOSS = 0.2
TEN_YEARS_MS = 10 * 365 * 86_400_000
MAX_OBJECTS = 6
SIZES = (5, 40, 300, 3_000, 20_000)


@dataclass(slots=True)
class ChaosResult:
    """What a seed led to."""

    seed: int
    peers: int
    hostile: int
    violations: list[str] = field(default_factory=list)
    incidents: int = 0
    events: int = 0
    trace: str = ""
    most_messages: float = 0.0
    """Of a correct peer, a second, link and hostile peer, when only these say anything."""
    most_bytes: float = 0.0


def run_chaos(seed: int) -> ChaosResult:
    """Run one seed to its end."""
    trace = Trace()
    dice = random.Random(f"kind of mesh {seed}")
    # Few links make many hops; a small mesh with many is one in which everybody is a neighbour.
    links, pull = dice.choice(MAX_LINKS), dice.choice((None, True))
    with world(seed, trace=trace, graphs=True, max_links=links, pull=pull) as mesh:
        chaos = _Chaos(mesh)
        chaos.run()
        return ChaosResult(
            seed=seed,
            peers=len(chaos.correct),
            hostile=len(mesh.devices) - len(chaos.correct),
            violations=chaos.violations,
            incidents=chaos.incidents,
            events=mesh.clock.events,
            trace=trace.digest(),
            most_messages=chaos.bounds.most_messages,
            most_bytes=chaos.bounds.most_bytes,
        )


class _Chaos:
    """One schedule. Each incident is drawn when its time comes, and ends by itself."""

    def __init__(self, mesh: World) -> None:
        self.mesh = mesh
        self.rng = random.Random(mesh.rng.getrandbits(64))
        self.violations: list[str] = []
        self.incidents = 0
        self._over = False
        self._numbers: dict[bytes, tuple[int, int]] = {}
        """The newest key set and revocation list that each device has gone by."""
        self._shown_since: dict[str, float] = {}
        """What should not be shown for long, and since when it is."""
        count = self.rng.randint(*PEERS)
        hostile = max(1, round(count * HOSTILE_SHARE))
        for number in range(count):
            mesh.add(HostileDevice if number < hostile else Device)
        for device in mesh.devices:
            device.skew_ms = self._skew()
            if self.rng.random() < 0.7:
                device.token = mesh.office.token(device.key, device.wall_ms() / 1000)
            if isinstance(device, HostileDevice):
                device.habits = tuple(
                    self.rng.sample(HABITS, self.rng.randint(1, min(4, len(HABITS))))
                )
        self.correct = invariants.correct(mesh)
        self.bounds = bounds.Bounds(mesh)

    def run(self) -> None:
        """Start all, let things happen, calm down, and look."""
        clock = self.mesh.clock
        for device in self.mesh.devices:
            clock.after(self.rng.uniform(0.0, START_SECONDS), self._start, device)
        clock.after(LOOK_SECONDS, self._look)
        clock.after(self.rng.uniform(0.0, START_SECONDS), self._next_incident)
        clock.run(clock.now + CHAOS_SECONDS)
        self._calm()
        clock.run(clock.now + QUIET_SECONDS)
        self._over = True
        self._judge()

    def _calm(self) -> None:
        self._over = True
        network = self.mesh.network
        network.lose(0.0)
        network.heal()
        for device in self.mesh.devices:
            network.unmute(device.host)
            if device.peer is None and self.rng.random() < 0.8:
                self._start(device)
        self._leave_some_to_be_held()
        self.bounds.calm()

    def _leave_some_to_be_held(self) -> None:
        """Pull the plug of one neighbour of each hostile peer that goes on listing it."""
        for device in self.mesh.devices:
            if isinstance(device, HostileDevice) and "hold" in device.habits and device.peer:
                near = {end.key for end in device.peer.admitted.values()}
                held = [other for other in self.correct if other.peer and other.key in near]
                if held:
                    self.rng.choice(held).power_off()

    def _judge(self) -> None:
        clock = self.mesh.clock
        end = clock.now + SETTLE_SECONDS
        while (wrong := self._unsettled()) and clock.now < end:
            clock.run(clock.now + SETTLE_SECONDS / 10)
        self.violations += wrong + self.bounds.final()

    def _unsettled(self) -> list[str]:
        wrong = invariants.first(invariants.agreement(self.mesh))
        wrong += invariants.first(invariants.freshness(self.mesh))
        wrong += invariants.first(invariants.reachability(self.mesh))
        wrong += invariants.first(invariants.wholeness(self.mesh))
        wrong += invariants.first(invariants.currency(self.mesh))
        wrong += invariants.first(invariants.issuance(self.mesh))
        wrong += invariants.first(invariants.revocation(self.mesh))
        return wrong

    def _look(self) -> None:
        """What must hold at any time is looked at all the time."""
        for device in self.correct:
            if device.peer is not None:
                self.violations += invariants.first(
                    invariants.signedness(self.mesh, device.peer), 1
                )
                self.violations += invariants.first(invariants.honesty(device.peer), 1)
                self.violations += invariants.first(invariants.vouching(self.mesh, device.peer), 1)
        self.violations += invariants.first(invariants.no_way_back(self.correct, self._numbers), 1)
        self.violations += self.bounds.check()
        self.violations += self._shown_for_long()
        if len(self.violations) < 50:
            self.mesh.clock.after(LOOK_SECONDS, self._look)

    def _shown_for_long(self) -> list[str]:
        now, late = self.mesh.clock.now, []
        since: dict[str, float] = {}
        for found, patience in (
            (invariants.reachability(self.mesh), NOTICE_SECONDS),
            (invariants.outlasted(self.mesh), HELD_SECONDS),
            (invariants.belief(self.mesh), ASIDE_SECONDS),
        ):
            for text in sorted(set(found)):
                since[text] = self._shown_since.get(text, now)
                if now - since[text] > patience:
                    late.append(f"{text}, for {patience:.0f} s")
        self._shown_since = since
        return late[:1]

    # -- incidents

    def _skew(self) -> int:
        """Most clocks are about right; some are off by up to ten years."""
        if self.rng.random() < 0.5:
            return self.rng.randint(-2_000, 2_000)
        return self.rng.randint(-TEN_YEARS_MS, TEN_YEARS_MS)

    def _next_incident(self) -> None:
        if self._over:
            return
        self.incidents += 1
        incidents: list[tuple[int, Callable[[], None]]] = [
            (4, self._set_metadata),
            (3, self._restart),
            (2, self._cut),
            (2, self._lose),
            (2, self._unplug),
            (3, self._set_token),
            (1, self._rotate),
            (1, self._revoke),
        ]
        weights = [weight for weight, _ in incidents]
        (chosen,) = self.rng.choices([incident for _, incident in incidents], weights)
        chosen()
        self.mesh.clock.after(self.rng.expovariate(1 / 1.5), self._next_incident)

    def _one(self) -> Device:
        return self.rng.choice(self.mesh.devices)

    def _set_metadata(self) -> None:
        device = self._one()
        if device.peer is None:
            return
        size = self.rng.choice(SIZES)
        text = self.rng.randbytes(size // 2 + 1).hex()
        device.peer.set_metadata(
            None if self.rng.random() < 0.1 else encode_metadata({"at": device.name, "n": text})
        )

    def _set_token(self) -> None:
        """Log in, mostly; or show what is another's, of no use, or nothing."""
        device, office = self._one(), self.mesh.office
        if device.peer is None:
            return
        chance = self.rng.random()
        if chance < 0.7:
            device.peer.set_token(office.token(device.key, device.wall_ms() / 1000))
        elif chance < 0.8 and office.tokens:
            device.peer.set_token(self.rng.choice(office.tokens))
        else:
            device.peer.set_token(self.rng.randbytes(40) if chance < 0.9 else None)

    def _rotate(self) -> None:
        """Bring one device the issuer's new keys."""
        self._bring(lambda _: self.mesh.office.rotate().raw)

    def _revoke(self) -> None:
        """Bring one device the news that another is revoked."""
        self._bring(lambda device: self.mesh.office.revoke(device.key).raw)

    def _bring(self, sign: Callable[[Device], bytes]) -> None:
        """Have the issuer sign something, on no more than a few occasions; one device gets it."""
        running = [device for device in self.correct if device.peer is not None]
        if running and len(self.mesh.office.objects) <= MAX_OBJECTS:
            about, receiver = self._one(), self.rng.choice(running)
            receiver.running.told(sign(about))

    def _restart(self) -> None:
        device = self._one()
        if device.peer is None:
            return
        self.rng.choice((device.leave, device.kill, device.power_off))()
        if self.rng.random() < 0.5:
            device.skew_ms = self._skew()
        pause = self.rng.choice((0.3, 2.0, 10.0)) * self.rng.uniform(0.5, 1.5)
        self.mesh.clock.after(pause, self._start, device, self.rng.random() < 0.5)

    def _start(self, device: Device, keep_epoch: bool = True) -> None:
        if device.peer is None:
            device.power_on(keep_epoch=keep_epoch)

    def _cut(self) -> None:
        parts = self.rng.choice((2, 2, 3))
        self.mesh.network.part({d.host: self.rng.randrange(parts) for d in self.mesh.devices})
        self.mesh.clock.after(self.rng.uniform(0.5, 15.0), self.mesh.network.heal)

    def _lose(self) -> None:
        self.mesh.network.lose(self.rng.uniform(0.0, MAX_LOSS))

    def _unplug(self) -> None:
        host = self._one().host
        self.mesh.network.mute(host)
        self.mesh.clock.after(self.rng.uniform(0.5, 15.0), self.mesh.network.unmute, host)
