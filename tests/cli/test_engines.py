"""Commands that run engines, beside other processes that do, on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from presence_core.identity.mesh import MeshKey
from presence_core.schema import json_schema
from presence_tui.output import EXIT_CANNOT, EXIT_NO
from tests.cli.command import COMMAND, NOWHERE, Stream, environment, on_loopback, refused, run
from tests.support import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

VALIDATOR = Draft202012Validator(json_schema())
WAIT = str(PATIENCE)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def mesh() -> MeshKey:
    return MeshKey.generate("test")


@pytest.fixture
def options(tmp_path: Path, mesh: MeshKey) -> Callable[[str], list[str]]:
    """Return the options of an engine of this name, in the mesh of the test."""
    return lambda name: on_loopback(tmp_path / name, mesh)


def online(graph: dict[str, Any]) -> set[str]:
    peers = graph.get("remotePeers", ())
    return {p["deviceName"] for p in peers if p["presence"]["state"] == "online"}


def sees(*names: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: online(line) == set(names)


def test_a_snapshot_waits_for_peers(options: Callable[[str], list[str]]) -> None:
    with Stream(*options("bob"), "--json", "--watch"):
        answer = run(
            *options("alice"), "--json", "--until-peers", "1", "--until-current", "--wait", WAIT
        )
    assert (answer.code, answer.err) == (0, "")
    VALIDATOR.validate(answer.json)
    assert online(answer.json) == {"bob"}
    assert answer.json["view"]["state"] == "current"
    (link,) = answer.json["connections"].values()
    assert (link["type"], link["confirmed"]) == ("LAN", True)


def test_a_condition_that_is_missed_still_prints(options: Callable[[str], list[str]]) -> None:
    answer = run(*options("alice"), "--json", "--until-peers", "1", "--wait", "0.2")
    assert answer.code == EXIT_NO
    assert answer.err == "presence-tui: not met in time: 0 of 1 peers are online\n"
    VALIDATOR.validate(answer.json)


def test_a_stream_tells_of_metadata_death_and_return(
    options: Callable[[str], list[str]], tmp_path: Path
) -> None:
    with Stream(*options("alice"), "--json", "--watch") as alice:
        first = next(alice.lines())
        assert first["schema"] == "presence-graph/1"
        with Stream(*options("bob"), "--json", "--watch") as bob:
            joined = alice.kind("peer_joined")
            assert joined["after"]["deviceName"] == "bob"
            text = '{"role": "medic"}'
            assert run("metadata", "set", text, "--home", tmp_path / "bob").code == 0
            changed = alice.until(
                lambda line: (
                    line.get("kind") == "metadata_changed" and line["after"] == {"role": "medic"}
                )
            )
            assert changed["peerKey"] == joined["peerKey"]
            bob.process.kill()
            lost = alice.kind("peer_lost")
            assert lost["before"]["state"] == "online"
        with Stream(*options("bob"), "--json", "--watch") as bob:
            back = alice.kind("peer_returned")
            assert back["peerKey"] == joined["peerKey"]
            assert bob.end(signal.SIGTERM) == (0, "")
            alice.kind("peer_left")
        assert alice.end(signal.SIGINT) == (0, "")
    for line in alice.seen:
        VALIDATOR.validate(line)
    sequences = [line["sequence"] for line in alice.seen]
    assert sequences == sorted(sequences)


def test_a_full_stream_is_snapshots(options: Callable[[str], list[str]]) -> None:
    with Stream(*options("alice"), "--json", "--watch", "--full") as alice:
        with Stream(*options("bob"), "--json", "--watch", "--full") as bob:
            alice.until(sees("bob"))
            bob.until(sees("alice"))
        alice.until(lambda line: not online(line) and bool(line["remotePeers"]))
        assert alice.end(signal.SIGTERM) == (0, "")
    for line in alice.seen:
        assert line["schema"] == "presence-graph/1"
        VALIDATOR.validate(line)


def test_a_stream_ends_when_it_has_seen_enough(options: Callable[[str], list[str]]) -> None:
    with (
        Stream(*options("bob"), "--json", "--watch"),
        Stream(
            *options("alice"), "--json", "--watch", "--until-peers", "1", "--wait", WAIT
        ) as alice,
    ):
        kinds = {line.get("kind") for line in alice.lines()}
        assert alice.finish() == (0, "")
    first_look = online(alice.seen[0])
    assert first_look == {"bob"} or "peer_joined" in kinds
    with Stream(
        *options("alice"), "--json", "--watch", "--until-peers", "9", "--wait", "0.3"
    ) as alice:
        assert len(list(alice.lines())) >= 1
        code, said = alice.finish()
        assert (code, said.count("\n")) == (EXIT_NO, 1)
    with Stream(*options("alice"), "--json", "--watch", "--wait", "0.3") as alice:
        assert len(list(alice.lines())) >= 1
        assert alice.finish() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stream_ends_cleanly(options: Callable[[str], list[str]], number: int) -> None:
    with Stream(*options("alice"), "--json", "--watch") as alice:
        next(alice.lines())
        assert alice.end(number) == (0, "")


def test_a_snapshot_that_is_told_to_end_prints_what_there_is(
    options: Callable[[str], list[str]],
) -> None:
    with (
        Stream(*options("bob"), "--json", "--watch", "--full") as bob,
        Stream(*options("alice"), "--json", "--compact", "--wait", "1000") as alice,
    ):
        bob.until(sees("alice"))
        assert alice.end(signal.SIGTERM) == (0, "")
        assert online(next(alice.lines())) == {"bob"}


@pytest.mark.parametrize("full", [[], ["--full"]])
def test_a_reader_that_goes_ends_the_stream(
    options: Callable[[str], list[str]], full: list[str]
) -> None:
    """As with ``| head -1``: noticed at once, not at the next line."""
    with Stream(*options("alice"), "--json", "--watch", *full) as alice:
        next(alice.lines())
        assert alice.process.stdout is not None
        alice.process.stdout.close()
        assert alice.finish() == (0, "")


def test_head_takes_its_line_and_leaves_no_trace(options: Callable[[str], list[str]]) -> None:
    script = '"$@" --json --watch | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *COMMAND, *options("alice")],
        capture_output=True,
        env=environment(),
        timeout=2 * PATIENCE,
        check=False,
    )
    line, code = done.stdout.splitlines()
    VALIDATOR.validate(json.loads(line))
    assert (code, done.stderr) == (b"0", b"")


def test_the_engine_lives_on_while_nobody_reads(
    options: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """A stream into a stopped pager must neither die in the mesh nor refuse to end."""
    with (
        Stream(*options("alice"), "--json", "--watch", "--full") as alice,
        Stream(*options("bob"), "--json", "--watch", "--full") as bob,
    ):
        bob.until(sees("alice"))
        file = tmp_path / "large.json"
        for number in range(3):  # more than a pipe holds, of which nobody reads any
            file.write_text(json.dumps({"n": number, "a": "x" * 60_000}))
            assert run("metadata", "set", f"@{file}", "--home", tmp_path / "alice").code == 0
            while bob.until(sees("alice"))["remotePeers"][0]["peerMetadata"].get("n") != number:
                pass
        assert alice.end(signal.SIGTERM) == (0, "")
        gone = bob.until(lambda line: not online(line))
        assert gone["remotePeers"][0]["presence"]["state"] == "left"  # it could say goodbye


def test_peers_and_show_of_a_live_mesh(options: Callable[[str], list[str]]) -> None:
    wait = ["--until-peers", "1", "--wait", WAIT]
    with Stream(*options("bob"), "--json", "--watch", "--metadata", '{"role": "medic"}') as bob:
        key = next(bob.lines())["localPeer"]["peerKey"]
        answer = run("peers", *options("alice"), *wait)
        assert answer.code == 0
        assert answer.out.splitlines()[1].split()[:3] == ["bob", key[:12] + "…", "online"]
        answer = run("peers", *options("alice"), "--json", *wait)
        VALIDATOR.validate(answer.json)
        assert [peer["deviceName"] for peer in answer.json["peers"]] == ["bob"]
        answer = run("show", key[:10], *options("alice"), *wait)
        assert answer.code == 0
        assert "bob" in answer.out
        answer = run("show", "nobody", *options("alice"), *wait)
        assert (answer.code, answer.out) == (EXIT_NO, "")


def test_show_awaits_metadata_and_says_when_it_does_not_come(
    options: Callable[[str], list[str]], tmp_path: Path
) -> None:
    alice = options("alice")
    silent = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.cli.silent_peer",
            tmp_path / "silent",
            tmp_path / "alice.mesh",
        ],
        stdin=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    )
    try:
        answer = run("--json", *alice, "--until-peers", "1", "--wait", WAIT)
        assert [p["peerMetadataState"] for p in answer.json["remotePeers"]] == ["pending"]
        answer = run("show", "silent", *alice, "--until-peers", "1", "--wait", "10", "--json")
    finally:
        silent.communicate()
    assert answer.code == 0
    assert [p["peerMetadataState"] for p in answer.json["peers"]] == ["pending"]
    assert "the metadata of 'silent' has not come in time" in answer.err
    assert answer.err.count("\n") == 1


def test_a_static_address_is_dialled(options: Callable[[str], list[str]]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with Stream(*options("bob"), "--listen", address, "--json", "--watch") as bob:
        next(bob.lines())
        wait = ["--until-peers", "1", "--wait", WAIT]
        answer = run(*options("alice"), "--peer", address, "--json", *wait)
    assert answer.code == 0
    assert online(answer.json) == {"bob"}
    (static,) = (c for c in answer.json["conditions"] if c["source"] == "static")
    assert static["state"] == "ok"


def test_why_the_token_is_not_renewed_is_among_the_conditions(tmp_path: Path) -> None:
    """Renewal and engine know of each other by a file of the home alone."""
    (tmp_path / "login.json").write_text("{}")

    def said(graph: dict[str, Any]) -> bool:
        found = [one for one in graph["conditions"] if one["source"] == "identity"]
        return any("is not renewed: " in (one["message"] or "") and one["hint"] for one in found)

    with Stream("--home", tmp_path, *NOWHERE, "--json", "--watch", "--full") as engine:
        engine.until(said)


# -- what keeps an engine from running: one line, what to do, 3


def test_a_second_engine_on_the_same_key(options: Callable[[str], list[str]]) -> None:
    with Stream(*options("alice"), "--json", "--watch") as alice:
        next(alice.lines())
        said = refused(run(*options("alice"), "--json"), EXIT_CANNOT)
        assert "already runs with the key" in said
        assert "another --home" in said


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        answer = run("--home", tmp_path, "--json", "--listen", address)
    said = refused(answer, EXIT_CANNOT)
    assert f"cannot listen on {address}" in said
    assert "--listen" in said


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    assert run("--home", tmp_path, "--json", *NOWHERE).code == 0
    (tmp_path / "identity.key").chmod(0o640)
    said = refused(run("--home", tmp_path, "--json", *NOWHERE), EXIT_CANNOT)
    assert f"chmod 600 {tmp_path}/identity.key" in said


@pytest.mark.parametrize("argv", [["--json"], ["peers"], ["show", "x"], ["--json", "--watch"]])
def test_a_broken_config_file(tmp_path: Path, argv: list[str]) -> None:
    (tmp_path / "config.toml").write_text("transport = ['lan']")
    said = refused(run("--home", tmp_path, *argv), EXIT_CANNOT)
    assert f"{tmp_path}/config.toml: unknown key 'transport'; known: " in said


def test_damaged_metadata_in_the_home(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("{broken")
    said = refused(run("--home", tmp_path, "--json", *NOWHERE), EXIT_CANNOT)
    assert f"{tmp_path}/metadata.json" in said


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    said = refused(run("--home", tmp_path / "home", "--json", *NOWHERE), EXIT_CANNOT)
    assert str(tmp_path / "home") in said


@pytest.mark.parametrize("argv", [["--json"], ["peers", "--json"], ["peers"]])
def test_a_network_that_is_not_there(tmp_path: Path, argv: list[str]) -> None:
    """The answer is printed all the same; that it can show nobody is said, with what to do."""
    where = ["--interface", "nosuch0", "--listen", "127.0.0.1:0", "--home", str(tmp_path)]
    answer = run(*argv, *where)
    assert answer.code == EXIT_CANNOT
    assert answer.err.count("\n") == 1
    assert "no network interface nosuch0 has an address; connect to a network" in answer.err
    if "--json" in argv:
        VALIDATOR.validate(answer.json)
        assert answer.json["view"]["state"] == "blind"
    else:
        assert answer.out.startswith("NAME")


@pytest.mark.network
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs root and unshare, to be without a network",
)
def test_no_network_at_all(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", *COMMAND, "--home", str(tmp_path), "--json"],
        capture_output=True,
        env=environment(),
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == EXIT_CANNOT
    assert done.stderr.decode().count("\n") == 1
    assert b"no network interface has an address; connect to a network" in done.stderr
    VALIDATOR.validate(json.loads(done.stdout))


# -- the demo


def test_the_demo_without_a_terminal_is_one_snapshot_of_everybody() -> None:
    answer = run("--demo", "3")
    assert (answer.code, answer.err) == (0, "")
    VALIDATOR.validate(answer.json)
    assert answer.json["counts"]["online"] == 2
    assert answer.json["view"]["state"] == "current"


def test_the_demo_says_what_it_does_not_use(tmp_path: Path) -> None:
    answer = run("--demo", "2", "--json", "--mesh", "mine", "--name", "me")
    assert answer.code == 0
    assert answer.err == ("presence-tui: the demo is a mesh of its own: --mesh, --name not used\n")
    answer = run("--demo", "3", "peers", "--home", tmp_path)
    assert answer.code == 0
    assert len(answer.out.splitlines()) == 3
