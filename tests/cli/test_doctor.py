"""``doctor`` as people and scripts run it: on homes that are good, locked, broken and hostile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from presence_core.identity.issuer import object_text
from presence_core.identity.keyfile import KeyFile, read_identity, write_mesh_key
from presence_core.identity.mesh import MeshKey
from presence_core.identity.token import token_text
from presence_core.schema import json_schema
from presence_core.transports.ble.system import adapter_present
from presence_tui import cli
from presence_tui.doctor import checks
from presence_tui.doctor.checks import Check
from presence_tui.output import EXIT_DONE, EXIT_NO, EXIT_USAGE
from tests.authority import DAY, Authority
from tests.cli.command import (
    COMMAND,
    Answer,
    Stream,
    at_terminal,
    environment,
    on_loopback,
    refused,
    run,
)
from tests.support import PATIENCE, loopback_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from presence_tui.doctor.examination import Case
    from presence_tui.doctor.finding import Finding

VALIDATOR = Draft202012Validator(json_schema())
HERE = ("--transport", "lan", "--interface", loopback_name(), "--listen", "127.0.0.1:0")
"""Options by which nothing of this machine but loopback is looked at."""

STILL = ("--transport", "none")
HOSTILE_CHARACTERS = set("\x1b\x07\u202e\u200b\x9b\x00\r")

without_network = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None,
    reason="needs root, unshare and ip, for a network of its own",
)


def doctor(home: Path, *argv: str | Path, code: int = EXIT_DONE) -> dict[str, list[dict[str, Any]]]:
    """Run doctor with --json; return what it found, by name."""
    return found(run("doctor", "--home", home, "--json", *argv), code)


def found(answer: Answer, code: int) -> dict[str, list[dict[str, Any]]]:
    assert (answer.code, answer.err) == (code, ""), answer
    assert answer.out.isascii()
    VALIDATOR.validate(answer.json)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in answer.json["findings"]:
        by_name.setdefault(one["name"], []).append(one)
    states = {one["state"] for findings in by_name.values() for one in findings}
    assert ("failed" in states) == (code == EXIT_NO)
    assert (answer.json["verdict"] == "failed") == (code == EXIT_NO)
    return by_name


def files(home: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(home)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in home.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a key, of a closed mesh."""
    home = tmp_path / "home"
    KeyFile.open(home).close()
    write_mesh_key(home / "mesh.key", MeshKey.generate("field"))
    return home


# -- what is as it should be


def test_a_good_home_is_looked_at_and_left_as_it_is(home: Path) -> None:
    before = files(home)
    by_name = doctor(home, *HERE)
    for name in ("version", "home", "key", "files", "settings", "mesh", "clock", "interfaces"):
        assert [one["state"] for one in by_name[name]] == ["ok"], by_name[name]
    assert [one["state"] for one in by_name["multicast"]] == ["ok"]
    assert loopback_name() in by_name["multicast"][0]["found"]
    assert "field" in by_name["mesh"][0]["found"]
    assert by_name["engine"][0]["state"] == "off"
    assert files(home) == before
    secret = (home / "mesh.key").read_text().split()[-1]
    assert secret not in json.dumps(by_name)


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    by_name = doctor(home, *STILL)
    assert "first start makes it" in by_name["home"][0]["found"]
    assert "first start makes one" in by_name["key"][0]["found"]
    assert by_name["mesh"][0]["state"] == "warning"  # nobody has chosen one
    assert "mesh new" in by_name["mesh"][0]["hint"]
    assert not home.parent.exists()


