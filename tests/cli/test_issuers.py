"""``issuer add|list|remove``: whom a home believes, beside an engine or without one."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from presence_core.identity.issuer import object_text, sign_key_set
from presence_core.identity.keyfile import read_identity
from presence_core.identity.mesh import MeshKey
from presence_core.identity.token import token_text
from presence_core.schema import json_schema
from presence_tui.output import EXIT_CANNOT, EXIT_NO, EXIT_USAGE
from tests.authority import Authority
from tests.cli.command import Answer, Stream, at_terminal, on_loopback, refused, run

VALIDATOR = Draft202012Validator(json_schema())


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path, authority: Authority) -> Path:
    path = tmp_path / "harbour.issuer"
    path.write_text(object_text(authority.key_set()))
    return path


def issuer(home: Path, *argv: str | Path) -> Answer:
    return run("issuer", *argv, "--home", home)


def listed(home: Path) -> list[dict[str, Any]]:
    value = issuer(home, "list", "--json").json
    VALIDATOR.validate(value)
    assert value["schema"] == "presence-issuers/1"
    found: list[dict[str, Any]] = value["issuers"]
    return found


def test_an_issuer_is_added_listed_and_removed(
    home: Path, file: Path, authority: Authority
) -> None:
    assert listed(home) == []
    assert not home.exists()
    answer = issuer(home, "add", file, "--yes")
    assert (answer.code, answer.out) == (0, "")
    assert "the issuer 'Harbour Rescue', key set 1" in answer.err
    assert f"{authority.key.kid.hex()}  {authority.key.public.hex()}" in answer.err
    (entry,) = listed(home)
    assert entry == {
        "name": "Harbour Rescue",
        "keySetNumber": 1,
        "keyIds": [authority.key.kid.hex()],
        "revocationNumber": None,
        "kept": True,
    }
    for name in entry:
        cut = {key: value for key, value in entry.items() if key != name}
        assert not VALIDATOR.is_valid({"schema": "presence-issuers/1", "issuers": [cut]})
    head, row = issuer(home, "list").out.splitlines()
    assert " ".join(head.split()) == "NAME KEY SET KEYS REVOCATIONS TRUSTED BY"
    assert row.startswith("Harbour Rescue  1        " + authority.key.kid.hex())
    assert row.endswith("this home")
    assert issuer(home, "remove", "Harbour Rescue").code == 0
    assert listed(home) == []
    assert list((home / "issuers").iterdir()) == []
    said = refused(issuer(home, "remove", "Harbour Rescue"), EXIT_NO)
    assert "no issuer 'Harbour Rescue' is believed here" in said


def test_a_person_is_asked_and_a_script_is_not(home: Path, file: Path) -> None:
    answer = run("issuer", "add", file, "--home", home, stdin="y\n")
    assert answer.code == EXIT_USAGE
    assert answer.err.endswith("if you are sure, say --yes\n")
    argv = ("issuer", "add", file, "--home", home)
    code, screen = at_terminal(*argv, typed="n\n", prompt="[y/N]")
    assert code == EXIT_NO
    assert "nothing was changed" in screen
    assert not home.exists()
    code, screen = at_terminal(*argv, typed="yes\n", prompt="[y/N]")
    assert code == 0
    assert "believed here from now on" in screen
    assert len(listed(home)) == 1


def test_a_newer_key_set_takes_the_place_of_the_older_one_and_not_the_other_way(
    home: Path, file: Path, tmp_path: Path, authority: Authority
) -> None:
    assert issuer(home, "add", file, "--yes").code == 0
    authority.rotate()
    newer = tmp_path / "newer"
    newer.write_bytes(authority.key_set().raw)
    assert issuer(home, "add", newer, "--yes").code == 0
    (entry,) = listed(home)
    assert entry["keySetNumber"] == 2
    assert entry["keyIds"] == [key.kid.hex() for key in authority.keys]
    assert "a newer key set of 'Harbour Rescue' is here: 2, not 1" in refused(
        issuer(home, "add", file, "--yes"), EXIT_NO
    )
    assert listed(home) == [entry]
    assert issuer(home, "add", newer, "--yes").code == 0  # the same once more


def test_another_issuer_of_the_same_name_is_pointed_out(
    home: Path, file: Path, tmp_path: Path, authority: Authority
) -> None:
    assert issuer(home, "add", file, "--yes").code == 0
    impostor = Authority(authority.name)
    other = tmp_path / "other"
    other.write_text(object_text(impostor.key_set()))
    before = [authority.key.kid.hex()]
    said = issuer(home, "add", other, "--yes")
    assert said.code == EXIT_NO
    assert f"with other keys: {before[0]}" in said.err
    assert "issuer remove 'Harbour Rescue' first" in said.err
    assert [entry["keyIds"] for entry in listed(home)] == [before]
    argv = ("issuer", "add", other, "--home", home)
    code, screen = at_terminal(*argv, typed="n\n", prompt="[y/N]")
    assert code == EXIT_NO
    assert "these would take their place" in screen
    assert [entry["keyIds"] for entry in listed(home)] == [before]
    code, _ = at_terminal(*argv, typed="y\n", prompt="[y/N]")
    assert code == 0
    assert [entry["keyIds"] for entry in listed(home)] == [[impostor.key.kid.hex()]]


def other_end(raw: bytes) -> bytes:
    """Return bytes of which the last is another."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def test_what_is_no_key_set_is_refused_in_one_line(
    home: Path, tmp_path: Path, authority: Authority
) -> None:
    path = tmp_path / "file"
    cases: list[tuple[bytes, str]] = [
        (b"", "empty"),
        (b"\x84\xff\xff", "malformed"),
        (b"-----BEGIN PRIVATE KEY-----", "is not the key set or revocation list of an issuer"),
        (b"A" * 200_000, "more than"),
        (object_text(authority.revoke(bytes(range(32)))).encode(), "is a revocation list"),
        (other_end(authority.key_set().raw), "is not signed by one of its own keys"),
    ]
    for data, words in cases:
        path.write_bytes(data)
        answer = issuer(home, "add", path, "--yes")
        assert answer.code == EXIT_CANNOT
        assert answer.out == ""
        assert words in answer.err.splitlines()[-1], data[:40]
    said = refused(issuer(home, "add", tmp_path / "none", "--yes"), EXIT_CANNOT)
    assert "No such file or directory" in said
    assert not (home / "issuers").exists()


