"""Separate processes on separate hosts: the command line, real mDNS, real faults."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from presence_core.codec.metadata import MAX_METADATA_BYTES, metadata_size
from presence_core.identity.keyfile import write_mesh_key
from presence_core.identity.mesh import MeshKey
from tests.network.host import PROGRAM, Host, online, whole
from tests.network.lab import Lab, why_not

_REASON = why_not()
pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(3) as built:
        yield built


def test_three_hosts_find_each_other_and_others_join(
    lab: Lab, tmp_path: Path, mesh_file: str
) -> None:
    hosts = [
        Host(lab, n, tmp_path / f"home{n}", "--full", "--mesh-key-file", mesh_file)
        for n in (1, 2, 3)
    ]
    names = {"h1", "h2", "h3"}
    for host in hosts:
        others = names - {f"h{host.number}"}
        graph = host.until(partial(whole, others=others), "the others: online, direct, confirmed")
        assert {c["type"] for c in graph["connections"].values()} == {"LAN"}
        assert {p["presence"]["hops"] for p in graph["remotePeers"]} == {1}
    fourth, fifth = lab.add_host(), lab.add_host()
    once = [*PROGRAM, "--json", "--until-peers", "3", "--wait", "15", "--name", "late"]
    done = lab.run(fourth, [*once, "--home", str(tmp_path / "home4"), "--mesh-key-file", mesh_file])
    assert done.returncode == 0, done.stderr
    assert online(json.loads(done.stdout)) == names
    other = tmp_path / "other.key"
    write_mesh_key(other, MeshKey.generate("other"))
    once[once.index("15")] = "4"
    done = lab.run(fifth, [*once, "--home", str(tmp_path / "home5"), "--mesh-key-file", str(other)])
    assert done.returncode == 1
    graph = json.loads(done.stdout)
    assert graph["remotePeers"] == []
    (condition,) = [c for c in graph["conditions"] if c["source"] == "mesh"]
    assert condition["state"] == "warning"
    assert "another mesh" in condition["message"]


def test_a_stream_tells_of_metadata_death_return_and_silence(
    lab: Lab, tmp_path: Path, mesh_file: str
) -> None:
    watcher = Host(lab, 1, tmp_path / "home1", "--mesh-key-file", mesh_file)
    options = ("--mesh-key-file", mesh_file)
    other = Host(lab, 2, tmp_path / "home2", *options)
    joined = watcher.until_change("peer_joined")
    key = joined["peerKey"]
    metadata = [*PROGRAM, "metadata", "set", '{"role": "medic"}', "--home", str(other.home)]
    assert lab.run(2, metadata).returncode == 0
    changed = watcher.until_change("metadata_changed")
    assert (changed["peerKey"], changed["after"]) == (key, {"role": "medic"})

    seen = len(watcher.lines)
    other.stop(signal.SIGKILL)
    lost = watcher.until_change("peer_lost", after=seen)
    assert lost["peerKey"] == key
    assert lost["after"]["state"] == "lost"

    seen = len(watcher.lines)
    other = Host(lab, 2, tmp_path / "home2", *options)
    returned = watcher.until_change("peer_returned", after=seen)
    assert returned["peerKey"] == key

    other.until_change("link_up") if not other.lines else None
    seen = len(watcher.lines)
    lab.mute(2)
    assert watcher.until_change("peer_lost", after=seen)["peerKey"] == key
    seen = len(watcher.lines)
    lab.heal(2)
    assert watcher.until_change("peer_returned", after=seen)["peerKey"] == key

    seen = len(watcher.lines)
    assert other.stop() == 0
    assert watcher.until_change("peer_left", after=seen)["after"]["state"] == "left"
    assert watcher.stop(signal.SIGINT) == 0
    assert watcher.process.communicate()[1] == ""


def test_a_third_of_all_frames_lost_is_no_loss_of_peers(
    lab: Lab, tmp_path: Path, mesh_file: str
) -> None:
    hosts = [Host(lab, n, tmp_path / f"home{n}", "--mesh-key-file", mesh_file) for n in (1, 2, 3)]
    for host in hosts:
        host.until(
            lambda line: bool(line.get("kind") == "peer_joined" or line.get("remotePeers")),
            "a peer",
        )
        host.until(lambda line: line.get("kind") == "view_changed", "a settled view")
    lab.loss(30, 1)  # of two lossy ports on the way, a frame would be lost to every second one
    seen = [len(host.lines) for host in hosts]
    assert hosts[0].hears_nothing_of("peer_lost", 20, after=seen[0])
    for host, after in zip(hosts[1:], seen[1:], strict=True):
        assert host.hears_nothing_of("peer_lost", 0, after=after)


def test_without_a_network_an_engine_runs_and_finds_peers_when_one_comes(
    lab: Lab, tmp_path: Path, mesh_file: str
) -> None:
    Host(lab, 1, tmp_path / "home1", "--mesh-key-file", mesh_file)
    alone = lab.add_host(())
    host = Host(lab, alone, tmp_path / "alone", "--full", "--mesh-key-file", mesh_file)
    graph = host.until(lambda line: line["view"]["state"] == "blind", "a blind view")
    (mdns,) = [c for c in graph["conditions"] if c["source"] == "mdns"]
    assert mdns["state"] == "failed"
    assert "no network interface" in mdns["message"]
    lab.plug(alone)
    host.until_sees("h1")


def test_hosts_with_nothing_but_link_local_ipv6_find_each_other(
    tmp_path: Path, mesh_file: str
) -> None:
    with Lab(2, ipv4=False) as lab:
        hosts = [
            Host(lab, n, tmp_path / f"home{n}", "--full", "--mesh-key-file", mesh_file)
            for n in (1, 2)
        ]
        hosts[0].until_sees("h2")
        hosts[1].until_sees("h1")


def test_the_largest_metadata_arrives(lab: Lab, tmp_path: Path, mesh_file: str) -> None:
    value = {"x": "y" * (MAX_METADATA_BYTES - 16)}
    while metadata_size(value) < MAX_METADATA_BYTES:
        value["x"] += "y"
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(value))
    options = ("--full", "--mesh-key-file", mesh_file)
    Host(lab, 1, tmp_path / "home1", *options, "--metadata", f"@{file}")
    other = Host(lab, 2, tmp_path / "home2", *options)
    other.until(
        lambda line: any(p["peerMetadata"] == value for p in line["remotePeers"]), "the metadata"
    )


def test_two_halves_find_each_other_again(lab: Lab, tmp_path: Path, mesh_file: str) -> None:
    hosts = [
        Host(lab, n, tmp_path / f"home{n}", "--full", "--mesh-key-file", mesh_file)
        for n in (1, 2, 3)
    ]
    hosts[0].until_sees("h2", "h3")
    hosts[2].until_sees("h1", "h2")
    seen = [len(host.lines) for host in hosts]
    lab.split(3)
    hosts[0].until_sees("h2", after=seen[0])
    blind = hosts[2].until(
        lambda line: line["view"]["state"] == "blind", "a blind view", after=seen[2]
    )
    assert online(blind) == set()
    assert "last known" in blind["view"]["reason"]
    seen = [len(host.lines) for host in hosts]
    lab.join(3)
    hosts[0].until_sees("h2", "h3", after=seen[0])
    hosts[2].until_sees("h1", "h2", after=seen[2])
