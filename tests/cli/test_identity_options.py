"""Tokens, issuers and a required identity, as they are seen on the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from presence_core.identity.issuer import object_text
from presence_core.identity.keyfile import KeyFile
from presence_core.identity.keys import parse_peer_key
from presence_core.identity.mesh import MeshKey
from presence_core.identity.token import token_text
from presence_core.schema import json_schema
from presence_tui.output import EXIT_CANNOT, EXIT_USAGE
from tests.authority import Authority
from tests.cli.command import NOWHERE, Stream, on_loopback, refused, run


def vouch(home: Path, authority: Authority) -> None:
    """Give a home a token, as a login does."""
    file = KeyFile.open(home)
    file.close()
    token = authority.token(file.identity.peer_key, time.time(), subject="alice@harbour")
    (home / "identity.token").write_text(token_text(token))


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def options(tmp_path: Path, authority: Authority) -> Callable[[str], list[str]]:
    """Return the options of an engine that trusts the issuer."""
    mesh = MeshKey.generate("test")
    issuer = tmp_path / "harbour.issuer"
    issuer.write_text(object_text(authority.key_set()))
    return lambda name: [*on_loopback(tmp_path / name, mesh), "--issuer", str(issuer)]


def has(status: str) -> Callable[[dict[str, Any]], bool]:
    def look(line: dict[str, Any]) -> bool:
        peers = line.get("remotePeers", ())
        return any(peer["identity"]["status"] == status for peer in peers)

    return look


def concern(source: str, words: str) -> Callable[[dict[str, Any]], bool]:
    def look(line: dict[str, Any]) -> bool:
        return any(
            c["source"] == source and words in (c["message"] or "")
            for c in line.get("conditions", ())
        )

    return look


def test_json_says_who_somebody_is_and_when_it_is_revoked(
    options: Callable[[str], list[str]], tmp_path: Path, authority: Authority
) -> None:
    vouch(tmp_path / "alice", authority)
    with (
        Stream(*options("alice"), "--json", "--watch"),
        Stream(*options("bob"), "--json", "--watch", "--full") as bob,
    ):
        line = bob.until(has("verified"))
        Draft202012Validator(json_schema()).validate(line)
        (alice,) = line["remotePeers"]
        assert alice["identityServiceMetadata"] == {"role": "medic"}
        assert alice["identity"]["subject"] == "alice@harbour"
        assert line["counts"]["verified"] == 1
        revoked = authority.revoke(parse_peer_key(alice["peerKey"]))
        folder = tmp_path / "bob" / "issuers"
        folder.mkdir(exist_ok=True)
        (folder / "harbour.revoked").write_text(object_text(revoked))
        line = bob.until(has("revoked"))
        (alice,) = line["remotePeers"]
        assert alice["identityServiceMetadata"] == {}
        assert line["counts"]["verified"] == 0


def test_who_is_not_verified_is_refused_on_demand(options: Callable[[str], list[str]]) -> None:
    with (
        Stream(*options("alice"), "--json", "--watch", "--full", "--require-identity") as alice,
        Stream(*options("bob"), "--json", "--watch", "--full") as bob,
    ):
        alice.until(concern("admission", "publishes no identity token"))
        bob.until(concern("admission", "refuses this device"))


def test_an_issuer_file_that_is_none_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("nonsense!")
    answer = run("--home", tmp_path / "home", *NOWHERE, "--issuer", wrong, "--json")
    said = refused(answer, EXIT_CANNOT)
    assert str(wrong) in said


def test_a_switch_that_is_neither_on_nor_off_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("require_identity = 'perhaps'")
    assert "true or false" in refused(run("--home", home, *NOWHERE, "--json"), EXIT_CANNOT)
    said = refused(run("--home", home, "--require-identity=yes", "--json"), EXIT_USAGE)
    assert "--require-identity" in said