def test_what_an_issuer_calls_itself_cannot_reach_the_terminal(home: Path, tmp_path: Path) -> None:
    nasty = Authority("\x1b]0;x\x07\u202e[@click=x]")
    path = tmp_path / "file"
    path.write_text(object_text(nasty.key_set()))
    added = issuer(home, "add", path, "--yes")
    shown = issuer(home, "list")
    removed = issuer(home, "remove", nasty.name)
    assert (added.code, shown.code, removed.code) == (0, 0, 0)
    for text in (added.err, shown.out, removed.err):
        assert not set(text) & set("\x1b\x07\u202e")


def test_who_is_trusted_by_the_configuration_is_listed_too(
    home: Path, file: Path, authority: Authority
) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'issuers = ["{file}"]\n')
    (entry,) = listed(home)
    assert (entry["name"], entry["kept"]) == (authority.name, False)
    assert issuer(home, "list").out.splitlines()[1].endswith("the configuration")
    said = refused(issuer(home, "remove", authority.name), EXIT_NO)
    assert "the configuration names it" in said


def test_a_damaged_file_of_the_folder_is_named_and_hides_no_other(home: Path, file: Path) -> None:
    assert issuer(home, "add", file, "--yes").code == 0
    (home / "issuers" / "broken.issuer").write_text("what")
    answer = issuer(home, "list", "--json")
    assert answer.code == 0
    assert "broken.issuer is not the key set" in answer.err
    assert len(answer.json["issuers"]) == 1


def test_an_issuer_with_a_name_that_only_its_key_set_proves(
    home: Path, tmp_path: Path, authority: Authority
) -> None:
    """Signed by somebody else's key, a set with good keys in it proves nothing."""
    stranger = Authority("stranger")
    forged = sign_key_set(
        stranger.key, issuer=authority.name, number=9, keys=[authority.key.public_key]
    )
    path = tmp_path / "forged"
    path.write_bytes(forged.raw)
    answer = issuer(home, "add", path, "--yes")
    assert answer.code == EXIT_CANNOT
    assert "is not signed by one of its own keys" in answer.err
    assert listed(home) == []


def test_an_engine_that_runs_follows_at_once(
    tmp_path: Path, file: Path, authority: Authority
) -> None:
    mesh = MeshKey.generate("test")
    alice, bob = (on_loopback(tmp_path / name, mesh) for name in ("alice", "bob"))
    run("key", "show", "--home", tmp_path / "bob")
    key = read_identity(tmp_path / "bob")
    token = authority.token(key, time.time(), subject="bob@harbour")
    (tmp_path / "bob" / "identity.token").write_text(token_text(token))

    with Stream(*bob, "--json", "--watch"), Stream(*alice, "--json", "--watch", "--full") as here:

        def seen(line: dict[str, Any], wanted: str) -> bool:
            return [peer["identity"]["status"] for peer in line["remotePeers"]] == [wanted]

        here.until(lambda line: seen(line, "unknown_issuer"))
        assert issuer(tmp_path / "alice", "add", file, "--yes").code == 0
        graph = here.until(lambda line: seen(line, "verified"))
        assert graph["remotePeers"][0]["identity"]["subject"] == "bob@harbour"
        assert issuer(tmp_path / "alice", "remove", authority.name).code == 0
        here.until(lambda line: seen(line, "unknown_issuer"))
        assert here.end(signal.SIGTERM)[0] == 0
