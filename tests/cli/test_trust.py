"""``trust``: decided beside an engine or without one, followed by the one that runs."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from presence_core.identity.keyfile import read_identity
from presence_core.identity.keys import Identity, peer_key_text, safety_number, short_id
from presence_core.identity.mesh import MeshKey
from presence_core.identity.trust import TrustBook
from presence_core.schema import json_schema
from presence_tui.output import EXIT_CANNOT, EXIT_NO, EXIT_USAGE
from tests.cli.command import Answer, Stream, at_terminal, on_loopback, refused, run

VALIDATOR = Draft202012Validator(json_schema())
KEYS = [Identity.from_private_bytes(bytes([n] * 32)).peer_key for n in range(1, 6)]
ANA, BEN, EVE, *_ = map(peer_key_text, KEYS)
FILE = f"""\
# met at the harbour
{ANA} seen 2026-11-01T10:00:00Z name="Ana's boat" subject="ana" issuer="relief" run=7
{BEN} blocked 2026-11-02T10:00:00Z name="laptop"
{EVE} verified 2026-11-03T10:00:00Z 2026-11-04T11:00:00Z name="laptop"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "trust").write_text(FILE)
    return home


def trust(home: Path, *argv: str) -> Answer:
    return run("trust", *argv, "--home", home)


def states(home: Path) -> dict[str, str]:
    book = TrustBook.parse((home / "trust").read_text())
    return {peer_key_text(one.key): str(one.state) for one in book}


def test_the_list_is_for_people_and_for_programs(home: Path) -> None:
    answer = trust(home, "list")
    assert (answer.code, answer.err) == (0, "")
    head, *rows = answer.out.splitlines()
    assert " ".join(head.split()) == "TRUST NAME SHORT ID KEY FIRST SEEN VERIFIED SUBJECT"
    assert [row.split()[0] for row in rows] == ["verified", "blocked", "seen"]
    assert rows[0].split()[1:] == [
        *("laptop", short_id(KEYS[2]), f"{EVE[:16]}…", "2026-11-03", "2026-11-04", "-")
    ]
    assert rows[2].startswith("seen      Ana's boat")
    assert rows[2].endswith("ana of relief")
    value = trust(home, "list", "--json", "--compact").json
    VALIDATOR.validate(value)
    assert value["schema"] == "presence-trust/1"
    assert value["peers"][2] == {
        "peerKey": ANA,
        "shortId": short_id(KEYS[0]),
        "deviceName": "Ana's boat",
        "trust": "seen",
        "firstSeen": "2026-11-01T10:00:00.000Z",
        "verifiedAt": None,
        "issuer": "relief",
        "subject": "ana",
    }
    for part, of in (("peers", value["peers"][0]), ("", value)):
        for name in of:
            cut: dict[str, Any] = {key: item for key, item in of.items() if key != name}
            whole = cut if not part else value | {"peers": [cut]}
            assert not VALIDATOR.is_valid(whole), (part, name)
    blocked = trust(home, "list", "--state", "blocked", "--json").json
    assert [peer["peerKey"] for peer in blocked["peers"]] == [BEN]
    assert (home / "trust").read_text() == FILE


def test_without_a_file_nobody_is_known(tmp_path: Path) -> None:
    answer = trust(tmp_path / "none", "list", "--json", "--compact")
    assert answer.out == '{"schema":"presence-trust/1","peers":[],"damage":[]}\n'
    assert not (tmp_path / "none").exists()
    said = refused(trust(tmp_path / "none", "forget", "Ana"), EXIT_NO)
    assert "no key 'Ana' is known here; of one that was never met give all of it" in said


@pytest.mark.parametrize(
    "peer", [ANA, ANA.upper(), ANA[:12], f"{ANA[:16]}…", short_id(KEYS[0]), "Ana's boat"]
)
def test_a_key_is_found_by_whatever_tables_show_of_it(home: Path, peer: str) -> None:
    answer = trust(home, "block", peer)
    assert (answer.code, answer.out) == (0, "")
    assert f"Ana's boat ({short_id(KEYS[0])}) is blocked" in answer.err
    assert states(home)[ANA] == "blocked"
    answer = trust(home, "forget", peer)
    assert (answer.code, answer.out) == (0, "")
    assert list(states(home)) == [BEN, EVE]
    assert (home / "trust").read_text().startswith("# met at the harbour\n")


def test_what_fits_several_is_refused_with_a_list(home: Path) -> None:
    said = refused(trust(home, "verify", "laptop", "--yes"), EXIT_NO)
    assert "'laptop' fits 2 keys" in said
    assert BEN[:16] in said
    assert EVE[:16] in said
    assert (home / "trust").read_text() == FILE


def test_to_verify_shows_the_number_that_the_other_end_shows(tmp_path: Path, home: Path) -> None:
    there = tmp_path / "there"
    keys = {}
    for place in (home, there):
        keys[place] = run("key", "show", "--home", place).out.strip()
    said = {}
    for here, far in ((home, there), (there, home)):
        answer = trust(here, "verify", keys[far], "--yes")
        assert (answer.code, answer.out) == (0, "")
        said[here] = [line for line in answer.err.splitlines() if "     " in line]
        assert states(here)[keys[far]] == "verified"
    assert said[home] == said[there]
    expected = safety_number(read_identity(home), read_identity(there)).split()
    assert " ".join(said[home]).replace("presence-tui:", "").split() == expected