def test_people_get_a_line_each_and_the_verdict_in_numbers(home: Path) -> None:
    answer = run("doctor", "--home", home, *STILL)
    assert (answer.code, answer.err) == (EXIT_DONE, "")
    *lines, verdict = answer.out.splitlines()
    findings = [line for line in lines if not line.startswith(" ")]
    hints = [line for line in lines if line.startswith(" ")]
    assert all("what to do: " in line for line in hints)
    counted = dict(part.split()[::-1] for part in verdict.split(", "))
    assert sum(map(int, counted.values())) == len(findings)
    assert counted["failed"] == "0"
    assert "\x1b" not in answer.out
    assert any(line.startswith("✓ ok ") and " key " in line for line in findings)
    plain = run("doctor", "--home", home, *STILL, env=environment(PYTHONIOENCODING="ascii"))
    assert plain.out.isascii()
    assert len(plain.out.splitlines()) == len(answer.out.splitlines())


def test_colours_are_for_terminals_that_want_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    argv = ("doctor", "--home", home, *STILL)
    code, shown = at_terminal(*argv, colours=True)
    assert code == EXIT_DONE
    assert "\x1b[32m✓ ok" in shown
    code, shown = at_terminal(*argv)
    assert code == EXIT_DONE
    assert "\x1b" not in shown
    assert "no colours, as NO_COLOR asks for" in shown


# -- an engine that runs


@pytest.fixture
def mesh() -> MeshKey:
    return MeshKey.generate("test")


def blind_and_refused(graph: dict[str, Any]) -> bool:
    states = {one["source"]: one["state"] for one in graph["conditions"]}
    return bool(graph["view"]["state"] == "blind" and states["static"] == "warning")


def test_beside_a_running_engine_it_tells_what_that_reports(tmp_path: Path, mesh: MeshKey) -> None:
    home = tmp_path / ("deep" * 30) / "home"  # a socket has room for 100 bytes of path
    home.parent.mkdir()
    options = on_loopback(home, mesh)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        with Stream(*options, "--peer", dead, "--json", "--watch", "--full") as engine:
            engine.until(blind_and_refused)
            by_name = found(run("doctor", *options, "--json"), EXIT_DONE)
            assert str(engine.process.pid) in by_name["engine"][0]["found"]
            assert by_name["engine"][0]["state"] == "warning"  # nobody else is here
            assert "its view is blind" in by_name["engine"][0]["found"]
            (static,) = (one for one in by_name["engine"] if dead in one["found"])
            assert static["state"] == "warning"
            assert static["hint"]
            assert "in use by the engine that runs" in by_name["key"][0]["found"]
            assert by_name["neighbours"][0]["state"] != "ok"  # its own advert is not counted
            other = found(
                run("doctor", "--home", home, "--mesh", "other", "--json", *HERE), EXIT_DONE
            )
            assert any("it is in the mesh" in one["found"] for one in other["engine"])
            assert engine.process.poll() is None
            assert engine.end(signal.SIGTERM) == (0, "")
    left = doctor(home, *STILL)
    assert left["engine"][0]["state"] == "off"
    assert not list((home / "run").iterdir())


def test_an_engine_that_cannot_be_asked_is_no_good_news(home: Path) -> None:
    held = KeyFile.open(home)
    try:
        by_name = doctor(home, *STILL)
        assert by_name["engine"][0]["state"] == "unknown"
        assert "cannot be asked" in by_name["engine"][0]["found"]
        (home / "run").mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as garbage:
            garbage.bind(str(home / "run" / "control"))  # and nobody accepts
            garbage.listen()
            by_name = doctor(home, *STILL)
        assert "did not answer" in by_name["engine"][0]["found"]
    finally:
        held.close()


def test_who_announces_a_mesh_is_told(tmp_path: Path, mesh: MeshKey) -> None:
    with Stream(*on_loopback(tmp_path / "bob", mesh), "--json", "--watch") as bob:
        next(bob.lines())
        by_name = found(run("doctor", *on_loopback(tmp_path / "a", mesh), "--json"), EXIT_DONE)
        assert by_name["neighbours"][0]["state"] == "ok", by_name["neighbours"]
        strange = doctor(tmp_path / "b", "--mesh", "another", *HERE)
        assert strange["neighbours"][0]["state"] == "warning"
        assert "compare" in strange["neighbours"][0]["hint"]


