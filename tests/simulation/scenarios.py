"""What happens in a mesh, and how long it takes until all know: the rows of the result table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from presence_core.codec.metadata import encode_metadata
from presence_core.handshake.events import MessageType
from tests.simulation.device import Device
from tests.simulation.peer import Peer
from tests.simulation.warm import warm_up
from tests.simulation.watch import (
    Agreement,
    Spreading,
    cannot_reach,
    has_record,
    reaches,
    shows_metadata,
)
from tests.simulation.world import World

COLD_SECONDS = 3.0
"""Within which all peers start, in a cold start."""

QUIET_SECONDS = 12.0
"""Between two events: after this a first change is published at once again."""

PATIENCE = 120.0
HOLD_SECONDS = 6.0
"""How long tables must stay equal: longer than a record may wait to be published (protocol §6.5).
What is still under way when all know is counted too."""

BRIDGES = 3
CUT_SECONDS = 60.0

_BODY_KINDS = (MessageType.BODY_WANT, MessageType.BODY_CHUNK)


@dataclass(slots=True)
class Row:
    """One line of the result table. Times in simulated seconds; None: it did not come about."""

    event: str
    peers: int
    to_99: float | None
    to_all: float | None
    agreed: float | None
    """When all tables were equal."""
    bytes_sent: list[int] = field(default_factory=list)
    messages: float = 0.0
    note: str = ""

    @property
    def mean_kb(self) -> float:
        """KB that a peer sent, in the mean."""
        return sum(self.bytes_sent) / max(1, len(self.bytes_sent)) / 1000

    @property
    def most_kb(self) -> float:
        """KB that the busiest peer sent."""
        return max(self.bytes_sent, default=0) / 1000


class Stage:
    """A world with its devices, on which one thing after the other happens."""

    def __init__(
        self,
        world: World,
        count: int,
        progress: Callable[[str, float], None],
        hold: float = HOLD_SECONDS,
    ) -> None:
        self.world = world
        self.hold = hold
        self.devices = [world.add() for _ in range(count)]
        self.progress = progress
        self._event = ""
        self._spreading: Spreading | None = None
        world.clock.pulse = self._pulse

    def peers(self) -> list[Peer]:
        """Return the peers that run."""
        return self.world.peers()

    def begin(self, event: str) -> None:
        """Forget who watched, and count from here."""
        self._event = event
        self._spreading = None
        self.world.watchers.clear()
        for device in self.devices:
            device.meter.reset()

    def watch(self, spreading: Spreading, agreement: Agreement) -> None:
        """Let time pass until all know, and all tables are equal and stay so."""
        self._spreading = spreading
        clock = self.world.clock

        def over() -> bool:
            equal = agreement.since()
            steady = equal is not None and clock.now - equal >= self.hold
            return steady and spreading.complete()

        clock.run(clock.now + PATIENCE, stop=over)

    def row(
        self,
        event: str,
        began: float,
        spreading: Spreading,
        agreement: Agreement,
        kinds: Callable[[int], bool] = lambda _: True,
        note: str = "",
    ) -> Row:
        """Sum up."""
        agreed = agreement.since()
        meters = [device.meter for device in self.devices]
        sent = [sum(n for kind, n in m.bytes_by_kind.items() if kinds(kind)) for m in meters]
        messages = sum(
            n for m in meters for kind, n in m.by_kind.items() if kind >= 0 and kinds(kind)
        )
        return Row(
            event,
            len(self.devices),
            spreading.seconds(0.99, began),
            spreading.seconds(1.0, began),
            None if agreed is None else max(0.0, agreed - began),
            sent,
            messages / len(meters),
            note,
        )

    def _pulse(self) -> None:
        share = self._spreading.share() if self._spreading else 0.0
        self.progress(self._event, share)


def cold(stage: Stage) -> list[Row]:
    """All start within three seconds; times count from the last start."""
    stage.begin("cold start")
    world, clock = stage.world, stage.world.clock
    began = clock.now + COLD_SECONDS
    for number, device in enumerate(stage.devices):
        moment = world.rng.uniform(clock.now, began) if number else began
        clock.at(moment, device.start)
    clock.run(began)
    count = len(stage.devices)
    spreading = Spreading(world, stage.peers(), reaches(count))
    agreement = Agreement(world, stage.peers())
    stage.watch(spreading, agreement)
    links = sum(len(peer.admitted) for peer in stage.peers()) / count
    note = f"{links:.1f} links each"
    return [stage.row("cold start in 3 s", began, spreading, agreement, note=note)]


def update(stage: Stage) -> list[Row]:
    """One peer changes its metadata."""
    stage.begin("one update")
    peer = stage.world.rng.choice(stage.peers())
    version = _version(peer)
    value = encode_metadata({"at": "the landing stage", "since": stage.world.clock.events})
    began = stage.world.clock.now
    known = Spreading(
        stage.world, stage.peers(), has_record(peer.key, (version[0], version[1] + 1))
    )
    shown = Spreading(stage.world, stage.peers(), shows_metadata(peer.key, value))
    agreement = Agreement(stage.world, stage.peers())
    peer.set_metadata(value)
    stage.watch(shown, agreement)
    return [
        stage.row(
            "one update: its record", began, known, agreement, lambda k: k not in _BODY_KINDS
        ),
        stage.row("one update: what it says", began, shown, agreement),
    ]


def kill(stage: Stage) -> list[Row]:
    """A process is killed: its neighbours see the connections close."""
    stage.begin("a process killed")
    device = stage.world.rng.choice(stage.devices)
    began = stage.world.clock.now
    device.kill()
    return _gone(stage, device, began, "a process is killed")


def death(stage: Stage) -> list[Row]:
    """A plug is pulled: nobody is told, neighbours notice the silence."""
    stage.begin("a silent death")
    device = stage.world.rng.choice(stage.devices)
    neighbours = [end.far.peer for end in device.running.admitted.values() if end.far]
    began = stage.world.clock.now
    device.power_off()
    noticed = Spreading(stage.world, neighbours, lambda peer: device.key not in _neighbours(peer))
    rows = _gone(stage, device, began, "a silent death")
    rows[0].note = f"the last neighbour noticed after {noticed.seconds(1.0, began) or 0:.2f} s"
    return rows


def _gone(stage: Stage, device: Device, began: float, event: str) -> list[Row]:
    spreading = Spreading(stage.world, stage.peers(), cannot_reach(device.key))
    agreement = Agreement(stage.world, stage.peers())
    stage.watch(spreading, agreement)
    row = stage.row(event, began, spreading, agreement)
    device.power_on()
    return [row]


def join(stage: Stage) -> list[Row]:
    """One more peer starts, and finds the others by their adverts."""
    stage.begin("one joins")
    began = stage.world.clock.now
    device = stage.world.add()
    stage.devices.append(device)
    newcomer = device.start()
    spreading = Spreading(
        stage.world,
        stage.peers(),
        lambda peer: (
            peer.node.topology.reachable(newcomer.key)
            and (peer is not newcomer or peer.node.topology.reach() == len(stage.devices) - 1)
        ),
    )
    agreement = Agreement(stage.world, stage.peers())
    stage.watch(spreading, agreement)
    note = f"the newcomer sent {device.meter.bytes / 1000:.0f} KB"
    return [stage.row("one joins", began, spreading, agreement, note=note)]


def merge(stage: Stage) -> list[Row]:
    """Two halves that never met hear of each other at three places."""
    stage.begin("two halves merge")
    world = stage.world
    halves = _halves(stage.devices)
    world.network.heal()
    began = world.clock.now
    for _ in range(BRIDGES):
        one, other = (world.rng.choice(half).running for half in halves)
        world.air.tell(one, other)
        world.air.tell(other, one)
    peers = stage.peers()
    keys = {device.key for device in halves[1]}
    joined = Spreading(
        world,
        [device.running for device in halves[0]],
        lambda peer: not keys.isdisjoint(_neighbours(peer)),
    )
    spreading = Spreading(world, peers, reaches(len(peers)))
    agreement = Agreement(world, peers)
    stage.watch(spreading, agreement)
    first = joined.seconds(1 / len(halves[0]), began) or 0.0
    note = f"from the first link between them, {first:.2f} s after they could hear each other"
    return [stage.row("two halves merge", began + first, spreading, agreement, note=note)]


def heal(stage: Stage) -> list[Row]:
    """The mesh is cut into two halves for a minute, then it is whole again."""
    stage.begin("cut in two")
    world = stage.world
    halves = _halves(stage.devices)
    world.network.part({device.host: 1 for device in halves[1]})
    world.clock.run(world.clock.now + CUT_SECONDS)
    stage.begin("healed")
    began = world.clock.now
    world.network.heal()
    peers = stage.peers()
    spreading = Spreading(world, peers, reaches(len(peers)))
    agreement = Agreement(world, peers)
    stage.watch(spreading, agreement)
    return [stage.row("whole again after 60 s in halves", began, spreading, agreement)]


def hops_are_right(stage: Stage) -> bool:
    """Whether everybody knows how far everybody is, by the sessions that there are."""
    peers = stage.peers()
    near = {peer.key: [end.key for end in peer.admitted.values()] for peer in peers}
    for peer in peers:
        hops, ring = {peer.key: 0}, [peer.key]
        for key in ring:
            for other in near[key]:
                if other not in hops:
                    hops[other] = hops[key] + 1
                    ring.append(other)
        ways = {key: peer.node.topology.way(key) for key in near}
        if {key: way.hops for key, way in ways.items() if way is not None} != hops:
            return False
    return True


def _halves(devices: Sequence[Device]) -> tuple[Sequence[Device], Sequence[Device]]:
    middle = len(devices) // 2
    return devices[:middle], devices[middle:]


def _neighbours(peer: Peer) -> set[bytes]:
    return {link.key for link in peer.node.links.values()}


def _version(peer: Peer) -> tuple[int, int]:
    entry = peer.node.table.get(peer.key)
    assert entry is not None
    return entry.record.epoch, entry.record.seq


ON_A_WARM_MESH = {"update": update, "join": join, "kill": kill, "death": death, "heal": heal}
NAMES = ("cold", "update", "join", "kill", "death", "heal", "merge")


def play(stage: Stage, names: Sequence[str]) -> list[Row]:
    """Play scenarios that can share a mesh one after the other: cold, or merge, or warm ones."""
    if "cold" in names:
        return cold(stage)
    world = stage.world
    stage.progress("warming up", 0.0)
    if "merge" in names:
        halves = _halves(stage.devices)
        world.network.part({device.host: 1 for device in halves[1]})
        warm_up(world, halves)
        world.clock.run(world.clock.now + QUIET_SECONDS)
        return merge(stage)
    warm_up(world, [stage.devices])
    rows: list[Row] = []
    for name in names:
        world.clock.run(world.clock.now + QUIET_SECONDS)
        rows += ON_A_WARM_MESH[name](stage)
    return rows