def test_a_person_is_asked(home: Path) -> None:
    argv = ("trust", "verify", ANA, "--home", home)
    for typed in ("n\n", "\n", "\x04"):
        code, screen = at_terminal(*argv, typed=typed, prompt="[y/N]")
        assert code == EXIT_NO
        assert "same 60 digits" in screen
        assert "nothing was changed" in screen
        assert states(home)[ANA] == "seen"
    code, screen = at_terminal(*argv, typed="y\n", prompt="[y/N]")
    assert (code, states(home)[ANA]) == (0, "verified")
    assert "is verified" in screen
    code, screen = at_terminal("trust", "verify", BEN, "--home", home, typed="n\n", prompt="[y/N]")
    assert "this key is blocked; to verify it ends that" in screen


def test_a_script_is_not_asked(home: Path) -> None:
    answer = run("trust", "verify", ANA, "--home", home, stdin="y\n")
    assert (answer.code, answer.out) == (EXIT_USAGE, "")
    assert answer.err.endswith("if you are sure, say --yes\n")
    assert states(home)[ANA] == "seen"


def test_a_key_that_was_never_met_can_be_decided_about(home: Path) -> None:
    key = peer_key_text(KEYS[3])
    assert trust(home, "block", key).code == 0
    assert states(home)[key] == "blocked"
    assert trust(home, "forget", key).code == 0
    assert f"{short_id(KEYS[3])} is not known here" in refused(trust(home, "forget", key), EXIT_NO)


def test_what_is_no_key_is_refused_in_one_line(home: Path) -> None:
    broken = ANA[:-1] + ("q" if ANA[-1] != "q" else "p")
    assert "not a peer key" in refused(trust(home, "block", broken), EXIT_USAGE)
    own = run("key", "show", "--home", home).out.strip()
    for verb in (["block"], ["verify", "--yes"]):
        assert "this device itself" in refused(trust(home, *verb, own), EXIT_USAGE)
    for wrong in ("", "pk1", "\x1b[31m"):
        assert "\x1b" not in refused(trust(home, "block", wrong), EXIT_NO)
    assert (home / "trust").read_text() == FILE


def test_damage_is_said_with_the_answer_and_kept(home: Path) -> None:
    text = FILE + "pk1what seen never\n"
    (home / "trust").write_text(text)
    answer = trust(home, "list", "--json")
    assert answer.code == 0
    (damage,) = answer.json["damage"]
    assert damage.startswith("line 5: not a peer key")
    assert f"{home}/trust, line 5: not a peer key" in answer.err
    assert trust(home, "forget", ANA).code == 0
    assert (home / "trust").read_text().endswith("pk1what seen never\n")


def test_a_file_that_cannot_be_read_is_one_line(home: Path) -> None:
    (home / "trust").unlink()
    (home / "trust").mkdir()
    for argv in (["list"], ["block", ANA], ["forget", ANA], ["verify", ANA, "--yes"]):
        assert "Is a directory" in refused(trust(home, *argv), EXIT_CANNOT)
    answer = run("--json", "--transport", "none", "--home", home)
    assert "cannot read" in refused(answer, EXIT_CANNOT)


def test_an_engine_that_runs_follows_at_once(tmp_path: Path) -> None:
    mesh = MeshKey.generate("test")
    alice, bob = (on_loopback(tmp_path / name, mesh) for name in ("alice", "bob"))
    with Stream(*alice, "--json", "--watch") as here, Stream(*bob, "--json", "--watch") as there:
        up = here.kind("link_up")
        key = up["peerKey"]
        home = tmp_path / "alice"
        assert trust(home, "block", key).code == 0
        change = here.kind("trust_changed")
        assert (change["peerKey"], change["before"], change["after"]) == (key, "unknown", "blocked")
        VALIDATOR.validate(change)
        said = there.until(lambda line: "has blocked this device" in str(line.get("after")))
        assert said["kind"] == "condition_changed"
        assert trust(home, "verify", key, "--yes").code == 0
        change = here.kind("trust_changed")
        assert (change["before"], change["after"]) == ("blocked", "verified")
        here.kind("link_up")
        assert trust(home, "forget", key[:16]).code == 0
        change = here.kind("trust_changed")
        assert (change["before"], change["after"]) == ("verified", "unknown")
        for stream in (here, there):
            assert stream.end(signal.SIGTERM)[0] == 0


def test_what_was_met_survives_a_kill(tmp_path: Path) -> None:
    mesh = MeshKey.generate("test")
    alice, bob = (on_loopback(tmp_path / name, mesh) for name in ("alice", "bob"))
    home = tmp_path / "alice"
    watch = ("--json", "--watch", "--full")
    with Stream(*bob, *watch), Stream(*alice, *watch) as here:
        graph = here.until(lambda graph: bool(graph["remotePeers"]))
        key = graph["remotePeers"][0]["peerKey"]
        here.until(lambda _: (home / "trust").exists() and key in states(home))
        here.end(signal.SIGKILL)
    assert states(home) == {key: "seen"}
    with Stream(*bob, "--json", "--watch"):
        graph = run(*alice, "--json", "--until-peers", "1").json
    assert [peer["trust"] for peer in graph["remotePeers"]] == ["seen"]