def test_given_addresses_are_tried(tmp_path: Path) -> None:
    with socket.socket() as open_, socket.socket() as closed:
        for sock in (open_, closed):
            sock.bind(("127.0.0.1", 0))
        open_.listen()
        good, bad = (f"127.0.0.1:{sock.getsockname()[1]}" for sock in (open_, closed))
        name = "no-such-host.invalid:4711"
        by_name = doctor(tmp_path, *HERE, "--peer", good, "--peer", bad, "--peer", name)
    states = {one["found"].split()[0]: one["state"] for one in by_name["peer"]}
    assert states == {good: "ok", bad: "warning", name: "warning"}


def test_interfaces_that_are_not_there_are_named(tmp_path: Path) -> None:
    by_name = doctor(tmp_path, *HERE, "--interface", "nosuch0")
    assert [one["state"] for one in by_name["interfaces"]] == ["ok", "warning"]
    assert "nosuch0" in by_name["interfaces"][1]["found"]
    only = ("--transport", "lan", "--interface", "nosuch0", "--listen", "127.0.0.1:0")
    by_name = doctor(tmp_path, *only, code=EXIT_NO)
    assert by_name["interfaces"][0]["state"] == "failed"


# -- what keeps an engine from running


def test_a_key_that_others_can_read(home: Path) -> None:
    (home / "identity.key").chmod(0o644)
    (key,) = doctor(home, *STILL, code=EXIT_NO)["key"]
    assert key["state"] == "failed"
    assert "can be read by others (mode 0644)" in key["found"]
    assert f"chmod 600 {home}/identity.key" in key["hint"]


def test_a_mesh_key_that_others_can_read(home: Path) -> None:
    (home / "mesh.key").chmod(0o644)
    (mesh,) = doctor(home, *STILL, code=EXIT_NO)["mesh"]
    assert f"chmod 600 {home}/mesh.key" in mesh["hint"]
    other = home.parent / "team.key"
    shutil.copy(home / "mesh.key", other)
    other.chmod(0o644)
    by_name = doctor(home, *STILL, "--mesh-key-file", other, code=EXIT_NO)
    assert f"chmod 600 {other}" in by_name["settings"][0]["hint"]
    assert by_name["mesh"][0]["state"] == "unknown"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("name = ", "is not valid TOML"),
        ("transport = ['lan']", "unknown key 'transport'"),
        ("listen = 'nonsense:port'", "listen: "),
        ("mesh_key_file = 'nothing'", "there is no mesh key file"),
    ],
)
def test_a_broken_config_file_is_told_and_the_rest_looked_at(
    home: Path, config: str, words: str
) -> None:
    (home / "config.toml").write_text(config)
    by_name = doctor(home, *STILL, code=EXIT_NO)
    assert words in by_name["settings"][0]["found"]
    assert "no engine starts" in by_name["settings"][0]["hint"]
    assert by_name["mesh"][0]["state"] == "unknown"
    assert by_name["key"][0]["state"] == "ok"
    assert by_name["lan"][0]["state"] == "off"  # the flags count all the same


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[dashboard]\ntheme = 'loud'", "'loud' is none of"),
        ("[dashboard.keys]\n'no.such' = 'x'", "there is no key binding 'no.such'"),
    ],
)
def test_settings_of_the_dashboard_keep_only_that_from_starting(
    home: Path, config: str, words: str
) -> None:
    (home / "config.toml").write_text(config)
    by_name = doctor(home, *STILL, code=EXIT_NO)
    assert words in by_name["settings"][0]["found"]
    assert "no dashboard starts" in by_name["settings"][0]["hint"]
    assert by_name["mesh"][0]["state"] == "ok"


def test_a_config_file_that_others_can_change(home: Path) -> None:
    path = home / "config.toml"
    path.write_text("name = 'bridge'")
    path.chmod(0o666)
    states = [one["state"] for one in doctor(home, *STILL)["settings"]]
    assert states == ["ok", "warning"]


