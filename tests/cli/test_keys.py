"""``key show`` and ``mesh new|show|join``: secrets go where they are asked for, nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import zxingcpp

from presence_core.identity.keyfile import read_mesh_key
from presence_core.identity.keys import parse_peer_key, short_id
from presence_core.identity.mesh import MeshKey
from presence_tui.output import EXIT_CANNOT, EXIT_NO, EXIT_USAGE
from tests.cli.command import at_terminal, refused, run


def test_the_key_is_made_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = run("key", "show", "--home", home)
    assert (first.code, first.err) == (0, "")
    key = parse_peer_key(first.out.strip())
    again = run("key", "show", "--home", home, "--json", "--compact")
    assert again.json == {
        "schema": "presence-key/1",
        "peerKey": first.out.strip(),
        "shortId": short_id(key),
    }
    assert (home / "identity.key").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    run("key", "show", "--home", tmp_path)
    (tmp_path / "identity.key").chmod(0o644)
    said = refused(run("key", "show", "--home", tmp_path), EXIT_CANNOT)
    assert f"chmod 600 {tmp_path}/identity.key" in said


def test_a_damaged_key_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "identity.key").write_text("no key")
    (tmp_path / "identity.key").chmod(0o600)
    assert "identity.key" in refused(run("key", "show", "--home", tmp_path), EXIT_CANNOT)
    assert (tmp_path / "identity.key").read_text() == "no key"


SHADES = {" ": (0, 0), "▄": (0, 255), "▀": (255, 0), "█": (255, 255)}
"""How a terminal paints half blocks in white on black: the upper and the lower half of a cell."""


def scanned(rows: list[bytes]) -> str:
    """Read a QR code as a camera in front of the screen would; rows of one byte a module."""
    size, side = 8, len(rows[0])
    wide = [b"".join(bytes([module]) * size for module in row) for row in rows]
    image = memoryview(b"".join(row * size for row in wide))
    shape = (len(rows) * size, side * size)
    found = zxingcpp.read_barcodes(image.cast("B", shape))
    return found[0].text if found else ""


def half_blocks(text: str) -> list[bytes]:
    return [
        bytes(SHADES[cell][half] for cell in row) for row in text.splitlines() for half in (0, 1)
    ]


def letters(text: str) -> list[bytes]:
    return [bytes(255 if cell == "#" else 0 for cell in row[::2]) for row in text.splitlines()]


def inverted(rows: list[bytes]) -> list[bytes]:
    return [bytes(255 - module for module in row) for row in rows]


@pytest.mark.parametrize("form", [half_blocks, letters])
def test_a_camera_reads_the_key_from_the_screen(
    tmp_path: Path, form: Callable[[str], list[bytes]]
) -> None:
    key = run("key", "show", "--home", tmp_path).out.strip()
    argv = ["key", "qr", "--home", str(tmp_path), *(["--ascii"] if form is letters else [])]
    dark = run(*argv)
    assert (dark.code, dark.err) == (0, "")
    assert dark.out.isascii() == (form is letters)
    assert scanned(form(dark.out)) == key.upper()
    light = run(*argv, "--invert")  # on a light terminal, or paper, what is drawn is dark
    assert scanned(inverted(form(light.out))) == key.upper()
    assert parse_peer_key(scanned(form(dark.out))) == parse_peer_key(key)


def test_at_a_terminal_the_code_brings_its_own_colours(tmp_path: Path) -> None:
    argv = ("key", "qr", "--home", tmp_path)
    plain = run(*argv).out
    _, shown = at_terminal(*argv, colours=True)
    assert "\x1b[40;97m" in shown
    assert shown.count("\x1b[40;97m") == shown.count("\x1b[0m") == len(plain.splitlines())
    assert shown.replace("\x1b[40;97m", "").replace("\x1b[0m", "").replace("\r", "") == plain
    _, shown = at_terminal(*argv)
    assert shown.replace("\r", "") == plain


def test_the_key_is_exported_with_words_for_people(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('name = "north \\u001b[31m bridge"\n')
    exported = run("key", "export", "--home", tmp_path)
    key = run("key", "show", "--home", tmp_path).out.strip()
    assert (exported.code, exported.err) == (0, "")
    assert "the key of north [31m bridge" in exported.out
    assert f"presence-tui trust verify {key}" in exported.out
    assert f"short id {short_id(parse_peer_key(key))}" in exported.out
    assert "safety number" in exported.out
    assert max(map(len, exported.out.splitlines())) < 100


def test_a_mesh_is_made_shown_and_joined(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    made = run("mesh", "new", "field team", "--home", here)
    assert (made.code, made.out) == (0, "field team\n")
    assert "mesh show --secret" in made.err
    assert "mk1" not in made.err
    assert (here / "mesh.key").stat().st_mode & 0o777 == 0o600
    mesh = read_mesh_key(here / "mesh.key")
    plain = run("mesh", "show", "--home", here)
    assert plain.code == 0
    assert plain.out.startswith("field team  (mesh id ")
    assert mesh.text() not in plain.out + plain.err
    shown = run("mesh", "show", "--home", here, "--json", "--compact").json
    assert shown == {
        "schema": "presence-mesh/1",
        "name": "field team",
        "open": False,
        "meshId": mesh.mesh_id.hex(),
    }
    secret = run("mesh", "show", "--secret", "--home", here)
    assert (secret.code, secret.out, secret.err) == (0, mesh.text() + "\n", "")
    as_json = run("mesh", "show", "--secret", "--json", "--home", here).json
    assert as_json == {**shown, "meshKey": mesh.text()}
    joined = run("mesh", "join", "--home", there, "--name", "theirs", stdin=secret.out)
    assert (joined.code, joined.out) == (0, "")
    assert mesh.text() not in joined.err
    kept = read_mesh_key(there / "mesh.key")
    assert (kept, kept.name) == (mesh, "theirs")


def test_a_mesh_key_file_can_be_joined_with_its_name(tmp_path: Path) -> None:
    run("mesh", "new", "field", "--home", tmp_path / "a")
    file = tmp_path / "a" / "mesh.key"
    assert run("mesh", "join", "--home", tmp_path / "b", "--key-file", file).code == 0
    assert run("mesh", "join", "--home", tmp_path / "c", stdin=file.read_text()).code == 0
    for home in ("b", "c"):
        assert read_mesh_key(tmp_path / home / "mesh.key").name == "field"


def test_a_mesh_key_is_never_overwritten(tmp_path: Path) -> None:
    run("mesh", "new", "first", "--home", tmp_path)
    before = (tmp_path / "mesh.key").read_bytes()
    other = MeshKey.generate("other").text()
    for answer in (
        run("mesh", "new", "second", "--home", tmp_path),
        run("mesh", "join", "--home", tmp_path, stdin=other),
    ):
        assert "exists already; move it away first" in refused(answer, EXIT_CANNOT)
    assert (tmp_path / "mesh.key").read_bytes() == before


def test_without_a_mesh_key_the_answer_is_no(tmp_path: Path) -> None:
    assert "mesh new" in refused(run("mesh", "show", "--home", tmp_path), EXIT_NO)


@pytest.mark.parametrize("stdin", ["", "mk1nonsense", "two\nlines", "# only a comment\n"])
def test_what_is_no_mesh_key_is_refused_and_not_repeated(tmp_path: Path, stdin: str) -> None:
    said = refused(run("mesh", "join", "--home", tmp_path, stdin=stdin), EXIT_USAGE)
    assert "mesh key" in said
    assert "nonsense" not in said
    assert not (tmp_path / "mesh.key").exists()


def test_a_key_file_that_others_can_read_is_not_joined(tmp_path: Path) -> None:
    file = tmp_path / "team.key"
    file.write_text(MeshKey.generate("x").text())
    file.chmod(0o644)
    said = refused(run("mesh", "join", "--home", tmp_path / "h", "--key-file", file), EXIT_CANNOT)
    assert f"chmod 600 {file}" in said


def test_a_name_cannot_reach_the_terminal_as_control_bytes(tmp_path: Path) -> None:
    made = run("mesh", "new", "\x1b]0;x\x07\u202e", "--home", tmp_path)
    shown = run("mesh", "show", "--home", tmp_path)
    for text in (made.out, made.err, shown.out):
        assert not set(text) & set("\x1b\x07\u202e")


def test_what_is_typed_at_the_prompt_is_not_shown(tmp_path: Path) -> None:
    mesh = MeshKey.generate("typed")
    argv = ("mesh", "join", "--home", tmp_path)
    code, shown = at_terminal(*argv, typed=f"{mesh.text()}\n", prompt="mesh key")
    assert code == 0
    assert mesh.text() not in shown
    assert read_mesh_key(tmp_path / "mesh.key") == mesh