def test_a_wrong_environment_is_a_finding_and_a_wrong_flag_wrong_usage(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for flags in (["--transport", "smoke"], ["--bogus"], ["--mesh", "a", "--mesh-key-file", "b"]):
        refused(run("doctor", "--home", home, *flags), EXIT_USAGE)
    refused(run("--demo", "2", "doctor", "--home", home), EXIT_USAGE)
    monkeypatch.setenv("PRESENCE_LISTEN", "nonsense:port")
    (settings,) = doctor(home, *STILL, code=EXIT_NO)["settings"]
    assert settings["found"].startswith("PRESENCE_LISTEN: ")
    monkeypatch.setenv("PRESENCE_LISTEN", "127.0.0.1:0")
    (settings,) = doctor(home, *STILL)["settings"]
    assert "from the environment: PRESENCE_LISTEN" in settings["found"]


def test_a_home_full_of_garbage(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "issuers").mkdir(parents=True, mode=0o700)
    garbage = b"\x1b]0;x\x07\xff\x00garbage\n" * 50
    names = ("identity.key", "mesh.key", "epoch", "metadata.json", "trust", "identity.token")
    for name in (*names, "login.json", "renewal.failed", "issuers/a.issuer"):
        (home / name).write_bytes(garbage)
        (home / name).chmod(0o600)
    by_name = doctor(home, *HERE, code=EXIT_NO)
    for name in ("key", "mesh"):
        assert by_name[name][0]["state"] == "failed", name
    said = " ".join(one["found"] for name in ("files", "identity") for one in by_name[name])
    for name in ("epoch", "metadata.json", "trust", "identity.token", "a.issuer"):
        assert name in said
    (home / "config.toml").write_bytes(garbage)
    answer = run("doctor", "--home", home, *HERE)
    assert (answer.code, answer.err) == (EXIT_NO, "")
    assert not set(answer.out) & HOSTILE_CHARACTERS
    assert "Traceback" not in answer.out
    assert not (home / "presence-tui.log").exists()


def test_hostile_words_do_not_reach_the_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mesh.key").unlink()
    write_mesh_key(home / "mesh.key", MeshKey.generate("\x1b[31mred\u202e"))
    monkeypatch.setenv("TERM", "\x1b]0;owned\x07term")
    argv = ("doctor", "--home", home, *STILL)
    code, shown = at_terminal(*argv)
    assert code == EXIT_DONE
    assert "]0;ownedterm" in shown
    assert not set(shown.replace("\r\n", "\n")) & HOSTILE_CHARACTERS


def test_a_home_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    for home, words in (("home", "is not a folder"), ("home/below", "cannot use")):
        by_name = doctor(tmp_path / home, *STILL, code=EXIT_NO)
        assert words in by_name["home"][0]["found"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_home_that_cannot_be_entered_claims_nothing(home: Path) -> None:
    home.chmod(0)
    try:
        by_name = doctor(home, *STILL, code=EXIT_NO)
    finally:
        home.chmod(0o700)
    assert by_name["home"][0]["state"] == "failed"
    assert by_name["engine"][0]["state"] == "unknown"
    assert by_name["key"][0]["state"] in ("failed", "unknown")


def test_a_home_that_others_can_write_in(home: Path) -> None:
    home.chmod(0o777)
    (finding,) = doctor(home, *STILL)["home"]
    assert finding["state"] == "warning"
    assert f"chmod 700 {home}" in finding["hint"]


def test_a_port_that_is_taken(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        where = ("--transport", "lan", "--interface", loopback_name(), "--listen", address)
        (port,) = doctor(home, *where, code=EXIT_NO)["port"]
        assert address in port["found"]
        assert "--listen" in port["hint"]
        held = KeyFile.open(home)
        try:
            (port,) = doctor(home, *where)["port"]  # it may be the engine that runs
        finally:
            held.close()
        assert port["state"] == "unknown"


# -- identity


def test_the_own_identity_and_whom_this_home_believes(home: Path) -> None:
    authority, now = Authority(), time.time()
    off = doctor(home, *STILL)
    assert [off[name][0]["state"] for name in ("identity", "issuers")] == ["off", "off"]
    demanding = doctor(home, *STILL, "--require-identity")
    assert demanding["issuers"][0]["state"] == "warning"
    (home / "issuers").mkdir()
    (home / "issuers" / "harbour.issuer").write_text(object_text(authority.key_set()))
    token = authority.token(read_identity(home), now, begin=-DAY / 2, end=DAY)
    (home / "identity.token").write_text(token_text(token))
    by_name = doctor(home, *STILL)
    assert by_name["identity"][0]["found"].startswith("verified: someone, says Harbour Rescue")
    assert "Harbour Rescue" in by_name["issuers"][0]["found"]
    (home / "login.json").write_text("{}")
    (home / "renewal.failed").write_text("cannot reach the identity service https://h\n")
    (identity,) = doctor(home, *STILL)["identity"]
    assert identity["state"] == "warning"
    assert "is not renewed: cannot reach the identity service" in identity["found"]
    expired = authority.token(read_identity(home), now, begin=-DAY, end=-DAY / 2)
    (home / "identity.token").write_text(token_text(expired))
    assert "ran out at" in doctor(home, *STILL)["identity"][0]["found"]


# -- Bluetooth


@pytest.mark.skipif(adapter_present(), reason="this machine has a Bluetooth adapter, or may have")
def test_no_adapter_is_said_calmly(tmp_path: Path) -> None:
    for transports, state in (((), "off"), (("--transport", "ble"), "warning")):
        (bluetooth,) = doctor(tmp_path, *transports, *HERE[2:])["bluetooth"]
        assert bluetooth["state"] == state
        assert "no Bluetooth adapter" in bluetooth["found"]
        assert "nothing needs to be done" in bluetooth["hint"]


def test_bluetooth_that_is_switched_off_is_not_loaded(tmp_path: Path) -> None:
    report = tmp_path / "modules"
    code = (
        "import sys; from presence_tui.cli import run;"
        f"code = run(['doctor', '--home', {str(tmp_path)!r}, '--transport', 'lan']);"
        f"open({str(report)!r}, 'w').write(' '.join(sys.modules)); sys.exit(code)"
    )
    argv = [COMMAND[0], "-c", code]
    done = subprocess.run(argv, capture_output=True, env=environment(), check=False)
    assert done.returncode in (EXIT_DONE, EXIT_NO), done.stderr
    assert b"switched off by the setting transports" in done.stdout
    modules = set(report.read_text().split())
    assert "zeroconf" in modules
    assert not modules & {"bleak", "dbus_fast", "textual"}


# -- checks that go wrong


def test_a_check_that_raises_is_one_unknown_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def raises(_case: Case) -> Sequence[Finding]:
        raise RuntimeError("a bug\nwith \x1b[31mtwo lines")

    monkeypatch.setattr(checks, "CHECKS", (Check("home", raises), *checks.CHECKS))
    code = cli.run(["doctor", "--home", str(tmp_path), *STILL])
    said = capsys.readouterr()
    assert (code, said.err) == (EXIT_DONE, "")
    first, hint, *rest = said.out.splitlines()
    assert first.split()[:3] == ["?", "unknown", "home"]
    assert "RuntimeError: a bug with" in first
    assert "please report" in hint
    assert any(line.startswith("✓ ok") for line in rest)
    assert "\x1b" not in said.out
    assert "1 unknown" in rest[-1]


def test_a_home_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    """A disk that hangs, as one on a network may: here a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "config.toml")
    by_name = doctor(tmp_path, *STILL)
    assert by_name["settings"][0]["state"] == "unknown"
    assert "no answer within" in by_name["settings"][0]["found"]
    assert by_name["mesh"][0]["state"] == "unknown"
    assert by_name["home"][0]["state"] == "ok"


# -- networks of its own


def in_network(*lines: str) -> Answer:
    """Run a shell in a network that has nothing but a loopback that is down."""
    done = subprocess.run(
        ["unshare", "--net", "bash", "-euc", "\n".join(lines)],
        capture_output=True,
        env=environment(DOCTOR=" ".join((*COMMAND, "doctor", "--json", "--home"))),
        timeout=2 * PATIENCE,
        check=False,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


CABLE = (
    "ip link set lo up",
    "ip link add cable0 type veth peer name plug0",
    "ip link set cable0 up",
    "ip link set plug0 up",
    "sysctl -qw net.ipv6.conf.plug0.disable_ipv6=1",
)
ADDRESS = ("ip addr add 10.9.8.7/24 dev cable0", "ip -6 addr add fe80::7/64 dev cable0 nodad")


@pytest.mark.network
@without_network
def test_no_network_at_all(home: Path) -> None:
    by_name = found(in_network(f"$DOCTOR {home}"), EXIT_NO)
    (interfaces,) = by_name["interfaces"]
    assert interfaces["state"] == "failed"
    assert "no network interface but loopback" in interfaces["found"]
    assert by_name["multicast"][0]["state"] == "unknown"


@pytest.mark.network
@without_network
def test_an_interface_of_its_own_and_a_default_port_that_is_taken(home: Path) -> None:
    by_name = found(in_network(*CABLE, *ADDRESS, f"$DOCTOR {home}"), EXIT_DONE)
    assert "cable0 (10.9.8.7, fe80::7" in by_name["interfaces"][0]["found"]
    assert by_name["ipv6"][0]["state"] == "ok"
    assert by_name["port"][0]["state"] == "ok"
    assert "47700" in by_name["port"][0]["found"]
    (multicast,) = by_name["multicast"]
    assert "cable0 by IPv4, cable0 by IPv6" in multicast["found"]
    hold = (
        "import socket, subprocess, sys; s = socket.create_server(('', 47700)); "
        "done = subprocess.run(sys.argv[1:]); "
        "s.close(); sys.exit(done.returncode)"
    )
    line = f'{COMMAND[0]} -c "{hold}" $DOCTOR {home}'
    (port,) = found(in_network(*CABLE, *ADDRESS, line), EXIT_DONE)["port"]
    assert port["state"] == "warning"
    assert "takes any other port" in port["found"]


@pytest.mark.network
@without_network
@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft, for a firewall")
@pytest.mark.parametrize("way", ["input", "output"])
def test_a_firewall_that_swallows_multicast(home: Path, way: str) -> None:
    firewall = (
        "nft add table inet fw",
        f"nft 'add chain inet fw c {{ type filter hook {way} priority 0; }}'",
        "nft add rule inet fw c udp dport 5353 drop",
    )
    by_name = found(in_network(*CABLE, *ADDRESS, *firewall, f"$DOCTOR {home}"), EXIT_NO)
    assert all(one["state"] == "failed" for one in by_name["multicast"])
    assert all("UDP port 5353" in one["hint"] for one in by_name["multicast"])


@pytest.mark.network
@without_network
def test_a_program_that_keeps_the_port_of_mdns_for_itself(home: Path) -> None:
    hold = (
        "import socket, subprocess, sys; s = socket.socket(type=socket.SOCK_DGRAM); "
        "s.bind(('', 5353)); done = subprocess.run(sys.argv[1:]); "
        "s.close(); sys.exit(done.returncode)"
    )
    line = f'{COMMAND[0]} -c "{hold}" $DOCTOR {home}'
    ipv4_only = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"
    by_name = found(in_network(*CABLE, ADDRESS[0], ipv4_only, line), EXIT_NO)
    (multicast,) = by_name["multicast"]
    assert "in use" in multicast["found"]
    assert "another program holds UDP port 5353" in multicast["hint"]
    assert by_name["ipv6"][0]["state"] == "warning"
